"""Audit away, slow or wrong, and the archive failing: no row leaves, and what can be recorded is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.database import database_of
from services.common.errors import AlprError, InternalError, StorageUnavailableError, from_rpc_error
from tests.support.search_kit import OTHER_ORI, Permit, Plate, archived_read, now
from tests.support.search_world import World, question

FAILED, DONE = audit_pb.OUTCOME_RESULT_FAILED, audit_pb.OUTCOME_RESULT_DONE


async def store(world: World, plate: str) -> None:
    await world.archive.AppendReads(AppendReadsRequest(reads=[archived_read(plate=plate)]), timeout=60)


async def refused(call: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")


async def used_permits(world: World) -> int:
    rows = await world.admin("SELECT count(*) AS number FROM archive.permit_used")
    return int(rows[0]["number"])


def is_audit_unavailable(error: AlprError) -> bool:
    return (error.code, error.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE,
    )


@pytest.mark.clause("IV.A.5", "IV.E.2")
async def test_nothing_runs_when_audit_is_down(world: World, plate: str) -> None:
    await store(world, plate)
    before = await used_permits(world)
    await world.audit_server.stop(None)

    error = await refused(world.ask(plate))

    assert is_audit_unavailable(error)
    assert await used_permits(world) == before


@pytest.mark.clause("IV.A.5")
async def test_nothing_runs_when_audit_is_silent(world: World, plate: str) -> None:
    await store(world, plate)
    before = await used_permits(world)
    world.audit.silent = True

    error = await refused(world.ask(plate))

    assert is_audit_unavailable(error)
    assert await used_permits(world) == before


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize(
    "failure", [InternalError("no"), StorageUnavailableError("no")], ids=["internal", "storage"]
)
async def test_nothing_runs_when_audit_fails(world: World, plate: str, failure: AlprError) -> None:
    await store(world, plate)
    world.audit.refusal = failure

    assert is_audit_unavailable(await refused(world.ask(plate)))


WRONG_PERMITS: dict[str, Callable[[Permit], str]] = {
    "forged": lambda permit: replace(permit, key=b"\x01" * 32).text(),
    "for another plate": lambda permit: replace(permit, question=Plate("OTHER1").canonical()).text(),
    "for an image": lambda permit: replace(permit, kind="image").text(),
    "ended": lambda permit: replace(permit, life=timedelta(seconds=-1)).text(),
    "no permit at all": lambda _: "permit",
}


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("wrong", WRONG_PERMITS.values(), ids=WRONG_PERMITS.keys())
async def test_a_wrong_permit_gives_no_row_and_is_recorded(world: World, plate: str, wrong) -> None:
    await store(world, plate)
    world.audit.change_permit = wrong

    assert is_audit_unavailable(await refused(world.ask(plate)))

    await until(lambda: bool(world.audit.outcomes))
    assert [outcome.result for outcome in world.audit.outcomes] == [FAILED]


@pytest.mark.clause("IV.A.5")
async def test_the_permit_of_an_answered_question_gives_no_row_to_another(world: World, plate: str) -> None:
    await store(world, plate)
    await world.ask(plate)
    rows = await world.admin("SELECT permit_id FROM archive.permit_used ORDER BY expires_at DESC LIMIT 1")
    world.audit.change_permit = lambda permit: replace(permit, permit_id=rows[0]["permit_id"]).text()

    assert is_audit_unavailable(await refused(world.ask("OTHER1")))


CHANGES: dict[str, Callable[[audit_pb.AuthorizeResponse], None]] = {
    "no authorization id": lambda response: response.ClearField("authorization_id"),
    "no permit": lambda response: response.ClearField("permit"),
    "no actor": lambda response: response.ClearField("actor"),
    "no window": lambda response: response.ClearField("from"),
    "no end of the window": lambda response: response.ClearField("to"),
    "a window outside the calendar": lambda response: setattr(response.to, "seconds", 2**60),
    "a wider window than the permit's": lambda response: getattr(response, "from").FromDatetime(
        now() - timedelta(days=365)
    ),
}


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_an_answer_of_audit_that_cannot_be_used_gives_no_row(world: World, plate: str, change) -> None:
    await store(world, plate)
    world.audit.change_response = change

    assert is_audit_unavailable(await refused(world.ask(plate)))


@pytest.mark.clause("IV.E.2")
async def test_no_row_leaves_when_the_outcome_cannot_be_recorded(world: World, plate: str) -> None:
    await store(world, plate)
    world.audit.outcome_error = StorageUnavailableError("the log is full")

    assert is_audit_unavailable(await refused(world.ask(plate)))


@pytest.mark.clause("IV.E.2")
async def test_no_row_leaves_before_the_outcome_is_recorded(world: World, plate: str) -> None:
    await store(world, plate)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    world.audit.before_outcome = hold
    call = asyncio.ensure_future(world.ask(plate))
    await reached.wait()
    await asyncio.sleep(0.1)

    assert not call.done()
    go_on.set()
    assert len((await call).reads) == 1


@pytest.mark.clause("IV.E.2")
async def test_a_retry_after_a_lost_outcome_gets_its_answer(world: World, plate: str) -> None:
    await store(world, plate)
    request = question(plate)
    world.audit.outcome_error = StorageUnavailableError("the log is full")
    assert is_audit_unavailable(await refused(world.search.SearchReads(request, metadata=world.metadata)))
    world.audit.outcome_error = None

    answer = await world.search.SearchReads(request, metadata=world.metadata)

    assert len(answer.reads) == 1
    assert world.audit.outcomes[-1].result == DONE


@pytest.mark.clause("IV.E.2")
async def test_a_question_whose_caller_went_away_is_recorded_as_failed(world: World, plate: str) -> None:
    await store(world, plate)
    reached = asyncio.Event()

    async def hold() -> None:
        if not reached.is_set():
            reached.set()
            await asyncio.sleep(3600)

    world.audit.before_outcome = hold
    call = world.search.SearchReads(question(plate), metadata=world.metadata)
    waiting = asyncio.ensure_future(_wait_for(call))
    await reached.wait()
    call.cancel()

    await until(lambda: bool(world.audit.outcomes))
    assert [outcome.result for outcome in world.audit.outcomes] == [FAILED]
    await waiting


async def _wait_for(call: Any) -> None:
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.clause("IV.E.2")
async def test_a_question_that_the_archive_could_not_answer_is_recorded_as_failed(
    world: World, plate: str
) -> None:
    await store(world, plate)
    name = database_of(world.database.admin_url)
    admin = await asyncpg.connect(world.database.admin_url)
    try:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'search_question'"
        )

        error = await refused(world.ask(plate))

        assert (error.code, error.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            ErrorReason.ERROR_REASON_STORAGE_UNAVAILABLE,
        )
        await until(lambda: bool(world.audit.outcomes))
        assert [outcome.result for outcome in world.audit.outcomes] == [FAILED]
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        await admin.close()
    assert len((await world.ask(plate)).reads) == 1


@pytest.mark.clause("IV.E.2")
async def test_rows_that_are_not_those_recorded_do_not_leave(world: World, plate: str) -> None:
    await store(world, plate)

    async def tamper() -> None:
        await world.admin("UPDATE archive.permit_used SET read_ids = '{}', capture_times = '{}'")

    world.audit.before_outcome = tamper

    error = await refused(world.ask(plate))

    assert error.reason == ErrorReason.ERROR_REASON_STORAGE_UNAVAILABLE


@pytest.mark.clause("IV.A.5")
async def test_a_permit_with_another_agency_written_into_it_is_not_believed(world: World, plate: str) -> None:
    await store(world, plate)
    world.audit.change_permit = lambda permit: permit.text().replace(permit.agencies[0], OTHER_ORI)

    assert is_audit_unavailable(await refused(world.ask(plate)))
