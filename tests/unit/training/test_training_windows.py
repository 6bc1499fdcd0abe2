"""Training and service cut the same windows, and labels are split by plate."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from services.ocr.core.quad import Box, Quad
from services.ocr.core.windows import (
    corner_window,
    corners_in,
    issuer_window,
    reading_window,
    surroundings,
    unrolled_window,
)
from training import labels, twins, windows
from training.make_windows import letters

_QUAD = np.array([[100, 60], [220, 66], [218, 128], [98, 120]], np.float32)


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (24, 40, 3), dtype=np.uint8)
    return cv2.resize(small, (400, 240), interpolation=cv2.INTER_CUBIC)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_the_service_shows_the_reader_what_the_training_showed_it(picture: np.ndarray) -> None:
    around = surroundings(picture, Box(98, 60, 122, 68))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    assert _apart(reading_window(around, Quad.of(_QUAD)), windows.text_window(grey, _QUAD, 1, 0.5)) < 0.5
    assert (
        _apart(unrolled_window(around, Quad.of(_QUAD), 0.45), windows.text_window(grey, _QUAD, 2, 0.45)) < 0.5
    )
    issuer = windows.rectified(picture, _QUAD, windows.ISSUER_SIZE)
    assert _apart(issuer_window(around, Quad.of(_QUAD), *windows.ISSUER_SIZE), issuer) < 0.5


def test_the_service_shows_the_corner_finder_what_the_training_showed_it(picture: np.ndarray) -> None:
    box = Box(100, 60, 120, 60)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    canvas = grey[60 - 18 : 120 + 18, 100 - 24 : 220 + 24]
    assert _apart(corner_window(surroundings(picture, box), box), windows.corner_window(canvas)) < 0.5


def test_corners_given_as_shares_of_the_window_come_back_as_pixels_of_the_image() -> None:
    box = Box(100, 60, 120, 60)
    shares = (_QUAD - [100 - 24, 60 - 18]) / [168, 96]
    assert np.allclose(corners_in(box, shares.ravel()).array(), _QUAD, atol=1e-3)


def test_a_rectified_plate_has_its_corners_at_the_inset(picture: np.ndarray) -> None:
    marked = np.zeros((240, 400), np.uint8)
    cv2.fillConvexPoly(marked, _QUAD.astype(np.int32), 255)
    flat = windows.rectified(marked, _QUAD, (128, 64))
    assert flat[32, 10] > 200
    assert flat[32, 1] < 50
    assert flat[1, 64] < 50
    assert flat[6, 64] > 200


def test_an_issuer_window_is_known_by_its_parts(picture: np.ndarray) -> None:
    window = cv2.resize(picture, windows.ISSUER_SIZE, interpolation=cv2.INTER_AREA)

    again = windows.issuer_parts(windows.issuer_whole(*windows.issuer_parts(window)))

    for one, other in zip(again, windows.issuer_parts(window), strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).mean() < 4


def test_letters_above_and_below_a_number_are_numbers_that_end() -> None:
    told = letters(("UTAH", ""))

    assert told.shape == (2, 32)
    assert told[0, :5].tolist() == [21, 20, 1, 8, 0]
    assert not told[1].any()
    assert letters(("A" * 40, "B"))[0].tolist() == [1] * 31 + [0]
    assert letters(None)[:, 0].tolist() == [-1, -1]


def test_all_photographs_of_a_plate_are_in_the_same_part(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.jpg", "plate_text": f"AB{n % 40:02d}XYZ", "note": ""} for n in range(400)]
    for name in labels.SETS:
        (tmp_path / name).mkdir()
        with (tmp_path / name / "labels.csv").open("w", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(["image", "plate_text", "x", "y", "w", "h", "country", "note"])
            if name == "ro":
                writer.writerows([r["image"], r["plate_text"], 1, 2, 30, 15, "ro", r["note"]] for r in rows)
                writer.writerow(["x.jpg", "", 1, 2, 30, 15, "ro", "illegible"])
    (tmp_path / "two_line.csv").write_text("set,row,image,plate_text,flag\nro,3,3.jpg,AB03XYZ,two-line\n")
    training = labels.readable(tmp_path, validation=False)
    held = labels.readable(tmp_path, validation=True)
    assert len(training) + len(held) == 400
    assert training
    assert held
    assert not {x.text for x in training} & {x.text for x in held}
    assert [x.path.name for x in labels.labels(tmp_path) if x.lines == 2] == ["3.jpg"]


def test_a_photograph_and_its_smaller_copy_are_twins_and_another_is_not(
    tmp_path: Path, picture: np.ndarray
) -> None:
    for name in ("train", "measure"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "train" / "a.jpg"), picture)
    cv2.imwrite(str(tmp_path / "train" / "b.jpg"), picture[::-1])
    cv2.imwrite(str(tmp_path / "measure" / "c.jpg"), cv2.resize(picture[:, ::-1], (200, 120)))
    found = list(twins.twins(tmp_path / "train", tmp_path / "measure"))
    assert [(one.name, other.name) for one, other, _ in found] == [("a.jpg", "c.jpg")]
