"""Settings of the ocr service, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.common.config import Address, ReadableFile, ServiceSettings


class OcrSettings(ServiceSettings):
    """PW_... variables of ocr besides those that every service has."""

    model_dir: Path
    """Folder with the files that models.toml names."""
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
    frames_in_flight: Annotated[int, Field(ge=1, le=4096)] = 16
    """Frames of all callers under way, from recognition to the matcher's answer."""
    stream_frames_in_flight: Annotated[int, Field(ge=1, le=64)] = 4
    """Frames of one stream under way."""
    image_retention_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that an image is kept after its day of capture (ENF-051 IV.E.1); set it as the archive's."""
