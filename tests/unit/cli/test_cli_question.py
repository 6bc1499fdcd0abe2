"""Options that every question on the command line shares."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1.area_pb2 import Area, Circle, MapPoint, SensorList
from alpr.type.v1 import justification_pb2
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.cli.locate import CommandError
from services.cli.question import Asked, Where, Window, with_options, write_receipts


@dataclass(frozen=True)
class Colour:
    """Options of a command of this test."""

    paint: Annotated[str, typer.Option("--paint", help="What colour.")] = "white"
    matt: Annotated[bool, typer.Option("--matt")] = False


def test_a_bundle_of_options_reaches_the_command_as_one_value() -> None:
    given: list[tuple[str, Colour]] = []

    @with_options
    def command(thing: Annotated[str, typer.Argument(help="What.")], colour: Colour) -> None:
        """Paints."""
        given.append((thing, colour))

    app = typer.Typer()
    app.command()(command)
    plain = CliRunner().invoke(app, ["door"])
    painted = CliRunner().invoke(app, ["--paint", "red", "door", "--matt"])

    assert (plain.exit_code, painted.exit_code) == (0, 0), plain.output + painted.output
    assert given == [("door", Colour()), ("door", Colour("red", matt=True))]


def test_a_question_carries_the_case_number_and_purpose_of_the_command_line() -> None:
    asked = Asked(kind="cad", case_number="26-1", purpose="homicide, car seen leaving", offence="HOMICIDE")

    assert asked.justification() == justification_pb2.Justification(
        case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
        case_number="26-1",
        purpose="homicide, car seen leaving",
        offence_code="HOMICIDE",
    )


def test_a_window_is_sent_in_utc_and_only_as_far_as_it_was_given() -> None:
    request = pb.SearchReadsRequest()

    Window(since=datetime(2026, 11, 1, 6, 30)).set_in(request)  # noqa: DTZ001 -- as Typer reads it

    assert getattr(request, "from").ToDatetime(UTC) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert not request.HasField("to")


@pytest.mark.parametrize(
    ("where", "area"),
    [
        (Where(), None),
        (
            Where(near="41.97,-87.9,500"),
            Area(circle=Circle(center=MapPoint(latitude=41.97, longitude=-87.9), radius_meters=500)),
        ),
        (Where(group="north"), Area(sensor_group="north")),
        (Where(sensors="cam-1,cam-2"), Area(sensors=SensorList(sensor_ids=["cam-1", "cam-2"]))),
    ],
)
def test_a_place_is_a_circle_a_group_or_sensors(where: Where, area: Area | None) -> None:
    assert where.area() == area


SHAPE = {"type": "Polygon", "coordinates": [[[-87.9, 41.9], [-87.8, 41.9], [-87.8, 42.0], [-87.9, 41.9]]]}


@pytest.mark.parametrize(
    "document",
    [
        SHAPE,
        {"type": "Feature", "geometry": SHAPE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": SHAPE}]},
    ],
)
def test_a_place_may_be_a_polygon_in_a_geojson_file(document: object, tmp_path: Path) -> None:
    (tmp_path / "beat.geojson").write_text(json.dumps(document))

    area = Where(within=tmp_path / "beat.geojson").area()

    assert area is not None
    assert [(c.latitude, c.longitude) for c in area.polygon.corners] == [
        (41.9, -87.9),
        (41.9, -87.8),
        (42.0, -87.8),
    ]


@pytest.mark.parametrize(
    "where", [Where(near="41.97"), Where(near="a,b,c"), Where(near="1,2,3", group="north")]
)
def test_a_place_that_is_none_is_a_sentence(where: Where) -> None:
    with pytest.raises(CommandError):
        where.area()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "Point", "coordinates": [1, 2]}', "1"])
def test_a_file_without_a_polygon_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "beat.geojson").write_text(text)

    with pytest.raises(CommandError):
        Where(within=tmp_path / "beat.geojson").area()
    with pytest.raises(CommandError):
        Where(within=tmp_path / "none.geojson").area()


def test_receipts_are_written_under_the_numbers_of_their_log_entries(tmp_path: Path) -> None:
    answer = pb.SearchReadsResponse(
        question_receipt=AuditReceipt(log_index=7), outcome_receipt=AuditReceipt(log_index=8)
    )

    write_receipts(answer, tmp_path / "receipts")

    assert sorted(path.name for path in (tmp_path / "receipts").iterdir()) == [
        "outcome-8.json",
        "question-7.json",
    ]
