"""The register and evidence in the database: what each login can do, and what becomes due."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.search_kit import ORI, OTHER_ORI, General, Permit, archived_read, now, us

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
REFUSED = asyncpg.InsufficientPrivilegeError
FIND_REPORT = "SELECT archive.find_report($1, $2, $3, $4, $5, $6, $7)"
PICTURES = "SELECT read_id, image_key FROM archive.report_pictures($1, $2, $3, $4, $5, $6, $7)"
FIND_COPY = "SELECT archive.find_evidencecopy($1, $2, $3, $4, $5)"
TAKE_COPY = "SELECT answer FROM archive.general_computed($1, 'evidencecopy')"


def report(read_ids: list[str], pictures: int = 0, caption: str = "") -> General:
    joined = ",".join(read_ids)
    spelled = joined if len(joined) <= 2000 else sha256(joined.encode()).hexdigest()
    named = (("pictures", str(pictures)), ("read_ids", spelled), ("caption", caption))
    return General("report", named, (pictures, joined, caption), page_size=len(read_ids))


def copy_of(evidence_id: UUID) -> General:
    return General("evidencecopy", (("evidence_id", str(evidence_id)),), (evidence_id,), page_size=1)


def permit(question: General, **changes: object) -> str:
    return replace(Permit(question.canonical(), kind=question.kind), **changes).text()  # type: ignore[arg-type]


async def registered(register: asyncpg.Connection, **changes: object) -> UUID:
    """An entry of the register, written as search writes it."""
    usual: dict[str, object] = {
        "dissemination_id": uuid4(),
        "kind": "REPORT",
        "export_id": None,
        "account_id": str(uuid4()),
        "agency_ori": ORI,
        "question_entry_id": uuid4(),
        "recipient": b"",
        "justification": b"",
        "redactions": b"",
        "format": "PDF",
        "file_sha256": bytes(32),
        "file_bytes": 1,
        "read_ids": [uuid4()],
        "first_capture": now() - timedelta(days=1),
        "last_capture": now() - timedelta(days=1),
        "due_time": now() + timedelta(days=90),
    }
    values = {**usual, **changes}
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await register.execute(f"SELECT archive.register({places})", *values.values())
    return UUID(str(values["dissemination_id"]))


async def kept(register: asyncpg.Connection, *, agency: str = ORI, group: str = "expressway-north") -> UUID:
    """An evidence package of a read of that agency and group."""
    evidence_id = await registered(register, kind="EVIDENCE", due_time=None)
    await register.execute(
        "SELECT archive.keep_evidence($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        *(evidence_id, uuid4(), (now() - timedelta(days=200)).date(), agency, group, ORI),
        *("26-1", "RPT-1", "Evidence.com", "", bytes(32), 1, f"evidence/{evidence_id}/a/package", b"wrapped"),
    )
    return evidence_id


async def copy_by(
    login: asyncpg.Connection, evidence_id: UUID, **changes: object
) -> dict[str, object] | None:
    question = copy_of(evidence_id)
    allowed = permit(question, **changes)
    await login.execute(FIND_COPY, allowed, *question.arguments())
    answer: dict[str, object] | None = json.loads(await login.fetchval(TAKE_COPY, allowed))
    return answer


# --- Questions ---------------------------------------------------------------------------------------------


async def test_a_report_has_as_many_keys_as_its_recorded_question_says(
    connect: Connect, append, plate: str
) -> None:
    login = await connect("search_question")
    reads = [archived_read(now() - timedelta(minutes=n), plate=plate, seed=f"{plate}{n}") for n in range(4)]
    await append(reads)
    question = report([one.read.read_id for one in reads], pictures=2)
    allowed = permit(question)
    await login.execute(FIND_REPORT, allowed, *question.arguments())

    found = await login.fetch(PICTURES, allowed, *question.arguments())

    assert [str(row["read_id"]) for row in found] == [one.read.read_id for one in reads[:2]]
    assert all(row["image_key"] == b"K" * 32 for row in found)
    more = replace(question, typed=(4, *question.typed[1:]))
    with pytest.raises(REFUSED):
        await login.fetch(PICTURES, allowed, *more.arguments())


async def test_a_report_never_has_more_than_fifty_keys(connect: Connect, append, plate: str) -> None:
    login = await connect("search_question")
    reads = [archived_read(now() - timedelta(minutes=n), plate=plate, seed=f"{plate}{n}") for n in range(60)]
    await append(reads)
    question = report([one.read.read_id for one in reads], pictures=60)
    allowed = permit(question)
    await login.execute(FIND_REPORT, allowed, *question.arguments())

    assert len(await login.fetch(PICTURES, allowed, *question.arguments())) == 50


async def test_pictures_wait_until_the_permit_was_used_for_good(connect: Connect, append, plate: str) -> None:
    login = await connect("search_question")
    read = archived_read(plate=plate, seed=plate)
    await append([read])
    question = report([read.read.read_id], pictures=1)
    allowed = permit(question)

    with pytest.raises(REFUSED):
        await login.fetch(PICTURES, allowed, *question.arguments())
    with pytest.raises(REFUSED):
        async with login.transaction():
            await login.execute(FIND_REPORT, allowed, *question.arguments())
            await login.fetch(PICTURES, allowed, *question.arguments())


async def test_a_report_names_each_read_once_however_often_it_is_named(
    connect: Connect, append, plate: str
) -> None:
    login = await connect("search_question")
    read = archived_read(plate=plate, seed=plate)
    await append([read])
    question = report([read.read.read_id, read.read.read_id])
    allowed = permit(question)
    await login.execute(FIND_REPORT, allowed, *question.arguments())

    rows = await login.fetch("SELECT read_id FROM archive.general_reads($1, 'report')", allowed)

    assert [str(row["read_id"]) for row in rows] == [read.read.read_id]


@pytest.mark.clause("III.D.5", "IV.E.1")
async def test_a_package_opens_for_its_permit_whatever_the_retention_period(connect: Connect) -> None:
    login, register = await connect("search_question"), await connect("search_register")
    evidence_id = await kept(register)

    found = await copy_by(login, evidence_id)

    assert found is not None
    assert bytes.fromhex(str(found["wrapped_key"])) == b"wrapped"


@pytest.mark.clause("III.B.3.f")
async def test_a_package_of_another_agency_or_group_does_not_open(connect: Connect) -> None:
    login, register = await connect("search_question"), await connect("search_register")
    foreign, grouped = await kept(register, agency=OTHER_ORI), await kept(register, group="unmarked-cars")

    assert await copy_by(login, foreign) is None
    assert await copy_by(login, grouped, groups=("expressway-north",)) is None
    assert await copy_by(login, grouped, groups=("unmarked-cars",)) is not None
    assert await copy_by(login, uuid4()) is None


async def test_a_package_opens_for_no_other_permit_and_only_once(connect: Connect) -> None:
    login, register = await connect("search_question"), await connect("search_register")
    one, other = await kept(register), await kept(register)
    question = copy_of(one)
    allowed = permit(question)

    for wrong in (
        permit(copy_of(other)),
        permit(question, kind="evidence"),
        permit(question, life=timedelta(seconds=-1)),
        permit(question, key=b"x" * 32),
        "",
    ):
        with pytest.raises(REFUSED):
            await login.execute(FIND_COPY, wrong, *question.arguments())
    await login.execute(FIND_COPY, allowed, *question.arguments())
    with pytest.raises(REFUSED):
        await login.execute(FIND_COPY, allowed, *question.arguments())


# --- The login of the register -----------------------------------------------------------------------------


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM archive.read",
        "SELECT * FROM archive.dissemination",
        "SELECT wrapped_key FROM archive.evidence",
        "UPDATE archive.dissemination SET deleted_time = now()",
        "DELETE FROM archive.dissemination",
        "DELETE FROM archive.recipient_notice",
        "SELECT archive.general_reads('x', 'report')",
        "SELECT archive.find_evidencecopy('x', 0, 0, 1, gen_random_uuid())",
        "SET ROLE archive_owner",
    ],
)
async def test_the_login_of_the_register_reads_no_table_and_asks_no_question(
    connect: Connect, statement: str
) -> None:
    register = await connect("search_register")

    with pytest.raises(REFUSED):
        await register.execute(statement)


@pytest.mark.clause("IV.A.5")
async def test_no_function_of_the_register_gives_out_a_plate_a_place_or_a_key(connect: Connect) -> None:
    admin = await connect("admin")

    rows = await admin.fetch(
        "SELECT p.proname AS name, pg_get_function_result(p.oid) AS gives FROM pg_proc AS p"
        " WHERE p.pronamespace::regnamespace::text IN ('archive', 'motor_carrier')"
        " AND has_function_privilege('search_register', p.oid, 'EXECUTE')"
    )

    assert rows
    for row in rows:
        assert not any(
            word in row["gives"] for word in ("plate", "latitude", "place", "key", "recognition", "image")
        ), row["name"]


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("login_name", ["search_question", "search_append", "search_purge"])
async def test_no_other_login_reads_or_writes_the_register(connect: Connect, login_name: str) -> None:
    login = await connect(login_name)

    for statement in (
        "SELECT * FROM archive.dissemination",
        "SELECT * FROM archive.disseminations('ILISP0001', NULL, NULL, NULL, 9, 9)",
        "SELECT archive.note_deletion(gen_random_uuid(), 'ILISP0001', gen_random_uuid(), 'x')",
    ):
        with pytest.raises(REFUSED):
            await login.execute(statement)


# --- Entries and notices -----------------------------------------------------------------------------------


async def test_an_entry_is_written_once_and_stays_as_it_is(connect: Connect) -> None:
    register, admin = await connect("search_register"), await connect("admin")
    entry = await registered(register, format="PDF")

    await registered(register, dissemination_id=entry, format="CSV")

    rows = await admin.fetch("SELECT format FROM archive.dissemination WHERE dissemination_id = $1", entry)
    assert [row["format"] for row in rows] == ["PDF"]


async def test_the_first_receipt_of_an_entry_stays(connect: Connect) -> None:
    register, admin = await connect("search_register"), await connect("admin")
    entry = await registered(register)
    later = now() + timedelta(seconds=1)

    open_before = {
        row[0] for row in await register.fetch("SELECT * FROM archive.entries_without_outcome($1)", later)
    }
    await register.execute("SELECT archive.outcome_is_recorded($1, $2)", entry, b"first")
    await register.execute("SELECT archive.outcome_is_recorded($1, $2)", entry, b"second")

    open_after = {
        row[0] for row in await register.fetch("SELECT * FROM archive.entries_without_outcome($1)", later)
    }
    assert entry in open_before
    assert entry not in open_after
    assert (
        await admin.fetchval("SELECT receipt FROM archive.dissemination WHERE dissemination_id = $1", entry)
        == b"first"
    )


async def notices_of(register: asyncpg.Connection, entry: UUID) -> list[str]:
    rows = await register.fetch(
        "SELECT kind, dissemination_id FROM archive.recipient_notices($1, NULL, true, 0, 500)", ORI
    )
    return [row["kind"] for row in rows if row["dissemination_id"] == entry]


@pytest.mark.clause("III.B.3.n")
async def test_recipients_are_to_be_told_when_the_first_and_the_last_of_their_reads_are_gone(
    connect: Connect,
) -> None:
    register, admin = await connect("search_register"), await connect("admin")
    young = await registered(register)
    partly = await registered(register, first_capture=now() - timedelta(days=91))
    wholly = await registered(
        register, first_capture=now() - timedelta(days=99), last_capture=now() - timedelta(days=91)
    )

    for _ in range(2):
        await register.execute("SELECT archive.make_notices()")

    assert await notices_of(register, young) == []
    assert await notices_of(register, partly) == ["PURGED"]
    assert await notices_of(register, wholly) == ["PURGED"]
    await admin.execute(
        "UPDATE archive.dissemination SET last_capture = $2 WHERE dissemination_id = $1",
        *(partly, now() - timedelta(days=91)),
    )
    await register.execute("SELECT archive.make_notices()")
    assert await notices_of(register, partly) == ["PURGED", "PURGED"]


@pytest.mark.clause("III.B.3.m", "III.B.3.n")
async def test_an_overdue_file_is_asked_for_once_and_not_when_it_was_deleted(connect: Connect) -> None:
    register = await connect("search_register")
    overdue, deleted = [await registered(register, due_time=now() - timedelta(minutes=1)) for _ in range(2)]
    evidence = await kept(register)
    await register.execute("SELECT archive.note_deletion($1, $2, $3, 'shredded')", deleted, ORI, uuid4())

    for _ in range(2):
        await register.execute("SELECT archive.make_notices()")

    assert await notices_of(register, overdue) == ["OVERDUE"]
    assert await notices_of(register, deleted) == []
    assert await notices_of(register, evidence) == []


@pytest.mark.clause("III.B.3.n")
async def test_a_correction_goes_to_recipients_of_every_agency(connect: Connect) -> None:
    register = await connect("search_register")
    wrong, intent = uuid4(), uuid4()
    await registered(register, read_ids=[wrong])
    await registered(register, read_ids=[uuid4(), wrong], agency_ori=OTHER_ORI)
    await registered(register)

    count = await register.fetchval(
        "SELECT archive.note_correction($1, $2, $3, 'misread')", wrong, ORI, intent
    )

    assert count == 2


@pytest.mark.clause("III.B.3.m")
async def test_the_usual_date_is_that_of_a_read_of_now(connect: Connect) -> None:
    register = await connect("search_register")

    due = await register.fetchval("SELECT archive.usual_due_time()")

    assert abs(us(due) - us(now() + timedelta(days=90))) < 5_000_000


@pytest.mark.clause("IV.E.3")
async def test_the_certificate_of_a_day_counts_what_outlives_it(connect: Connect) -> None:
    register, purge = await connect("search_register"), await connect("search_purge")
    day = (now() - timedelta(days=200)).date()
    before = (await purge.fetchrow("SELECT * FROM archive.evidence_of_day($1)", day))["packages"]
    await kept(register)

    after = await purge.fetchrow("SELECT * FROM archive.evidence_of_day($1)", day)
    nothing = await purge.fetchrow("SELECT * FROM archive.evidence_of_day($1)", day - timedelta(days=1))

    assert after["packages"] == before + 1
    assert (nothing["packages"], nothing["digest"]) == (0, sha256(b"").digest())
