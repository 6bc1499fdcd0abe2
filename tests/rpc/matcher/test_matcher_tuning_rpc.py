"""What people found of alerts changes how sure a list's matches must be, on record and to be seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.matcher.v1 import match_service_pb2
from alpr.matcher.v1 import tuning_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    MANAGER,
    OFFICER,
    STRANGER,
    Person,
    World,
    a_matcher,
    a_read,
    a_world,
    batch,
    new_id,
    submit,
)
from tests.support.databases import MigratedDatabase, fetch

MISREAD, CONFIRMED = notice_pb2.VERIFICATION_STATE_MISREAD, notice_pb2.VERIFICATION_STATE_CONFIRMED
VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
SOUND, CHECK = hit_pb2.MATCH_GRADE_SOUND, hit_pb2.MATCH_GRADE_CHECK


@pytest_asyncio.fixture
async def world(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    database = await migrated_database("matcher")
    async with a_world(tls, database, tmp_path_factory.mktemp("spool")) as made:
        yield made


def judged(
    hot_list_id: str,
    state: notice_pb2.VerificationState.ValueType,
    *,
    grade: hit_pb2.MatchGrade.ValueType = SOUND,
    alert_id: str = "",
    raised: timedelta = timedelta(),
) -> alerts_pb.JudgedAlert:
    match = alerts_pb.JudgedMatch(hot_list_id=hot_list_id, entry_id=new_id(), match_grade=grade)
    return alerts_pb.JudgedAlert(
        alert_id=alert_id or new_id(),
        raise_time=to_timestamp(datetime.now(UTC) + raised),
        verification_state=state,
        matches=[match],
    )


async def tuned(person: Person, hot_list_id: str, changes: int) -> pb.GetHotListTuningResponse:
    """The list's tuning once its factors have been changed so many times; gives up after 15 seconds."""
    async with asyncio.timeout(60):
        while True:
            answer = await person.tuning_of(hot_list_id)
            if len(answer.changes) >= changes:
                return answer
            await asyncio.sleep(0.05)


async def in_memory(person: Person, revision: int) -> None:
    """Returns when reads are compared with the lists of that revision; gives up after 15 seconds."""
    request = match_service_pb2.GetMatcherStateRequest()
    async with asyncio.timeout(60):
        while True:
            state = await person.matching.GetMatcherState(request, metadata=person.metadata, timeout=60)
            if state.match_revision >= revision:
                return
            await asyncio.sleep(0.05)


async def heard(world: World, verdicts: int) -> None:
    """Returns when so many verdicts are stored; gives up after 15 seconds."""
    async with asyncio.timeout(60):
        while (await verdict_count(world)) < verdicts:  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.05)


async def verdict_count(world: World) -> int:
    (row,) = await fetch(world.database.admin_url, "SELECT count(*) AS n FROM matcher.verdict")
    count: int = row["n"]
    return count


async def a_list_with(world: World, *states: notice_pb2.VerificationState.ValueType, **kind: Any) -> str:
    """An active list of whose alerts people found this."""
    async with a_matcher(world) as matcher, matcher.person() as person:
        hot_list = await person.active_list("AB12345")
    world.alerts.judged += [judged(hot_list.hot_list_id, state, **kind) for state in states]
    return hot_list.hot_list_id


@pytest.mark.clause("III.B.3.o", "III.B.3.d")
async def test_three_wrong_alarms_make_a_list_surer_on_record_and_in_use(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD, MISREAD)

    async with a_matcher(world) as matcher, matcher.person() as person:
        answer = await tuned(person, hot_list_id, 1)
        await in_memory(person, answer.changes[0].match_revision)

    (change,) = answer.changes
    assert (change.kind, change.number) == (pb.BUDGET_KIND_SOUNDING, 1)
    assert (change.factor_before, change.factor_after) == (1.0, 0.5)
    assert (change.evidence.right_count, change.evidence.wrong_count) == (0, 3)
    sounding, checked = answer.budgets
    assert (sounding.kind, sounding.per_million, sounding.factor) == (pb.BUDGET_KIND_SOUNDING, 1.0, 0.5)
    assert sounding.evidence.wrong_count == 0
    assert (checked.per_million, checked.factor) == (300.0, 1.0)
    assert answer.hot_list.hot_list_id == hot_list_id
    (act,) = [one for one in world.audit.intent_requests.values() if one.action == "hot_list.tune"]
    assert act.resource == hot_list_id
    assert dict(act.details) == {
        "budget": "SOUNDING",
        "number": "1",
        "from": "1",
        "to": "0.5",
        "because": "more alerts were found wrong than the budget explains",
    }
    assert change.intent_id == world.audit.intent_id(act.request_id)
    assert world.audit.results(act.request_id) == [1]


@pytest.mark.clause("III.B.3.o")
async def test_a_verdict_that_is_taken_back_counts_no_more_and_one_alert_counts_once(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD)
    twice = new_id()
    world.alerts.judged += [judged(hot_list_id, MISREAD, alert_id=twice) for _ in range(3)]
    world.alerts.judged.append(judged(hot_list_id, VERIFYING, alert_id=twice))

    async with a_matcher(world) as matcher, matcher.person() as person:
        await heard(world, 3)
        answer = await person.tuning_of(hot_list_id)

    assert not answer.changes
    assert answer.budgets[0].evidence.wrong_count == 2


@pytest.mark.clause("III.B.3.o")
async def test_another_start_and_a_restored_feed_change_nothing_twice(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD, MISREAD)
    async with a_matcher(world) as matcher, matcher.person() as person:
        await tuned(person, hot_list_id, 1)
    world.alerts.epoch += 1

    async with a_matcher(world) as one, a_matcher(world), one.person() as person:
        async with asyncio.timeout(60):
            while (await head(world)) != (world.alerts.epoch, 3):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        answer = await person.tuning_of(hot_list_id)

    assert len(answer.changes) == 1
    assert await verdict_count(world) == 3


async def head(world: World) -> tuple[int, int]:
    (row,) = await fetch(world.database.admin_url, "SELECT epoch, position FROM matcher.verdict_head")
    return row["epoch"], row["position"]


@pytest.mark.clause("III.B.3.o")
async def test_alerts_of_before_a_change_say_nothing_of_what_came_after_it(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD, MISREAD)
    async with a_matcher(world) as matcher, matcher.person() as person:
        await tuned(person, hot_list_id, 1)
    world.alerts.judged += [judged(hot_list_id, MISREAD, raised=timedelta(hours=-1)) for _ in range(3)]

    async with a_matcher(world) as matcher, matcher.person() as person:
        await heard(world, 6)
        answer = await person.tuning_of(hot_list_id)

    assert len(answer.changes) == 1
    assert answer.budgets[0].evidence.wrong_count == 0


@pytest.mark.clause("III.B.3.o")
async def test_checks_have_a_budget_of_their_own(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD, MISREAD, grade=CHECK)

    async with a_matcher(world) as matcher, matcher.person() as person:
        answer = await tuned(person, hot_list_id, 1)

    assert [one.kind for one in answer.changes] == [pb.BUDGET_KIND_CHECKED]
    assert [one.factor for one in answer.budgets] == [1.0, 0.5]


@pytest.mark.clause("III.B.3.o")
async def test_reads_and_matches_are_counted_for_each_list(world: World) -> None:
    async with a_matcher(world) as matcher, matcher.person() as person:
        hot_list = await person.active_list("AB12345")
        async with matcher.reads_of("ocr") as stub:
            await submit(stub, batch(1, a_read("AB12345"), a_read("AB12345"), a_read("CD67890")))
        async with asyncio.timeout(60):
            while True:
                answer = await person.tuning_of(hot_list.hot_list_id)
                if answer.budgets[0].evidence.read_count:
                    break
                await asyncio.sleep(0.1)

    seen = answer.budgets[0].evidence
    assert (seen.read_count, seen.match_count) == (3, 1)
    assert answer.budgets[1].evidence.match_count == 0


async def test_while_alerts_is_away_reads_go_on_and_verdicts_come_later(world: World) -> None:
    hot_list_id = await a_list_with(world, MISREAD, MISREAD, MISREAD)
    world.alerts.door.down = True
    async with a_matcher(world) as matcher, matcher.person() as person:
        async with matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(1, a_read("CD67890")))
        assert not (await person.tuning_of(hot_list_id)).changes
    world.alerts.door.down = False

    assert answer.results
    async with a_matcher(world) as matcher, matcher.person() as person:
        assert len((await tuned(person, hot_list_id, 1)).changes) == 1


@pytest.mark.clause("III.B.3.f", "III.B.3.o")
@pytest.mark.parametrize("token", [STRANGER, OFFICER, ""])
async def test_others_do_not_see_it(world: World, token: str) -> None:
    async with a_matcher(world) as matcher:
        async with matcher.person(MANAGER) as person:
            hot_list = await person.active_list("AB12345")
        async with matcher.person(token) as person:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await person.tuning_of(hot_list.hot_list_id)

    expected = grpc.StatusCode.PERMISSION_DENIED if token else grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.code() is expected


async def test_a_list_that_is_not_there_is_not_found(world: World) -> None:
    async with a_matcher(world) as matcher, matcher.person() as person:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await person.tuning_of(new_id())
        with pytest.raises(grpc.aio.AioRpcError) as malformed:
            await person.tuning_of("x")

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert malformed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
