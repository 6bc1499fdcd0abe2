"""Dispatch while the service is killed, its database is away, or audit is: nothing lost, nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import grpc
import pytest

from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.type.v1 import notice_pb2
from services.dev.postgres import EmbeddedPostgres
from tests.support.alerts_process import Process, free_ports, raise_until_stored
from tests.support.alerts_rig import eventually, hit_message, settings_for, start_rig, stubs
from tests.support.databases import Databases, fetch
from tests.support.dispatch_rig import Caller, Reader, call_sign, kinds, request_id
from tests.support.serving import patient

T = TypeVar("T")
VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
ESCALATED = "SELECT alert_id FROM alerts.escalation WHERE kind = 1"


async def device(officer: Caller, got: list[Any]) -> None:
    """Reads as a car's terminal does: begins again after every break, and says what it has."""
    while True:
        stream = officer.messages()
        try:
            said = 0
            while stream.error is None:
                await asyncio.sleep(0.05)
                for message in stream.got[said:]:
                    got.append(message)
                    said += 1
                    await officer.received(message.delivery_id)
        except grpc.aio.AioRpcError:
            pass
        finally:
            await stream.close()


def house_at(settings: Any, user_port: int, channels: list[grpc.aio.Channel]) -> Any:
    """What a caller needs of a service that is a process of its own."""
    return SimpleNamespace(server=SimpleNamespace(user_port=user_port), settings=settings, channels=channels)


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(180)
async def test_kill_9_loses_no_broadcast_no_correction_and_no_escalation(
    database, audit, tls, tmp_path: Path
) -> None:
    port, user_port = free_ports(2)
    places = {"listen": f"127.0.0.1:{port}", "user_listen": f"127.0.0.1:{user_port}"}
    settings = settings_for(tmp_path, tls, database, audit.port, acknowledge_seconds=2, **places)
    process = Process(settings, tmp_path / "alerts.log")
    process.start()
    matcher, _, channels = stubs(tls, port, user_port)
    house = house_at(settings, user_port, channels)
    centre, officer = Caller(house, "dispatch"), Caller(house, "officer")
    asset_id = await aboard(centre, officer)
    got: list[Any] = []
    terminal = asyncio.create_task(device(officer, got))
    told: list[str] = []
    quiet: list[str] = []

    async def work() -> None:
        for _ in range(12):
            alert_id = await raise_until_stored(matcher, hit_message())
            same = {"request_id": request_id()}
            await patient(lambda: centre.broadcast(alert_id, asset_id, **same))  # noqa: B023 - awaited at once
            await verify(centre, alert_id)
            told.append(alert_id)
            quiet.append(await raise_until_stored(matcher, hit_message()))

    workers = asyncio.gather(work(), work())
    for _ in range(3):
        await asyncio.sleep(1.5)
        process.kill()
        process.start()
    await workers
    await eventually(lambda: corrected(got) >= set(told))
    await until(lambda: escalated(database), lambda found: found >= set(quiet))

    for alert_id in told:
        firsts = list(dict.fromkeys(one.delivery_id for one in got if one.alert.alert_id == alert_id))
        by_id = {one.delivery_id: one for one in got}
        assert kinds([by_id[one] for one in firsts]) == ["ALERT", "VERIFYING"]
        assert kinds(await patient(lambda: centre.records(alert_id))) == ["ALERT", "VERIFYING"]  # noqa: B023
    # What was sent only after the service was back may have been late, too.
    assert set(quiet) <= await escalated(database) <= {*quiet, *told}
    terminal.cancel()
    await asyncio.gather(terminal, return_exceptions=True)
    assert process.stop() == 0
    for channel in channels:
        await channel.close()


def corrected(got: list[Any]) -> set[str]:
    return {one.alert.alert_id for one in got if one.kind == pb.DELIVERY_KIND_VERIFYING}


async def aboard(centre: Caller, officer: Caller) -> str:
    sign, same = call_sign(), request_id()
    asset = await patient(lambda: centre.register("D1", sign, request_id=same))
    await patient(lambda: officer.board(asset.asset_id))
    return asset.asset_id


async def verify(centre: Caller, alert_id: str) -> None:
    """As a person does who does not know whether the first try was stored."""
    while (await patient(lambda: centre.get(alert_id))).alert.notice.verification_state != VERIFYING:
        try:
            await centre.verify(alert_id, VERIFYING)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)


async def escalated(database: Any) -> set[str]:
    rows = await fetch(database.admin_url, ESCALATED)
    found = [str(row["alert_id"]) for row in rows]
    assert len(found) == len(set(found))
    return set(found)


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds(await look()):  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.2)


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(120)
async def test_timers_that_were_over_while_the_database_was_away_escalate_once(
    audit, tls, tmp_path: Path
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    server.start()
    database = await Databases(server.admin_url).make("alerts")
    settings = settings_for(tmp_path, tls, database, audit.port, acknowledge_seconds=2, heartbeat_seconds=0.3)
    rigs = [await start_rig(settings, tls) for _ in range(2)]
    centre = Caller(rigs[0], "dispatch")
    stream = centre.escalations()
    await stream.live()
    alert_ids = await rigs[0].raise_hits(*(hit_message() for _ in range(10)))

    await asyncio.to_thread(server.stop)
    await asyncio.sleep(2.5)
    beats = stream.beats
    await asyncio.sleep(1)
    silent = stream.beats - beats
    await asyncio.to_thread(server.start)
    await until(lambda: escalated_or_nothing(database), lambda found: found >= set(alert_ids))
    again = await whole_stream(Caller(rigs[1], "dispatch"), 10)

    assert silent == 0, "a heartbeat said that nothing is new while nobody could know"
    assert {one.alert.alert_id for one in again.got} == set(alert_ids)
    assert len(again.got) == 10
    for reader in (stream, again):
        await reader.close()
    for rig in rigs:
        await rig.stop()
    await asyncio.to_thread(server.stop)


async def whole_stream(centre: Caller, count: int) -> Reader:
    """As a client does: a stream that ended, for the database was not back yet, is begun again."""
    while True:
        stream = centre.escalations()
        try:
            await stream.until(count, seconds=5)
        except TimeoutError:
            await stream.close()
        else:
            return stream


async def escalated_or_nothing(database: Any) -> set[str]:
    try:
        return await escalated(database)
    except OSError:
        return set()


@pytest.mark.clause("IV.D.3")
async def test_alerts_escalate_while_audit_is_away_and_the_log_hears_of_it_afterwards(
    database, audit, tls, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, tls, database, audit.port, acknowledge_seconds=1, heartbeat_seconds=0.3)
    rig = await start_rig(settings, tls)
    stream: Reader = Caller(rig, "dispatch").escalations()
    await stream.live()

    await audit.stop()
    (alert_id,) = await rig.raise_hits(hit_message())
    (escalation,) = await stream.until(1)
    heard = [event.resource for event in audit.neighbour.events if event.action == "alert.escalated"]
    await audit.start()
    await eventually(lambda: ("alert.escalated", alert_id) in said(audit))

    assert escalation.alert.alert_id == alert_id
    assert heard == []
    assert said(audit).count(("alert.escalated", alert_id)) == 1
    await stream.close()
    await rig.stop()


def said(audit: Any) -> list[tuple[str, str]]:
    return [(event.action, event.resource) for event in audit.neighbour.events]
