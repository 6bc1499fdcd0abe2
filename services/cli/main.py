"""The `platewarden` command."""

import typer

from services.cli import (
    account,
    agreement,
    alert,
    alert_ask,
    alert_list,
    audit,
    declaration,
    deploy,
    dispatch,
    dissemination,
    doctor,
    document,
    escort,
    evidence,
    export,
    government_request,
    group_limit,
    hold,
    hotlist,
    hotlist_history,
    hotlist_show,
    key,
    local,
    log_query,
    model,
    motor_carrier,
    office,
    patrol,
    policy,
    probe,
    records,
    retention,
    review,
    roster,
    scope,
    search,
    search_analysis,
    search_read,
    search_report,
    search_scenes,
    sensor,
    sensor_certificate,
    sensor_health,
    sensor_place,
    setting,
    sign_in,
    subscription,
    transparency,
    unit,
    webhook,
    witness,
)
from services.cli.bootstrap import bootstrap
from services.cli.capture import capture
from services.cli.conformance import command as conformance
from services.cli.console import console
from services.cli.demo.command import demo
from services.cli.login import login, logout
from services.cli.read import read
from services.cli.search import purposes
from services.cli.token import token
from services.cli.up import up
from services.cli.watch.command import watch

app = typer.Typer(
    name="platewarden",
    no_args_is_help=True,
    help="An open automated licence plate reader in which every query has to answer for itself.",
    pretty_exceptions_enable=False,  # a traceback with local variables could show a plate or a token
)
for command in (up, demo, bootstrap, login, logout, token, console, capture, read, watch, purposes):
    app.command()(command)
app.add_typer(doctor.app, name="doctor")
app.add_typer(deploy.app, name="deploy")
app.add_typer(account.app, name="account")
app.add_typer(sign_in.app, name="sign-in")
app.add_typer(unit.app, name="unit")
app.add_typer(office.app, name="office")
app.add_typer(roster.app, name="roster")
app.add_typer(review.app, name="review")
app.add_typer(review.packet_app, name="packet")
app.add_typer(policy.app, name="policy")
app.add_typer(document.app, name="document")
app.add_typer(escort.app, name="escort")
app.add_typer(records.incident_app, name="incident")
app.add_typer(records.contract_app, name="contract")
app.add_typer(records.support_app, name="support")
app.add_typer(sensor.agency_app, name="agency")
app.add_typer(agreement.app, name="agreement")
for one in (*sensor_health.COMMANDS, group_limit.limit, group_limit.limits):
    sensor.app.command()(one)
for word, act in (*sensor_place.COMMANDS, *sensor_certificate.COMMANDS):
    sensor.app.command(word)(act)
app.add_typer(sensor.app, name="sensor")
app.add_typer(motor_carrier.app, name="mcs")
for more in (hotlist_show.show, *hotlist_history.COMMANDS):
    hotlist.app.command()(more)
app.add_typer(hotlist.app, name="hotlist")
app.add_typer(local.app, name="local")
app.add_typer(scope.app, name="scope")
app.add_typer(model.app, name="model")
alert.app.command("list")(alert_list.list_alerts)
alert.app.command()(alert_ask.ask)
app.add_typer(alert.app, name="alert")
app.add_typer(subscription.app, name="subscription")
app.add_typer(webhook.app, name="webhook")
app.add_typer(dispatch.app, name="dispatch")
app.add_typer(patrol.app, name="patrol")
for name, more in log_query.COMMANDS:
    audit.app.command(name)(more)
app.add_typer(audit.app, name="audit")
app.add_typer(witness.app, name="witness")
app.add_typer(transparency.app, name="transparency")
for more in (
    *search_read.COMMANDS,
    *search_analysis.COMMANDS,
    *search_scenes.COMMANDS,
    *search_report.COMMANDS,
):
    search.app.command()(more)
app.add_typer(search.app, name="search")
app.add_typer(evidence.app, name="evidence")
app.add_typer(dissemination.app, name="dissemination")
app.add_typer(export.app, name="export")
app.add_typer(retention.app, name="retention")
app.add_typer(declaration.app, name="declaration")
app.add_typer(probe.app, name="probe")
app.add_typer(conformance.app, name="conformance")
app.add_typer(government_request.app, name="request")
app.add_typer(setting.app, name="setting")
app.add_typer(hold.app, name="hold")
app.add_typer(key.app, name="key")


def main() -> None:
    """Entry point of the console script."""
    app()
