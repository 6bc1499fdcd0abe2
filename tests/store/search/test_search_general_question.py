"""Questions of the general form: computed answers, and what general functions refuse."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from tests.support.search_kit import (
    FIND_IMAGE,
    FIND_READS,
    General,
    Image,
    LookBack,
    Plate,
    archived_read,
    now,
    permit_for,
)

REFUSED = "the permit does not allow this"
FIND = "SELECT archive.find_counted($1, $2, $3, $4, $5)"
ANSWER = "SELECT row_count, rows_digest, has_more FROM archive.general_answer($1, 'counted', $2)"
COMPUTED = "SELECT answer FROM archive.general_computed($1, $2)"
READS = "SELECT * FROM archive.general_reads($1, $2)"

# A question as a file of services/search/sql writes it: opened, required, clamped, kept.
COUNTED = """
SET ROLE archive_owner;
CREATE FUNCTION archive.find_counted(permit text, from_us bigint, to_us bigint, page_size integer, note text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'counted');
    plates text[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('counted', from_us, to_us, page_size,
        archive.canonical_line('note', archive.argument_value(note))));
    SELECT array_agg(r.plate ORDER BY r.plate) INTO plates FROM archive.read AS r
     WHERE r.capture_time >= greatest(archive.moment(from_us), opened.from_time, archive.retention_start())
       AND r.capture_time < least(archive.moment(to_us), opened.to_time)
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_computed(opened, to_jsonb(plates)::text, cardinality(plates), true);
END $$;
REVOKE ALL ON FUNCTION archive.find_counted(text, bigint, bigint, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.find_counted(text, bigint, bigint, integer, text) TO search_question;
RESET ROLE;
"""

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


@pytest_asyncio.fixture
async def counted(connect: Connect, append, plate: str) -> AsyncIterator[General]:
    """A question that computes, with one read to compute from."""
    admin = await connect("admin")
    await admin.execute(COUNTED)
    captured = now() - timedelta(days=1)
    await append([archived_read(captured, plate=plate)])
    note = f"{plate}, {'x' * 3000}"
    yield General("counted", (("note", hashlib.sha256(note.encode()).hexdigest()),), (note,))
    await admin.execute("DROP FUNCTION archive.find_counted(text, bigint, bigint, integer, text)")


async def refused(login: asyncpg.Connection, statement: str, *arguments: object) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.fetch(statement, *arguments)


async def test_a_computed_answer_is_given_to_the_letter_with_its_rows_and_digest(
    connect: Connect, counted, plate
) -> None:
    login, permit = await connect("search_question"), permit_for(counted)

    await login.execute(FIND, permit, *counted.arguments())
    summary = await login.fetchrow(ANSWER, permit, counted.canonical())
    text = await login.fetchval(COMPUTED, permit, "counted")

    assert plate in text
    assert summary["row_count"] == text.count('"') // 2
    assert summary["rows_digest"] == hashlib.sha256(text.encode()).digest()
    assert summary["has_more"] is True
    assert await login.fetch(READS, permit, "counted") == []


async def test_a_computed_answer_is_given_after_commit_only_and_its_permit_is_used_once(
    connect: Connect, counted
) -> None:
    login, permit = await connect("search_question"), permit_for(counted)

    transaction = login.transaction()
    await transaction.start()
    await login.execute(FIND, permit, *counted.arguments())
    for statement, argument in ((ANSWER, counted.canonical()), (COMPUTED, "counted")):
        savepoint = login.transaction()
        await savepoint.start()
        await refused(login, statement, permit, argument)
        await savepoint.rollback()
    await transaction.rollback()

    await refused(login, COMPUTED, permit, "counted")
    await login.execute(FIND, permit, *counted.arguments())
    await refused(login, FIND, permit, *counted.arguments())


async def test_a_long_argument_is_bound_to_the_permit_by_its_hash(connect: Connect, counted) -> None:
    login, permit = await connect("search_question"), permit_for(counted)

    await refused(login, FIND, permit, *replace(counted, typed=(counted.typed[0] + "x",)).arguments())


async def test_the_answer_of_one_question_is_not_given_for_another(connect: Connect, counted) -> None:
    login, permit = await connect("search_question"), permit_for(counted)
    await login.execute(FIND, permit, *counted.arguments())

    await refused(login, ANSWER, permit, replace(counted, page_size=7).canonical())


async def test_general_functions_open_neither_pictures_nor_look_backs(connect: Connect, append) -> None:
    read = archived_read()
    await append([read])
    login = await connect("search_question")
    image, look_back = Image(UUID(read.read.read_id)), LookBack()
    image_permit, look_back_permit = permit_for(image), permit_for(look_back)
    await login.execute(FIND_IMAGE, image_permit, *image.arguments())
    await login.execute(
        "SELECT archive.find_for_look_back($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        look_back_permit,
        *look_back.arguments(),
    )

    for permit, question in ((image_permit, image), (look_back_permit, look_back)):
        for statement in (READS, COMPUTED):
            for kind in (question.kind, "reads", ""):
                await refused(login, statement, permit, kind)
        await refused(
            login, "SELECT archive.general_answer($1, $2, $3)", permit, "reads", question.canonical()
        )


async def test_computed_answers_are_forgotten_when_their_permit_has_ended(connect: Connect, counted) -> None:
    login, admin, purge = [await connect(one) for one in ("search_question", "admin", "search_purge")]
    permits = [permit_for(counted) for _ in range(2)]
    for permit in permits:
        await login.execute(FIND, permit, *counted.arguments())
    await admin.execute(
        "UPDATE archive.computed_answer SET expires_at = clock_timestamp() WHERE permit_id = $1::text::uuid",
        permits[0].split("|")[1],
    )

    await purge.execute("SELECT archive.forget_expired_permits()")

    assert await login.fetch(COMPUTED, permits[0], "counted") == []
    assert len(await login.fetch(COMPUTED, permits[1], "counted")) == 1


async def test_computed_answers_are_never_written_to_the_log_that_backups_are_made_from(
    connect: Connect,
) -> None:
    admin = await connect("admin")

    kept = await admin.fetchval(
        "SELECT relpersistence::text FROM pg_class WHERE oid = 'archive.computed_answer'::regclass"
    )

    assert kept == "u"


async def test_a_plate_question_of_another_kind_of_permit_gives_nothing(
    append, connect: Connect, plate
) -> None:
    await append([archived_read(plate=plate)])
    login, question = await connect("search_question"), Plate(plate)
    permit = permit_for(question, kind="summary")

    await refused(login, FIND_READS, permit, *question.arguments())
