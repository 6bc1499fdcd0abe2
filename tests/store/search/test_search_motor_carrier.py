"""The Motor Carrier Safety data set in the database: no login, permit or question joins the two data sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from alpr.search.v1 import archive_service_pb2 as pb
from services.common.errors import InvalidFieldError
from services.search.wire_append import parse_append
from tests.support.databases import PERMIT_KEY
from tests.support.search_kit import (
    FIND_IMAGE,
    FIND_READS,
    OTHER_ORI,
    General,
    Image,
    LookBack,
    Plate,
    archived_read,
    now,
    permit_for,
    us,
)
from tests.support.search_motor_carrier import (
    SCALE,
    ApartLookBack,
    apart_image,
    apart_permit,
    apart_reads,
    scale_read,
)

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
REFUSED = "the permit does not allow this"
FIND_APART = "SELECT motor_carrier.find_mcsreads($1, $2, $3, $4, $5, $6, $7, $8)"
APART_READS = "SELECT * FROM motor_carrier.general_reads($1, 'mcsreads')"
LOOK_BACK = "SELECT {}.find_for_look_back($1, $2, $3, $4, $5, $6, $7, $8, $9)"
LOGINS = {
    "archive": ("search_append", "search_question", "search_purge", "search_register", "search_health"),
    "motor_carrier": ("search_mcs_append", "search_mcs_question", "search_mcs_purge", "search_mcs_register"),
}


async def general(login: asyncpg.Connection, plate: str) -> list[str]:
    """Ids of the reads that a question about the plate finds in the archive."""
    question = Plate(plate)
    permit = permit_for(question)
    await login.execute(FIND_READS, permit, *question.arguments())
    rows = await login.fetch("SELECT * FROM archive.general_reads($1, 'reads')", permit)
    return [str(row["read_id"]) for row in rows]


async def apart(login: asyncpg.Connection, question: General, **permit: object) -> list[Any]:
    """The reads that the question finds in the data set, with its permit as it is changed."""
    text = apart_permit(question, **permit)
    await login.execute(FIND_APART, text, *question.arguments())
    return await login.fetch(APART_READS, text)


async def refused(login: asyncpg.Connection, statement: str, *arguments: object) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.fetch(statement, *arguments)


@pytest.mark.clause("II.H")
async def test_each_data_set_finds_its_own_reads_and_never_the_others(
    append, append_apart, connect: Connect, plate
) -> None:
    one, other = archived_read(plate=plate), scale_read(plate)

    stored = [*await append([one]), *await append_apart([other])]

    assert [result.status for result in stored] == ["STORED", "STORED"]
    assert await general(await connect("search_question"), plate) == [one.read.read_id]
    (found,) = await apart(await connect("search_mcs_question"), apart_reads(plate))
    assert (str(found["read_id"]), found["plate"], found["sensor_id"]) == (other.read.read_id, plate, SCALE)
    assert "image_key" not in dict(found)


@pytest.mark.clause("II.H")
async def test_a_read_of_one_data_set_has_no_picture_in_the_other(
    append, append_apart, connect: Connect, plate
) -> None:
    one, other = archived_read(plate=plate), scale_read(plate)
    await append([one])
    await append_apart([other])
    question, mcs_question = await connect("search_question"), await connect("search_mcs_question")

    keys, apart_keys = [], []
    for read_id in (one.read.read_id, other.read.read_id):
        image = Image(UUID(read_id))
        permit = permit_for(image)
        await question.execute(FIND_IMAGE, permit, *image.arguments())
        rows = await question.fetch("SELECT * FROM archive.image_key($1, $2)", permit, UUID(read_id))
        keys.append([row["image_key"] for row in rows])
        asked = apart_image(read_id)
        permit = apart_permit(asked)
        await mcs_question.execute(
            "SELECT motor_carrier.find_mcsimage($1, $2, $3, $4, $5)", permit, *asked.arguments()
        )
        rows = await mcs_question.fetch(
            "SELECT * FROM motor_carrier.image_key($1, $2)", permit, UUID(read_id)
        )
        apart_keys.append([row["image_key"] for row in rows])

    assert (keys, apart_keys) == ([[b"K" * 32], []], [[], [b"K" * 32]])


@pytest.mark.clause("III.E.5")
async def test_a_permit_signed_for_one_data_set_opens_nothing_in_the_other(
    append, append_apart, connect: Connect, plate
) -> None:
    await append([archived_read(plate=plate)])
    await append_apart([scale_read(plate)])
    question, mcs_question = Plate(plate), apart_reads(plate)
    general_login, apart_login = await connect("search_question"), await connect("search_mcs_question")

    await refused(
        apart_login, FIND_APART, apart_permit(mcs_question, key=PERMIT_KEY), *mcs_question.arguments()
    )
    await refused(
        general_login,
        FIND_READS,
        apart_permit(replace(General("reads"), from_us=question.from_us, to_us=question.to_us)),
        *question.arguments(),
    )


@pytest.mark.clause("III.E.5")
@pytest.mark.parametrize(
    ("schema", "strangers"), [("archive", "motor_carrier"), ("motor_carrier", "archive")]
)
async def test_no_login_of_one_data_set_may_execute_or_read_anything_of_the_other(
    connect: Connect, schema: str, strangers: str
) -> None:
    admin = await connect("admin")

    functions = await admin.fetch(
        "SELECT p.oid::regprocedure::text FROM pg_proc AS p, unnest($2::text[]) AS l (login)"
        " WHERE p.pronamespace = $1::text::regnamespace"
        " AND has_function_privilege(l.login, p.oid, 'EXECUTE')",
        schema,
        LOGINS[strangers],
    )
    tables = await admin.fetch(
        "SELECT c.oid::regclass::text FROM pg_class AS c, unnest($2::text[]) AS l (login)"
        " WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"
        " AND has_table_privilege(l.login, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')",
        schema,
        (*LOGINS["archive"], *LOGINS["motor_carrier"]),
    )

    assert ([row[0] for row in functions], [row[0] for row in tables]) == ([], [])


@pytest.mark.clause("III.E.5")
@pytest.mark.parametrize(
    ("owner", "schema"), [("archive_owner", "motor_carrier"), ("motor_carrier_owner", "archive")]
)
async def test_the_owner_of_one_data_set_reads_no_table_of_the_other(
    connect: Connect, owner: str, schema: str
) -> None:
    admin = await connect("admin")

    readable = await admin.fetch(
        "SELECT c.oid::regclass::text FROM pg_class AS c"
        " WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p')"
        " AND has_table_privilege($2::text, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')",
        schema,
        owner,
    )
    member = await admin.fetchval(
        "SELECT pg_has_role('archive_owner', 'motor_carrier_owner', 'MEMBER')"
        " OR pg_has_role('motor_carrier_owner', 'archive_owner', 'MEMBER')"
    )

    assert ([row[0] for row in readable], member) == ([], False)


@pytest.mark.clause("III.E.5", "IV.A.5")
@pytest.mark.parametrize("login", LOGINS["motor_carrier"])
@pytest.mark.parametrize(
    "table",
    ["read", "quarantine", "permit_key", "permit_used", "hold", "held_read", "evidence", "dissemination"],
)
async def test_its_own_logins_read_no_table(connect: Connect, login: str, table: str) -> None:
    held = await connect(login)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await held.fetch(f"SELECT * FROM motor_carrier.{table}")  # noqa: S608


@pytest.mark.clause("IV.A.5", "IV.E.1")
async def test_a_permit_is_held_to_its_question_scope_window_and_life(
    append_apart, connect: Connect, plate
) -> None:
    await append_apart([scale_read(plate), scale_read(plate, agency=OTHER_ORI)])
    login = await connect("search_mcs_question")
    question = apart_reads(plate)

    assert len(await apart(login, question)) == 1
    assert len(await apart(login, question, agencies=(OTHER_ORI,))) == 1
    assert await apart(login, question, groups=("somewhere-else",)) == []
    assert await apart(login, question, to_us=us(now() - timedelta(hours=1))) == []
    for text, asked in (
        (apart_permit(question, life=timedelta(seconds=-1)), question),
        (apart_permit(question), apart_reads("OTHER1")),
        (apart_permit(question, kind="mcsimage"), question),
        (apart_permit(question, kind="reads"), question),
    ):
        await refused(login, FIND_APART, text, *asked.arguments())


@pytest.mark.clause("IV.A.5")
async def test_a_question_without_plate_and_sensor_is_refused_whatever_its_permit(connect: Connect) -> None:
    login, question = await connect("search_mcs_question"), apart_reads()

    await refused(login, FIND_APART, apart_permit(question), *question.arguments())


@pytest.mark.clause("IV.A.5")
async def test_a_permit_is_used_once_and_who_rolls_back_has_seen_nothing(
    append_apart, connect: Connect, plate
) -> None:
    await append_apart([scale_read(plate)])
    login, question = await connect("search_mcs_question"), apart_reads(plate)
    permit = apart_permit(question)

    transaction = login.transaction()
    await transaction.start()
    await login.execute(FIND_APART, permit, *question.arguments())
    await refused(login, APART_READS, permit)
    await transaction.rollback()
    await login.execute(FIND_APART, permit, *question.arguments())

    assert len(await login.fetch(APART_READS, permit)) == 1
    await refused(login, FIND_APART, permit, *question.arguments())


async def test_the_reads_of_a_sensor_come_newest_first_in_full_pages(append_apart, connect: Connect) -> None:
    sensor = "i55-scale-house-2"
    times = [now() - timedelta(minutes=minutes) for minutes in (5, 90, 1, 60 * 24 * 40, 30)]
    reads = [scale_read(f"P{n}", sensor, captured=time) for n, time in enumerate(times)]
    await append_apart(reads)
    login, found = await connect("search_mcs_question"), []

    before = None
    while page := await apart(login, apart_reads(sensor_id=sensor, before=before, page_size=2)):
        found += page
        before = us(page[-1]["capture_time"]), page[-1]["read_id"]

    assert [row["capture_time"] for row in found] == sorted(times, reverse=True)


@pytest.mark.clause("II.H", "II.D")
async def test_a_look_back_sees_the_data_set_of_its_permit_alone(
    append, append_apart, connect: Connect, plate
) -> None:
    one, other = archived_read(plate=plate), scale_read(plate)
    await append([one])
    await append_apart([other, scale_read(plate, revision=8)])

    found = {}
    for schema, login_name, question, permit in (
        ("archive", "search_question", LookBack((plate,)), permit_for),
        ("motor_carrier", "search_mcs_question", ApartLookBack((plate,)), apart_permit),
    ):
        login, text = await connect(login_name), permit(question)
        await login.execute(LOOK_BACK.format(schema), text, *question.arguments())
        rows = await login.fetch(f"SELECT * FROM {schema}.look_back_reads($1)", text)  # noqa: S608
        found[schema] = [str(row["read_id"]) for row in rows]

    assert found == {"archive": [one.read.read_id], "motor_carrier": [other.read.read_id]}


@pytest.mark.clause("II.J")
async def test_what_is_stored_again_other_or_incomplete_is_told_apart(append_apart, plate) -> None:
    read, incomplete, old = (
        scale_read(plate),
        scale_read(plate),
        scale_read(plate, captured=now() - timedelta(days=91)),
    )
    incomplete.read.ClearField("image")
    other = pb.ArchivedRead()
    other.CopyFrom(read)
    other.read.plate = "OTHER1"

    first = await append_apart([read, read, incomplete, old])
    again = await append_apart([read, other])

    assert [one.status for one in first] == ["STORED", "DUPLICATE", "QUARANTINED", "OUT_OF_RETENTION"]
    assert [one.status for one in again] == ["DUPLICATE", "CONFLICT"]


def test_a_read_of_a_data_set_that_nobody_knows_is_refused() -> None:
    read = archived_read()
    read.partition = 9  # type: ignore[assignment]

    with pytest.raises(InvalidFieldError) as error:
        parse_append(pb.AppendReadsRequest(reads=[read]))

    assert [one.field for one in error.value.violations] == ["reads[0].partition"]
