"""Of readings at one place the plate's stays, and not that of what is on it."""

from __future__ import annotations

import pytest

from services.ocr.core.calibration import Clues
from services.ocr.core.plates import Plate, each_once
from services.ocr.core.quad import Box
from services.ocr.core.reading import Candidate, Reading

PLATE = Box(100, 100, 300, 150)
STICKER = Box(105, 103, 40, 22)
BESIDE = Box(500, 100, 300, 150)


def plate(text: str, probability: float, box: Box) -> Plate:
    clues = Clues(fit=-0.1, gap=5, agreement=1, width=box.width, score=0.6, arrangement=-3, length=len(text))
    return Plate(Reading((Candidate(text, probability),), ()), box.quad(), clues)


def texts(*plates: Plate) -> list[str]:
    return [one.text for one in each_once(plates)]


@pytest.mark.clause("IV.C.1")
def test_sticker_that_reads_better_than_its_plate_does_not_stand_for_it() -> None:
    assert texts(plate("AUG", 0.96, STICKER), plate("786EQY", 0.4, PLATE)) == ["786EQY"]


def test_plate_stays_where_something_far_larger_round_it_hardly_reads() -> None:
    assert texts(plate("786EQY", 0.96, STICKER), plate("I11O", 0.2, PLATE)) == ["786EQY"]


def test_of_two_readings_of_about_the_same_place_the_surer_one_stays() -> None:
    inner = PLATE.grown(-0.15, -0.15)

    assert texts(plate("AB12345", 0.5, PLATE), plate("AB1234S", 0.6, inner)) == ["AB1234S"]


def test_plates_beside_each_other_all_stay_the_surest_first() -> None:
    assert texts(plate("AB12345", 0.5, PLATE), plate("CD789", 0.9, BESIDE)) == ["CD789", "AB12345"]
