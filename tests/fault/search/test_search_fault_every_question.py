"""Audit away, slow or wrong: whatever is asked, nothing is shown. Questions are taken from the contracts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import (
    AlprError,
    InternalError,
    NotPermittedError,
    StorageUnavailableError,
    from_rpc_error,
)
from tests.support.search_every_question import put, questions
from tests.support.search_world import World

QUESTIONS = list(questions())


async def ended(world: World, method: MethodDescriptor, **more: Any) -> AlprError | None:
    """The error that the question ended with, None for an answer."""
    try:
        await put(world.people, method, world.metadata, **more)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


async def permits_used(world: World) -> int:
    rows = await world.admin(
        "SELECT (SELECT count(*) FROM archive.permit_used) + (SELECT count(*) FROM motor_carrier.permit_used)"
    )
    return int(rows[0][0])


def is_audit_unavailable(error: AlprError | None) -> bool:
    return error is not None and (error.code, error.reason) == (
        grpc.StatusCode.UNAVAILABLE,
        ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE,
    )


def test_there_are_as_many_questions_as_contracts_name() -> None:
    assert len(QUESTIONS) >= 16


@pytest.mark.clause("IV.A.5", "IV.C.5", "IV.C.6")
async def test_every_sound_question_reaches_audit_with_its_reason_and_the_persons_token(world: World) -> None:
    for method in QUESTIONS:
        world.audit.asked.clear()

        error = await ended(world, method)

        assert error is None or error.code is grpc.StatusCode.NOT_FOUND, (method.name, error.violations)
        assert world.audit.asked, method.name
        for asked in world.audit.asked:
            reason = asked.justification
            assert asked.access_token and reason.case_number and reason.purpose, method.name


@pytest.mark.clause("I", "IV.A.5")
async def test_without_a_token_nothing_is_asked(world: World) -> None:
    world.metadata = ()
    for method in QUESTIONS:
        error = await ended(world, method)

        assert error is not None, method.name
        assert error.code is grpc.StatusCode.UNAUTHENTICATED, method.name
    assert world.audit.asked == []


@pytest.mark.clause("IV.A.5", "IV.E.2")
async def test_nothing_is_shown_or_looked_at_while_audit_is_down(world: World) -> None:
    before = await permits_used(world)
    await world.audit_server.stop(None)

    for method in QUESTIONS:
        assert is_audit_unavailable(await ended(world, method)), method.name
    assert await permits_used(world) == before


@pytest.mark.clause("IV.A.5", "IV.E.2")
async def test_nothing_is_shown_or_looked_at_while_audit_fails_or_is_silent(world: World) -> None:
    before = await permits_used(world)
    world.audit.refusal = world.audit.intent_error = InternalError("no")
    for method in QUESTIONS:
        assert is_audit_unavailable(await ended(world, method)), method.name

    world.audit.refusal, world.audit.silent = None, True
    errors = await asyncio.gather(*(ended(world, method) for method in QUESTIONS))
    assert [is_audit_unavailable(error) for error in errors] == [True] * len(QUESTIONS)
    assert await permits_used(world) == before


@pytest.mark.clause("IV.A.5", "III.D.1")
async def test_audits_refusal_reaches_the_person_unchanged(world: World) -> None:
    world.audit.refusal = NotPermittedError("no training on record", metadata={"clauses": "III.D.1"})

    for method in QUESTIONS:
        error = await ended(world, method)

        assert error is not None, method.name
        assert (error.code, error.metadata["clauses"]) == (grpc.StatusCode.PERMISSION_DENIED, "III.D.1")


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize(
    "change",
    [{"key": b"\x02" * 32}, {"question": "kind:5:other"}, {"kind": "other"}],
    ids=["another key", "another question", "another kind"],
)
async def test_a_permit_that_audit_made_wrongly_opens_nothing(world: World, change: dict[str, Any]) -> None:
    before = await permits_used(world)
    world.audit.change_permit = lambda permit: replace(permit, **change).text()

    for method in QUESTIONS:
        assert is_audit_unavailable(await ended(world, method)), method.name
    assert await permits_used(world) == before


@pytest.mark.clause("IV.E.2")
async def test_nothing_is_shown_when_its_leaving_cannot_be_recorded(world: World) -> None:
    world.audit.outcome_error = StorageUnavailableError("the log is full")

    for method in QUESTIONS:
        assert is_audit_unavailable(await ended(world, method)), method.name
