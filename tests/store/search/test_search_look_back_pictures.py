"""Keys of pictures for the hits of a look-back: what a permit opens, and that nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from alpr.search.v1 import archive_service_pb2 as archive_pb
from tests.support.search_kit import OTHER_ORI, General, archived_read, now, permit_for, us

FIND = "SELECT archive.find_lookbackimage($1, $2, $3, $4, $5, $6, $7)"
KEYS = "SELECT * FROM archive.lookbackimage_keys($1)"
ANSWER = "SELECT * FROM archive.general_answer($1, 'lookbackimage', $2)"

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


def pictures(*reads: archive_pb.ArchivedRead, **changes: Any) -> General:
    """The question for the pictures of these reads."""
    intent_id, changed_id = str(uuid4()), str(uuid4())
    read_ids = ",".join(one.read.read_id for one in reads)
    named = (("intent_id", intent_id), ("changed_id", changed_id), ("read_ids", read_ids))
    return General("lookbackimage", named, (intent_id, changed_id, read_ids), page_size=len(reads), **changes)


async def keys(login: asyncpg.Connection, question: General, **permit: object) -> dict[str, Any]:
    """Rows by read id that a permit for `question` gives, with `permit` as it is changed."""
    text = permit_for(question, **permit)
    await login.execute(FIND, text, *question.arguments())
    return {str(row["read_id"]): row for row in await login.fetch(KEYS, text)}


async def refused(login: asyncpg.Connection, statement: str, *arguments: object) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the permit does not allow this"):
        await login.fetch(statement, *arguments)


@pytest.mark.clause("II.D", "IV.E.2")
async def test_a_permit_gives_the_keys_of_its_reads_and_of_no_other(append, connect: Connect) -> None:
    one, other, unasked = (archived_read(seed=str(uuid4())) for _ in range(3))
    await append([one, other, unasked])
    login, question = await connect("search_question"), pictures(other, one, archived_read())
    permit = permit_for(question)

    await login.execute(FIND, permit, *question.arguments())
    found = await login.fetch(KEYS, permit)
    (answer,) = await login.fetch(ANSWER, permit, question.canonical())

    assert [str(row["read_id"]) for row in found] == sorted((one.read.read_id, other.read.read_id))
    assert answer["row_count"] == 2
    by_id = {str(row["read_id"]): row for row in found}
    row = by_id[one.read.read_id]
    assert (row["image_sha256"], row["image_key"]) == (one.read.image.sha256, one.read.image.image_key)
    assert row["image_day"].isoformat() == one.read.image.day


@pytest.mark.clause("IV.A.5", "III.B.3.f", "IV.E.1")
async def test_agency_window_and_retention_limit_it(append, connect: Connect) -> None:
    own, theirs = archived_read(seed=str(uuid4())), archived_read(seed=str(uuid4()), agency=OTHER_ORI)
    older = archived_read(now() - timedelta(hours=30), seed=str(uuid4()))
    await append([own, theirs, older])
    login = await connect("search_question")
    day_ago = us(now() - timedelta(days=1))

    assert set(await keys(login, pictures(own, theirs, older))) == {own.read.read_id, older.read.read_id}
    assert set(await keys(login, pictures(own, older, from_us=day_ago))) == {own.read.read_id}
    assert set(await keys(login, pictures(own, older), from_us=day_ago)) == {own.read.read_id}
    assert set(await keys(login, pictures(own, theirs), agencies=(OTHER_ORI,))) == {theirs.read.read_id}
    assert not await keys(login, pictures(own), groups=("elsewhere",))


@pytest.mark.clause("IV.A.5")
async def test_a_permit_opens_no_other_pictures_and_nothing_before_it_is_used(
    append, connect: Connect
) -> None:
    one, other = archived_read(seed=str(uuid4())), archived_read(seed=str(uuid4()))
    await append([one, other])
    login, question = await connect("search_question"), pictures(one)
    permit = permit_for(question)
    intent_id, changed_id, _ = question.typed

    await refused(login, KEYS, permit)
    for typed in (
        (intent_id, changed_id, other.read.read_id),
        (intent_id, changed_id, f"{one.read.read_id},{other.read.read_id}"),
        (str(uuid4()), changed_id, one.read.read_id),
        (intent_id, str(uuid4()), one.read.read_id),
    ):
        await refused(login, FIND, permit, *replace(question, typed=typed).arguments())
    await refused(login, KEYS, permit)


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("kind", ["lookback", "image", "reads", "evidence"])
async def test_a_permit_of_another_kind_opens_nothing(append, connect: Connect, kind: str) -> None:
    read = archived_read(seed=str(uuid4()))
    await append([read])
    login, question = await connect("search_question"), pictures(read)
    permit = permit_for(question, kind=kind)

    await refused(login, FIND, permit, *question.arguments())
    await refused(login, KEYS, permit)


@pytest.mark.clause("IV.A.5")
async def test_a_permit_is_used_once_and_its_answer_is_seen_only_when_that_is_on_disk(
    append, connect: Connect
) -> None:
    read = archived_read(seed=str(uuid4()))
    await append([read])
    login, question = await connect("search_question"), pictures(read)
    permit = permit_for(question)

    async with login.transaction():
        await login.execute(FIND, permit, *question.arguments())
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with login.transaction():
                await login.fetch(KEYS, permit)

    assert len(await login.fetch(KEYS, permit)) == 1
    await refused(login, FIND, permit, *question.arguments())


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("login", ["search_append", "search_purge", "search_mcs_question"])
async def test_no_other_login_may_ask(connect: Connect, login: str) -> None:
    question = pictures(archived_read())
    held = await connect(login)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await held.execute(FIND, permit_for(question), *question.arguments())


async def test_what_is_no_read_id_is_refused(connect: Connect) -> None:
    login, good = await connect("search_question"), pictures(archived_read())
    named = (*good.named[:2], ("read_ids", "x"))
    question = replace(good, named=named, typed=(*good.typed[:2], "x"))

    with pytest.raises(asyncpg.DataError):
        await login.execute(FIND, permit_for(question), *question.arguments())
