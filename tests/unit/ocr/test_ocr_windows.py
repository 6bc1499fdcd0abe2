"""The windows are those of the training, wherever the plate stands and however large it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.quad import Box, Image, Quad
from services.ocr.core.windows import (
    corner_window,
    corners_in,
    issuer_window,
    reading_window,
    surroundings,
    unrolled_window,
)
from training import windows as trained

RNG = np.random.default_rng(5)


def scene(width: int = 900, height: int = 600) -> Image:
    """Something with structure of every size in it."""
    small = RNG.integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def leaning(box: Box) -> Quad:
    x, y, w, h = box.x, box.y, box.width, box.height
    return Quad(((x, y + 0.1 * h), (x + 0.97 * w, y), (x + w, y + 0.9 * h), (x + 0.03 * w, y + h)))


def grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def difference(one: Image, other: Image) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


BOXES = [Box(300, 250, 80, 40), Box(300, 250, 150, 60), Box(250, 200, 300, 120)]
# Shrunk before, to save time: nearly the same.
LARGE = Box(150, 150, 560, 240)


@pytest.mark.parametrize("box", BOXES)
def test_reading_window_is_that_of_the_training(box: Box) -> None:
    image, quad = scene(), leaning(box)

    ours = reading_window(surroundings(image, box), quad)

    assert difference(ours, trained.text_window(grey(image), quad.array(), 1, 0.5)) < 0.5


def test_window_of_a_large_plate_is_nearly_that_of_the_training() -> None:
    image, quad = scene(), leaning(LARGE)

    ours = reading_window(surroundings(image, LARGE), quad)

    assert difference(ours, trained.text_window(grey(image), quad.array(), 1, 0.5)) < 2.5


@pytest.mark.parametrize("box", BOXES)
def test_lines_of_a_two_line_plate_stand_side_by_side_as_in_the_training(box: Box) -> None:
    image, quad = scene(), leaning(box)

    ours = unrolled_window(surroundings(image, box), quad, 0.45)

    assert difference(ours, trained.text_window(grey(image), quad.array(), 2, 0.45)) < 0.5


@pytest.mark.parametrize("box", BOXES)
def test_issuer_window_is_that_of_the_training(box: Box) -> None:
    image, quad = scene(), leaning(box)

    ours = issuer_window(surroundings(image, box), quad, *trained.ISSUER_SIZE)

    assert difference(ours, trained.rectified(image, quad.array(), trained.ISSUER_SIZE)) < 0.5


@pytest.mark.parametrize("box", BOXES)
def test_corner_window_is_the_enlarged_box(box: Box) -> None:
    image = scene()
    wide = box.grown(*trained.MARGIN)
    part = grey(image)[
        round(wide.y) : round(wide.y + wide.height), round(wide.x) : round(wide.x + wide.width)
    ]

    ours = corner_window(surroundings(image, box), box)

    assert difference(ours, trained.corner_window(part)) < 0.5


def test_corners_are_found_where_the_window_shows_them() -> None:
    box = Box(100, 50, 200, 80)

    # The box itself lies so in its window.
    fractions = np.array([0.2, 0.3, 1.2, 0.3, 1.2, 1.3, 0.2, 1.3]) / np.array([1.4, 1.6] * 4)

    assert np.allclose(corners_in(box, fractions).array(), box.quad().array(), atol=1e-3)


@given(
    st.floats(-500, 1400),
    st.floats(-500, 1100),
    st.floats(0.01, 2000),
    st.floats(0.01, 2000),
    st.floats(0.2, 0.8),
)
@settings(max_examples=120, deadline=None)
def test_any_box_has_windows(x: float, y: float, width: float, height: float, split: float) -> None:
    image = np.full((600, 900, 3), 90, dtype=np.uint8)
    box = Box(x, y, width, height)
    around = surroundings(image, box)

    assert corner_window(around, box).shape == (64, 128)
    assert reading_window(around, leaning(box)).shape == (64, 128)
    assert unrolled_window(around, leaning(box), split).shape == (64, 128)
    assert issuer_window(around, leaning(box), 256, 128).shape == (128, 256, 3)


@given(st.lists(st.floats(-1e4, 1e4), min_size=8, max_size=8))
@settings(max_examples=120, deadline=None)
def test_any_corners_have_windows(corners: list[float]) -> None:
    image = np.full((200, 300, 3), 90, dtype=np.uint8)
    around = surroundings(image, Box(50, 50, 100, 40))
    quad = Quad.of(np.array(corners))

    assert reading_window(around, quad).shape == (64, 128)
    assert unrolled_window(around, quad, 0.5).shape == (64, 128)
