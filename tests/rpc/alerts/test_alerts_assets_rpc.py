"""Patrol assets: call signs, crews and positions, over real gRPC and a real database."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from services.common.errors import (
    AlreadyExistsError,
    AuditUnavailableError,
    InvalidFieldError,
    NotFoundError,
    NotPermittedError,
    WrongStateError,
)
from tests.support.alerts_rig import kind, reason, refused
from tests.support.dispatch_rig import HERE, KILOMETRE, Caller, call_sign, car, request_id


@pytest_asyncio.fixture(loop_scope="session")
async def centre(rig) -> Caller:
    return Caller(rig, "dispatch")


@pytest_asyncio.fixture(loop_scope="session")
async def officer(rig) -> Caller:
    return Caller(rig, "officer")


@pytest.fixture
def unit() -> str:
    """A unit that no other test has, so that its assets are the only ones."""
    return "unit-" + uuid4().hex[:8]


async def test_an_asset_has_one_call_sign_and_a_person_is_aboard_of_one_asset(
    centre: Caller, officer: Caller, unit: str
) -> None:
    sign, same = call_sign(), request_id()
    first = await centre.register(unit, sign, request_id=same)
    async with refused() as caught:
        await centre.register(unit, sign)
    assert await centre.register(unit, sign, request_id=same) == first
    second = await centre.register(unit)

    await officer.board(call_sign=sign)
    await officer.report(*HERE)
    await officer.board(second.asset_id)
    crews = {one.asset_id: one for one in await centre.all_assets()}
    await centre.retire(second.asset_id)
    async with refused() as ashore:
        await officer.report(*HERE)
    await centre.retire(first.asset_id)
    third = await centre.register(unit, sign)

    assert reason(caught[0]) == kind(AlreadyExistsError)
    assert list(crews[first.asset_id].crew_account_ids) == []
    assert not crews[first.asset_id].HasField("position")
    assert list(crews[second.asset_id].crew_account_ids) == ["account-officer"]
    assert reason(ashore[0]) == kind(WrongStateError)
    assert third.asset_id != first.asset_id


async def test_an_older_position_does_not_move_the_car_back(
    centre: Caller, officer: Caller, unit: str
) -> None:
    asset_id = await car(centre, officer, unit, north=5)

    await officer.report(*HERE, ago=timedelta(minutes=1))

    (asset,) = [one for one in await centre.all_assets() if one.asset_id == asset_id]
    assert asset.position.latitude == pytest.approx(HERE[0] + 5 * KILOMETRE)


@pytest.mark.parametrize(
    ("latitude", "longitude", "field"),
    [
        (91.0, 0.0, "position.latitude"),
        (float("nan"), 0.0, "position.latitude"),
        (0.0, float("inf"), "position.longitude"),
        (0.0, -180.5, "position.longitude"),
    ],
)
async def test_a_place_that_is_none_is_refused(
    officer: Caller, latitude: float, longitude: float, field: str
) -> None:
    async with refused() as caught:
        await officer.report(latitude, longitude)

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert [one.field for one in caught[0].violations] == [field]


async def test_a_position_of_the_future_is_refused(officer: Caller) -> None:
    async with refused() as caught:
        await officer.report(*HERE, ago=timedelta(minutes=-2))

    assert [one.field for one in caught[0].violations] == ["position.position_time"]


@pytest.mark.parametrize("sign", ["", "p-1", "P 1", "P" * 33, "P\N{CYRILLIC CAPITAL LETTER ER}"])
async def test_a_call_sign_that_is_none_is_refused(centre: Caller, unit: str, sign: str) -> None:
    async with refused() as caught:
        await centre.register(unit, call_sign=sign)

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert [one.field for one in caught[0].violations] == ["call_sign"]


async def test_nobody_goes_aboard_of_what_is_not_there(officer: Caller) -> None:
    for named in ({"call_sign": "NOBODY-1"}, {"asset_id": request_id()}):
        async with refused() as caught:
            await officer.board(**named)
        assert reason(caught[0]) == kind(NotFoundError)
    async with refused() as caught:
        await officer.board()
    assert reason(caught[0]) == kind(InvalidFieldError)


async def test_boarding_and_leaving_again_with_the_same_request_change_nothing(
    centre: Caller, officer: Caller, unit: str
) -> None:
    asset = await centre.register(unit)
    aboard, ashore = request_id(), request_id()
    await officer.board(asset.asset_id, request_id=aboard)
    await officer.leave(request_id=ashore)
    again = await officer.board(asset.asset_id, request_id=aboard)
    await officer.leave(request_id=ashore)

    assert list(again.crew_account_ids) == []


@pytest.mark.clause("IV.A.4")
async def test_a_car_is_followed_as_long_as_the_lease_of_its_member_and_no_longer(
    centre: Caller, officer: Caller, unit: str, audit
) -> None:
    audit.neighbour.lease = timedelta(seconds=2)
    await car(centre, officer, unit, north=1)
    await audit.stop()

    await officer.report(*HERE)
    await asyncio.sleep(2.1)
    async with refused() as caught:
        await officer.report(*HERE)

    assert reason(caught[0]) == kind(AuditUnavailableError)


async def test_who_is_suspended_is_followed_no_more_when_the_lease_is_over(
    centre: Caller, officer: Caller, unit: str, audit
) -> None:
    audit.neighbour.lease = timedelta(seconds=1)
    await car(centre, officer, unit, north=1)
    audit.neighbour.end("officer")

    await asyncio.sleep(1.1)
    async with refused() as caught:
        await officer.report(*HERE)

    assert reason(caught[0]) == kind(NotPermittedError)
