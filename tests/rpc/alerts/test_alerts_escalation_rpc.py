"""What nobody answered in time escalates, once, over real gRPC and a real database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.wire import to_datetime, to_timestamp
from tests.support.alerts_kit import OTHER, OWN, STRANGER
from tests.support.alerts_rig import (
    AlertsRig,
    entry_message,
    eventually,
    hit_message,
    settings_for,
    start_rig,
)
from tests.support.databases import fetch
from tests.support.dispatch_rig import Caller, request_id

VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED
NOT_ACKNOWLEDGED, NOT_VERIFIED = pb.ESCALATION_KIND_NOT_ACKNOWLEDGED, pb.ESCALATION_KIND_NOT_VERIFIED
Start = Callable[..., Awaitable[AlertsRig]]


@pytest_asyncio.fixture(loop_scope="session")
async def start(database, audit, tls, folder) -> AsyncIterator[Start]:
    """Starts replicas on one database; each is stopped at the end."""
    running: list[AlertsRig] = []

    async def one(clock: Any = None, **changes: Any) -> AlertsRig:
        settings = settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3, **changes)
        running.append(await start_rig(settings, tls, clock))
        return running[-1]

    yield one
    for rig in running:
        await rig.stop()


async def escalations_of(person: Caller, alert_id: str) -> list[int]:
    return [one.kind for one in (await person.get(alert_id)).alert.escalations]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.1)


async def until_escalated(person: Caller, alert_id: str, *kinds: int) -> pb.Alert:
    async def escalated() -> bool:
        return sorted(await escalations_of(person, alert_id)) == sorted(kinds)

    await until(escalated)
    return (await person.get(alert_id)).alert


@pytest.mark.clause("IV.D.3")
async def test_an_alert_that_the_centre_does_not_acknowledge_escalates_and_everybody_hears_of_it(
    start: Start, audit
) -> None:
    rig = await start(acknowledge_seconds=1)
    centre, officer = Caller(rig, "dispatch"), Caller(rig, "officer")
    stream, board = centre.escalations(), rig.subscribe("officer")
    await stream.live()
    await board.live()

    (alert_id,) = await rig.raise_hits(hit_message())
    await officer.acknowledge(alert_id)
    (escalated,) = await stream.until(1)
    await board.until(lambda s: bool(s.alerts and s.alerts[-1].escalations))

    assert escalated.alert.alert_id == alert_id
    assert escalated.escalation.kind == NOT_ACKNOWLEDGED
    assert escalated.escalation.due_time == escalated.alert.acknowledge_by
    assert escalated.alert.HasField("verify_by")
    events = audit.neighbour.events
    await eventually(lambda: ("alert.escalated", alert_id) in [(e.action, e.resource) for e in events])
    (event,) = [e for e in events if e.resource == alert_id and e.action == "alert.escalated"]
    assert event.details["kind"] == "NOT_ACKNOWLEDGED"
    await stream.close()
    await board.close()


@pytest.mark.clause("IV.D.3")
async def test_what_the_centre_acknowledges_or_broadcasts_does_not_escalate(start: Start) -> None:
    rig = await start(acknowledge_seconds=2)
    centre, officer = Caller(rig, "dispatch"), Caller(rig, "officer")
    asset = await centre.register("unit-" + uuid4().hex[:8])
    await officer.board(asset.asset_id)
    seen, sent, control = await rig.raise_hits(hit_message(), hit_message(), hit_message())

    before = (await centre.get(seen)).alert
    after = await centre.acknowledge(seen)
    await centre.broadcast(sent, asset.asset_id)
    await until_escalated(centre, control, NOT_ACKNOWLEDGED)

    assert before.HasField("acknowledge_by")
    assert not after.HasField("acknowledge_by")
    assert await escalations_of(centre, seen) == await escalations_of(centre, sent) == []


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_a_verification_that_is_overdue_escalates_and_a_decision_ends_the_wait(start: Start) -> None:
    rig = await start(verify_urgent_seconds=1.5, verify_seconds=60)
    centre = Caller(rig, "dispatch")
    wanted = entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)
    urgent, decided, high = await rig.raise_hits(hit_message(), hit_message(), hit_message(wanted))

    await centre.verify(decided, VERIFYING)
    done = await centre.verify(decided, CONFIRMED, "LEADS")
    overdue = await until_escalated(centre, urgent, NOT_VERIFIED)

    assert overdue.HasField("verify_by")
    assert not done.HasField("verify_by")
    assert await escalations_of(centre, decided) == []
    hour = (await centre.get(high)).alert
    left = to_datetime(hour.verify_by) - to_datetime(hour.raise_time)
    assert timedelta(seconds=59) < left < timedelta(seconds=61)
    assert list(hour.escalations) == []


@pytest.mark.clause("III.D.4")
async def test_a_verification_that_is_begun_again_has_its_time_anew_and_may_escalate_again(
    start: Start,
) -> None:
    rig = await start(verify_urgent_seconds=1)
    centre = Caller(rig, "dispatch")
    (alert_id,) = await rig.raise_hits(hit_message())
    await until_escalated(centre, alert_id, NOT_VERIFIED)

    await centre.verify(alert_id, VERIFYING)
    await centre.verify(alert_id, CONFIRMED, "LEADS")
    again = await centre.verify(alert_id, VERIFYING)
    second = await until_escalated(centre, alert_id, NOT_VERIFIED, NOT_VERIFIED)

    assert to_datetime(again.verify_by) > to_datetime(second.escalations[0].due_time)
    assert second.escalations[1].due_time == again.verify_by


async def test_whoever_takes_up_a_notice_has_an_hour_for_it(start: Start) -> None:
    rig = await start(acknowledge_seconds=0.5, verify_seconds=2)
    centre = Caller(rig, "dispatch")
    expired = entry_message(hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION)
    (alert_id,) = await rig.raise_hits(hit_message(expired))
    quiet = (await centre.get(alert_id)).alert

    taken_up = await centre.verify(alert_id, VERIFYING)
    await until_escalated(centre, alert_id, NOT_VERIFIED)

    assert not quiet.HasField("acknowledge_by")
    assert not quiet.HasField("verify_by")
    assert taken_up.HasField("verify_by")


@pytest.mark.clause("III.D.4")
async def test_a_louder_entry_that_joins_the_passage_shortens_the_time_and_escalates_once(
    start: Start, database
) -> None:
    rig = await start(verify_urgent_seconds=1, verify_seconds=3)
    centre, plate = Caller(rig, "dispatch"), "L" + uuid4().hex[:6].upper()
    wanted = entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)
    (alert_id,) = await rig.raise_hits(hit_message(wanted, plate=plate))
    before = (await centre.get(alert_id)).alert
    (same,) = await rig.raise_hits(hit_message(entry_message(), plate=plate))
    after = (await centre.get(alert_id)).alert
    await until_escalated(centre, alert_id, NOT_VERIFIED)
    await until_timers_ended(database, alert_id, kind=2)

    assert same == alert_id
    assert to_datetime(after.verify_by) < to_datetime(before.verify_by)
    assert await escalations_of(centre, alert_id) == [NOT_VERIFIED]


async def until_timers_ended(database, alert_id: str, kind: int) -> None:
    question = "SELECT FROM alerts.timer WHERE alert_id = $1 AND kind = $2 AND state = 1"

    async def ended() -> bool:
        return not await fetch(database.admin_url, question, alert_id, kind)

    await until(ended)


@pytest.mark.clause("IV.D.3", "III.D.4")
async def test_what_was_withdrawn_or_closed_escalates_no_more(start: Start) -> None:
    rig = await start(acknowledge_seconds=2, verify_urgent_seconds=2)
    centre, officer = Caller(rig, "dispatch"), Caller(rig, "officer")
    entry = entry_message()
    gone, closed, control = await rig.raise_hits(hit_message(entry), hit_message(), hit_message())

    withdrawal = pb.WithdrawAlertsRequest(
        intent_id=request_id(),
        hot_list_id=entry.hot_list_id,
        match_revision=1,
        withdraw_time=to_timestamp(datetime.now(UTC)),
        reason=pb.WITHDRAW_REASON_CANCELLED,
        entry_ids=[entry.entry_id],
    )
    await rig.matcher.WithdrawAlerts(withdrawal, timeout=60)
    await officer.dispose(closed, pb.DISPOSITION_NO_ACTION)
    await until_escalated(centre, control, NOT_ACKNOWLEDGED, NOT_VERIFIED)

    assert await escalations_of(centre, gone) == await escalations_of(centre, closed) == []
    assert not (await centre.get(gone)).alert.HasField("verify_by")


@pytest.mark.clause("IV.D.3")
async def test_two_replicas_escalate_once_whatever_their_clocks_say(start: Start, database, audit) -> None:
    early, late = Shifted(timedelta(hours=-1)), Shifted(timedelta(hours=1))
    first = await start(early, acknowledge_seconds=1.5)
    await start(late, acknowledge_seconds=1.5)
    centre = Caller(first, "dispatch")
    alert_ids = await first.raise_hits(*(hit_message(at=early.now()) for _ in range(30)))
    at_once = [await escalations_of(centre, alert_id) for alert_id in alert_ids[:3]]
    early.shift, late.shift = timedelta(hours=5), timedelta(hours=-5)

    for alert_id in alert_ids:
        await until_escalated(centre, alert_id, NOT_ACKNOWLEDGED)
    await asyncio.sleep(1.5)
    rows = await fetch(
        database.admin_url,
        "SELECT count(*) AS n FROM alerts.escalation WHERE alert_id = ANY($1::uuid[]) AND kind = 1",
        alert_ids,
    )
    events = [e.resource for e in audit.neighbour.events if e.action == "alert.escalated"]

    assert at_once == [[]] * 3, "a replica's own clock ended a timer early"
    assert rows[0]["n"] == 30
    assert sorted(one for one in events if one in alert_ids) == sorted(alert_ids)


class Shifted:
    """The machine's clock, off by what the test says."""

    def __init__(self, shift: timedelta) -> None:
        self.shift = shift

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@pytest.mark.clause("IV.D.3")
async def test_what_was_over_while_nobody_ran_escalates_when_somebody_does(start: Start) -> None:
    first = await start(acknowledge_seconds=1)
    (alert_id,) = await first.raise_hits(hit_message())
    await first.stop()
    await asyncio.sleep(1.2)

    second = await start(acknowledge_seconds=600)

    await until_escalated(Caller(second, "dispatch"), alert_id, NOT_ACKNOWLEDGED)


@pytest.mark.clause("IV.D.3")
async def test_who_comes_back_is_told_what_still_waits_and_not_what_was_answered(start: Start) -> None:
    rig = await start(acknowledge_seconds=0.7)
    centre = Caller(rig, "dispatch")
    answered, waiting = await rig.raise_hits(hit_message(), hit_message())
    for alert_id in (answered, waiting):
        await until_escalated(centre, alert_id, NOT_ACKNOWLEDGED)
    await centre.acknowledge(answered)

    stream = centre.escalations()
    await stream.live()

    told = [one.alert.alert_id for one in stream.got]
    assert waiting in told
    assert answered not in told
    await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_escalations_are_told_to_the_agencies_of_camera_and_list_and_to_nobody_else(
    start: Start,
) -> None:
    rig = await start(acknowledge_seconds=0.7)
    shared = hit_message(entry_message(agency=OTHER), agency=OWN)
    streams = {token: Caller(rig, token).escalations() for token in ("dispatch", "neighbour", "stranger")}
    for stream in streams.values():
        await stream.live()

    (alert_id,) = await rig.raise_hits(shared)
    for token in ("dispatch", "neighbour"):
        await eventually(lambda token=token: alert_id in [e.alert.alert_id for e in streams[token].got])
    await streams["stranger"].live(2)

    assert streams["stranger"].got == []
    assert STRANGER not in {OWN, OTHER}
    for stream in streams.values():
        await stream.close()


@pytest.mark.clause("III.D.4")
async def test_a_confirmation_says_whether_the_entries_were_listed_when_it_was_made(start: Start) -> None:
    rig = await start()
    centre = Caller(rig, "dispatch")
    stays, goes = entry_message(), entry_message()
    (alert_id,) = await rig.raise_hits(hit_message(stays, goes))

    await centre.verify(alert_id, VERIFYING)
    for entry in (goes, stays):
        withdrawal = pb.WithdrawAlertsRequest(
            intent_id=request_id(),
            hot_list_id=entry.hot_list_id,
            match_revision=1,
            withdraw_time=to_timestamp(datetime.now(UTC)),
            reason=pb.WITHDRAW_REASON_CANCELLED,
            entry_ids=[entry.entry_id],
        )
        await rig.matcher.WithdrawAlerts(withdrawal, timeout=60)
        state = VERIFYING if entry is stays else CONFIRMED
        await centre.verify(alert_id, state, "" if entry is stays else "LEADS")
    history = (await centre.get(alert_id)).history

    assert [step.entry_state for step in history] == [
        pb.ENTRY_STATE_LISTED,
        pb.ENTRY_STATE_PARTLY_WITHDRAWN,
        pb.ENTRY_STATE_WITHDRAWN,
    ]
