"""Look-back in the database: what a permit opens, and that nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.common import canonical
from tests.support.search_kit import OTHER_ORI, LookBack, Plate, archived_read, now, permit_for, us

FIND = "SELECT archive.find_for_look_back($1, $2, $3, $4, $5, $6, $7, $8, $9)"
ANSWER = "SELECT row_count, has_more FROM archive.look_back_answer($1)"
READS = "SELECT * FROM archive.look_back_reads($1)"

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


async def ask(login: asyncpg.Connection, question: LookBack, **permit: object) -> list[Any]:
    """The reads that a permit for `question` gives, with `permit` as it is changed."""
    text = permit_for(question, **permit)
    await login.execute(FIND, text, *question.arguments())
    return await login.fetch(READS, text)


async def refused(login: asyncpg.Connection, statement: str, *arguments: object) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the permit does not allow this"):
        await login.fetch(statement, *arguments)


@pytest.mark.clause("II.D", "IV.C.5")
async def test_a_look_back_finds_reads_of_its_plates_that_older_lists_were_compared_with(
    append, connect: Connect, plate
) -> None:
    older, newer = archived_read(plate=plate, revision=7), archived_read(plate=plate, revision=8)
    await append([older, newer, archived_read(plate="OTHER1", revision=7)])

    (found,) = await ask(await connect("search_question"), LookBack((plate, "NEVER1"), match_revision=8))

    assert str(found["read_id"]) == older.read.read_id
    assert (found["plate"], found["match_revision"]) == (plate, 7)
    assert "image_key" not in dict(found)


async def test_without_plates_it_finds_every_older_read_in_pages_by_read_id(append, connect: Connect) -> None:
    agency = "ILLB00001"
    reads = [
        archived_read(now() - timedelta(hours=hours), plate=f"P{hours}", agency=agency, revision=3)
        for hours in range(1, 8)
    ]
    await append(reads)
    login = await connect("search_question")

    found: list[Any] = []
    after: UUID | None = None
    while True:
        question = LookBack(match_revision=4, page_size=3, after_read_id=after)
        text = permit_for(question, agencies=(agency,))
        await login.execute(FIND, text, *question.arguments())
        page = await login.fetch(READS, text)
        found += page
        after = page[-1]["read_id"]
        if not (await login.fetchrow(ANSWER, text))["has_more"]:
            break

    assert [str(row["read_id"]) for row in found] == sorted(one.read.read_id for one in reads)


@pytest.mark.clause("IV.E.1", "III.B.3.f")
async def test_window_retention_and_agency_limit_what_is_found(append, connect: Connect, plate) -> None:
    ages = (timedelta(hours=1), timedelta(hours=30), timedelta(days=89, hours=23, minutes=59, seconds=58))
    await append([archived_read(now() - age, plate=plate) for age in ages])
    await append([archived_read(plate=plate, agency=OTHER_ORI)])
    login, ever = (
        await connect("search_question"),
        LookBack((plate,), from_us=us(now() - timedelta(days=400))),
    )
    day_ago = us(now() - timedelta(days=1))
    await asyncio.sleep(2.1)  # the third read leaves the retention period

    assert len(await ask(login, ever)) == 2
    assert len(await ask(login, LookBack((plate,)))) == 1
    assert len(await ask(login, replace(ever, intent_id=uuid4()), from_us=day_ago)) == 1
    assert len(await ask(login, replace(ever, intent_id=uuid4()), agencies=(OTHER_ORI,))) == 1
    assert await ask(login, replace(ever, intent_id=uuid4()), groups=("elsewhere",)) == []


CHANGES: dict[str, Callable[[LookBack], LookBack]] = {
    "other plates": lambda asked: replace(asked, plates=("ZZ9",)),
    "one plate more": lambda asked: replace(asked, plates=(*asked.plates, "ZZ9")),
    "every plate": lambda asked: replace(asked, plates=()),
    "a later revision": lambda asked: replace(asked, match_revision=asked.match_revision + 1),
    "a longer window": lambda asked: replace(asked, from_us=asked.from_us - 1),
    "another list": lambda asked: replace(asked, changed_id=uuid4()),
    "another act": lambda asked: replace(asked, intent_id=uuid4()),
    "more rows": lambda asked: replace(asked, page_size=asked.page_size + 1),
    "another page": lambda asked: replace(asked, after_read_id=uuid4()),
}


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_permit_opens_no_other_look_back(
    append, connect: Connect, plate, change: Callable[[LookBack], LookBack]
) -> None:
    await append([archived_read(plate=plate)])
    login, question = await connect("search_question"), LookBack((plate,))
    permit = permit_for(question)

    await refused(login, FIND, permit, *change(question).arguments())
    await refused(login, READS, permit)


@pytest.mark.clause("IV.A.5")
async def test_a_permit_is_used_once_and_only_for_its_kind(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    login, question = await connect("search_question"), LookBack((plate,))
    permit = permit_for(question)
    await login.execute(FIND, permit, *question.arguments())

    await refused(login, FIND, permit, *question.arguments())
    await refused(login, "SELECT * FROM archive.general_reads($1, 'reads')", permit)
    await refused(login, READS, permit_for(Plate(plate)))
    assert len(await login.fetch(READS, permit)) == 1


@pytest.mark.clause("IV.A.5")
async def test_whoever_rolls_back_has_seen_nothing(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    login, question = await connect("search_question"), LookBack((plate,))
    permit = permit_for(question)

    transaction = login.transaction()
    await transaction.start()
    await login.execute(FIND, permit, *question.arguments())
    await refused(login, READS, permit)
    await transaction.rollback()

    await login.execute(FIND, permit, *question.arguments())
    assert len(await login.fetch(READS, permit)) == 1


@pytest.mark.parametrize("login", ["search_append", "search_purge"])
async def test_no_other_login_may_look_back(connect: Connect, login: str) -> None:
    question = LookBack(("AB1",))
    other = await connect(login)

    for statement, arguments in ((FIND, question.arguments()), (READS, ())):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.fetch(statement, permit_for(question), *arguments)


async def test_the_database_spells_look_backs_as_audit_does(connect: Connect) -> None:
    admin = await connect("admin")
    for question in (LookBack(("AB1", "CD2")), LookBack(after_read_id=uuid4())):
        asked = canonical.LookBackQuestion(
            question.intent_id,
            question.changed_id,
            question.match_revision,
            *(
                await admin.fetchrow(
                    "SELECT archive.moment($1), archive.moment($2)", question.from_us, question.to_us
                )
            ),
            len(question.plates),
            canonical.plates_digest(question.plates),
            question.page_size,
            question.after_read_id,
        )

        text = await admin.fetchval(
            "SELECT archive.look_back_question($1, $2, $3, $4, $5, $6, $7, $8)", *question.arguments()
        )

        assert text == question.canonical() == canonical.canonical_text(asked)
