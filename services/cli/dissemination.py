"""`platewarden dissemination`: the register of what left, and what its recipients are to be told."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from alpr.search.v1 import dissemination_service_pb2 as pb
from alpr.search.v1 import dissemination_service_pb2_grpc as rpc
from alpr.search.v1.dissemination_pb2 import Recipient
from services.audit import verify_notice
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.question import Asked, with_options
from services.cli.recipient import KINDS, ForWhom
from services.cli.session import Session
from services.cli.subscription import MotorCarrier, partition
from services.cli.words import Words

app = typer.Typer(
    no_args_is_help=True,
    help="What left as a file, to whom and until when; who is to be told of a purge or correction.",
)
NOTICE = Words(pb.RecipientNoticeKind, "RECIPIENT_NOTICE_KIND_", "kind of notice")
KIND = Words(pb.DisseminationKind, "DISSEMINATION_KIND_", "kind of file")
DELIVERY = Words(pb.NoticeDeliveryState, "NOTICE_DELIVERY_STATE_", "state of delivery")
_MOST_ROWS = 500
# Ids are copied into the next command: folded and never cut off.
_ENTRIES = folded("entry", "left (UTC)", "what", "for, case", "until", "to tell")
_NOTICES = folded("notice", "since (UTC)", "what", "entry, recipient", "told")
EntryId = Annotated[str, typer.Argument(help="The entry of the register.")]
Says = Annotated[str, typer.Option("--statement", help="Who says so, and how; 5 to 500 characters.")]


@app.command("list")
def list_entries(
    read_id: Annotated[str, typer.Option("--read", help="Only what holds this read.")] = "",
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only what must have been deleted by now and is not.")
    ] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """What left your agency, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListDisseminationsRequest(
            request_id=new_request_id(),
            read_id=read_id,
            page_size=_MOST_ROWS,
            partition=partition(motor_carrier),
        )
        if overdue:
            request.overdue_at.FromDatetime(datetime.now(UTC))
        answer = await session.call(_stub(session).ListDisseminations, request)
        output.table(list(answer.disseminations), _ENTRIES, map(_entry_row, answer.disseminations))
        if answer.next_page_token:
            output.note(f"The newest {_MOST_ROWS}; there are older ones.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("hand-on")
@with_options
def hand_on(
    export_id: Annotated[str, typer.Argument(help="The entry of the export that is handed on.")],
    asked: Asked,
    for_whom: ForWhom,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Registers that an exported file goes to somebody else, too. Hand it over only afterwards."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RecordDisseminationRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            export_id=export_id,
            recipient=for_whom.message(),
            partition=partition(motor_carrier),
        )
        if for_whom.delete_by:
            for_whom.set_due(request.due_to_delete)
        answer = await session.call(_stub(session).RecordDissemination, request)
        entry = answer.dissemination
        due = f"{entry.due_to_delete.ToDatetime():%Y-%m-%d}"
        output.result(answer, f"Entry {entry.dissemination_id}; the recipient must delete the file by {due}")

    asked.run(work)


@app.command()
def deleted(
    entry: EntryId,
    statement: Says,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Registers that the recipient has deleted what it got."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RecordDeletionRequest(
            request_id=new_request_id(),
            dissemination_id=entry,
            statement=statement,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).RecordDeletion, request)
        output.result(answer, f"Entry {entry} is deleted")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
@with_options
def correct(
    read_id: Annotated[str, typer.Argument(help="The read that was wrong.")],
    statement: Annotated[str, typer.Option("--statement", help="What was wrong, without the plate.")],
    asked: Asked,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Registers that a read was wrong: whoever got it is to be told."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RecordCorrectionRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            read_id=read_id,
            statement=statement,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).RecordCorrection, request)
        output.result(answer, f"{answer.notice_count} recipient(s) to be told: `dissemination notices`")

    asked.run(work)


@app.command()
def notices(
    with_told: Annotated[bool, typer.Option("--all", help="Those that were told already, too.")] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """What recipients of your agency's files are to be told, oldest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListRecipientNoticesRequest(
            request_id=new_request_id(),
            with_told=with_told,
            page_size=_MOST_ROWS,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).ListRecipientNotices, request)
        output.table(list(answer.notices), _NOTICES, map(_notice_row, answer.notices))
        if answer.next_page_token:
            output.note(f"The oldest {_MOST_ROWS}; there are more.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def told(
    notice: Annotated[str, typer.Argument(help="The notice; `notices` shows its id.")],
    statement: Annotated[str, typer.Option("--statement", help="Whom you told, and how.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Registers that a recipient was told."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RecordToldRequest(
            request_id=new_request_id(),
            notice_id=notice,
            statement=statement,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).RecordTold, request)
        output.result(answer, f"Notice {notice} was told")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def resend(
    notice: Annotated[str, typer.Argument(help="The notice; `notices` shows its id.")],
    email: Annotated[str, typer.Option("--email", help="Another address, for this notice alone.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """Has the system write to the recipient at once, also when it gave up."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ResendNoticeRequest(
            request_id=new_request_id(),
            notice_id=notice,
            email=email,
            partition=partition(motor_carrier),
        )
        answer = await session.call(_stub(session).ResendNotice, request)
        output.result(answer, f"Notice {notice} is sent next")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("verify-notice")
def verify_letter(
    notice: Annotated[Path, typer.Argument(help="notice.json of the letter.")],
    receipt: Annotated[Path, typer.Argument(help="receipt.json of the letter.")],
    key: Annotated[Path, typer.Option("--public-key", help="File with the log's public key.")],
) -> None:
    """Proves offline that a notice is genuine: exit code 0 when it is, else 1 with one sentence.

    The same program stands alone in services/audit/verify_notice.py and needs nothing but Python.
    """
    sys.exit(verify_notice.main(["--public-key", str(key), str(notice), str(receipt)]))


def _stub(session: Session) -> Any:
    return rpc.DisseminationServiceStub(session.channel("search"))


def _entry_row(entry: pb.Dissemination) -> tuple[str, ...]:
    until = (
        f"delete by {entry.due_to_delete.ToDatetime():%Y-%m-%d}" if entry.HasField("due_to_delete") else "-"
    )
    if entry.HasField("deleted_time"):
        until = f"deleted {entry.deleted_time.ToDatetime():%Y-%m-%d}"
    return (
        entry.dissemination_id,
        f"{entry.made_time.ToDatetime():%Y-%m-%d %H:%M}",
        f"{KIND.word(entry.kind)}, {entry.format}, {entry.read_count} read(s)",
        f"{_name(entry.recipient)}, {entry.justification.case_number}",
        until,
        str(entry.open_notice_count),
    )


def _notice_row(notice: pb.RecipientNotice) -> tuple[str, ...]:
    return (
        notice.notice_id,
        f"{notice.notice_time.ToDatetime():%Y-%m-%d %H:%M}",
        f"{NOTICE.word(notice.kind)}: {notice.text}",
        f"{notice.dissemination_id}, {_name(notice.recipient)}",
        _how(notice),
    )


def _how(notice: pb.RecipientNotice) -> str:
    """Whether the recipient was told, and how the system's own letter fares."""
    delivery, words = notice.delivery, []
    if notice.HasField("told_time"):
        words.append(f"{notice.told_time.ToDatetime():%Y-%m-%d %H:%M}")
    words.append(DELIVERY.word(delivery.state))
    if delivery.attempt_count:
        words.append(f"{delivery.attempt_count} attempt(s)")
    if delivery.problem:
        words.append(delivery.problem)
    if delivery.HasField("next_attempt_time"):
        words.append(f"next {delivery.next_attempt_time.ToDatetime():%Y-%m-%d %H:%M}")
    return ", ".join(words)


def _name(recipient: Recipient) -> str:
    return recipient.organisation or KINDS.word(recipient.kind)
