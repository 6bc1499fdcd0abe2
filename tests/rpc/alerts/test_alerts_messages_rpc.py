"""The stream of a patrol car: what waits, in order, whatever ended it, over real gRPC and a real database."""

import asyncio
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.type.v1 import notice_pb2
from services.common.errors import (
    AuditUnavailableError,
    WrongStateError,
)
from tests.support.alerts_rig import (
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.dispatch_rig import Caller, Scene, car, kinds

VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED
NOT_CONFIRMED = notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED


@pytest_asyncio.fixture(loop_scope="session")
async def centre(rig) -> Caller:
    return Caller(rig, "dispatch")


@pytest_asyncio.fixture(loop_scope="session")
async def officer(rig) -> Caller:
    return Caller(rig, "officer")


@pytest_asyncio.fixture(loop_scope="session")
async def colleague(rig) -> Caller:
    return Caller(rig, "colleague")


@pytest_asyncio.fixture(loop_scope="session")
async def alert_id(rig) -> str:
    return (await rig.raise_hits(hit_message()))[0]


@pytest.fixture
def unit() -> str:
    """A unit that no other test has, so that its assets are the only ones."""
    return "unit-" + uuid4().hex[:8]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(rig, centre: Caller, officer: Caller, alert_id: str, unit: str) -> Scene:
    return Scene(rig, centre, officer, alert_id, await car(centre, officer, unit, north=2))


@pytest.mark.clause("IV.D.3")
async def test_a_car_that_lost_its_link_gets_what_nobody_has_seen_in_order(
    rig, centre: Caller, officer: Caller, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    first, second, third = await rig.raise_hits(hit_message(), hit_message(), hit_message())
    for alert_id in (first, second):
        await centre.broadcast(alert_id, asset_id)
    stream = officer.messages()
    got = await stream.until(2)
    await stream.close()

    await officer.seen(got[0].delivery_id)
    await officer.received(got[1].delivery_id)
    await centre.broadcast(third, asset_id)
    later = officer.messages()
    again = await later.until(2)

    assert [one.alert.alert_id for one in got] == [first, second]
    assert [one.alert.alert_id for one in again] == [second, third]
    await later.close()


async def test_the_stream_of_who_goes_ashore_ends(centre: Caller, officer: Caller, unit: str) -> None:
    await car(centre, officer, unit)
    stream = officer.messages()
    await stream.live()

    await officer.leave()

    error = await stream.ended()
    assert reason(error) == kind(WrongStateError)
    async with refused() as caught:
        await officer.leave()
    assert reason(caught[0]) == kind(WrongStateError)


@pytest.mark.clause("IV.D.3")
async def test_messages_wait_for_whoever_takes_the_car_over(
    centre: Caller, officer: Caller, colleague: Caller, alert_id: str, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    await officer.leave()
    await centre.broadcast(alert_id, asset_id)

    await colleague.board(asset_id)
    stream = colleague.messages()

    assert kinds(await stream.until(1)) == ["ALERT"]
    await stream.close()


@pytest.mark.clause("IV.A.4")
async def test_without_audit_nothing_is_sent(scene: Scene, audit) -> None:
    await audit.stop()

    async with refused() as caught:
        await scene.centre.broadcast(scene.alert_id, scene.asset_id)

    assert reason(caught[0]) == kind(AuditUnavailableError)
    await audit.start()
    await eventually_told(scene)
    assert kinds(await scene.centre.records(scene.alert_id)) == ["ALERT"]


async def eventually_told(scene: Scene) -> None:
    """As a dispatcher does who is told to try again."""
    for _ in range(600):
        try:
            await scene.centre.broadcast(scene.alert_id, scene.asset_id)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.2)
        else:
            return
    raise AssertionError("audit did not come back")


@pytest.mark.clause("IV.D.3")
async def test_the_stream_goes_on_at_another_replica(scene: Scene, database, audit, tls) -> None:
    folder = scene.rig.settings.token_key_file.parent
    second = await start_rig(settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3), tls)
    elsewhere = Caller(second, "officer")
    stream = elsewhere.messages()
    await stream.live()

    await scene.centre.broadcast(scene.alert_id, scene.asset_id)
    (message,) = await stream.until(1)
    await elsewhere.seen(message.delivery_id)
    await second.stop()
    error = await stream.ended()
    here = scene.officer.messages()
    await here.live(2)

    assert error.code.name == "UNAVAILABLE"
    assert here.got == []
    await here.close()
