"""What the models of this version read: a change of models or of the code round them shows here first."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.cli.scenes import draw_scene
from tests.support.ocr_kit import PHOTOGRAPHED, engine, photograph, pixels, without_plate


@pytest.mark.clause("II.B")
def test_photograph_of_a_car_reads_as_its_plate() -> None:
    (plate,) = engine().plates(pixels(photograph()))

    assert plate.text == PHOTOGRAPHED
    assert 0.9 < plate.probability <= 1
    assert (plate.box.x, plate.box.y) == pytest.approx((306, 189), abs=6)
    assert (plate.box.width, plate.box.height) == pytest.approx((84, 22), abs=12)


@pytest.mark.parametrize("seed", range(8))
def test_synthetic_scene_reads_as_its_one_plate(seed: int) -> None:
    scene = draw_scene(seed)

    assert [plate.text for plate in engine().plates(pixels(scene.image))] == [scene.plate]


def test_same_picture_reads_the_same_each_time() -> None:
    image = pixels(draw_scene(3).image)

    assert engine().plates(image) == engine().plates(image)


def test_plates_that_lean_are_read() -> None:
    turn = cv2.getRotationMatrix2D((640, 400), -12, 1.0)
    right = 0
    for seed in range(8):
        scene = draw_scene(seed)
        turned = np.asarray(cv2.warpAffine(pixels(scene.image), turn, (1280, 720)), dtype=np.uint8)
        right += scene.plate in [plate.text for plate in engine().plates(turned)]
    # A character may be in doubt in some of them; a reader that does not straighten reads none.
    assert right >= 6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("axes", [(1,), (0, 1)], ids=["mirrored", "upside down"])
def test_plate_the_wrong_way_round_is_read_right_or_not_at_all(seed: int, axes: tuple[int, ...]) -> None:
    scene = draw_scene(seed)

    plates = engine().plates(np.ascontiguousarray(np.flip(pixels(scene.image), axes)))

    assert [plate.text for plate in plates if plate.probability > 0.5] in ([], [scene.plate])


def test_corners_go_round_the_plate_as_it_is_read() -> None:
    upright = pixels(photograph())
    turned = np.ascontiguousarray(upright[::-1, ::-1])

    (plate,) = engine().plates(turned)

    upper_left, upper_right, _, lower_left = plate.quad.points
    assert plate.text == PHOTOGRAPHED
    assert upper_left[0] > upper_right[0]
    assert upper_left[1] > lower_left[1]


def test_picture_that_is_all_plate_is_read() -> None:
    upright = pixels(photograph())

    (plate,) = engine().plates(np.ascontiguousarray(upright[187:214, 303:391]))

    assert plate.text == PHOTOGRAPHED


def test_scene_without_a_plate_gives_none() -> None:
    assert engine().plates(pixels(without_plate())) == ()


def test_scene_is_the_same_for_the_same_seed() -> None:
    assert draw_scene(5) == draw_scene(5)
    assert draw_scene(5) != draw_scene(6)
