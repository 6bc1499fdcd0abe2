"""Recognition off the event loop: from the bytes of a frame to plates and the pictures of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from services.ocr.core.pictures import PictureError, crop_jpeg, decoded, overview_jpeg
from services.ocr.core.plates import Plate
from services.ocr.engines import Engines
from services.ocr.errors import BadImageError
from services.ocr.metrics import RECOGNITION_SECONDS, UNREADABLE


@dataclass(frozen=True, slots=True)
class Recognized:
    """What is in a frame.

    Attributes:
        plates: Most to least certain.
        unreadable: Plates that are there and were not read surely enough.
        crops: A JPEG of each plate of `plates`.
        overview: JPEG of the frame, at most 384 KiB; empty without a plate that was read.
        seconds: Time it took, waiting for a worker not included.
        model_version: Of the models that looked.
    """

    plates: tuple[Plate, ...]
    unreadable: tuple[Plate, ...]
    crops: tuple[bytes, ...]
    overview: bytes
    seconds: float
    model_version: str


class Recognizer:
    """Runs the engines in one executor of a fixed number of threads.

    Args:
        engines: The models.
        version_for: The version of the models for a sensor.
        workers: Frames side by side.
    """

    def __init__(self, engines: Engines, version_for: Callable[[str], str], *, workers: int) -> None:
        self._engines = engines
        self._version_for = version_for
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="recognition")

    async def recognize(self, image: bytes, sensor_id: str) -> Recognized:
        """What is in `image`, a JPEG or PNG whose header was checked, by the models of that sensor.

        Raises:
            BadImageError: It cannot be decoded.
            DependencyUnavailableError: This replica does not have those models.
        """
        version = self._version_for(sensor_id)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, self._recognize, image, version)
        except PictureError as error:
            raise BadImageError.of(error) from None
        RECOGNITION_SECONDS.observe(found.seconds)
        UNREADABLE.inc(len(found.unreadable))
        return found

    async def close(self) -> None:
        """Returns when no frame is under way."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    def _recognize(self, data: bytes, version: str) -> Recognized:
        engine = self._engines.of(version)
        start = time.perf_counter()
        image = decoded(data)
        sight = engine.look(image)
        crops = tuple(crop_jpeg(image, plate.box) for plate in sight.plates)
        overview = overview_jpeg(image) if sight.plates else b""
        seconds = time.perf_counter() - start
        return Recognized(sight.plates, sight.unreadable, crops, overview, seconds, version)
