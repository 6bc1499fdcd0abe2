"""From the detector's maps to boxes in the image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.detection import DetectionSettings, Map, Shown, detector_input, found_plates, resized
from services.ocr.core.quad import Box, Quad

SETTINGS = DetectionSettings()
ROWS, COLUMNS = 45, 80


def maps(*plates: tuple[float, Box], scale: float = 0.5) -> tuple[Map, Map]:
    """What the detector answers when these plates, with these scores, are in the image."""
    score = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    terms = np.zeros((4, ROWS, COLUMNS), dtype=np.float32)
    for value, box in plates:
        x, y = (box.x + box.width / 2) * scale / 8, (box.y + box.height / 2) * scale / 8
        row, column = int(y), int(x)
        score[row, column] = value
        sizes = math.log(box.width * scale / 32), math.log(box.height * scale / 16)
        terms[:, row, column] = (x - column, y - row, *sizes)
    return score, terms


def found(*plates: tuple[float, Box], settings: DetectionSettings = SETTINGS) -> list[Box]:
    return [one.box for one in found_plates(*maps(*plates), Shown(0.5), 0.3, settings)]


def sides(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


def test_box_is_where_the_plate_is_in_the_image() -> None:
    plate = Box(313.0, 189.5, 71.0, 19.0)

    (box,) = found((0.9, plate))

    assert sides(box) == pytest.approx(sides(plate), abs=0.01)


def test_plates_come_by_their_score_and_the_faint_are_left_out() -> None:
    near, far, faint = Box(100, 100, 100, 40), Box(500, 100, 60, 24), Box(800, 300, 60, 24)

    boxes = found((0.5, far), (0.9, near), (0.2, faint))

    assert [round(box.x) for box in boxes] == [100, 500]


@pytest.mark.parametrize("other", [Box(110, 104, 100, 40), Box(130, 105, 60, 30)], ids=["beside", "inside"])
def test_of_two_boxes_on_one_plate_the_likelier_stays(other: Box) -> None:
    plate = Box(100, 100, 100, 40)

    assert [round(box.width) for box in found((0.6, other), (0.9, plate))] == [100]


def test_something_small_on_a_plate_does_not_hide_it() -> None:
    assert len(found((0.9, Box(110, 105, 20, 10)), (0.6, Box(100, 100, 100, 40)))) == 2


def test_box_is_where_the_plate_is_though_it_was_shown_with_a_margin() -> None:
    plate = Box(20.0, 30.0, 300.0, 120.0)
    score, terms = maps((0.9, Box(plate.x + 64, plate.y + 64, plate.width, plate.height)))

    (one,) = found_plates(score, terms, Shown(0.5, margin=32), 0.3, SETTINGS)

    assert sides(one.box) == pytest.approx(sides(plate), abs=0.01)


def test_plates_side_by_side_stay_two() -> None:
    assert len(found((0.9, Box(100, 100, 100, 40)), (0.8, Box(190, 100, 100, 40)))) == 2


def test_twenty_plates_are_found_and_no_more_than_the_settings_say() -> None:
    plates = [(0.5 + n / 100, Box(20 + 60 * n, 100, 50, 20)) for n in range(20)]

    assert len(found(*plates)) == 20 < SETTINGS.most
    assert len(found(*plates, settings=DetectionSettings(most=3))) == 3


def test_size_that_is_no_size_stays_finite() -> None:
    score, terms = maps((0.9, Box(100, 100, 100, 40)))
    terms[2:] = 1e30

    (one,) = found_plates(score, terms, Shown(0.5), 0.3, SETTINGS)

    assert math.isfinite(one.box.width)


@given(st.integers(1, 700), st.integers(1, 700))
@settings(deadline=None)
def test_detector_sees_sides_of_a_multiple_of_32_with_grey_where_nothing_is(width: int, height: int) -> None:
    image = np.zeros((height, width, 3), dtype=np.uint8)

    (seen,) = detector_input(resized(image, 320 / max(width, height)))

    assert seen.shape[0] % 32 == seen.shape[1] % 32 == 0
    assert max(seen.shape[:2]) == 320
    filled = seen.any(axis=2)
    assert set(np.unique(seen[filled])) <= {114}


def test_quad_goes_round_and_its_box_is_whole_pixels() -> None:
    quad = Quad(((10.4, 20.2), (110.6, 22), (109, 61.5), (11, 60)))

    assert quad.box() == Box(10, 20, 101, 42)
    assert quad.width == pytest.approx(99.1, abs=0.5)
    assert quad.height == pytest.approx(39.7, abs=0.5)
    assert quad.grown(0.1, 0.2).bounds().width == pytest.approx(110.2, abs=0.2)
    assert max(x for x, _ in quad.clipped(100, 50).points) == 99
