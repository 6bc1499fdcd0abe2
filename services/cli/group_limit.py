"""`platewarden sensor limit` and `limits`: for which offences the reads of a sensor group may be searched."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from alpr.audit.v1 import governance_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session


def limit(
    group: Annotated[str, typer.Argument(help="Sensor group.")],
    agency: Annotated[str, typer.Option("--agency", help="ORI of the agency whose sensors they are.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    offence: Annotated[
        str, typer.Option("--offence", help="Offence codes, joined by commas; none lifts the limit.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says for which offences the reads of a group may be searched. Answers say what they leave out."""

    async def work(session: Session, output: Output) -> None:
        codes = [code for code in offence.split(",") if code]
        wanted = pb.GroupLimit(agency_ori=agency, sensor_group=group, offence_codes=codes)
        request = pb.SetGroupLimitRequest(request_id=new_request_id(), limit=wanted, reason=reason)
        answer = await session.call(_stub(session).SetGroupLimit, request)
        text = f"for {', '.join(codes)} only" if codes else "for every offence"
        output.result(answer.limit, f"Group [bold]{group}[/] of {agency} may be searched {text}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def limits(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The groups of your agency that may be searched for some offences only."""

    async def work(session: Session, output: Output) -> None:
        found = [one async for one in _limits(session)]
        rows = ((one.agency_ori, one.sensor_group, ", ".join(one.offence_codes)) for one in found)
        output.table(found, ("agency", "group", "offences"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _limits(session: Session) -> AsyncIterator[pb.GroupLimit]:
    request = pb.ListGroupLimitsRequest()
    while True:
        answer = await session.call(_stub(session).ListGroupLimits, request)
        for one in answer.limits:
            yield one
        if not answer.next_page_token:
            return
        request = pb.ListGroupLimitsRequest(page_token=answer.next_page_token)


def _stub(session: Session) -> Any:
    return rpc.GovernanceServiceStub(session.channel("audit"))
