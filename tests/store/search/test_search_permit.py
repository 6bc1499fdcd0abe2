"""The permit checked by the database, attacked with each login's full credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.search_kit import (
    FIND_IMAGE,
    FIND_READS,
    ORI,
    OTHER_ORI,
    Image,
    Permit,
    Plate,
    archived_read,
    now,
    permit_for,
    us,
    uuid7,
)

FIND = FIND_READS
ANSWER = "SELECT row_count, rows_digest, has_more FROM archive.general_answer($1, 'reads', $2)"
FOUND = "SELECT * FROM archive.general_reads($1, 'reads')"
REFUSED = "the permit does not allow this"
LOGINS = ("search_append", "search_question", "search_purge")

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


async def ask(login: asyncpg.Connection, permit: str | None, question: Plate) -> list[Any]:
    """What a client gets that uses a permit and takes the answer."""
    await login.execute(FIND, permit, *question.arguments())
    return await login.fetch(FOUND, permit)


async def assert_refused(login: asyncpg.Connection, permit: str | None, question: Plate) -> None:
    """No step of the question gives anything."""
    for statement, arguments in (
        (FIND, (permit, *question.arguments())),
        (ANSWER, (permit, question.canonical())),
        (FOUND, (permit,)),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refusal:
            await login.fetch(statement, *arguments)
        assert str(refusal.value) == REFUSED
        assert refusal.value.sqlstate == "42501"


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_a_genuine_permit_gives_the_reads_of_its_plate_newest_first(
    append, connect: Connect, plate
) -> None:
    times = [now() - timedelta(days=days, seconds=7) for days in (1, 80, 3)]
    await append([archived_read(time, plate=plate) for time in times] + [archived_read(plate="OTHER1")])
    login, question = await connect("search_question"), Plate(plate)

    rows = await ask(login, permit_for(question), question)

    assert [row["capture_time"] for row in rows] == sorted(times, reverse=True)
    assert {row["plate"] for row in rows} == {plate}
    assert "image_key" not in dict(rows[0])


FORGERIES: dict[str, Callable[[Permit], str | None]] = {
    "no permit": lambda _: None,
    "an empty permit": lambda _: "",
    "words": lambda _: "let me in",
    "bars only": lambda _: "|" * 10,
    "a megabyte": lambda _: "v1|" + "x" * 1_000_000,
    "another key": lambda permit: replace(permit, key=b"\xff" * 32).text(),
    "an empty key": lambda permit: replace(permit, key=b"").text(),
    "a MAC of zeros": lambda permit: permit.body() + "|" + "0" * 64,
    "no MAC": lambda permit: permit.body(),
    "a cut MAC": lambda permit: permit.text()[:-1],
    "a MAC in capitals": lambda permit: permit.body() + "|" + permit.text()[-64:].upper(),
    "a changed bit": lambda permit: permit.text()[:-1] + ("0" if permit.text()[-1] != "0" else "1"),
    "a changed agency": lambda permit: permit.text().replace(ORI, OTHER_ORI),
    "more behind the MAC": lambda permit: permit.text() + "|",
    "another version": lambda permit: replace(permit, version="v2").text(),
    "another kind": lambda permit: replace(permit, kind="image").text(),
    "kind alerts": lambda permit: replace(permit, kind="alerts").text(),
    "an end a second ago": lambda permit: replace(permit, life=timedelta(seconds=-1)).text(),
    "a field too many": lambda permit: replace(permit, account_id="a|b").text(),
    "an account with a bar that shifts the fields": lambda permit: replace(
        permit, account_id="a|plate", kind="x"
    ).text(),
    "a permit id that is none": lambda permit: replace(permit, permit_id="nobody").text(),  # type: ignore[arg-type]
    "a window that is none": lambda permit: replace(permit, from_us="soon").text(),  # type: ignore[arg-type]
}


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_no_row_leaves_without_a_genuine_living_permit(
    append, connect: Connect, plate, forgery
) -> None:
    await append([archived_read(plate=plate)])
    question = Plate(plate)
    login = await connect("search_question")

    await assert_refused(login, forgery(Permit(question.canonical())), question)


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize(
    "change",
    [
        {"plate": "STOLEN1"},
        {"from_us": us(now() - timedelta(days=90))},
        {"to_us": us(now() + timedelta(days=1))},
        {"page_size": 1000},
        {"before_us": us(now())},
        {"before_read_id": UUID(int=1)},
        {"plate": None},
        {"from_us": None},
        {"page_size": None},
    ],
    ids=lambda change: "-".join(
        f"{name}-{'null' if value is None else 'other'}" for name, value in change.items()
    ),
)
async def test_a_permit_serves_its_own_question_only(append, connect: Connect, plate, change) -> None:
    await append([archived_read(plate=plate), archived_read(plate="STOLEN1")])
    question = Plate(plate)
    login = await connect("search_question")

    await assert_refused(login, permit_for(question), replace(question, **change))


@pytest.mark.clause("IV.A.5")
async def test_the_scope_of_the_permit_decides_whose_reads_are_found(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate), archived_read(plate=plate, agency=OTHER_ORI)])
    question = Plate(plate)
    login = await connect("search_question")

    async def agencies(**changes: object) -> list[str]:
        rows = await ask(login, permit_for(question, **changes), question)
        return sorted(row["agency_ori"] for row in rows)

    assert await agencies(agencies=(OTHER_ORI,)) == [OTHER_ORI]
    assert await agencies(agencies=(ORI, OTHER_ORI)) == [OTHER_ORI, ORI]
    assert await agencies(agencies=()) == []
    assert await agencies(groups=("expressway-north", "x")) == [ORI]
    assert await agencies(groups=("somewhere-else",)) == []


@pytest.mark.clause("IV.E.1")
async def test_no_question_reaches_past_the_permit_window_or_the_retention_period(
    append, connect: Connect, plate
) -> None:
    old, new = now() - timedelta(days=89), now() - timedelta(days=1)
    await append([archived_read(old, plate=plate), archived_read(new, plate=plate)])
    admin, login = await connect("admin"), await connect("search_question")
    question = Plate(plate, from_us=0)

    async def found(**changes: object) -> list[object]:
        return [row["capture_time"] for row in await ask(login, permit_for(question, **changes), question)]

    assert await found() == [new, old]
    assert await found(from_us=us(now() - timedelta(days=2))) == [new]
    assert await found(to_us=us(now() - timedelta(days=2))) == [old]
    await admin.execute("UPDATE archive.setting SET retention_days = 88")
    try:
        assert await found() == [new]
    finally:
        await admin.execute("UPDATE archive.setting SET retention_days = 90")


@pytest.mark.clause("IV.A.5")
async def test_a_permit_is_used_once(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    question, login = Plate(plate), await connect("search_question")
    permit = permit_for(question)
    first = await ask(login, permit, question)
    await append([archived_read(plate=plate)])

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.execute(FIND, permit, *question.arguments())
    # The answer that was recorded as given can be taken again while the permit lives, and nothing but it.
    assert await login.fetch(FOUND, permit) == first


@pytest.mark.clause("IV.A.5")
async def test_whoever_rolls_back_the_use_of_a_permit_has_seen_nothing(
    append, connect: Connect, plate
) -> None:
    await append([archived_read(plate=plate)])
    question, login, other = Plate(plate), await connect("search_question"), await connect("search_question")
    permit = permit_for(question)

    for isolation in ("read_committed", "repeatable_read", "serializable"):
        transaction = login.transaction(isolation=isolation)
        await transaction.start()
        await login.execute(FIND, permit, *question.arguments())
        for statement, arguments in ((FOUND, (permit,)), (ANSWER, (permit, question.canonical()))):
            for connection in (login, other):
                savepoint = login.transaction()
                await savepoint.start()
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
                    await connection.fetch(statement, *arguments)
                await savepoint.rollback()
        await transaction.rollback()

    assert len(await ask(login, permit, question)) == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.execute(FIND, permit, *question.arguments())


async def test_a_permit_used_inside_a_savepoint_gives_nothing_before_commit(
    append, connect: Connect, plate
) -> None:
    await append([archived_read(plate=plate)])
    question, login = Plate(plate), await connect("search_question")
    permit = permit_for(question)

    async with login.transaction():
        async with login.transaction():
            await login.execute(FIND, permit, *question.arguments())
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
            async with login.transaction():
                await login.fetch(FOUND, permit)


async def test_the_answer_of_one_question_is_not_given_for_another(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    question, login = Plate(plate), await connect("search_question")
    permit = permit_for(question)
    await login.execute(FIND, permit, *question.arguments())

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.fetch(ANSWER, permit, Plate("OTHER1").canonical())


@pytest.mark.clause("IV.A.5")
async def test_two_permits_of_one_id_open_one_answer_only(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    question, login, permit_id = Plate(plate), await connect("search_question"), uuid4()
    await ask(login, permit_for(question, permit_id=permit_id), question)

    await assert_refused(login, permit_for(Plate("OTHER1"), permit_id=permit_id), Plate("OTHER1"))


@pytest.mark.clause("IV.E.1")
async def test_pages_of_a_plate_cover_every_read_once(append, connect: Connect, plate) -> None:
    moment = now() - timedelta(days=2)
    times = [moment] * 5 + [moment - timedelta(days=days) for days in range(1, 8)]
    reads = [archived_read(time, plate=plate) for time in times]
    await append(reads)
    login, seen, question = await connect("search_question"), [], Plate(plate, page_size=3)

    while True:
        permit = permit_for(question)
        rows = await ask(login, permit, question)
        seen += [row["read_id"] for row in rows]
        summary = await login.fetchrow(ANSWER, permit, question.canonical())
        assert summary["row_count"] == len(rows)
        if not summary["has_more"]:
            break
        last = rows[-1]
        question = replace(question, before_us=us(last["capture_time"]), before_read_id=last["read_id"])

    assert sorted(map(str, seen)) == sorted(read.read.read_id for read in reads)
    assert len(seen) == 12


async def test_a_permit_of_one_kind_opens_nothing_of_another(append, connect: Connect, plate) -> None:
    read = archived_read(plate=plate)
    await append([read])
    login, read_id = await connect("search_question"), UUID(read.read.read_id)
    question = Plate(plate)
    image = Image(read_id)
    plate_permit, image_permit = permit_for(question), permit_for(image)
    await login.execute(FIND, plate_permit, *question.arguments())
    await login.execute(FIND_IMAGE, image_permit, *image.arguments())

    for statement, *arguments in (
        (FIND_IMAGE, plate_permit, *image.arguments()),
        ("SELECT * FROM archive.image_key($1, $2)", plate_permit, read_id),
        (FOUND, image_permit),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
            await login.fetch(statement, *arguments)


@pytest.mark.clause("IV.A.3")
async def test_the_image_key_leaves_for_an_image_permit_only(append, connect: Connect, plate) -> None:
    read, other = archived_read(plate=plate), archived_read(plate=plate)
    await append([read, other])
    login, read_id = await connect("search_question"), UUID(read.read.read_id)
    key = "SELECT * FROM archive.image_key($1, $2)"
    image = Image(read_id)
    permit = permit_for(image)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.fetch(key, permit, read_id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
        await login.execute(FIND_IMAGE, permit, *replace(image, read_id=UUID(other.read.read_id)).arguments())
    await login.execute(FIND_IMAGE, permit, *image.arguments())
    assert [row["image_key"] for row in await login.fetch(key, permit, read_id)] == [b"K" * 32]
    assert await login.fetch(key, permit, UUID(other.read.read_id)) == []


async def test_the_image_of_another_agency_or_of_no_read_is_not_there(append, connect: Connect) -> None:
    read = archived_read(agency=OTHER_ORI)
    await append([read])
    login = await connect("search_question")

    for read_id in (UUID(read.read.read_id), uuid7(now()), uuid4(), UUID(int=0), UUID(int=2**128 - 1)):
        image = Image(read_id)
        permit = permit_for(image)
        await login.execute(FIND_IMAGE, permit, *image.arguments())
        assert await login.fetch("SELECT * FROM archive.image_key($1, $2)", permit, read_id) == []


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("login_name", LOGINS)
async def test_no_login_can_touch_a_relation_of_the_archive(append, connect: Connect, login_name) -> None:
    await append([archived_read()])
    admin, login = await connect("admin"), await connect(login_name)
    relations = await admin.fetch(
        "SELECT oid, oid::regclass::text AS name, relkind::text FROM pg_class "
        "WHERE relnamespace = 'archive'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    )
    assert len(relations) > 95

    for relation in relations:
        granted = await admin.fetchval(
            "SELECT has_table_privilege($1, $2::oid, "
            "'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') "
            "OR has_any_column_privilege($1, $2::oid, 'SELECT, INSERT, UPDATE, REFERENCES')",
            login_name,
            relation["oid"],
        )
        assert not granted, relation["name"]
    today = f"archive.read_{now():%Y%m%d}"
    for table in (
        "read",
        "quarantine",
        "permit_key",
        "permit_used",
        "setting",
        today.removeprefix("archive."),
    ):
        for statement in (
            f"SELECT * FROM archive.{table}",  # noqa: S608
            f"SELECT count(*) FROM archive.{table}",  # noqa: S608
            f"COPY archive.{table} TO STDOUT",
            f"DELETE FROM archive.{table}",  # noqa: S608
            f"TRUNCATE archive.{table}",
            f"DROP TABLE archive.{table}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(statement)


@pytest.mark.clause("IV.A.5", "III.B.3.l")
@pytest.mark.parametrize("login_name", LOGINS)
async def test_no_login_can_become_the_owner_or_change_what_guards_the_rows(
    connect: Connect, login_name
) -> None:
    login = await connect(login_name)

    for statement in (
        "SET ROLE archive_owner",
        "SET SESSION AUTHORIZATION archive_owner",
        "SET session_replication_role = replica",
        "GRANT archive_owner TO CURRENT_USER",
        "CREATE TABLE archive.mine (x int)",
        "CREATE FUNCTION archive.mine() RETURNS int LANGUAGE sql RETURN 1",
        "ALTER FUNCTION archive.warm_up() OWNER TO CURRENT_USER",
        "DROP FUNCTION archive.warm_up()",
        "SELECT archive.refuse()",
        "SELECT archive.plates_page('{A}', NULL, '-infinity', 'infinity', 1)",
        "SELECT archive.sensors_page('{A}', NULL, '-infinity', 'infinity', 1)",
        "SELECT archive.wanted_plates('pattern', 'ABC*', '-infinity', 'infinity')",
        "SELECT archive.permit_is_genuine('a', 'b')",
        "SELECT archive.hmac_block('a', 1)",
        "SELECT archive.keep_answer(NULL, NULL, NULL, NULL)",
        "SELECT archive.kept_answer(NULL)",
    ):
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await login.execute(statement)
        assert refusal.value.sqlstate == "42501", statement


@pytest.mark.clause("IV.A.5")
async def test_each_login_may_execute_its_own_functions_and_no_other(connect: Connect) -> None:
    admin = await connect("admin")
    rows = await admin.fetch(
        "SELECT l.login, p.proname FROM pg_proc AS p CROSS JOIN unnest($1::text[]) AS l (login) "
        "WHERE p.pronamespace = 'archive'::regnamespace "
        "AND has_function_privilege(l.login, p.oid, 'EXECUTE')",
        list(LOGINS),
    )

    granted = {login: {row["proname"] for row in rows if row["login"] == login} for login in LOGINS}
    # Each of these is put to the test by itself (test_search_governed.py).
    granted["search_question"] = {one for one in granted["search_question"] if not one.startswith("find_")}

    assert granted == {
        "search_append": {"append_reads"},
        "search_question": {
            "evidence_picture",
            "export_pictures",
            "general_answer",
            "general_reads",
            "general_computed",
            "held_image_key",
            "held_reads",
            "image_key",
            "look_back_answer",
            "look_back_reads",
            "reads_resume",
            "lookbackimage_keys",
            "report_pictures",
            "warm_up",
        },
        "search_purge": PURGE_FUNCTIONS,
    }


# None of them gives out a plate, a place, a picture or what opens one; hold_keys gives keys that are wrapped.
PURGE_FUNCTIONS = {
    "begin_purge",
    "days_over",
    "dictionary_forget",
    "drop_day",
    "end_purge",
    "ensure_partitions",
    "evidence_of_day",
    "follow_retention",
    "forget_expired_permits",
    "forget_words",
    "held_images",
    "hold_acts_to_record",
    "hold_keys",
    "holds",
    "holds_in_force",
    "image_parted",
    "images_to_part",
    "last_day_over",
    "note_hold_act",
    "note_step",
    "older_rows",
    "place_hold",
    "purge_is_due",
    "purge_result",
    "purge_was_run",
    "purges",
    "purges_of",
    "purges_under_way",
    "release_hold",
    "restore_is_open",
    "seal_day",
}


async def test_every_function_that_runs_as_the_owner_pins_its_search_path(connect: Connect) -> None:
    admin = await connect("admin")

    # A body that was parsed when the function was made (RETURN, BEGIN ATOMIC) has its names bound for good.
    unpinned = await admin.fetch(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'archive'::regnamespace "
        "AND (prosqlbody IS NULL OR prosecdef) "
        "AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=archive, pg_temp']"
    )

    assert unpinned == []


async def test_a_temporary_table_named_like_ours_deceives_no_function(
    append, connect: Connect, plate
) -> None:
    await append([archived_read(plate=plate)])
    login, question = await connect("search_question"), Plate(plate)
    try:
        await login.execute("CREATE TEMP TABLE permit_key (key bytea, inner_block bytea, outer_block bytea)")
    except asyncpg.InsufficientPrivilegeError:
        return  # better still
    await login.execute("INSERT INTO pg_temp.permit_key VALUES (''::bytea, ''::bytea, ''::bytea)")
    await login.execute("SET search_path = pg_temp, archive")

    await assert_refused(login, permit_for(question, key=b"\x00" * 32), question)


async def test_permits_that_ended_long_ago_are_forgotten_and_others_are_not(
    append, connect: Connect, plate
) -> None:
    question, login = Plate(plate), await connect("search_question")
    admin, purge = await connect("admin"), await connect("search_purge")
    old, new = uuid4(), uuid4()
    for permit_id in (old, new):
        await ask(login, permit_for(question, permit_id=permit_id), question)
    await admin.execute(
        "UPDATE archive.permit_used SET expires_at = expires_at - interval '2 hours' WHERE permit_id = $1",
        old,
    )

    await purge.execute("SELECT archive.forget_expired_permits()")

    kept = await admin.fetch(
        "SELECT permit_id FROM archive.permit_used WHERE permit_id IN ($1, $2)", old, new
    )
    assert [row["permit_id"] for row in kept] == [new]


async def test_a_second_key_is_accepted_while_keys_are_changed(append, connect: Connect, plate) -> None:
    await append([archived_read(plate=plate)])
    admin, login, question = await connect("admin"), await connect("search_question"), Plate(plate)
    new_key = b"\x07" * 32
    await admin.execute("INSERT INTO archive.permit_key (key) VALUES ($1)", new_key)
    try:
        assert len(await ask(login, permit_for(question, key=new_key), question)) == 1
        assert len(await ask(login, permit_for(question), question)) == 1
    finally:
        await admin.execute("DELETE FROM archive.permit_key WHERE key = $1", new_key)
    await assert_refused(login, permit_for(question, key=new_key), question)
