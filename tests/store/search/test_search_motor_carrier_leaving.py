"""What leaves Motor Carrier Safety, in the database: each house gives its own, by its own permits."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.search.core.houses import ARCHIVE, MOTOR_CARRIER, HouseNames
from tests.support.search_holds import HOUSES, key_of
from tests.support.search_kit import ORI, OTHER_ORI, General, archived_read, now, permit_for, us
from tests.support.search_motor_carrier import scale_read

Connect = Callable[[str], Awaitable[asyncpg.Connection]]
REFUSED = asyncpg.InsufficientPrivilegeError
QUESTION = {"archive": "search_question", "motor_carrier": "search_mcs_question"}
REGISTER = {"archive": "search_register", "motor_carrier": "search_mcs_register"}
PURGE = {"archive": "search_purge", "motor_carrier": "search_mcs_purge"}
FIND = {
    "report": "SELECT archive.find_report($1, $2, $3, $4, $5, $6, $7)",
    "evidence": "SELECT archive.find_evidence($1, $2, $3, $4, $5, $6, $7, $8)",
    "evidencecopy": "SELECT archive.find_evidencecopy($1, $2, $3, $4, $5)",
    "mcsreport": "SELECT motor_carrier.find_mcsreport($1, $2, $3, $4, $5, $6, $7)",
    "mcsevidence": "SELECT motor_carrier.find_mcsevidence($1, $2, $3, $4, $5, $6, $7, $8)",
    "mcsevidencecopy": "SELECT motor_carrier.find_mcsevidencecopy($1, $2, $3, $4, $5)",
}

every_house = pytest.mark.parametrize("names", HOUSES, ids=[one.schema for one in HOUSES])


def other_than(names: HouseNames) -> HouseNames:
    return MOTOR_CARRIER if names is ARCHIVE else ARCHIVE


def report(names: HouseNames, read_id: str) -> General:
    named = (("pictures", "1"), ("read_ids", read_id), ("caption", ""))
    return General(names.kind("report"), named, (1, read_id, ""), page_size=1)


def evidence(names: HouseNames, read_id: str) -> General:
    more = {"report_number": "26-1", "evidence_system": "dems", "evidence_item": ""}
    named = (("read_id", read_id), *more.items())
    return General(names.kind("evidence"), named, (UUID(read_id), *more.values()), page_size=1)


def copy_of(names: HouseNames, evidence_id: UUID) -> General:
    named = (("evidence_id", str(evidence_id)),)
    return General(names.kind("evidencecopy"), named, (evidence_id,), page_size=1)


def permit(names: HouseNames, question: General, **changes: object) -> str:
    return permit_for(question, **{"key": key_of(names), **changes})


async def put(login: asyncpg.Connection, names: HouseNames, question: General, token: str) -> None:
    assert question.kind.startswith(names.kinds)
    await login.execute(FIND[question.kind], token, *question.arguments())


async def given(login: asyncpg.Connection, names: HouseNames, kind: str, token: str) -> list[str]:
    """Ids of the reads of the answer."""
    statement = f"SELECT read_id FROM {names.schema}.general_reads($1, $2)"  # noqa: S608 -- a constant
    return [str(row["read_id"]) for row in await login.fetch(statement, token, kind)]


@pytest.mark.clause("II.H", "III.E.5")
@every_house
async def test_reports_and_evidence_are_made_of_the_own_houses_reads_alone(
    append: Any, append_apart: Any, connect: Connect, plate: str, names: HouseNames
) -> None:
    general, apart = archived_read(plate=plate), scale_read(plate)
    await append([general])
    await append_apart([apart])
    own, foreign = (apart, general) if names is MOTOR_CARRIER else (general, apart)
    login = await connect(QUESTION[names.schema])

    for make in (report, evidence):
        answers = []
        for read in (own, foreign):
            question = make(names, read.read.read_id)
            token = permit(names, question)
            await put(login, names, question, token)
            answers.append(await given(login, names, question.kind, token))
            with pytest.raises(REFUSED):
                await put(login, names, question, token)
        assert answers == [[own.read.read_id], []]


@pytest.mark.clause("III.E.5", "IV.A.5")
@every_house
async def test_a_permit_of_the_other_house_makes_no_report_and_no_evidence_here(
    connect: Connect, names: HouseNames
) -> None:
    login, other, read_id = await connect(QUESTION[names.schema]), other_than(names), str(uuid4())

    for question, theirs in (
        (report(names, read_id), report(other, read_id)),
        (evidence(names, read_id), evidence(other, read_id)),
        (copy_of(names, UUID(read_id)), copy_of(other, UUID(read_id))),
    ):
        wrong = (
            permit(other, theirs),
            permit(names, theirs),
            permit(names, question, key=key_of(other)),
            permit(names, question, life=timedelta(seconds=-1)),
            permit(names, replace(question, page_size=2)),
        )
        for token in wrong:
            with pytest.raises(REFUSED):
                await put(login, names, question, token)


@pytest.mark.clause("IV.A.5")
async def test_pictures_of_reports_and_evidence_open_by_the_used_permit_of_exactly_that_question(
    append_apart: Any, connect: Connect, plate: str
) -> None:
    names, read = MOTOR_CARRIER, scale_read(plate)
    await append_apart([read])
    login = await connect("search_mcs_question")
    asked, packed = report(names, read.read.read_id), evidence(names, read.read.read_id)
    tokens = permit(names, asked), permit(names, packed)
    pictures = "SELECT image_key FROM motor_carrier.report_pictures($1, $2, $3, $4, $5, $6, $7)"
    picture = "SELECT image_key FROM motor_carrier.evidence_picture($1)"

    for statement, arguments in ((pictures, (tokens[0], *asked.arguments())), (picture, (tokens[1],))):
        with pytest.raises(REFUSED):
            await login.fetch(statement, *arguments)
    await put(login, names, asked, tokens[0])
    await put(login, names, packed, tokens[1])
    more = replace(asked, typed=(50, *asked.typed[1:]))
    with pytest.raises(REFUSED):
        await login.fetch(pictures, tokens[0], *more.arguments())

    assert [row[0] for row in await login.fetch(pictures, tokens[0], *asked.arguments())] == [b"K" * 32]
    assert [row[0] for row in await login.fetch(picture, tokens[1])] == [b"K" * 32]


async def registered(register: asyncpg.Connection, names: HouseNames, **changes: object) -> UUID:
    """An entry of the house's register, written as search writes it."""
    yesterday = now() - timedelta(days=1)
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
        "first_capture": yesterday,
        "last_capture": yesterday,
        "due_time": now() + timedelta(days=90),
    }
    values = {**usual, **changes}
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await register.execute(f"SELECT {names.schema}.register({places})", *values.values())
    return UUID(str(values["dissemination_id"]))


async def kept(register: asyncpg.Connection, names: HouseNames, days_ago: int = 200) -> UUID:
    """An evidence package in the house, of a read of long ago."""
    evidence_id = await registered(register, names, kind="EVIDENCE", due_time=None)
    places = ", ".join(f"${number}" for number in range(1, 15))
    await register.execute(
        f"SELECT {names.schema}.keep_evidence({places})",
        *(evidence_id, uuid4(), (now() - timedelta(days=days_ago)).date(), ORI, "scales", ORI),
        *("26-1", "RPT-1", "Evidence.com", "", bytes(32), 1, f"{names.evidence}/{evidence_id}/a", b"wrapped"),
    )
    return evidence_id


async def copy_by(login: asyncpg.Connection, names: HouseNames, evidence_id: UUID, **changes: object) -> Any:
    question = copy_of(names, evidence_id)
    token = permit(names, question, **changes)
    await put(login, names, question, token)
    statement = f"SELECT answer FROM {names.schema}.general_computed($1, $2)"  # noqa: S608 -- a constant
    return json.loads(await login.fetchval(statement, token, question.kind))


@pytest.mark.clause("III.D.5", "II.H")
@every_house
async def test_a_package_is_given_again_by_its_own_house_and_within_the_permits_scope(
    connect: Connect, names: HouseNames
) -> None:
    login = await connect(QUESTION[names.schema])
    evidence_id = await kept(await connect(REGISTER[names.schema]), names)
    theirs = await kept(await connect(REGISTER[other_than(names).schema]), other_than(names))

    found = await copy_by(login, names, evidence_id)

    assert bytes.fromhex(found["wrapped_key"]) == b"wrapped"
    assert await copy_by(login, names, theirs) is None
    for scope in ({"agencies": (OTHER_ORI,)}, {"groups": ("elsewhere",)}):
        assert await copy_by(login, names, evidence_id, **scope) is None


@pytest.mark.clause("II.H", "III.B.3.m", "III.B.3.n")
@every_house
async def test_neither_register_knows_a_file_of_the_other_or_tells_its_recipients(
    connect: Connect, names: HouseNames
) -> None:
    other, read_id = other_than(names), uuid4()
    ours, theirs = await connect(REGISTER[names.schema]), await connect(REGISTER[other.schema])
    mine = await registered(ours, names, read_ids=[read_id])
    foreign = await registered(theirs, other, read_ids=[read_id])
    listing = f"SELECT * FROM {names.schema}.disseminations($1, $2, NULL, NULL, $3, 10)"  # noqa: S608 -- a constant

    shown = [await ours.fetch(listing, ORI, one, 2**62) for one in (mine, foreign)]
    correct = f"SELECT {names.schema}.note_correction($1, $2, $3, 'misread')"
    told = await ours.fetchval(correct, read_id, ORI, uuid4())
    delete = f"SELECT {names.schema}.note_deletion($1, $2, $3, 'shredded')"

    assert [len(rows) for rows in shown] == [1, 0]
    assert told == 1
    assert await ours.fetchval(delete, foreign, ORI, uuid4()) is None
    for statement in (
        f"SELECT {other.schema}.make_notices()",
        f"SELECT * FROM {other.schema}.disseminations('{ORI}', NULL, NULL, NULL, 9, 9)",  # noqa: S608
        f"SELECT * FROM {names.schema}.dissemination",  # noqa: S608
        f"SELECT * FROM {names.schema}.evidence",  # noqa: S608
    ):
        with pytest.raises(REFUSED):
            await ours.execute(statement)


@pytest.mark.clause("IV.E.3")
async def test_the_certificate_and_the_doctor_know_what_outlives_a_day_in_this_house(
    connect: Connect,
) -> None:
    names, register = MOTOR_CARRIER, await connect("search_mcs_register")
    purge, general = await connect("search_mcs_purge"), await connect("search_purge")
    day = (now() - timedelta(days=201)).date()
    evidence_id = await kept(register, names, days_ago=201)

    counted = await purge.fetchrow("SELECT * FROM motor_carrier.evidence_of_day($1)", day)
    elsewhere = await general.fetchrow("SELECT * FROM archive.evidence_of_day($1)", day)
    older = {
        row["place"]: row["why"] for row in await purge.fetch("SELECT * FROM motor_carrier.older_rows()")
    }

    assert tuple(counted) == (1, sha256(evidence_id.bytes).digest())
    assert elsewhere["packages"] == 0
    assert older["motor_carrier.evidence"] == "EVIDENCE"
    assert "UNKNOWN" not in older.values()


async def test_an_answer_that_was_computed_is_forgotten_with_its_permit(connect: Connect) -> None:
    login, admin = await connect("search_mcs_question"), await connect("admin")
    evidence_id = await kept(await connect("search_mcs_register"), MOTOR_CARRIER)
    await copy_by(login, MOTOR_CARRIER, evidence_id)
    await admin.execute("UPDATE motor_carrier.computed_answer SET expires_at = now() - interval '1 minute'")

    await (await connect("search_mcs_purge")).execute("SELECT motor_carrier.forget_expired_permits()")

    assert await admin.fetchval("SELECT count(*) FROM motor_carrier.computed_answer") == 0


@pytest.mark.clause("III.B.3.m")
async def test_the_usual_date_is_that_of_a_read_of_now_in_both_houses(connect: Connect) -> None:
    for names in HOUSES:
        login = await connect(REGISTER[names.schema])
        due = await login.fetchval(f"SELECT {names.schema}.usual_due_time()")
        assert abs(us(due) - us(now() + timedelta(days=90))) < 5_000_000
