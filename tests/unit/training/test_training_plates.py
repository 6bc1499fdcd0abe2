"""The generator draws every kind of plate, says truly what is on it, and says the same for the same seed."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from training.camera import Camera
from training.dies import GLYPH_HEIGHT, Dies, random_style
from training.fonts import Faces
from training.plates import ISSUERS, KINDS, draw
from training.plates.america import draw_brazil, draw_north
from training.plates.europe import draw_europe, draw_two_line
from training.plates.us import draw_us
from training.plates.us_states import US_STATES

_FAMILIES = (draw_us, draw_europe, draw_two_line, draw_brazil, draw_north)


@pytest.fixture(scope="module")
def faces() -> Faces:
    # Our own dies only: the free fonts are fetched for trainings.
    return Faces(None)


@pytest.mark.parametrize("family", _FAMILIES)
def test_a_plate_says_what_stands_on_it_who_issued_it_and_of_what_kind_it_is(family, faces: Faces) -> None:
    rng = random.Random(3)
    for _ in range(25):
        plate = family(rng, faces)
        assert re.fullmatch("[A-Z0-9]{1,14}", plate.text)
        assert plate.issuer in ISSUERS
        assert plate.kind in KINDS
        assert plate.image.dtype == np.uint8
        assert plate.image.shape[2] == 3
        assert plate.lines in {1, 2}
        assert 0 < plate.split < 1


def test_two_line_plates_part_where_they_say(faces: Faces) -> None:
    rng = random.Random(5)
    plates = [draw_two_line(rng, faces) for _ in range(40)]
    assert {plate.lines for plate in plates} == {2}
    quiet = 0
    for plate in plates:
        rows = (
            plate.image.astype(int).min(2)[:, plate.image.shape[1] // 3 : -plate.image.shape[1] // 3].std(1)
        )
        middle = round(plate.split * plate.image.shape[0])
        quiet += rows[middle - 1 : middle + 2].min() < 0.5 * rows.max()
    assert quiet >= 36  # a drawing or a bolt may lie between


def test_the_same_seed_draws_the_same_plate_and_another_seed_another(faces: Faces) -> None:
    def first(seed: int) -> np.ndarray:
        return draw(random.Random(seed), Faces(None)).image

    assert np.array_equal(first(7), first(7))
    assert first(7).shape != first(8).shape or not np.array_equal(first(7), first(8))


def test_a_plate_says_the_letters_of_its_state_and_motto_and_of_none_under_a_frame(faces: Faces) -> None:
    rng = random.Random(17)
    plates = [draw_us(rng, faces) for _ in range(400)]
    told = [plate for plate in plates if plate.words is not None]
    assert 100 < len(told) < 350
    named = 0
    for plate in told:
        assert all(re.fullmatch("[A-Z]*", text) for text in plate.words)
        state = re.sub("[^A-Z]", "", US_STATES[plate.issuer[3:]].name.upper())
        named += state in "".join(plate.words)
    assert named > 0.75 * len(told)


def test_every_state_of_the_union_and_the_capital_are_drawn(faces: Faces) -> None:
    assert len(US_STATES) == 51
    rng = random.Random(11)
    drawn = {draw_us(rng, faces).issuer for _ in range(1500)}
    assert drawn == {f"US-{code}" for code in US_STATES}


def test_every_pattern_of_a_state_has_two_to_eight_characters() -> None:
    for code, state in US_STATES.items():
        for design in state.designs:
            for pattern in design.patterns:
                characters = re.sub("[^A-Z0-9#]", "", pattern)
                assert 2 <= len(characters) <= 8, (code, pattern)


def test_characters_of_one_set_of_dies_are_as_high_as_each_other_and_all_differ() -> None:
    dies = Dies(random_style(random.Random(2)))
    drawn = {c: dies[c] for c in "ABCDEFGHJKLMNPRSTUVWXYZ23456789"}
    assert all(abs(mask.shape[0] - GLYPH_HEIGHT) <= 3 for mask in drawn.values())
    prints = {c: mask.tobytes() for c, mask in drawn.items()}
    assert len(set(prints.values())) == len(prints)


@pytest.mark.parametrize("colour", [False, True])
def test_the_camera_knows_where_the_plate_is(colour: bool, faces: Faces) -> None:
    rng = random.Random(13)
    camera = Camera([], colour=colour)
    for _ in range(20):
        plate = draw(rng, faces)
        shot = camera.photograph(plate.image, rng)
        rows, columns = shot.image.shape[:2]
        assert shot.image.ndim == (3 if colour else 2)
        assert (shot.quad > -0.02 * columns).all()
        assert (shot.quad[:, 0] < 1.02 * columns).all()
        assert (shot.quad[:, 1] < 1.02 * rows).all()
        upper_left, upper_right, lower_right, lower_left = shot.quad
        assert upper_left[0] < upper_right[0]
        assert lower_left[0] < lower_right[0]
        assert upper_left[1] < lower_left[1]
        assert upper_right[1] < lower_right[1]


def test_plates_are_photographed_from_forty_to_five_hundred_pixels(faces: Faces) -> None:
    rng = random.Random(17)
    camera, plate = Camera([], colour=False), draw_us(rng, faces)
    for width in (40, 120, 500):
        quad = camera.photograph(plate.image, rng, width).quad
        assert quad[:, 0].max() - quad[:, 0].min() == pytest.approx(width, abs=2)
