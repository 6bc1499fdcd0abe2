"""`platewarden alert ask`: what LEADS or NCIC says about an alert, through the agency's connector."""

from typing import Annotated

import grpc
import typer

from alpr.alerts.v1 import verification_service_pb2 as pb
from alpr.alerts.v1 import verification_service_pb2_grpc as rpc
from alpr.connector.v1 import record_check_service_pb2 as connector_pb
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import VERIFICATION, Words
from services.common.errors import from_rpc_error

ANSWER = Words(connector_pb.RecordAnswer, "RECORD_ANSWER_", "answer")
_DEADLINE_SECONDS = 28.0


def ask(
    alert_id: Annotated[str, typer.Argument(help="Id of the alert.")],
    entry: Annotated[str, typer.Option("--entry", help="Id of one of its entries; without: the first.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Asks LEADS or NCIC about an alert; `platewarden alert verify ID STATE --check` takes the answer."""

    async def work(session: Session, output: Output) -> None:
        request = pb.AskRecordRequest(request_id=new_request_id(), alert_id=alert_id, entry_id=entry)
        check = (await _asked(session, request)).check
        state = VERIFICATION.word(check.bears_out)
        sentence = (
            f"[bold]{check.system}[/] answers {ANSWER.word(check.answer)} (response {check.response_id}).\n"
            f"For the next ten minutes: platewarden alert verify {alert_id} {state} --check {check.check_id}"
        )
        output.result(check, sentence)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _asked(session: Session, request: pb.AskRecordRequest) -> pb.AskRecordResponse:
    # Without the patience that other calls have: while a connector is away, people ask by hand.
    stub = rpc.VerificationServiceStub(session.channel("alerts"))
    try:
        return await stub.AskRecord(request, metadata=await session.metadata(), timeout=_DEADLINE_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
