"""The structure of JPEG files (ITU-T T.81): checked, and cut down to what a decoder needs.

The decoder sees tables, one frame header and scans. Comments, profiles, thumbnails and EXIF, with all their
parsers, stay outside; so do the rare kinds of JPEG whose decoders are as rarely tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.ocr.core.exif import orientation_of
from services.ocr.core.picture_limits import Essence, PictureError, PictureKind, require_end

SIGNATURE: Final = b"\xff\xd8\xff"
_START: Final = b"\xff\xd8"
_END: Final = 0xD9
# Start of frame, in all variants (table B.1); C4, C8 and CC are other segments.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = 0xC2
# Baseline, extended sequential, progressive: with Huffman coding all three.
_DECODED_FRAMES: Final = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_SCAN: Final = 0xDA
_JFIF, _EXIF, _ADOBE = 0xE0, 0xE1, 0xEE
_TABLES: Final = frozenset({0xC4, 0xDB, 0xDD})
_SKIPPED: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
_KNOWN: Final = _FRAMES | _TABLES | _SKIPPED | {_SCAN}

_MARKER: Final = re.compile(rb"\xff+[^\x00\xff]")
# In a scan, FF 00 is a byte of data and D0 to D7 are restarts; any other marker ends it.
_MARKER_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# The longest metadata that fit 16 MiB need some 250 segments.
_MOST_SEGMENTS: Final = 1000
# Encoders write 6 to 20; each goes over the whole picture again, for a few bytes.
_MOST_SCANS: Final = 64
# Coefficients of a picture with several scans are held until its last scan. Enough for 50 megapixels 4:2:0.
_MOST_COEFFICIENT_BYTES: Final = 160_000_000
_BLOCK: Final = 8
_BLOCK_BYTES: Final = 128
_CMYK: Final = 4

_TORN: Final = "is torn: its end is missing; send it whole"
_MALFORMED: Final = "is malformed: a segment is not what JPEG has there; encode it again"
_NO_FRAME: Final = "holds no picture: its frame header is missing; send the picture itself"


@dataclass(frozen=True, slots=True)
class _Segment:
    """A marker, and where its length field and its end are; the data of a scan belong to the scan."""

    marker: int
    body: int
    data: int
    end: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame header; `sampling` has the horizontal and vertical factors of each component."""

    marker: int
    precision: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    @property
    def blocks(self) -> int:
        """Blocks of 8 x 8 of all components, without padding."""
        most_across = max(across for across, _ in self.sampling)
        most_down = max(down for _, down in self.sampling)
        return sum(
            -(-self.width * across // (most_across * _BLOCK)) * -(-self.height * down // (most_down * _BLOCK))
            for across, down in self.sampling
        )


def kind_of_jpeg(data: bytes) -> PictureKind:
    """What the frame header says; what comes after it is not looked at.

    Raises:
        PictureError: There is none, or it is of a kind that is not decoded.
    """
    for segment in _segments(data):
        if segment.marker in _FRAMES:
            frame = _frame(data, segment)
            return PictureKind("image/jpeg", frame.width, frame.height)
        if segment.marker == _SCAN:
            break
    raise PictureError(_NO_FRAME)


def jpeg_essence(data: bytes) -> Essence:
    """What a decoder needs of the JPEG, and its orientation.

    Raises:
        PictureError: It is torn, malformed, or costs more to decode than a picture may.
    """
    kept: list[memoryview | bytes] = [_START]
    whole = memoryview(data)
    frame: _Frame | None = None
    orientation, scans, coded, adobe = 0, 0, 0, False
    for segment in _segments(data):
        marker, body = segment.marker, segment.body
        if marker in _FRAMES:
            if frame:
                raise PictureError("has several frame headers: send one picture alone")
            frame = _frame(data, segment)
        elif marker == _SCAN:
            if not frame:
                raise PictureError(_NO_FRAME)
            scans, coded = scans + 1, coded + segment.end - segment.data
        elif marker == _EXIF and not orientation and data.startswith(b"Exif\0\0", body + 2):
            orientation = orientation_of(data[body + 8 : segment.data])
        elif marker == _END:
            require_end(data, segment.end)
        adobe = adobe or _is_adobe(data, segment)
        if _is_needed(data, segment):
            kept.append(whole[body - 2 : segment.end])
    if not frame or not scans:
        raise PictureError(_NO_FRAME)
    _require_decodable(frame, scans, coded, adobe=adobe)
    return Essence(b"".join(kept), orientation or 1)


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments up to and with the end of the image."""
    at = len(_START)
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.match(data, at)
        if not found:
            raise PictureError(_MALFORMED if data[at:].strip(b"\xff") else _TORN)
        marker, body = data[found.end() - 1], found.end()
        if marker == _END:
            yield _Segment(marker, body, body, body)
            return
        if marker not in _KNOWN:
            raise PictureError(_MALFORMED)
        length = int.from_bytes(data[body : body + 2], "big")
        after = body + length
        at = _scan_end(data, after) if marker == _SCAN else after
        if at >= len(data):
            raise PictureError(_TORN)
        if length < 2:  # noqa: PLR2004 - it counts itself
            raise PictureError(_MALFORMED)
        yield _Segment(marker, body, after, at)
    raise PictureError("has too many segments: send it without metadata")


def _scan_end(data: bytes, start: int) -> int:
    found = _MARKER_AFTER_SCAN.search(data, start)
    return found.start() if found else len(data)


def _frame(data: bytes, segment: _Segment) -> _Frame:
    # T.81, B.2.2: length, precision, height, width, then for each component id, sampling and table.
    header = data[segment.body + 2 : segment.data]
    components = header[5] if len(header) > 5 else 0  # noqa: PLR2004
    if segment.marker not in _DECODED_FRAMES or header[:1] != b"\x08":
        raise PictureError("is an unusual JPEG: encode it as baseline or progressive, Huffman, 8 bits")
    if len(header) != 6 + 3 * components or components not in {1, 3, _CMYK}:
        raise PictureError(_MALFORMED)
    factors = tuple((one >> 4, one & 15) for one in header[7::3])
    if not all(1 <= factor <= 4 for pair in factors for factor in pair):  # noqa: PLR2004 - table B.2
        raise PictureError(_MALFORMED)
    height, width = int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")
    return _Frame(segment.marker, header[0], width, height, factors)


def _is_adobe(data: bytes, segment: _Segment) -> bool:
    return segment.marker == _ADOBE and data.startswith(b"Adobe", segment.body + 2)


def _is_needed(data: bytes, segment: _Segment) -> bool:
    """Whether a decoder needs the segment; JFIF and Adobe say which colours the components are."""
    if segment.marker in _SKIPPED:
        is_jfif = segment.marker == _JFIF and data.startswith(b"JFIF\0", segment.body + 2)
        return is_jfif or _is_adobe(data, segment)
    return True


def _require_decodable(frame: _Frame, scans: int, coded: int, *, adobe: bool) -> None:
    components = len(frame.sampling)
    if components == _CMYK and not adobe:
        # Whether 0 is no ink or full ink is known with Adobe's marker only.
        raise PictureError("is CMYK without Adobe's marker: encode it as RGB, YCbCr or grey")
    if scans > (_MOST_SCANS if frame.marker == _PROGRESSIVE else components):
        raise PictureError("has too many scans: encode it as baseline JPEG")
    # Each block takes a bit at least in a progressive picture, and two, for DC and end, in others.
    if coded * 8 < frame.blocks * (1 if frame.marker == _PROGRESSIVE else 2):
        raise PictureError(
            "has less data than its size in pixels needs: it is torn, or its header is wrong; send it again"
        )
    if (scans > 1 or frame.marker == _PROGRESSIVE) and frame.blocks * _BLOCK_BYTES > _MOST_COEFFICIENT_BYTES:
        raise PictureError("takes too much memory to decode: encode it as baseline JPEG")
