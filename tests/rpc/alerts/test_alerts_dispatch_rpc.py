"""Patrol assets, broadcasts and what becomes of them, over real gRPC and a real database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.errors import (
    InvalidFieldError,
    NotFoundError,
    RequestIdReusedError,
    WrongStateError,
)
from services.common.wire import to_timestamp
from tests.support.alerts_kit import OTHER
from tests.support.alerts_rig import (
    entry_message,
    eventually,
    hit_message,
    kind,
    reason,
    refused,
)
from tests.support.dispatch_rig import HERE, Caller, Scene, car, kinds, request_id

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
async def test_a_broadcast_reaches_the_car_and_both_acknowledgements_are_on_record(
    scene: Scene, audit
) -> None:
    centre, officer, alert_id, asset_id = scene.centre, scene.officer, scene.alert_id, scene.asset_id
    stream = officer.messages()
    await stream.live()

    told = await centre.broadcast(alert_id, asset_id)
    (message,) = await stream.until(1)
    (before,) = await centre.records(alert_id)
    await officer.received(message.delivery_id)
    await officer.seen(message.delivery_id)
    (after,) = await centre.records(alert_id)

    assert told == [asset_id]
    assert (message.kind, message.alert.alert_id) == (pb.DELIVERY_KIND_ALERT, alert_id)
    assert message.alert.notice.text.startswith("UNVERIFIED")
    assert not before.HasField("receive_time")
    assert after.HasField("receive_time")
    assert after.HasField("seen_time")
    assert after.seen_account_id == "account-officer"
    assert after.distance_metres == pytest.approx(2000, rel=0.01)
    assert after.proposed
    actions = [intent.action for intent in audit.neighbour.intents]
    assert actions.index("dispatch.broadcast") < actions.index("dispatch.acknowledge")
    sent = next(i for i in audit.neighbour.intents if i.action == "dispatch.broadcast")
    assert (sent.resource, sent.details["assets_1"]) == (alert_id, asset_id)
    events = audit.neighbour.events
    await eventually(lambda: message.delivery_id in [e.resource for e in events])
    await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_the_nearest_cars_of_the_units_are_proposed_and_the_dispatcher_decides(
    centre: Caller, officer: Caller, colleague: Caller, alert_id: str, unit: str
) -> None:
    far = await car(centre, officer, unit, north=12)
    near = await car(centre, colleague, unit, north=3)
    empty = (await centre.register(unit)).asset_id

    found = {one.asset_id: one for one in await centre.propose(alert_id, units=[unit], most=1)}
    told = await centre.broadcast(alert_id, far, empty)
    again = {one.asset_id: one for one in await centre.propose(alert_id, units=[unit])}

    assert [found[near].proposed, found[far].proposed] == [True, False]
    assert found[far].distance_metres == pytest.approx(12_000, rel=0.01)
    assert empty not in found
    assert sorted(told) == sorted([far, empty])
    assert [again[near].told, again[far].told] == [False, True]
    assert [again[near].proposed, again[far].proposed] == [True, True]


@pytest.mark.clause("IV.D.3")
async def test_a_car_beyond_the_radius_or_not_heard_of_lately_is_proposed_only_when_no_other_is_there(
    centre: Caller, officer: Caller, colleague: Caller, alert_id: str, unit: str
) -> None:
    lost = await car(centre, officer, unit)
    await officer.report(*HERE, ago=timedelta(minutes=16))

    alone = {one.asset_id: one for one in await centre.propose(alert_id, units=[unit])}
    beyond = await car(centre, colleague, unit, north=80)
    both = {one.asset_id: one for one in await centre.propose(alert_id, units=[unit], radius_metres=10_000)}

    assert alone[lost].proposed
    assert not alone[lost].HasField("distance_metres")
    assert [both[beyond].proposed, both[lost].proposed] == [True, False]


@pytest.mark.clause("IV.D.3", "III.D.4")
async def test_every_change_of_the_alert_is_told_to_who_got_the_first_message(
    rig, centre: Caller, officer: Caller, colleague: Caller, unit: str
) -> None:
    entry = entry_message()
    hit = hit_message(entry, plate="C" + uuid4().hex[:6].upper())
    (alert_id,) = await rig.raise_hits(hit)
    told = await car(centre, officer, unit)
    await car(centre, colleague, unit)
    stream, other = officer.messages(), colleague.messages()
    await centre.broadcast(alert_id, told)
    await stream.until(1)

    await centre.verify(alert_id, VERIFYING)
    await centre.verify(alert_id, CONFIRMED, "LEADS")
    withdrawal = alert_pb.WithdrawAlertsRequest(
        intent_id=request_id(),
        hot_list_id=entry.hot_list_id,
        match_revision=1,
        withdraw_time=to_timestamp(datetime.now(UTC)),
        reason=alert_pb.WITHDRAW_REASON_CANCELLED,
        entry_ids=[entry.entry_id],
    )
    await rig.matcher.WithdrawAlerts(withdrawal, timeout=60)
    await officer.dispose(alert_id, alert_pb.DISPOSITION_NO_ACTION)
    got = await stream.until(5)
    await other.live(2)

    assert kinds(got) == ["ALERT", "VERIFYING", "CONFIRMED", "WITHDRAWN", "CLOSED"]
    assert got[3].alert.HasField("withdraw_time")
    assert got[3].alert.notice.text.startswith("WITHDRAWN")
    assert other.got == []
    await stream.close()
    await other.close()


@pytest.mark.clause("IV.D.3", "III.D.4")
async def test_a_denied_alert_is_corrected_and_nobody_else_is_sent_after_it(
    centre: Caller, officer: Caller, colleague: Caller, alert_id: str, unit: str
) -> None:
    told = await car(centre, officer, unit)
    second = await car(centre, colleague, unit)
    stream = officer.messages()
    await centre.broadcast(alert_id, told)

    await centre.verify(alert_id, VERIFYING)
    await centre.verify(alert_id, NOT_CONFIRMED, "NCIC")
    got = await stream.until(3)
    async with refused() as caught:
        await centre.broadcast(alert_id, second)

    assert kinds(got) == ["ALERT", "VERIFYING", "NOT_CONFIRMED"]
    assert reason(caught[0]) == kind(WrongStateError)
    assert caught[0].metadata["state"] == "NOT_CONFIRMED"
    await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_a_broadcast_is_called_off_and_may_be_sent_again(
    centre: Caller, officer: Caller, alert_id: str, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    stream = officer.messages()
    await centre.broadcast(alert_id, asset_id)

    down = await centre.cancel(alert_id)
    async with refused() as caught:
        await centre.cancel(alert_id)
    again = await centre.broadcast(alert_id, asset_id)
    got = await stream.until(3)

    assert (down, again) == ([asset_id], [asset_id])
    assert reason(caught[0]) == kind(WrongStateError)
    assert kinds(got) == ["ALERT", "CANCELLED", "ALERT"]
    await stream.close()


async def test_further_cameras_are_told_once_until_the_device_has_it(
    rig, centre: Caller, officer: Caller, unit: str
) -> None:
    plate, entry = "U" + uuid4().hex[:6].upper(), entry_message()
    (alert_id,) = await rig.raise_hits(hit_message(entry, plate=plate))
    asset_id = await car(centre, officer, unit)
    await centre.broadcast(alert_id, asset_id)
    (first,) = await centre.records(alert_id)

    for _ in range(3):
        await rig.raise_hits(hit_message(entry, plate=plate))
    unheard = await centre.records(alert_id)
    await officer.received(first.delivery_id)
    for _ in range(3):
        await rig.raise_hits(hit_message(entry, plate=plate))
    heard = await centre.records(alert_id)

    assert kinds(unheard) == ["ALERT"]
    assert kinds(heard) == ["ALERT", "UPDATED"]


@pytest.mark.clause("IV.D.3")
async def test_a_broadcast_that_is_sent_again_changes_nothing(
    centre: Caller, officer: Caller, alert_id: str, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    same = request_id()

    first = await centre.broadcast(alert_id, asset_id, request_id=same)
    again = await centre.broadcast(alert_id, asset_id, request_id=same)
    other = await centre.broadcast(alert_id, asset_id)

    assert first == again == [asset_id]
    assert other == []
    assert kinds(await centre.records(alert_id)) == ["ALERT"]
    async with refused() as caught:
        await centre.cancel(alert_id, request_id=same)
    assert reason(caught[0]) == kind(RequestIdReusedError)


@pytest.mark.clause("IV.D.3")
async def test_acknowledgements_count_once_and_only_from_aboard(
    centre: Caller, officer: Caller, colleague: Caller, alert_id: str, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    await car(centre, colleague, unit)
    await centre.broadcast(alert_id, asset_id)
    (sent,) = await centre.records(alert_id)

    for stranger in (colleague, centre):
        async with refused() as caught:
            await stranger.seen(sent.delivery_id)
        assert reason(caught[0]) == kind(NotFoundError)
    await officer.seen(sent.delivery_id)
    (first,) = await centre.records(alert_id)
    await officer.seen(sent.delivery_id)
    await officer.received(sent.delivery_id)
    (again,) = await centre.records(alert_id)

    assert first.receive_time == first.seen_time
    assert again == first


@pytest.mark.clause("IV.D.3")
async def test_a_crew_that_is_on_the_way_has_seen_the_message_and_its_centre_sees_who_goes(
    scene: Scene, colleague: Caller, audit, unit: str
) -> None:
    centre, officer, alert_id = scene.centre, scene.officer, scene.alert_id
    await car(centre, colleague, unit)
    await centre.broadcast(alert_id, scene.asset_id)
    (sent,) = await centre.records(alert_id)

    async with refused() as caught:
        await colleague.goes(sent.delivery_id)
    await officer.goes(sent.delivery_id)
    (going,) = await centre.records(alert_id)
    await officer.goes(sent.delivery_id)
    await officer.seen(sent.delivery_id)
    (again,) = await centre.records(alert_id)

    assert reason(caught[0]) == kind(NotFoundError)
    assert not sent.HasField("en_route_time")
    assert going.receive_time == going.seen_time == going.en_route_time
    assert (going.seen_account_id, going.en_route_account_id) == ("account-officer", "account-officer")
    assert again == going
    said = [one for one in audit.neighbour.intents if one.action == "dispatch.acknowledge"]
    assert [one.details["stage"] for one in said[-2:]] == ["EN_ROUTE", "SEEN"]


@pytest.mark.clause("IV.D.3")
@pytest.mark.parametrize("state", ["CANCELLED", "NOT_CONFIRMED", "NO_ACTION"])
async def test_nobody_is_on_the_way_to_what_was_called_off_denied_or_closed(scene: Scene, state: str) -> None:
    centre, officer, alert_id = scene.centre, scene.officer, scene.alert_id
    await centre.broadcast(alert_id, scene.asset_id)
    sent, *_ = await centre.records(alert_id)
    if state == "CANCELLED":
        await centre.cancel(alert_id)
    elif state == "NOT_CONFIRMED":
        await officer.verify(alert_id, VERIFYING)
        await officer.verify(alert_id, NOT_CONFIRMED, "LEADS")
    else:
        await centre.dispose(alert_id, alert_pb.DISPOSITION_NO_ACTION)

    async with refused() as caught:
        await officer.goes(sent.delivery_id)
    (record, *_) = await centre.records(alert_id)

    assert caught[0].metadata["state"] == state
    assert not record.HasField("en_route_time")
    assert not record.HasField("seen_time")


@pytest.mark.clause("IV.D.3")
async def test_another_agency_can_neither_be_told_nor_tell_nor_see(
    rig, centre: Caller, officer: Caller, alert_id: str, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    await centre.broadcast(alert_id, asset_id)
    stranger = Caller(rig, "stranger")
    foreign = (await rig.raise_hits(hit_message(entry_message(agency=OTHER), agency=OTHER)))[0]

    for attempt in (
        stranger.broadcast(alert_id, asset_id),
        stranger.records(alert_id),
        stranger.propose(alert_id),
        stranger.board(asset_id),
        stranger.retire(asset_id),
        centre.broadcast(foreign, asset_id),
        centre.broadcast(alert_id, request_id()),
    ):
        async with refused() as caught:
            await attempt
        assert reason(caught[0]) == kind(NotFoundError)
    assert await stranger.all_assets() == []


@pytest.mark.clause("II.H")
async def test_no_patrol_car_is_sent_after_a_motor_carrier_safety_alert(
    rig, centre: Caller, officer: Caller, unit: str
) -> None:
    asset_id = await car(centre, officer, unit)
    entry = entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)
    entry.source = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT
    (alert_id,) = await rig.raise_hits(hit_message(entry))

    for attempt in (
        centre.propose(alert_id),
        centre.broadcast(alert_id, asset_id),
        centre.cancel(alert_id),
        centre.records(alert_id),
    ):
        async with refused() as caught:
            await attempt
        assert reason(caught[0]) == kind(NotFoundError)


@pytest.mark.parametrize("count", [0, 101])
async def test_a_broadcast_to_nobody_or_to_too_many_is_refused(
    centre: Caller, alert_id: str, count: int
) -> None:
    async with refused() as caught:
        await centre.broadcast(alert_id, *(str(uuid4()) for _ in range(count)))

    assert reason(caught[0]) == kind(InvalidFieldError)
