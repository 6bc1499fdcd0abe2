"""`platewarden probe`: do people see what agencies agreed on, and nothing else (III.B.1, III.B.3.q)?"""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.audit.v1 import governance_service_pb2 as governance_pb
from alpr.audit.v1 import governance_service_pb2_grpc as governance_rpc
from alpr.audit.v1 import probe_service_pb2 as pb
from alpr.audit.v1 import probe_service_pb2_grpc as rpc
from alpr.search.v1 import analysis_service_pb2 as analysis_pb
from alpr.search.v1 import analysis_service_pb2_grpc as analysis_rpc
from alpr.type.v1 import left_out_pb2
from alpr.type.v1.justification_pb2 import Justification
from services.cli.locate import CommandError, locate
from services.cli.options import (
    DATA_DIR,
    EXIT_REFUSED,
    CaseKind,
    CaseNumber,
    DataDir,
    Json,
    Offence,
    OutsideAgency,
    Purpose,
    new_request_id,
    run,
)
from services.cli.output import Output
from services.cli.question import Asked
from services.cli.session import Session, TokenSource
from services.cli.tokens import token_file, token_source
from services.common.wire import to_timestamp

app = typer.Typer(no_args_is_help=True, help="Probe of effective access between agencies: run.")
_HEAD = ("probe of", "may see others", "was shown", "should see", "differs")
_MOST_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Looked:
    """What one account was shown: the question's log entry, whose reads, whose were limited by offence."""

    agency_ori: str
    vetted: bool
    entry_id: str
    seen: tuple[str, ...]
    limited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What was compared, and the agencies that nothing was asked for."""

    found: tuple[tuple[Looked, pb.ReportProbeResponse], ...]
    unprobed: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """True when somebody was shown more or less than was agreed on."""
        return any(answer.differences for _, answer in self.found)


@app.command("run")
def run_probe(
    kind: CaseKind,
    case_number: CaseNumber,
    purpose: Purpose,
    offence: Offence,
    subjects: Annotated[
        list[str] | None,
        typer.Option("--as", help="A probe's subject at the development issuer; once for each probe."),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            "--tokens", file_okay=False, exists=True, help="Folder with a token file of each probe."
        ),
    ] = None,
    hours: Annotated[int, typer.Option("--hours", min=1, max=2160, help="How far back to ask.")] = 24,
    outside_agency: OutsideAgency = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Asks with each probe's account how many reads there are of each agency, and compares that with the log.

    Ends with 1 when somebody is shown what nobody agreed on, or not shown what was agreed on, or when an
    agency has no probe. Each result is an event of the log.
    """
    asked = Asked(
        kind=kind, case_number=case_number, outside_agency=outside_agency, purpose=purpose, offence=offence
    )
    why = asked.justification()
    results: list[Result] = []

    async def work(output: Output) -> None:
        sources = _sources(subjects or [], tokens, data_dir)
        async with AsyncExitStack() as stack:
            sessions = [
                await stack.enter_async_context(Session(locate(data_dir), one, on_wait=output.note))
                for one in sources
            ]
            results.append(await probe(sessions, why, timedelta(hours=hours)))
        _show(results[0], output)

    run(work, as_json=as_json)
    if results[0].differs or results[0].unprobed:
        sys.exit(EXIT_REFUSED)


async def probe(sessions: list[Session], why: Justification, back: timedelta) -> Result:
    """What the probes were shown in one and the same window, compared by audit. Raises AlprError."""
    until = datetime.now(UTC)
    looked = [await _look(session, why, (until - back, until)) for session in sessions]
    # An agency's own probe knows best whether the agency has reads at all.
    with_reads = sorted({one.agency_ori for one in looked if one.agency_ori in one.seen})
    found = []
    for session, one in zip(sessions, looked, strict=True):
        request = pb.ReportProbeRequest(
            request_id=new_request_id(),
            question_entry_id=one.entry_id,
            seen_agency_oris=one.seen,
            agency_oris_with_reads=with_reads,
            limited_agency_oris=one.limited,
        )
        stub = rpc.ProbeServiceStub(session.channel("audit"))
        found.append((one, await session.call(stub.ReportProbe, request)))
    known = await _agencies(sessions[0])
    return Result(tuple(found), tuple(sorted(known - {one.agency_ori for one in looked})))


async def _look(session: Session, why: Justification, window: tuple[datetime, datetime]) -> Looked:
    accounts = account_rpc.AccountServiceStub(session.channel("audit"))
    account = (await session.call(accounts.GetAccount, account_pb.GetAccountRequest())).account
    request = analysis_pb.SummarizeRequest(
        request_id=new_request_id(),
        justification=why,
        page_size=_MOST_ROWS,
        dimensions=[analysis_pb.SUMMARY_DIMENSION_AGENCY],
        to=to_timestamp(window[1]),
    )
    getattr(request, "from").CopyFrom(to_timestamp(window[0]))
    analyses = analysis_rpc.AnalysisServiceStub(session.channel("search"))
    answer = await session.call(analyses.Summarize, request)
    limit = left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT
    return Looked(
        agency_ori=account.agency_ori,
        vetted=account.HasField("non_agency_access"),
        entry_id=answer.question_receipt.entry_id,
        seen=tuple(sorted(row.values[0] for row in answer.rows)),
        limited=tuple(sorted({one.agency_ori for one in answer.left_out if one.reason == limit})),
    )


async def _agencies(session: Session) -> set[str]:
    stub, found = governance_rpc.GovernanceServiceStub(session.channel("audit")), set()
    request = governance_pb.ListAgenciesRequest()
    while True:
        answer = await session.call(stub.ListAgencies, request)
        found |= {one.ori for one in answer.agencies}
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def _sources(subjects: list[str], folder: Path | None, data_dir: Path) -> list[TokenSource]:
    """Where the tokens of each probe come from; files are read at each call, so that they can be renewed."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder else []
    sources = [token_source(data_dir, one) for one in subjects] + [token_file(path) for path in files]
    if not sources:
        raise CommandError("say whose accounts to ask with: --as for each, or a folder with --tokens")
    return sources


def _show(result: Result, output: Output) -> None:
    if output.as_json:
        for _, answer in result.found:
            output.json_line(answer)
    else:
        columns = [Column(name, overflow="fold") for name in _HEAD]
        output.table([answer for _, answer in result.found], columns, map(_row, result.found))
    for ori in result.unprobed:
        output.note(f"no probe asked for agency {ori}")
    output.note("access is NOT as agreed on; see the log" if result.differs else "access is as agreed on")


def _row(one: tuple[Looked, pb.ReportProbeResponse]) -> tuple[str, ...]:
    looked, answer = one
    differs = (
        f"{each.agency_ori} {pb.AccessDifferenceKind.Name(each.kind).rpartition('_')[2].lower()}"
        for each in answer.differences
    )
    shown, wanted = ", ".join(looked.seen) or "-", ", ".join(answer.expected_agency_oris)
    return looked.agency_ori, "yes" if looked.vetted else "no", shown, wanted, ", ".join(differs) or "-"


if __name__ == "__main__":
    app()
