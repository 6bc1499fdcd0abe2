"""The client package against the real service: what it gives, keeps, and says when it cannot go on."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from alpr.type.v1 import hit_pb2
from platewarden_client import (
    AlertEvent,
    AlertStream,
    EntitlementEndedError,
    EventKind,
    Gap,
    LinkState,
    Pace,
    RefusedError,
    ResumeRefusedError,
)
from services.common.clock import Clock, SystemClock
from services.common.database import admin_connection
from tests.support.alerts_rig import (
    AlertsRig,
    dot_entry,
    entry_message,
    eventually,
    hit_message,
    settings_for,
    start_rig,
    wants_quiet,
)
from tests.support.cutting_proxy import cutting_proxy

FEDERAL = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT
QUICK = Pace(quiet_seconds=3, first_pause_seconds=0.05, longest_pause_seconds=0.2, keep_seconds=0.1)


class Follower:
    """A program that follows alerts, with a resume file of its own."""

    def __init__(self, rig: AlertsRig, tls: Any, folder: Path) -> None:
        self.file = folder / "alerts.resume"
        self.target = f"127.0.0.1:{rig.server.user_port}"
        self._ca = tls.ca_file

    @property
    def kept(self) -> str:
        """The token in the file."""
        return str(json.loads(self.file.read_text())["resume_token"])

    def stream(self, who: str = "officer", **changes: Any) -> AlertStream:
        """A stream as a program just started would open it."""
        given = {"resume_file": self.file, "ca_file": self._ca, "pace": QUICK, **changes}
        target = given.pop("target", self.target)
        return AlertStream(target, access_token=lambda: who, **given)

    async def begin(self) -> None:
        """Returns when a stream was live once, so that the file says where to go on."""
        async with self.live():
            pass

    @asynccontextmanager
    async def live(self, who: str = "officer", **changes: Any) -> AsyncIterator["Waiting"]:
        """A stream that is connected, and whose next event is waited for."""
        async with self.stream(who, **changes) as stream:
            first = asyncio.ensure_future(anext(stream))
            await eventually(lambda: self.file.exists() or first.done())
            try:
                yield Waiting(stream, first)
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)


class Waiting:
    """A stream and its next event."""

    def __init__(self, stream: AlertStream, first: "asyncio.Future[AlertEvent | Gap]") -> None:
        self.stream = stream
        self._first: asyncio.Future[AlertEvent | Gap] | None = first

    async def next(self) -> AlertEvent | Gap:
        """The next event; fails after 20 s."""
        async with asyncio.timeout(60):
            first, self._first = self._first, None
            return await (first or anext(self.stream))

    async def alert(self) -> AlertEvent:
        """The next event, an alert."""
        event = await self.next()
        assert isinstance(event, AlertEvent)
        return event


async def soon(stream: AlertStream) -> AlertEvent | Gap:
    """The next event; fails after 20 s."""
    async with asyncio.timeout(60):
        return await anext(stream)


@pytest.fixture
def follower(rig: AlertsRig, tls: Any, tmp_path: Path) -> Follower:
    return Follower(rig, tls, tmp_path)


@pytest.fixture
def replica(database, audit, tls, folder) -> Callable[[Clock], Awaitable[AlertsRig]]:
    """Starts a further replica."""

    async def start(clock: Clock) -> AlertsRig:
        return await start_rig(
            settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3), tls, clock
        )

    return start


@pytest.mark.clause("IV.D.3")
async def test_alerts_come_typed_and_in_order_with_rising_positions(rig, follower) -> None:
    async with follower.live() as waiting:
        raised = await rig.raise_hits(hit_message(), hit_message())
        got = [await waiting.alert(), await waiting.alert()]

    assert [event.alert.alert_id for event in got] == raised
    assert {event.kind for event in got} == {EventKind.RAISED}
    assert got[0].position.is_covered_by(got[1].position)
    assert not got[1].position.is_covered_by(got[0].position)
    assert got[0].alert.plate not in repr(got[0])


async def test_an_alert_that_changes_comes_as_an_update(rig, follower) -> None:
    first = hit_message()
    second = hit_message()
    second.captured_read.read.plate = first.captured_read.read.plate

    async with follower.live() as waiting:
        (alert_id,) = await rig.raise_hits(first)
        await waiting.alert()
        await rig.raise_hits(second)
        update = await waiting.alert()

    assert (update.kind, update.alert.alert_id) == (EventKind.UPDATED, alert_id)


@pytest.mark.clause("IV.D.3")
async def test_the_file_moves_on_only_when_an_alert_was_taken_so_a_crash_gives_it_again(
    rig, follower
) -> None:
    async with follower.live() as waiting:
        await rig.raise_hits(hit_message(), hit_message())
        first = await waiting.alert()
        before = follower.kept
        second = await waiting.alert()
        after = follower.kept

    async with follower.stream() as again:
        event = await soon(again)

    assert before != after
    assert isinstance(event, AlertEvent)
    assert event.position == second.position
    assert event.alert == second.alert
    assert not event.position.is_covered_by(first.position)


async def test_a_loop_that_fails_gets_its_alert_again_and_one_that_says_taken_does_not(rig, follower) -> None:
    await follower.begin()
    raised = await rig.raise_hits(hit_message(), hit_message())
    got: list[str] = []

    async with asyncio.timeout(20), follower.stream() as stream:
        with pytest.raises(ZeroDivisionError):
            async for event in stream:
                got.append(event.alert.alert_id)
                raise ZeroDivisionError
        for _ in range(2):
            async for event in stream:
                got.append(event.alert.alert_id)
                await stream.taken()
                break

    assert got == [raised[0], *raised]


async def test_a_program_that_stops_before_its_first_alert_misses_none(rig, follower) -> None:
    await follower.begin()
    raised = await rig.raise_hits(hit_message())

    async with follower.stream() as stream:
        event = await soon(stream)

    assert [event.alert.alert_id] == raised


async def test_waiting_for_a_while_only_loses_nothing(rig, follower) -> None:
    await follower.begin()
    async with follower.stream() as stream:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.05)
        raised = await rig.raise_hits(hit_message())
        event = await asyncio.wait_for(anext(stream), 60)

    assert [event.alert.alert_id] == raised


@pytest.mark.clause("IV.D.3")
async def test_a_link_that_keeps_dropping_loses_nothing_and_keeps_the_order(rig, follower) -> None:
    await follower.begin()
    raised: list[str] = []
    got: list[str] = []

    async def drop(proxy) -> None:
        while True:
            await asyncio.sleep(0.15)
            proxy.cut()

    async def write() -> None:
        for _ in range(30):
            raised.extend(await rig.raise_hits(hit_message(), hit_message()))
            await asyncio.sleep(0.05)

    async with cutting_proxy(rig.server.user_port) as proxy:
        tasks = [asyncio.ensure_future(drop(proxy)), asyncio.ensure_future(write())]
        async with asyncio.timeout(50), follower.stream(target=proxy.target) as stream:
            async for event in stream:
                got.append(event.alert.alert_id)
                if len(got) == 60:
                    break
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert proxy.connections > 3
    assert got == raised


async def test_a_link_that_went_silent_is_noticed_by_its_missing_heartbeats(rig, follower) -> None:
    pace = Pace(quiet_seconds=1, first_pause_seconds=0.05, longest_pause_seconds=0.1)
    async with (
        cutting_proxy(rig.server.user_port) as proxy,
        follower.live(target=proxy.target, pace=pace) as waiting,
    ):
        proxy.silence()
        raised = await rig.raise_hits(hit_message())
        event = await waiting.alert()

    assert [event.alert.alert_id] == raised
    assert proxy.connections == 2


async def test_how_the_link_stands_is_told_with_each_try_message_and_break(rig, follower) -> None:
    told: list[LinkState] = []
    async with (
        cutting_proxy(rig.server.user_port) as proxy,
        follower.live(target=proxy.target, on_link=told.append) as waiting,
    ):
        await eventually(lambda: LinkState.LIVE in told)
        before = list(told)
        proxy.cut()
        await rig.raise_hits(hit_message())
        await waiting.alert()

    assert before[:2] == [LinkState.CONNECTING, LinkState.LIVE]
    later = told[told.index(LinkState.BROKEN) :]
    assert later[:3] == [LinkState.BROKEN, LinkState.CONNECTING, LinkState.LIVE]


@pytest.mark.clause("IV.D.2")
async def test_what_comes_in_quiet_hours_says_so_and_the_floor_never_does(rig, follower) -> None:
    await wants_quiet(rig, "colleague")

    async with follower.live("colleague") as waiting:
        await rig.raise_hits(
            hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)),
            hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_AMBER)),
        )
        events = [await waiting.alert(), await waiting.alert()]

    assert [event.quiet for event in events] == [True, False]


@pytest.mark.clause("II.H")
@pytest.mark.parametrize("motor_carrier", [True, False])
async def test_a_stream_follows_one_data_set(rig, follower, motor_carrier: bool) -> None:
    async with follower.live("both", motor_carrier=motor_carrier) as waiting:
        await rig.raise_hits(hit_message(), hit_message(dot_entry()), hit_message(), hit_message(dot_entry()))
        events = [await waiting.alert(), await waiting.alert()]

    federal = [entry.source == FEDERAL for event in events for entry in event.alert.entries]
    assert federal == [motor_carrier] * 2


async def test_without_a_file_it_still_goes_on_after_a_break(rig, follower) -> None:
    since = datetime.now(UTC)
    raised: list[str] = []
    got: list[str] = []
    async with (
        cutting_proxy(rig.server.user_port) as proxy,
        asyncio.timeout(60),
        follower.stream(target=proxy.target, resume_file=None, since=since) as stream,
    ):
        for _ in range(3):
            raised += await rig.raise_hits(hit_message())
            event = await anext(stream)
            assert isinstance(event, AlertEvent)
            got.append(event.alert.alert_id)
            proxy.cut()

    assert got == raised
    assert not follower.file.exists()


async def test_it_goes_on_when_the_service_was_restarted(rig, replica, follower) -> None:
    async with (
        cutting_proxy(rig.server.user_port) as proxy,
        follower.live(target=proxy.target) as waiting,
    ):
        await rig.server.stop()
        await asyncio.sleep(0.5)
        other = await replica(SystemClock())
        raised = await other.raise_hits(hit_message())
        proxy.port = other.server.user_port
        event = await waiting.alert()

    assert [event.alert.alert_id] == raised
    await other.stop()


async def test_a_restored_feed_is_told_as_a_gap_before_it_goes_on(rig, database, follower) -> None:
    async with follower.live() as waiting:
        async with admin_connection(database.admin_url) as admin:
            await admin.execute("SELECT alerts.begin_epoch(now())")
        gap = await waiting.next()
        raised = await rig.raise_hits(hit_message())
        event = await waiting.alert()

    assert isinstance(gap, Gap)
    assert gap.reason == "ERROR_REASON_EPOCH_CHANGED"
    assert abs(datetime.now(UTC) - gap.since) < timedelta(minutes=1)
    assert [event.alert.alert_id] == raised


class LaterClock(SystemClock):
    """Tomorrow, an hour later than now."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=25)


async def test_a_token_that_grew_too_old_is_told_as_a_gap(rig, audit, replica, follower) -> None:
    await follower.begin()
    await rig.raise_hits(hit_message())
    audit.neighbour.lease = timedelta(days=2)
    later = await replica(LaterClock())

    async with follower.stream(target=f"127.0.0.1:{later.server.user_port}") as stream:
        gap = await soon(stream)

    assert isinstance(gap, Gap)
    assert gap.reason == "ERROR_REASON_BAD_TOKEN"
    await later.stop()


async def test_a_file_of_another_account_is_refused_and_left_as_it_is(follower) -> None:
    await follower.begin()
    kept = follower.kept

    async with follower.stream("colleague") as stream:
        with pytest.raises(ResumeRefusedError):
            await soon(stream)

    assert follower.kept == kept


@pytest.mark.clause("IV.A.4")
async def test_the_end_of_the_entitlement_is_an_error_of_its_own(audit, follower) -> None:
    async with follower.live() as waiting:
        audit.neighbour.end("officer")
        with pytest.raises(EntitlementEndedError) as caught:
            await waiting.next()

    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.metadata["clauses"] == "IV.A.4"


async def test_who_is_not_signed_in_gets_the_same_error_and_no_file(follower) -> None:
    async with follower.stream("nobody") as stream:
        with pytest.raises(EntitlementEndedError) as caught:
            await soon(stream)

    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
    assert not follower.file.exists()


async def test_an_entitlement_that_could_not_be_proved_for_a_while_ends_nothing(rig, audit, follower) -> None:
    audit.neighbour.lease = timedelta(seconds=1)
    async with follower.live() as waiting:
        await audit.stop()
        await asyncio.sleep(2.5)
        audit.neighbour.lease = timedelta(seconds=60)
        await audit.start()
        raised = await rig.raise_hits(hit_message())
        event = await waiting.alert()

    assert [event.alert.alert_id] == raised


async def test_a_wrong_request_is_refused_with_its_fields(follower) -> None:
    async with follower.stream(since=datetime.now(UTC) - timedelta(hours=25)) as stream:
        with pytest.raises(RefusedError) as caught:
            await soon(stream)

    assert caught.value.fields == ("since",)


async def test_a_token_that_no_header_carries_is_refused_without_being_shown(follower) -> None:
    async with follower.stream("sec\nret") as stream:
        with pytest.raises(ValueError, match="access token") as caught:
            await soon(stream)

    assert "ret" not in str(caught.value)
