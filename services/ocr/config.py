"""Settings of the ocr service, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.common.config import Address, ReadableFile, Target
from services.common.image_store import ImageStoreSettings
from services.ocr.models import PACKAGED


class OcrSettings(ImageStoreSettings):
    """PW_... variables of ocr besides those that every service has."""

    model_dir: Path = PACKAGED
    """Folder with a folder for each version of the models, each with its model.toml."""
    image_kek_file: ReadableFile
    """Key-encryption key of the day keys, 32 bytes as hexadecimal digits."""
    mcs_image_kek_file: ReadableFile
    """The same for images of the Motor Carrier Safety system, another key (ENF-051 III.E.5)."""
    matcher_target: Target
    audit_target: Target
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
    passage_sure: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Video: a text this probable, from two frames or more, is written at once."""
    passage_fair: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Video: a text this probable is written after `passage_patience_seconds`."""
    passage_patience_seconds: Annotated[float, Field(gt=0, le=60)] = 1
    """Video: so long a fairly sure text waits for better frames. A hit waits as long."""
    passage_longest_seconds: Annotated[float, Field(gt=0, le=60)] = 4
    """Video: so long any text waits. The sender keeps the frames of that time."""
    passage_gap_seconds: Annotated[float, Field(gt=0, le=60)] = 1.5
    """Video: a plate that was not seen for so long has gone; the next sight of it is another passage."""
    passage_end_seconds: Annotated[float, Field(gt=0, le=86400)] = 300
    """Video: a vehicle that stands in the picture gets a new read after so long."""
    passages_open: Annotated[int, Field(ge=1, le=64)] = 32
    """Video: plates of one stream that are followed at the same time."""
    passage_megabytes: Annotated[int, Field(ge=1, le=65536)] = 256
    """Video: best frames of all streams that are held, in MiB; at more, reads are written early."""
    video_idle_seconds: Annotated[float, Field(gt=0, le=60)] = 2
    """Video: when no frame came for so long, what was seen until then is written."""
    receiver_listen: Address = ""
    """Address for cameras that push JSON: HTTPS, and a secret for each sensor. Empty: none."""
    receiver_secrets_dir: Path | None = None
    """Folder with a file for each sensor that pushes, named by its id: secrets of 32 characters or more."""
    receiver_tls_cert: ReadableFile | None = None
    """Certificate chain of the receiver, PEM, with the host name that cameras know; unset: `tls_cert`."""
    receiver_tls_key: ReadableFile | None = None
    receiver_megabytes: Annotated[int, Field(ge=1, le=64)] = 8
    """Largest pushed message with its pictures, in MiB."""
    receiver_in_flight: Annotated[int, Field(ge=1, le=1024)] = 16
    """Pushed messages at the same time; more are told to come again."""
    receiver_replay_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    """A signed message is taken so long before and after it was signed."""
    receiver_oldest_hours: Annotated[float, Field(gt=0, le=24 * 3650)] = 24
    """A message that is not signed is taken only when its reads were captured within so long."""
    receiver_image_hosts: str = ""
    """Hosts, separated by commas, from which pictures are fetched that a message names by address."""

    @model_validator(mode="after")
    def _receiver_keys_fit(self) -> Self:
        if (self.receiver_tls_cert is None) != (self.receiver_tls_key is None):
            raise ValueError("PW_RECEIVER_TLS_CERT and PW_RECEIVER_TLS_KEY go together")
        return self

    @property
    def image_hosts(self) -> frozenset[str]:
        """The hosts of `receiver_image_hosts`."""
        return frozenset(host for one in self.receiver_image_hosts.split(",") if (host := one.strip()))
