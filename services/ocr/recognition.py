"""Recognition off the event loop: from the bytes of a frame to plates and the pictures of them."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2

from services.ocr.core.pictures import PictureError, crop_jpeg, decoded, overview_jpeg
from services.ocr.core.plates import Plate
from services.ocr.engine import Engine
from services.ocr.errors import BadImageError
from services.ocr.metrics import RECOGNITION_SECONDS


@dataclass(frozen=True, slots=True)
class Recognized:
    """What is in a frame.

    Attributes:
        plates: Most to least certain.
        crops: A JPEG of each plate.
        overview: JPEG of the frame, at most 384 KiB; empty without a plate.
        seconds: Time it took, waiting for a worker not included.
    """

    plates: tuple[Plate, ...]
    crops: tuple[bytes, ...]
    overview: bytes
    seconds: float


class Recognizer:
    """Runs the engine in one executor of a fixed number of threads.

    Args:
        engine: The models.
        workers: Frames side by side.
    """

    def __init__(self, engine: Engine, *, workers: int) -> None:
        self._engine = engine
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="recognition")
        # The workers are the threads; OpenCV's own would fight them for the cores.
        cv2.setNumThreads(1)

    async def recognize(self, image: bytes) -> Recognized:
        """What is in `image`, a JPEG or PNG whose header was checked.

        Raises:
            BadImageError: It cannot be decoded.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, self._recognize, image)
        except PictureError as error:
            raise BadImageError.of(error) from None
        RECOGNITION_SECONDS.observe(found.seconds)
        return found

    async def close(self) -> None:
        """Returns when no frame is under way."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _recognize(self, data: bytes) -> Recognized:
        start = time.perf_counter()
        image = decoded(data)
        plates = self._engine.plates(image)
        crops = tuple(crop_jpeg(image, plate.box) for plate in plates)
        overview = overview_jpeg(image) if plates else b""
        return Recognized(plates, crops, overview, time.perf_counter() - start)
