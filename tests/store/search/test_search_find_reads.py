"""archive.find_reads: every form of the question finds what it must, page by page, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from alpr.search.v1 import archive_service_pb2 as archive_pb
from services.search.core.reads import JudgedRead
from services.search.store_append import AppendStore
from services.search.wire_append import parse_append
from tests.store.search.conftest import ArchiveDatabase
from tests.support.search_kit import (
    FIND_READS,
    ORI,
    OTHER_ORI,
    Plate,
    archived_read,
    now,
    permit_for,
    us,
)
from tests.support.search_reads import CENTER, LETTERS, Kept, edits, expected, kept, many_reads, same

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
READS = "SELECT read_id, capture_time FROM archive.general_reads($1, 'reads')"
ANSWER = "SELECT has_more FROM archive.general_answer($1, 'reads', $2)"
BOTH = (ORI, OTHER_ORI)
CIRCLE = json.dumps({"circle": [CENTER[0], CENTER[1], 1500]})
POLYGON = json.dumps(
    {
        "polygon": [
            [CENTER[0] - 0.02, CENTER[1] - 0.02],
            [CENTER[0] - 0.02, CENTER[1] + 0.02],
            [CENTER[0] + 0.005, CENTER[1]],
            [CENTER[0] + 0.03, CENTER[1] + 0.02],
            [CENTER[0] + 0.03, CENTER[1] - 0.02],
        ]
    }
)
AREAS = (CIRCLE, POLYGON, '{"group":"south"}', '{"sensors":["cam-2","car-7","cam-99"]}')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored(archive_database: ArchiveDatabase) -> list[Kept]:
    """Some hundred reads of two months, appended once for all tests of the module."""
    messages = many_reads(900, 60, "stored")
    async with asyncpg.create_pool(archive_database.database.url("search_append"), min_size=1) as pool:
        store = AppendStore(pool)
        for start in range(0, len(messages), 300):
            batch = parse_append(archive_pb.AppendReadsRequest(reads=messages[start : start + 300]))
            results = await store.append([JudgedRead(read, None) for read in batch])
            assert {result.status for result in results} == {"STORED"}
    return [kept(message) for message in messages]


async def one_page(
    login: asyncpg.Connection, question: Plate, **permit: Any
) -> tuple[list[asyncpg.Record], bool]:
    """Rows of one page, and whether there are more."""
    text = permit_for(question, **{"agencies": BOTH, **permit})
    await login.execute(FIND_READS, text, *question.arguments())
    return await login.fetch(READS, text), await login.fetchval(ANSWER, text, question.canonical())


async def all_pages(login: asyncpg.Connection, question: Plate, **permit: Any) -> list[UUID]:
    """Ids of all pages, one after the other."""
    found: list[UUID] = []
    while True:
        rows, more = await one_page(login, question, **permit)
        assert len(rows) <= question.page_size
        found += [row["read_id"] for row in rows]
        if not more:
            return found
        last = rows[-1]
        question = replace(question, before_us=us(last["capture_time"]), before_read_id=last["read_id"])


def random_question(chance: random.Random, reads: list[Kept]) -> Plate:
    """Any question that search may put."""
    form = chance.choice(("exact", "pattern", "look_alike", "one_off", "any"))
    plate = chance.choice(reads).plate
    if form in ("pattern", "look_alike"):
        letters = list(plate)
        for place in chance.sample(range(len(letters)), k=chance.choice((1, 1, 2))):
            letters[place] = chance.choice("?*")
        plate = "".join(letters)
    start, end = sorted(now() - timedelta(days=chance.uniform(-0.1, 62)) for _ in range(2))
    return Plate(
        plate="" if form == "any" else plate,
        form=form,
        from_us=us(start),
        to_us=us(end),
        page_size=chance.choice((1, 7, 50, 1000)),
        state=chance.choice(("", "", "IL", "WI", "HI")),
        provenance=chance.choice(("", "", "OWN", "PARTNER,COMMERCIAL")),
        area=chance.choice(AREAS if form == "any" else ("", "", *AREAS)),
    )


@pytest.mark.parametrize("number", range(10))
@pytest.mark.clause("II.F")
async def test_any_question_finds_what_a_look_at_every_read_finds(
    connect: Connect, stored: list[Kept], number: int
) -> None:
    chance = random.Random(same("question", number))
    login = await connect("search_question")
    for _ in range(6):
        question = random_question(chance, stored)
        agencies = chance.choice((BOTH, (ORI,), (OTHER_ORI,)))
        groups = chance.choice(((), (), ("north",)))

        found = await all_pages(login, question, agencies=agencies, groups=groups)

        assert found == expected(stored, question, agencies, groups), question


@pytest.mark.parametrize("form", ["exact", "pattern", "look_alike", "one_off"])
async def test_each_form_of_a_plate_finds_reads_at_all(
    connect: Connect, stored: list[Kept], form: str
) -> None:
    login, wanted = await connect("search_question"), stored[0].plate
    text = {"exact": wanted, "one_off": wanted[:-1] + "X"}.get(form, wanted[:3] + "*")

    found = await all_pages(login, Plate(text, form=form, page_size=5))

    assert found == expected(stored, Plate(text, form=form), BOTH)
    assert stored[0].read_id in found


@pytest.mark.parametrize("area", AREAS)
async def test_a_place_finds_every_plate_that_was_seen_there(
    connect: Connect, stored: list[Kept], area: str
) -> None:
    login, question = await connect("search_question"), Plate("", form="any", area=area, page_size=40)

    found = await all_pages(login, question)

    assert found == expected(stored, question, BOTH)
    assert 40 < len(found) < len(stored)


@pytest.mark.parametrize("area", ["", *AREAS])
@pytest.mark.clause("IV.E.1")
async def test_a_window_of_a_hundred_years_is_the_retention_period(
    connect: Connect, stored: list[Kept], area: str
) -> None:
    login, admin = await connect("search_question"), await connect("admin")
    question = Plate(
        stored[0].plate if not area else "",
        form="any" if area else "exact",
        from_us=us(datetime(2000, 1, 1, tzinfo=UTC)),
        to_us=us(datetime(2099, 12, 31, tzinfo=UTC)),
        page_size=1000,
        area=area,
    )
    kept_days = 20

    await admin.execute("UPDATE archive.setting SET retention_days = $1", kept_days)
    try:
        found = await all_pages(login, question)
    finally:
        await admin.execute("UPDATE archive.setting SET retention_days = 90")

    within = replace(question, from_us=us(now() - timedelta(days=kept_days)))
    assert found == expected(stored, within, BOTH)


@pytest.mark.clause("II.F")
@pytest.mark.parametrize("provenance", ["OWN", "PARTNER", "COMMERCIAL"])
async def test_reads_of_three_origins_are_one_list_and_may_be_parted(
    connect: Connect, stored: list[Kept], provenance: str
) -> None:
    login = await connect("search_question")
    question = Plate("", form="any", area=CIRCLE, page_size=1000)

    together = await all_pages(login, question)
    alone = await all_pages(login, replace(question, provenance=provenance))

    origin = {one.read_id: one.provenance for one in stored}
    assert {origin[read_id] for read_id in together} == {"OWN", "PARTNER", "COMMERCIAL"}
    assert alone == [read_id for read_id in together if origin[read_id] == provenance]


async def test_a_read_whose_state_could_not_be_told_is_not_lost_to_a_search_with_a_state(
    connect: Connect, stored: list[Kept]
) -> None:
    login = await connect("search_question")
    state = {one.read_id: one.state for one in stored}

    found = await all_pages(login, Plate("A*0*1", form="pattern", state="WI"))

    assert {state[read_id] for read_id in found} == {"WI", ""}


async def test_pages_do_not_move_when_reads_arrive_between_them(
    append, connect: Connect, stored: list[Kept]
) -> None:
    login = await connect("search_question")
    question = Plate("", form="any", area='{"sensors":["page-cam"]}', page_size=3)
    batch = [archived_read(now() - timedelta(hours=hours), plate=f"PG{hours}") for hours in range(1, 8)]
    late = [archived_read(now() - timedelta(minutes=5), plate="LATE")]
    for message in (*batch, *late):
        message.read.sensor_id = "page-cam"
    await append(batch)

    first, more = await one_page(login, question)
    await append(late)
    last = first[-1]
    rest = replace(
        question, before_us=us(last["capture_time"]), before_read_id=last["read_id"], page_size=100
    )

    assert more
    assert [str(row["read_id"]) for row in first] + [
        str(read_id) for read_id in await all_pages(login, rest)
    ] == [message.read.read_id for message in batch]


async def test_what_was_seen_every_other_day_of_the_quarter_is_found_on_all_of_them(
    append, connect: Connect
) -> None:
    login = await connect("search_question")
    batch = [
        archived_read(now() - timedelta(days=days, minutes=1), plate="EVERY2ND") for days in range(0, 88, 2)
    ]
    for message in batch:
        message.read.place.latitude, message.read.place.longitude = 12.3456, 65.4321
    await append(batch)

    for question in (
        Plate("EVERY2ND", page_size=1000),
        Plate("EVERY*", form="pattern", page_size=1000),
        Plate("", form="any", area='{"circle":[12.3456,65.4321,50]}', page_size=1000),
    ):
        found = await all_pages(login, question)

        assert [str(read_id) for read_id in found] == [message.read.read_id for message in batch]


@pytest_asyncio.fixture
async def impatient(connect: Connect) -> AsyncIterator[None]:
    """As if every look took too long: each page ends after its first window."""
    admin = await connect("admin")
    patience = (
        "CREATE OR REPLACE FUNCTION archive.page_patience() RETURNS interval LANGUAGE sql IMMUTABLE "
        "SET search_path = archive, pg_temp RETURN interval '{} seconds'"
    )
    await admin.execute(patience.format(0))
    yield
    await admin.execute(patience.format(2))


@pytest.mark.clause("III.B.2.a")
@pytest.mark.parametrize(
    "question",
    [
        Plate("", form="any", area='{"group":"south"}', from_us=us(now() - timedelta(days=3)), page_size=9),
        Plate("A*1*1", form="pattern", page_size=3),
        Plate("", form="any", area=CIRCLE, from_us=us(now() - timedelta(days=2)), state="HI"),
    ],
)
async def test_a_question_that_takes_long_is_answered_in_more_pages_and_not_refused(
    connect: Connect, stored: list[Kept], impatient: None, question: Plate
) -> None:
    login, found, pages = await connect("search_question"), list[UUID](), 0
    asked = question
    while True:
        permit = permit_for(asked, agencies=BOTH)
        await login.execute(FIND_READS, permit, *asked.arguments())
        rows = await login.fetch(READS, permit)
        found += [row["read_id"] for row in rows]
        pages += 1
        if not await login.fetchval(ANSWER, permit, asked.canonical()):
            break
        resume = await login.fetchval("SELECT archive.reads_resume($1)", permit)
        before = (us(resume), UUID(int=0)) if resume else (us(rows[-1]["capture_time"]), rows[-1]["read_id"])
        asked = replace(asked, before_us=before[0], before_read_id=before[1])

    assert found == expected(stored, question, BOTH)
    assert pages > 2


async def test_where_a_page_goes_on_is_told_for_the_permit_of_that_page_only(
    connect: Connect, stored: list[Kept], impatient: None
) -> None:
    login, question = await connect("search_question"), Plate("", form="any", area=CIRCLE)
    permit = permit_for(question, agencies=BOTH)

    for text in (permit, permit_for(Plate("", form="any", area=POLYGON)), "v1|none"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.fetchval("SELECT archive.reads_resume($1)", text)
    await login.execute(FIND_READS, permit, *question.arguments())
    assert await login.fetchval("SELECT archive.reads_resume($1)", permit)


async def test_a_plate_that_came_with_this_very_batch_is_found_by_its_pattern(
    append, connect: Connect
) -> None:
    login = await connect("search_question")
    await append([archived_read(plate="ZYX987")])

    for form, plate in (("pattern", "Z?X9*"), ("look_alike", "2YX987"), ("one_off", "ZYX98")):
        assert len(await all_pages(login, Plate(plate, form=form))) == 1, form


@pytest.mark.parametrize("form", ["", "EXACT", "regex", "exact'; --"])
async def test_a_form_that_there_is_not_finds_nothing(connect: Connect, form: str) -> None:
    login, question = await connect("search_question"), Plate("ABC1", form=form)
    permit = permit_for(question)

    with pytest.raises(asyncpg.DataError):
        await login.execute(FIND_READS, permit, *question.arguments())


@pytest.mark.parametrize(
    "change",
    [
        {"plate": "AB*"},
        {"form": "look_alike"},
        {"state": "IL"},
        {"provenance": "OWN"},
        {"area": CIRCLE},
        {"page_size": 1000},
        {"before_us": 1},
    ],
)
async def test_a_permit_is_for_one_question_in_all_its_parts(
    connect: Connect, change: dict[str, Any]
) -> None:
    login, question = await connect("search_question"), Plate("ABC*", form="pattern")
    permit = permit_for(question)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute(FIND_READS, permit, *replace(question, **change).arguments())


@pytest.mark.parametrize("form", ["exact", "pattern", "look_alike", "one_off"])
async def test_sql_in_every_text_is_only_text(connect: Connect, stored: list[Kept], form: str) -> None:
    """A search process that is somebody else's may put anything for which audit gives a permit."""
    login = await connect("search_question")
    for text in ("x' OR 1=1 --", "%", "_", "A%", "\\", "A'; SELECT pg_sleep(9); --", "?*?", "*"):
        question = Plate(text, form=form, state=text, provenance=text)

        assert await all_pages(login, question) == []


async def test_one_character_off_is_what_edit_distance_says(connect: Connect) -> None:
    admin, chance = await connect("admin"), random.Random(same("one off"))
    for _ in range(20):
        plate = "".join(chance.choices(LETTERS, k=chance.randint(4, 8)))
        texts = await admin.fetchval("SELECT archive.one_off_texts($1)", plate)
        assert {edits(plate, text) for text in texts} == {0, 1}
        other = list(plate)
        other[chance.randrange(len(other))] = chance.choice("XYZ")
        assert "".join(other) in texts
