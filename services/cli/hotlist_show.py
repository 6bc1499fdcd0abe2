"""`platewarden hotlist show`: a list, and how sure its matches must be."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import tuning_service_pb2 as pb
from alpr.matcher.v1 import tuning_service_pb2_grpc as rpc
from services.cli.hotlist import active_of
from services.cli.options import DATA_DIR, As, DataDir, Json, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import BUDGET, SOURCE


def show(
    hot_list: Annotated[str, typer.Argument(help="Id of the hot list.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """A list, its false-alarm budgets, and what people found of its alerts."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.TuningServiceStub(session.channel("matcher"))
        request = pb.GetHotListTuningRequest(hot_list_id=hot_list)
        answer: pb.GetHotListTuningResponse = await session.call(stub.GetHotListTuning, request)
        output.result(answer, "\n".join(told(answer, datetime.now(UTC))))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def told(answer: pb.GetHotListTuningResponse, now: datetime) -> Iterable[str]:
    """The answer in lines (rich markup)."""
    yield _list_line(answer.hot_list, now)
    for budget in answer.budgets:
        seen = budget.evidence
        yield (
            f"  {BUDGET.word(budget.kind)}: at most {budget.per_million:g} false per million reads, "
            f"estimate believed {budget.factor:g} times"
        )
        yield (
            f"    since then {seen.read_count:,} reads, {seen.match_count:,} matches, "
            f"{seen.right_count:,} found right, {seen.wrong_count:,} found wrong"
        )
    for change in answer.changes:
        seen = change.evidence
        yield (
            f"  {change.change_time.ToDatetime(UTC):%Y-%m-%d %H:%M} {BUDGET.word(change.kind)} "
            f"{change.factor_before:g} -> {change.factor_after:g} "
            f"(right {seen.right_count:,}, wrong {seen.wrong_count:,} in {seen.read_count:,} reads)"
        )


def _list_line(hot_list: lists_pb.HotList, now: datetime) -> str:
    return (
        f"[bold]{escape(hot_list.name)}[/] ({SOURCE.word(hot_list.source)}, {hot_list.agency_ori}): "
        f"version {active_of(hot_list, now)}, {hot_list.entry_count:,} entries"
    )
