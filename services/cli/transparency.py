"""`platewarden transparency`: numbers for everybody, counted from the log, that everybody may check."""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.audit.v1 import transparency_service_pb2 as pb
from alpr.audit.v1 import transparency_service_pb2_grpc as rpc
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.audit import verifier, verify_transparency
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.question import write_receipt
from services.cli.session import Session
from services.common import transparency, transparency_pages

app = typer.Typer(
    no_args_is_help=True, help="Transparency reports: publish, preview, list, get; verify needs no sign-in."
)
From = Annotated[str, typer.Option("--from", help="First month (2026-05); a preview takes a day.")]
To = Annotated[str, typer.Option("--to", help="The month, or day, before which the period ends; UTC.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the report; made when it is missing.")]
# What checks a report, wherever it is taken.
_PROGRAMS = (verify_transparency, verifier, transparency, transparency_pages)


@app.command()
def publish(
    start: From, end: To, out: Out, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Counts whole months that are over and keeps the report for ever; a month is reported once."""

    async def work(session: Session, output: Output) -> None:
        request = pb.PublishReportRequest(request_id=new_request_id())
        _set_period(request, start, end)
        answer = await session.call(_stub(session).PublishReport, request)
        _show(answer.report, answer.receipt, out, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def preview(
    start: From,
    out: Out,
    end: Annotated[str, typer.Option("--to", help="The day before which it ends; now when left out.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What a report would say. It is not kept and has no receipt, so it is not to be published."""

    async def work(session: Session, output: Output) -> None:
        request = pb.PreviewReportRequest(request_id=new_request_id())
        _set_period(request, start, end)
        answer = await session.call(_stub(session).PreviewReport, request)
        report = _written(answer.report, out)
        output.result(answer, f"{_summary(report)}\npreview in {out}; not kept, not to be published")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_reports(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The agency's published reports, newest period first."""

    async def work(session: Session, output: Output) -> None:
        request, found = pb.ListReportsRequest(page_size=200), []
        while True:
            answer = await session.call(_stub(session).ListReports, request)
            found += answer.reports
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        output.table(found, folded("id", "from", "to", "entries", "sha256"), map(_row, found))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def get(
    report_id: Annotated[str, typer.Argument(help="Id of the report; `transparency list` shows it.")],
    out: Out,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Writes a published report into a folder, with its receipt and the programs that check it."""

    async def work(session: Session, output: Output) -> None:
        answer = await session.call(_stub(session).GetReport, pb.GetReportRequest(report_id=report_id))
        _show(answer.report, answer.receipt, out, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The report as it was published.")],
    key: Annotated[Path, typer.Option("--public-key", help="File with the log's public key.")],
    export: Annotated[
        list[Path] | None, typer.Option("--export", help="Count anew from this export of the log.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option("--checkpoint", help="Kept elsewhere; may be repeated.")
    ] = None,
    witness_key: Annotated[
        Path | None, typer.Option("--witness-key", help="Whose signature every --checkpoint must bear.")
    ] = None,
) -> None:
    """Checks a report offline: exit code 0 when all holds, else 1 with one sentence.

    The same program stands beside the report as verify_transparency.py and needs nothing but Python.
    """
    arguments = ["--public-key", str(key), str(folder), *map(str, export or ())]
    for one in checkpoint or ():
        arguments += ["--checkpoint", str(one)]
    if witness_key is not None:
        arguments += ["--witness-key", str(witness_key)]
    sys.exit(verify_transparency.main(arguments))


def parse_day(text: str) -> Timestamp:
    """The first moment of a month "2026-05" or day "2026-05-17", in UTC. Raises CommandError."""
    for form in ("%Y-%m", "%Y-%m-%d"):
        try:
            moment = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        stamp = Timestamp()
        stamp.FromDatetime(moment)
        return stamp
    raise CommandError(f"'{text}' is no month (2026-05) and no day (2026-05-17)")


def _set_period(request: Any, start: str, end: str) -> None:
    getattr(request, "from").CopyFrom(parse_day(start))
    if end:
        request.to.CopyFrom(parse_day(end))
    else:
        request.to.GetCurrentTime()


def _show(one: pb.TransparencyReport, receipt: AuditReceipt, out: Path, output: Output) -> None:
    report = _written(one.report, out)
    write_receipt(receipt, out / transparency_pages.RECEIPT)
    for program in _PROGRAMS:
        shutil.copy(str(program.__file__), out)
    place = f"report {one.report_id} in {out}; its SHA-256 stands in log entry {receipt.log_index}"
    output.result(one, f"{_summary(report)}\n{place}")


def _written(raw: bytes, out: Path) -> dict[str, Any]:
    """The report, in its three forms in the folder."""
    report: dict[str, Any] = json.loads(raw)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in transparency_pages.files_of(raw).items():
        (out / name).write_bytes(content)
    return report


def _summary(report: dict[str, Any]) -> str:
    totals = ((one["name"].replace("_", " "), one["total"]) for one in report["measures"])
    return "\n".join(f"{name}: {transparency_pages.count_text(total)}" for name, total in totals)


def _row(one: pb.TransparencyReport) -> list[str]:
    start = getattr(one, "from").ToDatetime()
    return [
        one.report_id,
        f"{start:%Y-%m}",
        f"{one.to.ToDatetime():%Y-%m}",
        str(one.entries),
        one.sha256.hex(),
    ]


def _stub(session: Session) -> Any:
    return rpc.TransparencyServiceStub(session.channel("audit"))
