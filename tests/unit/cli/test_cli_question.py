"""Options that every question on the command line shares."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from alpr.search.v1 import search_service_pb2 as pb
from alpr.type.v1 import justification_pb2
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.cli.question import Asked, Window, with_options, write_receipts


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


def test_receipts_are_written_under_the_numbers_of_their_log_entries(tmp_path: Path) -> None:
    answer = pb.SearchReadsResponse(
        question_receipt=AuditReceipt(log_index=7), outcome_receipt=AuditReceipt(log_index=8)
    )

    write_receipts(answer, tmp_path / "receipts")

    assert sorted(path.name for path in (tmp_path / "receipts").iterdir()) == [
        "outcome-8.json",
        "question-7.json",
    ]
