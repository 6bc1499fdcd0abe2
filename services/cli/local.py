"""`platewarden local`: plates that a user, a unit or the operator of a camera watches for (ENF-051 II.D)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.matcher.v1 import local_list_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2, justification_pb2
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
    new_request_id,
    run_signed_in,
)
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import CASE_KIND, CATEGORY, ENTRY_STATE, LIST_OWNER, UNSPECIFIED_CASE

app = typer.Typer(no_args_is_help=True, help="Local lists: watch for a plate, stop watching, look.")


@app.command()
def add(
    pattern: Annotated[str, typer.Argument(help="The plate; ? stands for any one character (ABC?23).")],
    kind: CaseKind = "",
    case_number: CaseNumber = "",
    outside_agency: OutsideAgency = "",
    purpose: Purpose = "",
    offence: Offence = "",
    category: Annotated[
        str, typer.Option("--category", help="What it is about, for instance felony.")
    ] = "other",
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=720, help="How long to watch.")] = 24.0,
    state: Annotated[str, typer.Option("--state", help="Issuing state, two letters, when known.")] = "",
    plate_type: Annotated[str, typer.Option("--plate-type", help="NCIC plate type, when known.")] = "",
    make: Annotated[str, typer.Option("--make", help="NCIC make code of the vehicle, when known.")] = "",
    color: Annotated[str, typer.Option("--color", help="NCIC colour code of the vehicle, when known.")] = "",
    unit: Annotated[bool, typer.Option("--unit", help="On the list of your unit, not on your own.")] = False,
    sensor: Annotated[str, typer.Option("--sensor", help="On the list of this camera, for it alone.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Watches for a plate. Needs case number and purpose as a search does; ends within 30 days."""

    async def work(session: Session, output: Output) -> None:
        request = pb.AddLocalEntryRequest(
            request_id=new_request_id(),
            owner_kind=_owner_kind(unit, sensor),
            sensor_id=sensor,
            pattern=pattern,
            state=state.upper(),
            plate_type=plate_type.upper(),
            category=CATEGORY.number(category),
            vehicle=hit_pb2.ListedVehicle(make=make.upper(), color=color.upper()),
            justification=justification_pb2.Justification(
                case_number_kind=CASE_KIND.number(kind) if kind else UNSPECIFIED_CASE,
                case_number=case_number,
                outside_agency=outside_agency,
                purpose=purpose,
                offence_code=offence,
            ),
            expire_time=_in_hours(hours),
        )
        stub = rpc.LocalListServiceStub(session.channel("matcher"))
        answer: pb.AddLocalEntryResponse = await session.call(stub.AddLocalEntry, request)
        entry = answer.entry
        output.result(
            answer,
            f"Watching for [bold]{entry.pattern}[/] until {_moment(entry.expire_time)}: {entry.entry_id}",
        )
        _tell(answer.suspended, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def remove(
    entry_id: Annotated[str, typer.Argument(help="Id of the entry; `platewarden local list` shows it.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Stops watching for a plate at once."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RemoveLocalEntryRequest(request_id=new_request_id(), entry_id=entry_id)
        stub = rpc.LocalListServiceStub(session.channel("matcher"))
        answer: pb.RemoveLocalEntryResponse = await session.call(stub.RemoveLocalEntry, request)
        word = ENTRY_STATE.word(answer.entry.entry_state)
        output.result(answer, f"The entry for [bold]{answer.entry.pattern}[/] is {word}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_entries(
    with_ended: Annotated[bool, typer.Option("--all", help="Show entries that have ended, too.")] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What you, your unit and the cameras of your agency watch for."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.LocalListServiceStub(session.channel("matcher"))
        entries: list[pb.LocalEntry] = []
        request = pb.ListLocalEntriesRequest(with_ended=with_ended)
        while True:
            answer: pb.ListLocalEntriesResponse = await session.call(stub.ListLocalEntries, request)
            entries.extend(answer.entries)
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        columns = ("entry", "pattern", "state", "category", "list of", "case", "until", "is", "matched")
        output.table(entries, columns, [_row(one) for one in entries])
        _tell(answer.suspended, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _owner_kind(unit: bool, sensor: str) -> pb.LocalListOwnerKind.ValueType:
    if unit and sensor:
        raise CommandError("an entry is on one list: choose --unit or --sensor")
    if sensor:
        return pb.LOCAL_LIST_OWNER_KIND_SENSOR
    return pb.LOCAL_LIST_OWNER_KIND_UNIT if unit else pb.LOCAL_LIST_OWNER_KIND_USER


def _in_hours(hours: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    return stamp


def _row(one: pb.LocalEntry) -> tuple[str, ...]:
    return (
        one.entry_id,
        one.pattern,
        one.state or "-",
        CATEGORY.word(one.category),
        LIST_OWNER.word(one.owner_kind),
        one.justification.case_number,
        _moment(one.expire_time),
        ENTRY_STATE.word(one.entry_state),
        f"{one.match_count:,} of {one.read_count:,}",
    )


def _tell(suspended: Sequence[pb.LocalEntry], output: Output) -> None:
    """Says which entries suspended themselves: their owner would wait for hits in vain."""
    for one in suspended:
        output.note(
            f"{one.pattern} suspended itself on {_moment(one.end_time)}: it matched {one.match_count:,} of "
            f"{one.read_count:,} reads, more than 1 in 10,000. Nobody watches for it now; add a narrower one."
        )


def _moment(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(UTC):%Y-%m-%d %H:%M:%S} UTC"
