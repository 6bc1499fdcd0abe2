"""Settings of the ocr service, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.common.config import Address, ReadableFile, ServiceSettings
from services.ocr.models import PACKAGED


class OcrSettings(ServiceSettings):
    """PW_... variables of ocr besides those that every service has."""

    model_dir: Path = PACKAGED
    """Folder with a folder for each version of the models, each with its model.toml."""
    image_store_dir: Path
    """Root of the image store; images go to `days/`."""
    image_kek_file: ReadableFile
    """Key-encryption key of the day keys, 32 bytes as hexadecimal digits."""
    matcher_target: Annotated[Address, Field(min_length=1)]
    audit_target: Annotated[Address, Field(min_length=1)]
    matcher_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10
    """Longest time that the matcher gets for the reads of a frame, new connections and resending included."""
    recognition_workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Frames that are recognised side by side. One for each core that this process may use."""
    recognition_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads for one frame. More shorten its time and cost throughput; cores in use are the product."""
    detector_long_side: Annotated[int, Field(ge=256, le=2048, multiple_of=32)] = 640
    """Pixels of a frame's longer side as the detector sees it. More finds smaller plates, at a cost."""
    frames_in_flight: Annotated[int, Field(ge=1, le=4096)] = 16
    """Frames of all callers under way, from recognition to the matcher's answer."""
    stream_frames_in_flight: Annotated[int, Field(ge=1, le=64)] = 4
    """Frames of one stream under way."""
    waiting_megabytes: Annotated[int, Field(ge=1, le=65536)] = 256
    """Images under way, in MiB; further frames are refused and told when to come again."""
    max_concurrent_calls: Annotated[int, Field(ge=1)] = 512
    """Calls and streams under way. Each may bring one message before it is refused: this bounds memory."""
    image_retention_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that an image is kept after its day of capture (ENF-051 IV.E.1); set it as the archive's."""
