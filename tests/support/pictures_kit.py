"""Pictures of every kind, good and bad, made byte by byte where no encoder here makes them."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Any

import cv2
import numpy as np

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
START, END, SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
FRAMES = (0xC0, 0xC1, 0xC2)
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
# Column and row where each pass of Adam7 begins, and its steps.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def noise(height: int, width: int, seed: int = 1) -> Any:
    """BGR pixels that compress worst."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def quarters(height: int = 48, width: int = 80) -> Any:
    """BGR pixels that look different whichever way they are turned or mirrored: black, red, green, blue."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[: height // 2, width // 2 :] = (0, 0, 255)
    image[height // 2 :, : width // 2] = (0, 255, 0)
    image[height // 2 :, width // 2 :] = (255, 0, 0)
    return image


def as_held(image: Any, orientation: int) -> Any:
    """What a camera that is held as EXIF's `orientation` says has of the upright `image`."""
    return {
        1: lambda: image,
        2: lambda: image[:, ::-1],
        3: lambda: image[::-1, ::-1],
        4: lambda: image[::-1],
        5: lambda: image.transpose(1, 0, 2),
        6: lambda: np.rot90(image, 1),
        7: lambda: image[::-1, ::-1].transpose(1, 0, 2),
        8: lambda: np.rot90(image, -1),
    }[orientation]().copy()


def encoded(suffix: str, image: Any, *options: int) -> bytes:
    """The picture as OpenCV encodes it."""
    return cv2.imencode(suffix, image, options)[1].tobytes()


def tiff(orientation: int, *, order: str = "<", kind: int = 3, count: int = 1) -> bytes:
    """EXIF that says the orientation and nothing else."""
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    entry = struct.pack(order + "HHIHH", 0x0112, kind, count, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """A PNG chunk with its right checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def ihdr(width: int, height: int, depth: int = 8, colour: int = RGB, *rest: int) -> bytes:
    """The header chunk; `rest` is compression, filter and interlace."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, *(rest or (0, 0, 0))))


def _lines(samples: Any, depth: int) -> bytes:
    """Scan lines without a filter, of samples (rows x columns x samples a pixel) of `depth` bits."""
    if depth == 16:
        rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    elif depth == 8:
        rows = samples.astype(np.uint8).reshape(len(samples), -1)
    else:
        bits = np.unpackbits(samples.astype(np.uint8).reshape(*samples.shape[:2], 1), axis=2)[..., -depth:]
        rows = np.packbits(bits.reshape(len(samples), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in rows)


def png(samples: Any, depth: int, colour: int, *, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A PNG of `samples` (rows x columns x samples a pixel), `extra` before its data; palettes are grey."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = (samples[y::down, x::across] for x, y, across, down in passes)
    body = zlib.compress(b"".join(_lines(part, depth) for part in parts if part.size))
    palette = b"".join(bytes([n * 255 // (2**depth - 1)] * 3) for n in range(2**depth))
    return (
        PNG_SIGNATURE
        + ihdr(width, height, depth, colour, 0, 0, int(interlaced))
        + (chunk(b"PLTE", palette) if colour == PALETTE else b"")
        + extra
        + chunk(b"IDAT", body)
        + chunk(b"IEND")
    )


def samples_of(depth: int, colour: int, height: int = 37, width: int = 43) -> Any:
    """Samples of every value that `depth` has, for `png`."""
    shape = (height, width, SAMPLES[colour])
    return np.random.default_rng(depth * 10 + colour).integers(0, 2**depth, shape)


def as_decoded(samples: Any, depth: int, colour: int) -> Any:
    """BGR of 8 bits that `samples` stand for: 16 bits lose their lower half, alpha goes."""
    eight = samples >> 8 if depth == 16 else samples * 255 // (2**depth - 1)
    colours = eight[..., :3] if colour in {RGB, RGB_ALPHA} else np.repeat(eight[..., :1], 3, axis=2)
    return colours[..., ::-1].astype(np.uint8)


def animated(still: bytes) -> bytes:
    """The PNG as the first of two frames of an animation."""
    width, height = struct.unpack(">II", still[16:24])
    body = still.index(b"IDAT") - 4
    (length,) = struct.unpack(">I", still[body : body + 4])
    data = still[body + 8 : body + 8 + length]

    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))

    second = control(1) + chunk(b"fdAT", struct.pack(">I", 2) + data)
    start = still[:33] + chunk(b"acTL", struct.pack(">II", 2, 0)) + control(0)
    return start + still[33:-12] + second + still[-12:]


def segment(marker: int, data: bytes = b"") -> bytes:
    """A JPEG segment with its right length."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif(orientation: int, **more: Any) -> bytes:
    """The JPEG segment of EXIF."""
    return segment(0xE1, b"Exif\0\0" + tiff(orientation, **more))


def after_start(jpeg: bytes, inserted: bytes) -> bytes:
    """The JPEG with `inserted` as its first segment."""
    return START + inserted + jpeg[2:]


def jpeg_parts(jpeg: bytes) -> list[bytes]:
    """The segments of a JPEG of ours, each with its marker, a scan with its data; first SOI, last EOI."""
    parts, at = [jpeg[:2]], 2
    while jpeg[at + 1] != END[1]:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] == SCAN and (following := _AFTER_SCAN.search(jpeg, end)):
            end = following.start()
        parts.append(jpeg[at:end])
        at = end
    return [*parts, jpeg[at:]]


def with_frame(jpeg: bytes, at: int, value: bytes) -> bytes:
    """The JPEG with `value` written into its frame header: 1 marker, 4 precision, 5 height, 7 width."""
    return b"".join(
        one[:at] + value + one[at + len(value) :] if one[1] in FRAMES else one for one in jpeg_parts(jpeg)
    )


def planes_jpeg(planes: Any, *, adobe: int | None) -> bytes:
    """A JPEG with a component and scan for each plane; `adobe` is the transform in Adobe's marker."""
    single = [jpeg_parts(encoded(".jpg", plane, cv2.IMWRITE_JPEG_QUALITY, 95)) for plane in planes]
    tables = [one for one in single[0] if one[1] in {0xDB, 0xC4}]
    sides = next(one for one in single[0] if one[1] in FRAMES)[5:9]
    ids = range(1, len(single) + 1)
    header = b"\x08" + sides + bytes([len(single)]) + b"".join(bytes([n, 0x11, 0]) for n in ids)
    marker = b"" if adobe is None else segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    scans = [
        segment(SCAN, bytes([1, n, 0, 0, 63, 0])) + one[-2][10:] for n, one in zip(ids, single, strict=True)
    ]
    return b"".join([START, marker, *tables, segment(0xC0, header), *scans, END])
