"""`platewarden setting`: the system-wide settings beside the retention period."""

from typing import Annotated

import typer
from rich.table import Column

from alpr.audit.v1 import settings_service_pb2 as pb
from alpr.audit.v1 import settings_service_pb2_grpc as rpc
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session

app = typer.Typer(no_args_is_help=True, help="System-wide settings, with their bounds: list, set.")
_HEAD = ("setting", "value", "unit", "allowed", "usual", "clause", "what it says")


@app.command("list")
def list_settings(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Every setting, what it is now and what the policy pack allows. Retention has a command of its own."""

    async def work(session: Session, output: Output) -> None:
        answer = await _all(session)
        columns = [Column(name, overflow="fold") for name in _HEAD]
        output.table(answer.settings, columns, (_row(one) for one in answer.settings))
        if not as_json:
            output.note(f"bounds: {answer.pack}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("set")
def set_setting(
    name: Annotated[str, typer.Argument(help="The setting, as `setting list` names it.")],
    value: Annotated[int, typer.Argument(help="Its new value, in its unit.", min=0)],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the log.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Changes a setting for the whole system; for system administrators."""

    async def work(session: Session, output: Output) -> None:
        now = {one.name: one for one in (await _all(session)).settings}
        if name not in now:
            msg = f"there is no setting of that name; there are {', '.join(sorted(now))}"
            raise CommandError(msg)
        request = pb.SetSettingRequest(
            request_id=new_request_id(),
            name=name,
            value=value,
            value_before=now[name].value,
            reason=reason,
        )
        one = (await session.call(_settings(session).SetSetting, request)).setting
        before = f"{now[name].value} before; allowed are {one.least} to {one.most}"
        output.result(one, f"[bold]{one.name}[/] is {one.value} {_unit(one)} ({before})")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _row(one: pb.Setting) -> tuple[str, ...]:
    allowed = f"{one.least} to {one.most}"
    return one.name, str(one.value), _unit(one), allowed, str(one.usual), one.clause, one.title


def _unit(one: pb.Setting) -> str:
    return pb.SettingUnit.Name(one.unit).removeprefix("SETTING_UNIT_").lower()


async def _all(session: Session) -> pb.ListSettingsResponse:
    answer: pb.ListSettingsResponse = await session.call(
        _settings(session).ListSettings, pb.ListSettingsRequest()
    )
    return answer


def _settings(session: Session) -> rpc.SettingsServiceStub:
    return rpc.SettingsServiceStub(session.channel("audit"))
