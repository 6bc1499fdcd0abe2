"""`platewarden scope`: which hot lists are compared on which cameras."""

from collections.abc import AsyncIterator
from typing import Annotated

import typer

from alpr.matcher.v1 import scope_service_pb2 as pb
from alpr.matcher.v1 import scope_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import GROUP_MODE, PARTITION, SOURCE

app = typer.Typer(no_args_is_help=True, help="Which hot lists meet which cameras: set, list, show.")
Group = Annotated[str, typer.Argument(help="Sensor group of your agency, for instance expressway-north.")]


@app.command("set")
def set_group(
    group: Group,
    mode: Annotated[str, typer.Option("--mode", help="only (the named lists) or all-but (them).")],
    lists: Annotated[
        list[str] | None, typer.Option("--list", help="Id of a hot list; may be repeated.")
    ] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Sets which lists are compared with reads of a sensor group; all-but without a list admits all."""

    async def work(session: Session, output: Output) -> None:
        request = pb.SetSensorGroupRequest(
            request_id=new_request_id(),
            sensor_group=group,
            mode=GROUP_MODE.number(mode),
            hot_list_ids=lists or [],
        )
        answer = await session.call(_stub(session).SetSensorGroup, request)
        sentence = f"Group [bold]{group}[/] from match revision {answer.match_revision}: {_meaning(answer)}"
        output.result(answer, sentence)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_groups(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The sensor groups of your agency for which something was set."""

    async def work(session: Session, output: Output) -> None:
        groups = [one async for one in _groups(session)]
        rows = ((one.sensor_group, GROUP_MODE.word(one.mode), " ".join(one.hot_list_ids)) for one in groups)
        output.table(groups, ("group", "mode", "lists"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def show(
    group: Group,
    partition: Annotated[
        str, typer.Option("--partition", help="Of the group's sensors: general or motor-carrier.")
    ] = "general",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """The lists that reads of a sensor group are compared with now, and by which agreements."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListComparedListsRequest(sensor_group=group, partition=PARTITION.number(partition))
        answer = await session.call(_stub(session).ListComparedLists, request)
        columns = ("agency", "name", "id", "source", "agreements")
        rows = (
            (
                one.list_agency_ori,
                one.hot_list_name,
                one.hot_list_id,
                SOURCE.word(one.source),
                " ".join(one.agreement_ids) or "-",
            )
            for one in answer.lists
        )
        output.table(answer.lists, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def _groups(session: Session) -> AsyncIterator[pb.SensorGroup]:
    request = pb.ListSensorGroupsRequest()
    while True:
        answer = await session.call(_stub(session).ListSensorGroups, request)
        for one in answer.sensor_groups:
            yield one
        if not answer.next_page_token:
            return
        request = pb.ListSensorGroupsRequest(page_token=answer.next_page_token)


def _meaning(answer: pb.SetSensorGroupResponse) -> str:
    count = len(answer.sensor_group.hot_list_ids)
    if answer.sensor_group.mode == pb.GROUP_MODE_ONLY:
        return f"only {count:,} named lists"
    return f"all lists but {count:,}" if count else "all lists"


def _stub(session: Session) -> rpc.ScopeServiceStub:
    return rpc.ScopeServiceStub(session.channel("matcher"))
