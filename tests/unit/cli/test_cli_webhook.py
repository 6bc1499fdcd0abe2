"""`platewarden webhook` and `platewarden alert ask`: what people read, and where secrets go."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alpr.alerts.v1 import webhook_service_pb2 as pb
from services.cli import webhook
from services.cli.main import app


def hook_of(**health: object) -> pb.Webhook:
    made = pb.Webhook(
        webhook_id="1",
        name="CAD",
        url="https://cad.example.gov",
        format=pb.WEBHOOK_FORMAT_CAP,
        state=pb.WEBHOOK_STATE_ACTIVE,
        health=pb.WebhookHealth(delivered=7, dead_letters=2, **health),
    )
    for field in ("next_try_time", "halt_time"):
        if made.health.HasField(field):
            getattr(made.health, field).FromJsonString("2026-05-01T12:00:00Z")
    return made


def test_a_webhook_that_does_well_says_what_it_posted() -> None:
    assert webhook._row(hook_of())[3:] == ("cap", "active", "7", "2", "-")


def test_a_webhook_in_trouble_says_why_and_when_it_is_tried_again() -> None:
    hook = hook_of(failed_tries=4, last_failure=pb.DELIVERY_FAILURE_STATUS, last_status=503, next_try_time={})

    assert webhook._row(hook)[-1] == "4 tries failed (status 503); next 2026-05-01 12:00:00"


def test_a_halted_webhook_says_that_its_owner_is_not_entitled() -> None:
    hook = hook_of(failed_tries=4, halt_time={})

    assert webhook._row(hook)[-1] == "halted since 2026-05-01 12:00:00: its owner is not entitled"


def test_a_dead_letter_shows_no_plate_and_whether_it_was_taken_after_all() -> None:
    letter = pb.DeadLetter(
        sequence=3, alert_id="a", tries=3, failure=pb.DELIVERY_FAILURE_REFUSED, status=422, retrying=True
    )
    taken = pb.DeadLetter(sequence=3, failure=pb.DELIVERY_FAILURE_UNREACHABLE)
    taken.delivery_time.FromJsonString("2026-05-01T12:00:00Z")

    assert webhook._letter_row(letter)[3:] == ("3", "refused 422", "waits to be posted")
    assert webhook._letter_row(taken)[4:] == ("unreachable", "taken 2026-05-01 12:00:00")


def test_a_secret_goes_into_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"

    assert webhook._keep_secret("whsec_x", file) == str(file)
    assert file.read_text() == "whsec_x"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert webhook._keep_secret("whsec_x", None) == "whsec_x"


def test_no_file_is_written_for_a_secret_that_did_not_come(tmp_path: Path) -> None:
    assert webhook._keep_secret("", tmp_path / "secret") == ""
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["webhook", "create"],
        ["webhook", "approve"],
        ["webhook", "end"],
        ["webhook", "rotate"],
        ["webhook", "list"],
        ["webhook", "dead-letters"],
        ["webhook", "retry"],
        ["alert", "ask"],
    ],
    ids=" ".join,
)
def test_every_command_says_what_it_does(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])

    assert result.exit_code == 0
    assert command[-1] in result.output


def test_an_unknown_format_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cloud-events, cap"):
        webhook.FORMAT.number("xml")
