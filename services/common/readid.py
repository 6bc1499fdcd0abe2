"""The id of a read, derived from what was read, so that sending it again gives the same id."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS: Final = 1 << 48
_HASH_BYTES: Final = 32


def read_id_of_sender(sensor_id: str, capture_time: datetime, sender_read_id: str) -> UUID:
    """The id of a read that its sender calls `sender_read_id`."""
    return _read_id(sensor_id, capture_time, sender_read_id.encode())


def read_id_of_frame(
    sensor_id: str, capture_time: datetime, frame_sha256: bytes, box: tuple[float, float, float, float]
) -> UUID:
    """The id of a read without a sender's name: from its first frame, and where the plate is in it.

    Args:
        sensor_id: The sensor.
        capture_time: When the shutter opened, with a zone.
        frame_sha256: 32 bytes.
        box: x, y, width and height in pixels; taken as four big-endian 32-bit floats, which is what the
            contract carries.
    """
    if len(frame_sha256) != _HASH_BYTES:
        raise ValueError("a SHA-256 has 32 bytes")
    return _read_id(sensor_id, capture_time, frame_sha256 + struct.pack(">4f", *box))


def read_id_of_correction(sensor_id: str, capture_time: datetime, passage_id: UUID, text: str) -> UUID:
    """The id of the read which says that the plate of a passage is `text` after all.

    Args:
        sensor_id: The sensor.
        capture_time: Of the passage's first frame.
        passage_id: Id of the passage's first read.
        text: The better text.
    """
    # No sender's name begins so: control characters are not allowed in it.
    return _read_id(sensor_id, capture_time, b"\x00correction\x00" + passage_id.bytes + text.encode())


def _read_id(sensor_id: str, capture_time: datetime, name: bytes) -> UUID:
    """UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, then 74 bits of SHA-256(sensor, 0x00, name)."""
    milliseconds = (capture_time - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds < _MILLISECONDS:
        raise ValueError("a capture time that a UUIDv7 cannot hold")
    digest = hashlib.sha256(sensor_id.encode() + b"\x00" + name).digest()
    random = int.from_bytes(digest) >> (256 - 74)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
