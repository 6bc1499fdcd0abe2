"""Damaged pictures: sound ones of every kind, changed where their formats have fields."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from tests.support.pictures_kit import (
    END,
    FRAMES,
    GREY,
    GREY_ALPHA,
    PALETTE,
    PNG_SIGNATURE,
    RGB,
    RGB_ALPHA,
    SCAN,
    START,
    after_start,
    animated,
    chunk,
    encoded,
    exif,
    jpeg_parts,
    noise,
    planes_jpeg,
    png,
    quarters,
    samples_of,
    tiff,
)

_Parts = list[bytes]
_Chunks = list[tuple[bytes, bytes]]

_WORDS: Final = (0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 65, 255, 256, 4096, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_LONG_WORDS: Final = (*_WORDS, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NAMES: Final = (
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"eXIf",
    b"acTL",
    b"fdAT",
    b"iCCP",
    b"CgBI",
    b"tEXt",
)
_MARKERS: Final = (0x01, *range(0xC0, 0xE2), 0xEE, 0xFE, 0x00, 0xFF)


def seed_pictures() -> tuple[bytes, ...]:
    """Small sound pictures: JPEG and PNG of every kind that is taken, and an animation."""
    soft = cv2.GaussianBlur(noise(48, 64), (0, 0), 2)
    progressive, restarts = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
    jpegs = [
        encoded(".jpg", picture, *options)
        for picture in (soft, np.ascontiguousarray(soft[..., 0]), quarters(40, 72))
        for options in ((), progressive, restarts, (*progressive, *restarts), (cv2.IMWRITE_JPEG_OPTIMIZE, 1))
    ]
    sampled = (0x111111, 0x211111, 0x121111, 0x411111)
    jpegs += [encoded(".jpg", soft, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, one) for one in sampled]
    planes = [np.ascontiguousarray(soft[..., n % 3]) for n in range(4)]
    jpegs += [planes_jpeg(planes, adobe=2), planes_jpeg(planes[:3], adobe=0)]
    jpegs += [after_start(jpegs[0], exif(6)), after_start(jpegs[1], exif(7, order=">"))]
    kinds = (
        *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
        *((PALETTE, depth) for depth in (1, 2, 4, 8)),
        *((colour, depth) for colour in (RGB, GREY_ALPHA, RGB_ALPHA) for depth in (8, 16)),
    )
    pngs = [
        png(samples_of(depth, colour), depth, colour, interlaced=interlaced)
        for colour, depth in kinds
        for interlaced in (False, True)
    ]
    pngs += [encoded(".png", soft), animated(encoded(".png", soft))]
    pngs.append(png(samples_of(8, RGB), 8, RGB, extra=chunk(b"eXIf", tiff(6)) + chunk(b"tRNS", bytes(6))))
    return (*jpegs, *pngs)


def mutated(pictures: tuple[bytes, ...], rng: random.Random) -> bytes:
    """One of `pictures`, damaged."""
    data = rng.choice(pictures)
    if rng.random() < 0.1:
        return _raw(data, pictures, rng)
    change = _mutated_jpeg if data.startswith(START) else _mutated_png
    alike = [one for one in pictures if one[:2] == data[:2]]
    data = change(data, rng.choice(alike), rng)
    # Damage that is seen at once hides the rest; a little of it is enough.
    return _raw(data, pictures, rng) if rng.random() < 0.05 else data


def _raw(data: bytes, pictures: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Damage that knows no format."""
    kind = rng.randrange(5)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        return data + rng.randbytes(rng.randrange(1, 40))
    if kind == 2:
        other = rng.choice(pictures)
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
    if kind == 3:
        at = rng.randrange(len(data))
        return data[:at] + data[at + rng.randrange(1, 60) :]
    return _flipped(data, rng)


def _flipped(data: bytes, rng: random.Random, start: int = 0) -> bytes:
    """From `start` on, some bits turned, or some bytes others."""
    if len(data) <= start:
        return data
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(start, len(changed))
        changed[at] = changed[at] ^ (1 << rng.randrange(8)) if rng.random() < 0.6 else rng.choice((0, 1, 255))
    return bytes(changed)


def _put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def _mutated_jpeg(data: bytes, other: bytes, rng: random.Random) -> bytes:
    parts, donor = jpeg_parts(data)[1:-1], jpeg_parts(other)[1:-1]
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        change = rng.choice(_JPEG_CHANGES)
        if parts:
            change(parts, donor, rng)
    return START + b"".join(parts) + END


def _any(parts: _Parts, rng: random.Random, markers: tuple[int, ...] = ()) -> int:
    fitting = [n for n, part in enumerate(parts) if len(part) > 4 and (not markers or part[1] in markers)]
    return rng.choice(fitting) if fitting else rng.randrange(len(parts))


def _change_field(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng)
    end = 4 + 10 if parts[n][1] == SCAN else len(parts[n])
    parts[n] = _flipped(parts[n][:end], rng, 4) + parts[n][end:]


def _change_scan(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng, (SCAN,))
    parts[n] = _flipped(parts[n], rng, 14)


def _change_sides(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng, FRAMES)
    value = rng.choice(_WORDS) if rng.random() < 0.3 else rng.randrange(32, 200)
    parts[n] = _put(parts[n], rng.choice((5, 7)), struct.pack(">H", value))


def _change_sampling(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng, FRAMES)
    if len(parts[n]) > 12:
        at = rng.randrange(10, len(parts[n]))
        factors = bytes([rng.randrange(1, 5) << 4 | rng.randrange(1, 5)])
        parts[n] = _put(parts[n], at, factors if at % 3 == 2 else bytes([rng.randrange(5)]))


def _change_length(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng)
    near = max(0, min(0xFFFF, len(parts[n]) - 2 + rng.randrange(-3, 4)))
    parts[n] = _put(parts[n], 2, struct.pack(">H", rng.choice((near, near, rng.choice(_WORDS)))))


def _change_marker(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng)
    markers = FRAMES if parts[n][1] in FRAMES and rng.random() < 0.7 else _MARKERS
    parts[n] = _put(parts[n], 1, bytes([rng.choice(markers)]))


def _move_part(parts: _Parts, donor: _Parts, rng: random.Random) -> None:
    kind, n = rng.randrange(4), rng.randrange(len(parts))
    if kind == 0:
        parts.insert(rng.randrange(len(parts) + 1), parts[n])
    elif kind == 1 and len(parts) > 1:
        del parts[n]
    elif kind == 2:
        parts.append(parts.pop(n))
    else:
        parts.insert(n, rng.choice(donor))


def _take_from_other(parts: _Parts, donor: _Parts, rng: random.Random) -> None:
    """A segment of the other picture in place of one of the same kind."""
    n = _any(parts, rng)
    alike = [part for part in donor if part[1] == parts[n][1]]
    if alike:
        parts[n] = rng.choice(alike)


def _cut_scan(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    n = _any(parts, rng, (SCAN,))
    if len(parts[n]) > 16:
        at = rng.randrange(14, len(parts[n]))
        restart = bytes([0xFF, 0xD0 + rng.randrange(8)])
        parts[n] = parts[n][:at] + rng.choice((b"", restart + parts[n][at:], b"\xff\x00" + parts[n][at:]))


def _change_progression(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    """Which coefficients and which of their bits a scan has."""
    n = _any(parts, rng, (SCAN,))
    at = 2 + struct.unpack(">H", parts[n][2:4])[0] - rng.randrange(3) - 1
    if 4 < at < len(parts[n]):
        parts[n] = _put(parts[n], at, bytes([rng.choice((0, 1, 5, 6, 62, 63, 64, 0x10, 0x21, 0xD0, 255))]))


def _set_restarts(parts: _Parts, _: _Parts, rng: random.Random) -> None:
    parts.insert(0, b"\xff\xdd\0\4" + struct.pack(">H", rng.choice(_WORDS)))


_JPEG_CHANGES: Final[tuple[Callable[[_Parts, _Parts, random.Random], None], ...]] = (
    _change_field,
    _change_scan,
    _change_scan,
    _change_sides,
    _change_sampling,
    _change_length,
    _change_marker,
    _move_part,
    _take_from_other,
    _cut_scan,
    _change_progression,
    _set_restarts,
)


def _chunks_of(data: bytes) -> _Chunks:
    chunks, at = [], len(PNG_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _mutated_png(data: bytes, other: bytes, rng: random.Random) -> bytes:
    chunks, donor = _chunks_of(data), _chunks_of(other)
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        change = rng.choice(_PNG_CHANGES)
        if chunks:
            change(chunks, donor, rng)
    written = [chunk(name, body) for name, body in chunks]
    if written and rng.random() < 0.1:
        n = rng.randrange(len(written))
        value = struct.pack(">I", rng.choice(_LONG_WORDS))
        written[n] = _put(written[n], rng.choice((0, len(written[n]) - 4)), value)
    return PNG_SIGNATURE + b"".join(written)


def _png_index(chunks: _Chunks, name: bytes, rng: random.Random) -> int:
    fitting = [n for n, one in enumerate(chunks) if one[0] == name]
    return rng.choice(fitting) if fitting else rng.randrange(len(chunks))


def _change_header(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    n = _png_index(chunks, b"IHDR", rng)
    name, body = chunks[n]
    at, value = rng.choice(
        (
            (rng.choice((0, 4)), struct.pack(">I", rng.choice((*_LONG_WORDS, *range(32, 64))))),
            (8, bytes([rng.choice((1, 2, 4, 8, 16))])),
            (9, bytes([rng.choice((0, 2, 3, 4, 6))])),
            (12, bytes([rng.randrange(2)])),
            (rng.randrange(13), bytes([rng.randrange(256)])),
        )
    )
    chunks[n] = (name, _put(body, at, value))


def _change_lines(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    """Damage under the compression: filters that are none, lines that are missing or too many."""
    n = _png_index(chunks, b"IDAT", rng)
    unpacking = zlib.decompressobj()
    try:
        lines = unpacking.decompress(chunks[n][1], 100_000)
    except zlib.error:
        return
    kind = rng.randrange(4)
    if kind == 0:
        lines = lines[: rng.randrange(len(lines) + 1)]
    elif kind == 1:
        lines += rng.randbytes(rng.randrange(1, 500))
    else:
        lines = _flipped(lines, rng)
    chunks[n] = (chunks[n][0], zlib.compress(lines, rng.choice((0, 1, 6))))


def _change_body(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    n = rng.randrange(len(chunks))
    name, body = chunks[n]
    chunks[n] = (name, rng.choice((_flipped(body, rng), body[: len(body) // 2], body + body[:7])))


def _change_name(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    n = rng.randrange(len(chunks))
    chunks[n] = (rng.choice(_NAMES), chunks[n][1])


def _move_chunk(chunks: _Chunks, donor: _Chunks, rng: random.Random) -> None:
    kind, n = rng.randrange(4), rng.randrange(len(chunks))
    if kind == 0:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[n])
    elif kind == 1:
        del chunks[n]
    elif kind == 2:
        chunks[n] = rng.choice(donor)
    else:
        chunks.insert(n, rng.choice(donor))


def _split_data(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    n = _png_index(chunks, b"IDAT", rng)
    name, body = chunks[n]
    at = rng.randrange(len(body) + 1)
    chunks[n : n + 1] = [(name, body[:at]), (name, body[at:])]


def _change_palette(chunks: _Chunks, _: _Chunks, rng: random.Random) -> None:
    entry = (rng.choice((b"PLTE", b"tRNS")), rng.randbytes(rng.choice((0, 1, 3, 6, 7, 30, 768, 771))))
    n = _png_index(chunks, b"PLTE", rng)
    if chunks[n][0] == b"PLTE":
        chunks[n] = (b"PLTE", entry[1])
    else:
        chunks.insert(min(1, len(chunks)), entry)


_PNG_CHANGES: Final[tuple[Callable[[_Chunks, _Chunks, random.Random], None], ...]] = (
    _change_header,
    _change_lines,
    _change_lines,
    _change_body,
    _change_name,
    _move_chunk,
    _split_data,
    _change_palette,
)
