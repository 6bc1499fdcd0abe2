"""Legal holds with search's credentials in hand: nothing but what audit signed is made or lifted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from services.search.acts import Intent
from services.search.core.holds import HoldRule, NewHold
from services.search.core.houses import HouseNames
from services.search.errors import PermitRefusedError
from tests.support.databases import MigratedDatabase
from tests.support.search_holds import HOUSES, LOGINS, key_of, new_hold, place, placing, releasing
from tests.support.search_kit import OTHER_ORI
from tests.support.search_retention import Rig, day_ago, noon, purging

pytestmark = pytest.mark.clause("IV.E.3", "IV.A.5")

REASON = "the case is closed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(migrated_database: Callable[..., Awaitable[MigratedDatabase]]) -> MigratedDatabase:
    return await migrated_database("search")


@pytest.fixture(params=HOUSES, ids=[one.schema for one in HOUSES])
def names(request: pytest.FixtureRequest) -> HouseNames:
    """The house that is put to the test."""
    return cast(HouseNames, request.param)


@pytest_asyncio.fixture
async def rig(database: MigratedDatabase, tmp_path: Path) -> AsyncIterator[Rig]:
    async with purging(database, tmp_path) as made:
        yield made


def a_hold() -> NewHold:
    return new_hold(HoldRule(("HELD001",), ("cam-7",), noon(day_ago(30)), noon(day_ago(-30))))


async def try_to_place(rig: Rig, names: HouseNames, hold: NewHold, statement: str) -> None:
    """With every login and key of the search process, and a statement."""
    intent = Intent(uuid4(), "", "", statement)
    with pytest.raises(PermitRefusedError):
        await rig.holds(names).place(intent, hold, rig.house(names).keys.new(hold.hold_id))


async def holds_of(rig: Rig, names: HouseNames) -> set[UUID]:
    return await rig.house(names).store.holds_in_force()


async def test_a_hold_is_placed_as_audit_signed_it_with_its_approver_and_agency(
    rig: Rig, names: HouseNames
) -> None:
    hold, account = a_hold(), str(uuid4())

    await place(rig.holds(names), rig.house(names).keys, names, hold, account_id=account, agency=OTHER_ORI)

    (kept,) = await rig.holds(names).page(OTHER_ORI, UUID(int=hold.hold_id.int - 1), 1)
    assert (kept.approver_id, kept.agency_ori, kept.case_number) == (account, OTHER_ORI, hold.case_number)


@pytest.mark.parametrize(
    "changes",
    [
        {"agency": OTHER_ORI},
        {"account_id": "0f0e0d0c-0b0a-4908-8706-0504030201ff"},
        {"life": timedelta(seconds=-1)},
        {"form": "v1"},
        {"form": "retention/v1"},
    ],
    ids="-".join,
)
async def test_a_statement_that_was_changed_or_has_ended_places_nothing(
    rig: Rig, names: HouseNames, changes: dict[str, Any]
) -> None:
    hold, before = a_hold(), await holds_of(rig, names)
    genuine = placing(names, hold).intent().statement
    other = replace(placing(names, hold), **changes)
    # Its own signature does not fit what is said, or what is said is no act that counts.
    mixed = other.intent().statement.rpartition("|")[0] + "|" + genuine.rpartition("|")[2]
    texts = [mixed] if {"agency", "account_id"} & set(changes) else [mixed, other.intent().statement]

    for text in texts:
        await try_to_place(rig, names, hold, text)

    assert await holds_of(rig, names) == before


async def test_a_statement_places_no_other_hold_than_its_own(rig: Rig, names: HouseNames) -> None:
    signed = a_hold()
    rule, before = signed.rule, await holds_of(rig, names)
    statement = placing(names, signed).intent().statement
    others = (
        replace(signed, hold_id=uuid4()),
        replace(signed, reason="for a friend"),
        replace(signed, case_number="2026-009999"),
        replace(signed, case_number_kind="RMS"),
        replace(signed, document_sha256=b"e" * 32),
        replace(signed, rule=replace(rule, plates=("HELD001", "HELD002"))),
        replace(signed, rule=replace(rule, plates=())),
        replace(signed, rule=replace(rule, sensor_ids=())),
        replace(signed, rule=replace(rule, sensor_ids=("cam-8",))),
        replace(signed, rule=replace(rule, from_time=rule.from_time - timedelta(microseconds=1))),
        replace(signed, rule=replace(rule, to_time=rule.to_time + timedelta(microseconds=1))),
    )

    for other in others:
        await try_to_place(rig, names, other, statement)

    assert await holds_of(rig, names) == before


async def test_neither_house_takes_the_other_ones_word_nor_a_forged_or_missing_one(
    rig: Rig, names: HouseNames
) -> None:
    hold, before = a_hold(), await holds_of(rig, names)
    (other,) = set(HOUSES) - {names}
    genuine = placing(names, hold).intent().statement
    wrong = (
        placing(other, hold).intent().statement,
        placing(names, hold, key=key_of(other)).intent().statement,
        placing(names, hold, key=b"x" * 32).intent().statement,
        placing(names, hold, action=names.action("hold.release")).intent().statement,
        genuine[:-1] + ("0" if genuine[-1] != "0" else "1"),
        genuine.replace("act/v1", "act/v2"),
        genuine + "|",
        "|" * 7 + genuine[-65:],
        "x" * 5000,
        "",
    )

    for statement in wrong:
        await try_to_place(rig, names, hold, statement)

    assert await holds_of(rig, names) == before


async def test_no_hold_is_lifted_without_a_release_that_audit_signed_for_it(
    rig: Rig, names: HouseNames
) -> None:
    hold, another = a_hold(), a_hold()
    for one in (hold, another):
        await place(rig.holds(names), rig.house(names).keys, names, one)
    (other,) = set(HOUSES) - {names}
    release = releasing(names, hold.hold_id)
    wrong = (
        releasing(names, another.hold_id).intent(),
        replace(release, key=key_of(other)).intent(),
        replace(release, action=other.action("hold.release")).intent(),
        replace(release, life=timedelta(seconds=-1)).intent(),
        replace(release, details={"reason": "another reason"}).intent(),
        placing(names, hold).intent(),
        Intent(uuid4(), "", "", ""),
    )

    for intent in wrong:
        with pytest.raises(PermitRefusedError):
            await rig.holds(names).release(hold.hold_id, intent, REASON)
    # Signed, but by an agency whose hold it is not.
    foreign = replace(release, agency=OTHER_ORI).intent()
    assert await rig.holds(names).release(hold.hold_id, foreign, REASON) is None

    assert {hold.hold_id, another.hold_id} <= await holds_of(rig, names)


async def test_an_act_that_comes_again_is_done_once_and_a_released_hold_does_not_come_back(
    rig: Rig, names: HouseNames
) -> None:
    hold, store, keys = a_hold(), rig.holds(names), rig.house(names).keys
    act = replace(placing(names, hold), intent_id=uuid4())
    await store.place(act.intent(), hold, keys.new(hold.hold_id))
    wrapped = f"SELECT wrapped_key FROM {names.schema}.hold WHERE hold_id = $1"  # noqa: S608 -- a constant
    first = await rig.admin(wrapped, hold.hold_id)
    release = replace(releasing(names, hold.hold_id), intent_id=uuid4())

    await store.place(act.intent(), hold, keys.new(hold.hold_id))
    second = await rig.admin(wrapped, hold.hold_id)
    released = [await store.release(hold.hold_id, release.intent(), REASON) for _ in range(2)]
    await store.place(act.intent(), hold, keys.new(hold.hold_id))
    later = await store.release(hold.hold_id, releasing(names, hold.hold_id).intent(), REASON)

    assert first == second
    assert released[0] == released[1] is not None
    assert later is None
    assert hold.hold_id not in await holds_of(rig, names)


async def test_no_login_of_search_reaches_a_hold_in_any_other_way(
    rig: Rig, names: HouseNames, database: MigratedDatabase
) -> None:
    hold = a_hold()
    await place(rig.holds(names), rig.house(names).keys, names, hold)
    schema, everyone = names.schema, [one for logins in LOGINS.values() for one in logins]
    statements = (
        f"UPDATE {schema}.hold SET released_at = now()",  # noqa: S608 -- constants
        f"DELETE FROM {schema}.hold",  # noqa: S608
        f"DELETE FROM {schema}.held_read",  # noqa: S608
        f"SELECT {schema}.seal_held(current_date, '{{}}', '{{}}', 1)",
        f"SELECT {schema}.signed_act('', '', '')",
    )

    for login in (*everyone, "search_append", "search_health", "search_register", "search_mcs_append"):
        connection = await asyncpg.connect(database.url(login))
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()

    (kept,) = await rig.holds(names).page("ILISP0001", UUID(int=hold.hold_id.int - 1), 1)
    assert kept.released_at is None
