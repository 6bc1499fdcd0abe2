"""What every question on the command line shares: who asks and why, window, receipts, notice."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Protocol, get_type_hints

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.search.v1.area_pb2 import Area, Circle, MapPoint, Polygon, SensorList
from alpr.type.v1 import left_out_pb2
from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.notice_pb2 import Notice
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.cli.locate import CommandError
from services.cli.options import (
    DATA_DIR,
    As,
    CaseKind,
    CaseNumber,
    DataDir,
    Json,
    Offence,
    OutsideAgency,
    Purpose,
    run_signed_in,
)
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import CASE_KIND, UNSPECIFIED_CASE
from services.common.receipts import receipt_to_json

_LEFT_OUT = {
    left_out_pb2.LEFT_OUT_REASON_NO_NON_AGENCY_ACCESS: "not your agency's own, for which you have no grant",
    left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT: "searched for other offences only",
}


class Answer(Protocol):
    """What every answer to a question has."""

    @property
    def notice(self) -> Notice:
        """What it is good for."""

    @property
    def question_receipt(self) -> AuditReceipt:
        """Proof of the question."""

    @property
    def outcome_receipt(self) -> AuditReceipt:
        """Proof of the answer."""

    @property
    def searched_from(self) -> Timestamp:
        """Start of the window that was searched."""

    @property
    def searched_to(self) -> Timestamp:
        """Its end."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of every question: who asks, and why."""

    subject: As = ""
    kind: CaseKind = ""
    case_number: CaseNumber = ""
    outside_agency: OutsideAgency = ""
    purpose: Purpose = ""
    offence: Offence = ""
    receipts: Annotated[
        Path | None,
        typer.Option("--receipts", help="Write the receipts of question and answer into this folder."),
    ] = None
    data_dir: DataDir = DATA_DIR
    as_json: Json = False

    def justification(self) -> Justification:
        """Case number and purpose as every question carries them."""
        return Justification(
            case_number_kind=CASE_KIND.number(self.kind) if self.kind else UNSPECIFIED_CASE,
            case_number=self.case_number,
            outside_agency=self.outside_agency,
            purpose=self.purpose,
            offence_code=self.offence,
        )

    def run(self, work: Callable[[Session, Output], Awaitable[None]]) -> None:
        """Runs `work` with a session of the person who asks."""
        run_signed_in(work, data_dir=self.data_dir, subject=self.subject, as_json=self.as_json)

    def keep_receipts(self, answer: Answer) -> None:
        """Writes the receipts where the person wants them, if anywhere."""
        if self.receipts is not None:
            write_receipts(answer, self.receipts)


@dataclass(frozen=True, slots=True)
class Window:
    """Options of a question with a window of time."""

    since: Annotated[datetime | None, typer.Option("--from", help="From this moment, UTC.")] = None
    until: Annotated[datetime | None, typer.Option("--to", help="To this moment, UTC.")] = None

    def set_in(self, request: Message) -> None:
        """Sets the request's fields `from` and `to`, as far as the person gave them."""
        for field, moment in (("from", self.since), ("to", self.until)):
            if moment is not None:
                stamp = Timestamp()
                stamp.FromDatetime(moment)
                getattr(request, field).CopyFrom(stamp)


@dataclass(frozen=True, slots=True)
class Page:
    """Options of a question that is answered in pages."""

    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most rows of a page.")] = 100
    token: Annotated[str, typer.Option("--page", help="Token of the next page, from the page before.")] = ""


@dataclass(frozen=True, slots=True)
class Where:
    """Options of a question about a place."""

    near: Annotated[
        str, typer.Option("--near", help="LATITUDE,LONGITUDE,METRES: everywhere so near to that point.")
    ] = ""
    within: Annotated[
        Path | None, typer.Option("--within", help="GeoJSON file with one polygon: everywhere inside it.")
    ] = None
    group: Annotated[str, typer.Option("--group", help="Wherever the sensors of this group were.")] = ""
    sensors: Annotated[
        str, typer.Option("--sensors", help="Wherever these sensors were; ids joined by commas.")
    ] = ""

    def area(self) -> Area | None:
        """The place as questions carry it, None for everywhere.

        Raises:
            CommandError: More than one place, or one that cannot be read.
        """
        given = [one for one in (self.near, self.within, self.group, self.sensors) if one]
        if len(given) > 1:
            raise CommandError("a question has one place: choose --near, --within, --group or --sensors")
        if self.near:
            return Area(circle=circle_of(self.near))
        if self.within:
            return Area(polygon=polygon_in(self.within))
        if self.sensors:
            return Area(sensors=SensorList(sensor_ids=self.sensors.split(",")))
        return Area(sensor_group=self.group) if self.group else None


def circle_of(text: str) -> Circle:
    """The circle that LATITUDE,LONGITUDE,METRES means. Raises CommandError."""
    try:
        latitude, longitude, metres = map(float, text.split(","))
    except ValueError:
        raise CommandError("--near takes LATITUDE,LONGITUDE,METRES, for instance 41.97,-87.9,500") from None
    return Circle(center=MapPoint(latitude=latitude, longitude=longitude), radius_meters=metres)


def polygon_in(path: Path) -> Polygon:
    """The one polygon of a GeoJSON file (RFC 7946), by itself or in a feature or collection.

    Raises:
        CommandError: The file cannot be read, or holds no such polygon.
    """
    try:
        shape = json.loads(path.read_text(encoding="utf-8"))
        if shape["type"] == "FeatureCollection":
            (shape,) = shape["features"]
        if shape["type"] == "Feature":
            shape = shape["geometry"]
        (ring,) = shape["coordinates"]
        corners = [MapPoint(latitude=latitude, longitude=longitude) for longitude, latitude, *_ in ring]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise CommandError(f"{path} holds no GeoJSON with one polygon without holes") from None
    # GeoJSON repeats the first corner at the end; the contract does not.
    return Polygon(corners=corners[:-1] if corners[:1] == corners[-1:] else corners)


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """`command` as Typer takes it: a parameter that is a dataclass of options stands for those options."""
    hints = get_type_hints(command, include_extras=True)
    own: list[Parameter] = []
    bundles: dict[str, Any] = {}
    shared: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if is_dataclass(hints[name]):
            bundles[name] = hints[name]
            shared += _options(hints[name])
        else:
            own.append(parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))

    @wraps(command)
    def expanded(**values: Any) -> None:
        for name, bundle in bundles.items():
            values[name] = bundle(**{field.name: values.pop(field.name) for field in fields(bundle)})
        command(**values)

    expanded.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
    return expanded


def _options(bundle: Any) -> list[Parameter]:
    hints = get_type_hints(bundle, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(bundle)
    ]


def write_receipts(answer: Answer, folder: Path) -> None:
    """Writes the answer's two receipts into `folder` as question-<index>.json and outcome-<index>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, receipt in (("question", answer.question_receipt), ("outcome", answer.outcome_receipt)):
        write_receipt(receipt, folder / f"{name}-{receipt.log_index}.json")


def write_receipt(receipt: AuditReceipt, path: Path) -> None:
    """Writes one receipt as the offline verifier takes it; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(receipt_to_json(receipt), indent=2) + "\n", encoding="utf-8")


def show_notice(answer: Answer, output: Output) -> None:
    """Prints first what the answer is good for."""
    output.console.print(f"[bold yellow]{answer.notice.text}[/]")


def show_record(answer: Answer, found: str, output: Output) -> None:
    """Prints last what was searched and where its record stands; `found` is for instance "3 read(s)"."""
    output.note(
        f"{found} between {answer.searched_from.ToDatetime():%Y-%m-%d %H:%M} and "
        f"{answer.searched_to.ToDatetime():%Y-%m-%d %H:%M} UTC; recorded as log entries "
        f"{answer.question_receipt.log_index} (question) and {answer.outcome_receipt.log_index} (answer)"
    )
    for one in getattr(answer, "left_out", ()):
        whose = f"group {one.sensor_group} of {one.agency_ori}" if one.sensor_group else one.agency_ori
        output.note(f"Left out: {whose} ({_LEFT_OUT.get(one.reason, 'for another reason')})")
