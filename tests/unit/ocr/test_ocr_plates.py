from __future__ import annotations

import pytest

from services.ocr.core.ctc import Candidate, Reading
from services.ocr.core.detection import TextRegion
from services.ocr.core.grammar import may_be_plate
from services.ocr.core.plates import Line, PlateSettings, choose, split_plates, worth_reading
from services.ocr.core.quad import Quad

SETTINGS = PlateSettings()


def quad(x: float, y: float, width: float, height: float, lean: float = 0.0) -> Quad:
    """A rectangle whose right end is `lean` pixels lower."""
    return Quad(((x, y), (x + width, y + lean), (x + width, y + height + lean), (x, y + height)))


def line(text: str, where: Quad, *, raw: str = "", probability: float = 0.95) -> Line:
    reading = Reading((Candidate(text, probability),), tuple(((one, probability),) for one in text))
    return Line(where, raw or text, reading)


def texts(lines: list[Line], wholes: list[Line] | None = None) -> list[str]:
    return [plate.text for plate in choose(lines, wholes or [], SETTINGS)]


@pytest.mark.parametrize(
    "text", ["AB12345", "5AU5341", "1ABC234", "123456", "LOLOIL", "B37RYO", "KL01CA2555", "8XYZ"]
)
def test_texts_that_plates_bear_may_be_plates(text: str) -> None:
    assert may_be_plate(text, text)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("ILLINOIS", "ILLINOIS"),
        ("ILLIN0IS", "ILLIN0IS"),
        ("ILINOIS", "ILINOIS"),
        ("CAIIFORNIA", "CAlIFORNIA"),
        ("LINCOLN", "Lincoln"),
        ("SUNSHINE", "SUNSHINE"),
        ("TOYOTA", "TOYOTA"),
        ("POLICE", "POLICE"),
        ("F150", "F-150"),
        ("55MPH", "55 MPH"),
        ("123456", "12:34:56"),
        ("5551234", "555-1234"),
        ("1999", "$19.99"),
        ("2026", "2026"),
        ("AB1", "AB1"),
        ("AB123456789", "AB123456789"),
        ("LANDSCAPER", "LANDSCAPER"),
    ],
)
def test_states_slogans_signs_and_overlays_are_no_plates(text: str, raw: str) -> None:
    assert not may_be_plate(text, raw)


def test_name_of_the_state_above_the_text_is_left_out() -> None:
    lines = [
        line("ILLINOIS", quad(110, 80, 80, 14), probability=0.999),
        line("AB12345", quad(100, 100, 100, 34)),
        line("LANDOFLINCOLN", quad(105, 140, 90, 12), raw="Land of Lincoln"),
    ]

    assert texts(lines) == ["AB12345"]


def test_letters_alone_must_be_read_surely() -> None:
    doubtful = line("GOBEARS", quad(0, 0, 100, 30), probability=0.5)
    sure = line("GOBEARS", quad(0, 0, 100, 30), probability=0.7)

    assert texts([doubtful]) == []
    assert texts([sure]) == ["GOBEARS"]


def test_plate_split_in_two_on_one_line_is_read_as_a_whole() -> None:
    left, right = line("AB", quad(100, 100, 40, 34)), line("12345", quad(160, 101, 90, 33))

    (whole,) = split_plates([right, left])

    assert whole.box() == quad(100, 100, 150, 34).box()
    assert texts([left, right], [line("AB12345", whole)]) == ["AB12345"]


def test_plate_split_in_three_is_read_as_a_whole() -> None:
    parts = [
        line("K", quad(100, 100, 20, 34)),
        line("MA", quad(135, 100, 40, 34)),
        line("2662", quad(190, 100, 80, 34)),
    ]

    boxes = [whole.box() for whole in split_plates(parts)]

    assert quad(100, 100, 170, 34).box() in boxes


def test_whole_that_is_no_plate_leaves_its_parts() -> None:
    left, right = line("AB123", quad(100, 100, 60, 34)), line("X", quad(170, 100, 20, 34))
    (whole,) = split_plates([left, right])

    assert texts([left, right], [line("", whole, probability=0.9)]) == ["AB123"]


@pytest.mark.parametrize(
    "other",
    [
        quad(500, 100, 90, 34),
        quad(160, 160, 90, 34),
        quad(160, 100, 90, 80),
    ],
    ids=["far away", "another line", "other height"],
)
def test_texts_apart_are_not_joined(other: Quad) -> None:
    assert split_plates([line("AB", quad(100, 100, 40, 34)), line("12345", other)]) == ()


def test_two_plates_side_by_side_stay_two() -> None:
    lines = [line("AB12345", quad(100, 100, 100, 34)), line("CD67890", quad(230, 100, 100, 34))]

    assert split_plates(lines) == ()
    assert texts(lines) == ["AB12345", "CD67890"]


def test_plates_come_from_the_most_to_the_least_certain() -> None:
    lines = [
        line("AB12345", quad(100, 100, 100, 34), probability=0.6),
        line("CD67890", quad(600, 100, 100, 34), probability=0.9),
    ]

    assert texts(lines) == ["CD67890", "AB12345"]


@pytest.mark.parametrize(
    "shape",
    [quad(0, 0, 30, 80), quad(0, 0, 400, 20), quad(0, 0, 20, 5), quad(0, 0, 60, 30, lean=90)],
    ids=["upright", "too long", "too low", "too steep"],
)
def test_regions_without_the_shape_of_a_plate_are_not_read(shape: Quad) -> None:
    assert worth_reading([TextRegion(shape, 0.9)], SETTINGS) == ()


def test_only_the_surest_lines_of_a_crowded_scene_are_read() -> None:
    regions = [TextRegion(quad(0, 40 * n, 100, 30), n / 100) for n in range(60)]

    read = worth_reading(regions, SETTINGS)

    assert len(read) == 48
    assert min(one.points[0][1] for one in read) == 40 * 12
