"""What `platewarden dispatch` and the lines of an alert say; without a service."""

from datetime import UTC, datetime, timedelta

import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import dispatch_service_pb2 as dispatch_pb
from services.cli import dispatch
from services.cli.locate import CommandError
from services.cli.watch.lines import waiting
from services.common.wire import to_timestamp

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(seconds: float) -> object:
    return to_timestamp(NOW + timedelta(seconds=seconds))


@pytest.mark.clause("III.D.4", "IV.D.3")
def test_an_alert_says_how_long_there_is_left_and_what_was_not_done_in_time() -> None:
    late = pb.Escalation(kind=pb.ESCALATION_KIND_NOT_ACKNOWLEDGED, due_time=at(-5), escalate_time=at(-4))
    alert = pb.Alert(acknowledge_by=at(-5), verify_by=at(90), escalations=[late])

    assert waiting(alert, NOW) == [
        "to be acknowledged by the centre [bold red]5 s ago[/]",
        "to be verified within 90 s",
        "[bold red]ESCALATED[/] 11:59:56 UTC: not acknowledged",
    ]


def test_an_alert_that_nobody_waits_for_says_nothing() -> None:
    assert waiting(pb.Alert(), NOW) == []


def test_an_asset_that_nobody_has_heard_of_has_no_place() -> None:
    asset = asset_pb.PatrolAsset(unit="Zone 1\x1b[2J", call_sign="Z1-14")

    row = dispatch._asset_row(asset)

    assert row[1:] == ["Z1-14", "0", "-", "-"]
    assert "\x1b" not in row[0]


def test_a_distance_that_is_not_known_is_not_zero() -> None:
    near = dispatch_pb.ProposedAsset(call_sign="A", distance_metres=0.0)
    lost = dispatch_pb.ProposedAsset(call_sign="B")

    assert [dispatch._proposed_row(one)[2] for one in (near, lost)] == ["0.0 km", "-"]


def test_a_call_sign_that_nobody_has_is_named() -> None:
    assets = [asset_pb.PatrolAsset(asset_id="1", call_sign="A")]

    assert dispatch._ids(assets, ["A"]) == ["1"]
    with pytest.raises(CommandError, match="called B, C;"):
        dispatch._ids(assets, ["B", "A", "C"])
