"""The structure of PNG files (W3C): checked, and cut down to what a decoder needs.

The decoder sees header, palette, image data and end. Texts, profiles, EXIF and animation, with all their
parsers, stay outside.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from services.ocr.core.exif import orientation_of
from services.ocr.core.picture_limits import Essence, PictureError, PictureKind, require_end

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES: Final = 13
# Table 9: what a pixel may consist of, and for each the bits of one sample.
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE: Final = 3
# Enough for 16 MiB in chunks of 2 KiB; encoders write 8 KiB and more.
_MOST_CHUNKS: Final = 8192
# No deflate stream becomes longer than this when it is inflated.
_MOST_INFLATION: Final = 1032
_LOWER_CASE: Final = 0x20

_TORN: Final = "is torn: its end is missing; send it whole"
_NO_HEADER: Final = "holds no picture: its header is missing or wrong; encode it again"
_MALFORMED: Final = "is malformed: its chunks are not those of a PNG; encode it again"


def kind_of_png(data: bytes) -> PictureKind:
    """What the header says; what comes after it is not looked at.

    Raises:
        PictureError: There is none, or what it says cannot be.
    """
    header = data[16 : 16 + _HEADER_BYTES]
    if data[8:16] != b"\x00\x00\x00\x0dIHDR" or len(header) < _HEADER_BYTES:
        raise PictureError(_NO_HEADER)
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise PictureError(_NO_HEADER)
    return PictureKind("image/png", width, height)


def png_essence(data: bytes) -> Essence:
    """What a decoder needs of the PNG, and its orientation.

    Raises:
        PictureError: It is torn, damaged, malformed or animated.
    """
    kind = kind_of_png(data)
    whole = memoryview(data)
    kept: list[memoryview | bytes] = [SIGNATURE]
    order: list[bytes] = []
    orientation, coded, previous = 0, 0, b""
    for name, start, end in _chunks(data):
        if name in {b"acTL", b"fcTL", b"fdAT"}:
            raise PictureError("is animated: send each frame as a picture of its own")
        if name == b"eXIf":
            orientation = orientation or orientation_of(data[start + 8 : end - 4])
        elif name in {b"IHDR", b"PLTE", b"IDAT", b"IEND"}:
            coded += end - start - 12 if name == b"IDAT" else 0
            if name != b"IDAT" or previous != name:
                order.append(name)
            # Many colours may be suggested for a picture that has no palette. They are not needed.
            if name != b"PLTE" or data[25] == _PALETTE:
                kept.append(whole[start:end])
        elif not name[0] & _LOWER_CASE:
            raise PictureError(_MALFORMED)
        previous = name
    if order not in ([b"IHDR", b"IDAT", b"IEND"], [b"IHDR", b"PLTE", b"IDAT", b"IEND"]):
        raise PictureError(_MALFORMED)
    if coded * _MOST_INFLATION < _line_bytes(data, kind) * kind.height:
        raise PictureError(
            "has less data than its size in pixels needs: it is torn, or its header is wrong; send it again"
        )
    return Essence(b"".join(kept), orientation or 1)


def _line_bytes(data: bytes, kind: PictureKind) -> int:
    return -(-kind.width * data[24] * _SAMPLES[data[25]] // 8) + 1


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk up to and with IEND; length, name and checksum are part of it."""
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if len(data) < at + 12:
            raise PictureError(_TORN)
        length = int.from_bytes(data[at : at + 4], "big")
        name, end = data[at + 4 : at + 8], at + 12 + length
        if not (name.isalpha() and name.isascii()):
            raise PictureError(_MALFORMED)
        if end > len(data):
            raise PictureError(_TORN)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise PictureError("was damaged on its way: a checksum is wrong; send it again")
        yield name, at, end
        if name == b"IEND":
            require_end(data, end)
            return
        at = end
    raise PictureError("has too many chunks: encode it in larger ones")
