"""`platewarden evidence`: kept packages, and whether one holds."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from services.audit import verify_evidence
from services.cli.files import receive, show_file
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded
from services.cli.question import Asked, with_options
from services.cli.session import Session
from services.cli.subscription import MotorCarrier, partition

app = typer.Typer(
    no_args_is_help=True,
    help="Evidence packages: list, get, verify. `platewarden search evidence` makes one.",
)
_MOST_ROWS = 500


@app.command("list")
def list_packages(
    report_number: Annotated[str, typer.Option("--report-number", help="Only packages of this report.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
    motor_carrier: MotorCarrier = False,
) -> None:
    """The packages of your agency, newest first."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.ReportServiceStub(session.channel("search"))
        request = pb.ListEvidenceRequest(
            request_id=new_request_id(),
            report_number=report_number,
            page_size=_MOST_ROWS,
            partition=partition(motor_carrier),
        )
        answer = await session.call(stub.ListEvidence, request)
        output.table(
            list(answer.packages),
            folded("evidence", "made (UTC)", "report", "system", "item", "read", "captured"),
            (
                (
                    one.evidence_id,
                    f"{one.made_time.ToDatetime():%Y-%m-%d %H:%M}",
                    one.report_number,
                    one.evidence_system,
                    one.evidence_item,
                    one.read_id,
                    one.capture_day,
                )
                for one in answer.packages
            ),
        )
        if answer.next_page_token:
            output.note(f"The newest {_MOST_ROWS}; there are older ones.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
@with_options
def get(
    evidence_id: Annotated[str, typer.Argument(help="The package; `list` shows its id.")],
    out: Annotated[Path, typer.Option("--out", help="ZIP file to write, or a folder for it.")],
    asked: Asked,
    motor_carrier: MotorCarrier = False,
) -> None:
    """A kept package again, also when its read is long gone. Needs a case number and a purpose."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetEvidenceRequest(
            request_id=new_request_id(),
            justification=asked.justification(),
            evidence_id=evidence_id,
            partition=partition(motor_carrier),
        )
        stub = rpc.ReportServiceStub(session.channel("search"))
        described, notice = await receive(session.stream(stub.GetEvidence, request), out)
        show_file(described, notice, asked, out, output)

    asked.run(work)


@app.command()
def verify(
    packages: Annotated[list[Path], typer.Argument(help="Evidence packages.")],
    key: Annotated[Path, typer.Option("--public-key", help="File with the log's public key.")],
) -> None:
    """Proves packages offline: exit code 0 when all holds, else 1 with one sentence.

    The same program stands alone in services/audit/verify_evidence.py and needs nothing but Python.
    """
    sys.exit(verify_evidence.main(["--public-key", str(key), *map(str, packages)]))
