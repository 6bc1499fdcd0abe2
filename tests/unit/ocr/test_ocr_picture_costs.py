"""What the largest and the most malicious pictures cost: measured in a process of its own for each."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.pictures_kit import (
    GREY,
    PNG_SIGNATURE,
    RGB,
    RGB_ALPHA,
    SAMPLES,
    SCAN,
    after_start,
    chunk,
    encoded,
    exif,
    ihdr,
    jpeg_parts,
)

SIDE = 7000
# Twice the pixels: a decoder's and ours, or as they were held and upright.
MOST_MEGABYTES = SIDE * SIDE * 6 / 1e6 + 40
# CPU time on a core that others use too; on a quiet one all stay below 2.5 seconds.
MOST_SECONDS = 12

CHILD = """
import json, resource, sys, time
from pathlib import Path
from services.ocr.core.pictures import PictureError, decoded

def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

data = Path(sys.argv[1]).read_bytes()
before, start = peak(), time.process_time()
try:
    said = str(decoded(data).shape)
except PictureError as error:
    said = str(error)
print(json.dumps({"said": said, "megabytes": peak() - before, "seconds": time.process_time() - start}))
"""


def bomb(depth: int, colour: int, *, interlaced: bool = False, factor: int = 1) -> bytes:
    """A PNG of nothing but zeros, `factor` times as many as its size in pixels needs."""
    packing = zlib.compressobj(9)
    lines = SIDE * factor * (2 if interlaced else 1)
    line = bytes(1 + SIDE * SAMPLES[colour] * depth // 8)
    body = b"".join(packing.compress(line) for _ in range(lines)) + packing.flush()
    header = ihdr(SIDE, SIDE, depth, colour, 0, 0, int(interlaced))
    return PNG_SIGNATURE + header + chunk(b"IDAT", body) + chunk(b"IEND")


def large_jpeg(*options: int) -> bytes:
    image = np.repeat(np.linspace(0, 255, SIDE, dtype=np.uint8)[:, None, None], SIDE, axis=1)
    return encoded(".jpg", np.repeat(image, 3, axis=2), *options)


def many_scans() -> bytes:
    """A progressive JPEG of 16 MiB whose last scan comes again and again."""
    parts = jpeg_parts(large_jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    last = next(part for part in reversed(parts) if part[1] == SCAN)
    times = min(50, ((16 << 20) - sum(map(len, parts))) // len(last))
    return b"".join([*parts[:-1], last * times, parts[-1]])


# Half a second to three for each on a quiet core; what is measured is CPU time, and cores may be busy.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "make",
    [
        lambda: bomb(8, RGB),
        lambda: bomb(1, GREY, factor=40),
        lambda: bomb(16, RGB_ALPHA, interlaced=True),
        lambda: after_start(large_jpeg(), exif(6)),
        lambda: large_jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        many_scans,
    ],
    ids=["PNG", "PNG bomb", "PNG of 16 bits, interlaced", "JPEG turned", "progressive JPEG", "many scans"],
)
def test_picture_of_49_megapixels_takes_bounded_memory_and_time(make: object, tmp_path: Path) -> None:
    assert callable(make)
    file = tmp_path / "picture"
    file.write_bytes(make())

    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", CHILD, file], capture_output=True, check=True, text=True
    )

    cost = json.loads(done.stdout)
    assert cost["said"] == f"({SIDE}, {SIDE}, 3)"
    assert cost["megabytes"] < MOST_MEGABYTES
    assert cost["seconds"] < MOST_SECONDS
