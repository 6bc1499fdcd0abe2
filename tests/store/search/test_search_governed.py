"""Every question that the archive answers, attacked with the question logins' full credentials.

The functions are taken from the database, so that a new one is put to the test or makes this file red.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from services.search.core.reads import JudgedRead, shortcoming
from services.search.store_append import AppendStore
from services.search.wire_append import parse_append
from tests.support.databases import MCS_PERMIT_KEY
from tests.support.search_governed import (
    COMPANION,
    GROUP,
    NO_READ,
    OTHERS,
    PLATE,
    SECRET,
    Case,
    Moments,
    apart,
    cases,
    expired,
    outside,
    travels,
    window,
)
from tests.support.search_kit import ORI, Permit, now, us

Connect = Callable[[str], Awaitable[asyncpg.Connection]]

LOGIN_OF = {"archive": "search_question", "motor_carrier": "search_mcs_question"}
MOMENTS = Moments.until(now())
TRAVELS = travels(MOMENTS)
# The newest read of the plate within every scope.
READ_ID = max((one.read for one in TRAVELS if one.read.plate == PLATE), key=lambda one: one.read_id).read_id
CASES = cases(MOMENTS, UUID(READ_ID))
REFUSED = "the permit does not allow this"


def shown(case: Case) -> str:
    return f"{case.function}-{case.arguments.get('plate_form', '')}".strip("-")


every_case = pytest.mark.parametrize("case", CASES, ids=shown)


def permit(case: Case, **changes: Any) -> str:
    """A permit for the case, narrower than its question: its agency, its group, its window."""
    usual = {
        "kind": case.kind,
        "from_us": us(MOMENTS.permit_start),
        "to_us": us(MOMENTS.permit_end),
        "agencies": (ORI,),
        "groups": (GROUP,),
        "key": case.key,
    }
    return Permit(case.canonical(*window(MOMENTS)), **{**usual, **changes}).text()


async def find(login: asyncpg.Connection, case: Case, token: str | None) -> None:
    await login.execute(case.statement(), token, *case.typed(*window(MOMENTS)))


async def take(login: asyncpg.Connection, case: Case, token: str | None) -> list[str]:
    """Everything that the answer functions of the case give."""
    given = []
    for statement in case.takes:
        arguments = (token, case.read_id) if "$2" in statement else (token,)
        given += [row[0] for row in await login.fetch(statement.format(kind=case.kind), *arguments)]
    return given


async def ask(login: asyncpg.Connection, case: Case, **changes: Any) -> list[str]:
    token = permit(case, **changes)
    await find(login, case, token)
    return await take(login, case, token)


async def assert_refused(call: Awaitable[Any]) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
        await call
    assert str(refusal.value) == REFUSED


async def login_of(connect: Connect, case: Case) -> asyncpg.Connection:
    return await connect(LOGIN_OF[case.schema])


@pytest.fixture
async def store(append: Any, append_apart: Any) -> Callable[[list[Any]], Awaitable[None]]:
    """Stores reads in both data sets; stored again they change nothing."""

    async def both(reads: list[Any]) -> None:
        await append(reads)
        await append_apart(apart(reads))

    return both


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(archive_database: Any) -> None:
    """Passages that every case finds."""
    for login, schema, reads in (
        ("search_append", "archive", TRAVELS),
        ("search_mcs_append", "motor_carrier", apart(TRAVELS)),
    ):
        async with asyncpg.create_pool(archive_database.database.url(login), min_size=1) as pool:
            parsed = parse_append(AppendReadsRequest(reads=reads))
            await AppendStore(pool, schema).append(
                [JudgedRead(read, shortcoming(read, now())) for read in parsed]
            )


pytestmark = pytest.mark.usefixtures("world")


async def test_every_question_function_of_the_database_is_put_to_the_test(connect: Connect) -> None:
    admin = await connect("admin")
    rows = await admin.fetch(
        "SELECT p.pronamespace::regnamespace || '.' || p.proname AS name FROM pg_proc AS p "
        "JOIN pg_roles AS l ON l.rolcanlogin AND l.rolname LIKE 'search%' "
        "WHERE p.proname LIKE 'find%' AND p.pronamespace::regnamespace::text IN ('archive', 'motor_carrier') "
        "AND has_function_privilege(l.oid, p.oid, 'EXECUTE')"
    )

    assert {row["name"] for row in rows} == {case.function for case in CASES} | set(OTHERS)


@pytest.mark.parametrize(("function", "file"), OTHERS.items())
def test_what_is_left_to_another_file_is_put_to_the_test_there(function: str, file: str) -> None:
    assert f"{function.partition('.')[2]}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


@pytest.mark.clause("IV.A.5")
@every_case
async def test_a_lawful_question_finds_what_is_within_its_permit(connect: Connect, case: Case) -> None:
    given = await ask(await login_of(connect, case), case)

    assert given
    assert given != ["null"]
    assert any(
        known in text for text in given for known in (PLATE, COMPANION, READ_ID, "gov-cam", "\\\\x4b4b")
    )


FORGERIES: dict[str, Callable[[Case], str | None]] = {
    "no permit": lambda _: None,
    "an empty one": lambda _: "",
    "words": lambda _: "please",
    "another key": lambda case: permit(case, key=b"\x01" * 32),
    "the key of the other data set": lambda case: permit(
        case, key=MCS_PERMIT_KEY if case.key != MCS_PERMIT_KEY else bytes(range(32))
    ),
    "another kind": lambda case: permit(case, kind="reads" if case.kind != "reads" else "read"),
    "a life that ended": lambda case: permit(case, life=timedelta(seconds=-1)),
    "another agency in an old seal": lambda case: permit(case).replace(ORI, "ILXXX0000"),
    "a cut seal": lambda case: permit(case)[:-2],
}


@pytest.mark.clause("IV.A.5", "IV.C.5", "IV.C.6")
@every_case
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_no_answer_without_a_genuine_living_permit_of_its_kind(
    connect: Connect, case: Case, forgery: Callable[[Case], str | None]
) -> None:
    login, token = await login_of(connect, case), forgery(case)

    await assert_refused(find(login, case, token))
    await assert_refused(take(login, case, token))


@pytest.mark.clause("IV.A.5")
@every_case
async def test_no_answer_to_another_question_than_the_permits(connect: Connect, case: Case) -> None:
    login, token = await login_of(connect, case), permit(case)
    from_us, to_us = window(MOMENTS)
    typed = case.typed(from_us, to_us)
    names = ("from_us", "to_us", "page_size", *case.arguments)

    for place, value in enumerate(typed):
        # An absent value is spelled as an empty one, and means the same.
        for other in (changed(value, names[place]), *(() if value in ("", False, None) else (None,))):
            arguments = (*typed[:place], other, *typed[place + 1 :])
            await assert_refused(login.execute(case.statement(), token, *arguments))
    await assert_refused(take(login, case, token))
    await find(login, case, token)


def changed(value: object, name: str) -> object:
    """Another value of the argument's type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case UUID():
            return uuid4()
        case list():
            return [*value[:-1], f"{value[-1]} "]
        case None:
            return uuid4() if name.endswith("read_id") else 1
        case _:
            return f"{value},x"


@pytest.mark.clause("IV.A.5")
@every_case
async def test_a_permit_is_used_once_and_gives_nothing_before_its_use_has_committed(
    connect: Connect, case: Case
) -> None:
    login, token = await login_of(connect, case), permit(case)

    await assert_refused(take(login, case, token))
    transaction = login.transaction()
    await transaction.start()
    await find(login, case, token)
    savepoint = login.transaction()
    await savepoint.start()
    await assert_refused(take(login, case, token))
    await savepoint.rollback()
    await transaction.rollback()
    await assert_refused(take(login, case, token))
    await find(login, case, token)
    first = await take(login, case, token)
    await assert_refused(find(login, case, token))
    assert await take(login, case, token) == first


@pytest.mark.clause("IV.A.5")
@every_case
async def test_one_permits_answer_is_not_given_for_another_permit(connect: Connect, case: Case) -> None:
    login, used, unused = await login_of(connect, case), permit(case), permit(case)
    await find(login, case, used)

    await assert_refused(take(login, case, unused))


@pytest.mark.clause("IV.A.5", "II.F", "IV.E.1")
@every_case
async def test_reads_of_other_agencies_groups_and_times_change_no_answer(
    connect: Connect, store: Any, case: Case
) -> None:
    login, admin = await login_of(connect, case), await connect("admin")
    before, strangers, old = await ask(login, case), outside(MOMENTS), expired(MOMENTS)
    try:
        await keep_days(admin, 11)
        short_before = await ask(login, case)
        await keep_days(admin, 90)
        await store(strangers)
        assert await ask(login, case) == before
        # With the whole scope they do: what is compared here is not blind.
        wide = await ask(login, case, agencies=(ORI, "ILCPD0001"), groups=(), from_us=0, to_us=2**52)
        assert wide != before or case.by_read
        await store(old)
        await keep_days(admin, 11)
        assert await ask(login, case) == short_before
    finally:
        await keep_days(admin, 90)
        await forget(admin, [*strangers, *old])


async def keep_days(admin: asyncpg.Connection, days: int) -> None:
    await admin.execute("UPDATE archive.setting SET retention_days = $1", days)


async def forget(admin: asyncpg.Connection, reads: list[Any]) -> None:
    for schema in ("archive", "motor_carrier"):
        ids = [UUID(one.read.read_id) for one in reads]
        await admin.execute(f"DELETE FROM {schema}.read WHERE read_id = ANY ($1)", ids)  # noqa: S608


@pytest.mark.clause("IV.A.5", "II.F", "IV.E.1")
@pytest.mark.parametrize("case", [case for case in CASES if case.by_read], ids=shown)
async def test_a_read_outside_the_permit_is_not_there_by_its_id_either(
    connect: Connect, store: Any, case: Case
) -> None:
    login, admin = await login_of(connect, case), await connect("admin")
    strangers = [one for one in outside(MOMENTS) if one.read.plate == SECRET]
    await store(strangers)
    try:
        for read_id in (*(one.read.read_id for one in strangers), str(NO_READ), str(uuid4())):
            value = read_id if case.by_read == "read_ids" else UUID(read_id)
            other = replace(case, arguments={**case.arguments, case.by_read: value})
            assert await ask(login, other) == []
    finally:
        await forget(admin, strangers)


@every_case
async def test_a_permit_that_names_no_existing_group_opens_nothing(connect: Connect, case: Case) -> None:
    given = await ask(await login_of(connect, case), case, groups=("-",))

    text = json.dumps(given)
    assert not any(known in text for known in (PLATE, COMPANION, "gov-cam", READ_ID))


ANSWERS = {
    "search_question": {
        "general_answer",
        "general_reads",
        "general_computed",
        "image_key",
        "report_pictures",
        "evidence_picture",
        "export_pictures",
        "reads_resume",
        "lookbackimage_keys",
        "look_back_answer",
        "look_back_reads",
        "held_image_key",
        "held_reads",
    },
    "search_mcs_question": {
        "evidence_picture",
        "export_pictures",
        "general_answer",
        "general_computed",
        "general_reads",
        "held_image_key",
        "held_reads",
        "image_key",
        "look_back_answer",
        "look_back_reads",
        "mcslookbackimage_keys",
        "report_pictures",
    },
}


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("login_name", ANSWERS)
async def test_every_other_function_of_a_question_login_refuses_whoever_has_no_used_permit(
    connect: Connect, login_name: str
) -> None:
    admin, login = await connect("admin"), await connect(login_name)
    functions = await admin.fetch(
        "SELECT p.oid::regprocedure::text AS signature, p.proname AS name, p.pronargs AS count "
        "FROM pg_proc AS p WHERE p.pronamespace::regnamespace::text IN ('archive', 'motor_carrier') "
        "AND p.proname NOT LIKE 'find%' AND has_function_privilege($1, p.oid, 'EXECUTE')",
        login_name,
    )

    assert {row["name"] for row in functions} == ANSWERS[login_name] | {"warm_up"}
    for row in functions:
        if row["name"] == "warm_up":
            continue
        function, _, types = row["signature"].rstrip(")").partition("(")
        for first in ("NULL", "''", "'v1|x'", f"'{permit(CASES[0])}'"):
            values = [f"{first}::text", *(f"NULL::{one}" for one in types.split(",")[1:])]
            await assert_refused(login.fetch(f"SELECT * FROM {function}({', '.join(values)})"))  # noqa: S608


@pytest.mark.clause("IV.A.5", "II.H")
async def test_no_login_of_search_can_touch_a_relation_or_become_an_owner(connect: Connect) -> None:
    admin = await connect("admin")
    logins = [
        row[0] for row in await admin.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'search%'")
    ]
    relations = await admin.fetch(
        "SELECT oid, oid::regclass::text AS name, relkind::text AS kind FROM pg_class "
        "WHERE relnamespace::regnamespace::text IN ('archive', 'motor_carrier') "
        "AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    )

    assert len(logins) >= 6
    assert len(relations) > 190
    for login in logins:
        for relation in relations:
            rights = "USAGE, SELECT, UPDATE" if relation["kind"] == "S" else _TABLE_RIGHTS
            check = "has_sequence_privilege" if relation["kind"] == "S" else "has_table_privilege"
            held = await admin.fetchval(f"SELECT {check}($1, $2::oid, $3)", login, relation["oid"], rights)
            assert not held, (login, relation["name"])
        roles = "SELECT rolname FROM pg_roles WHERE rolname <> $1 AND pg_has_role($1, oid, 'MEMBER')"
        assert await admin.fetch(roles, login) == []
        assert not await admin.fetchval(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls "
            "FROM pg_roles WHERE rolname = $1",
            login,
        )


_TABLE_RIGHTS = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"


@pytest.mark.clause("IV.A.5")
async def test_statistics_that_the_server_keeps_of_the_reads_show_nothing_to_a_login(
    connect: Connect,
) -> None:
    admin = await connect("admin")
    await admin.execute("ANALYZE archive.read")
    shown = "SELECT count(*) FROM pg_stats WHERE schemaname IN ('archive', 'motor_carrier')"
    assert await admin.fetchval(shown) > 0

    for name_ in ("search_append", "search_question", "search_purge", "search_mcs_question"):
        login = await connect(name_)
        assert await login.fetchval(shown) == 0
