"""The golden permits, read by the database."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "permit.json").read_text(encoding="utf-8"))
GENERAL = [question for question in GOLDEN["questions"] if "named" in question["arguments"]]
LOOK_BACKS = [question for question in GOLDEN["questions"] if question["kind"] == "lookback"]
PERMITS = GOLDEN["permits"]
SEALS = json.loads((Path(__file__).parents[2] / "golden" / "held_seal.json").read_text(encoding="utf-8"))

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


def name(golden: dict[str, str]) -> str:
    return golden["name"]


@pytest.mark.parametrize("question", GENERAL, ids=name)
async def test_the_database_spells_general_questions_as_audit_does(connect: Connect, question) -> None:
    admin, arguments = await connect("admin"), question["arguments"]
    lines = [
        await admin.fetchval("SELECT archive.canonical_line($1, archive.argument_value($2))", *named)
        for named in arguments["named"]
    ]

    text = await admin.fetchval(
        "SELECT archive.general_question($1, $2, $3, $4, VARIADIC $5)",
        question["kind"],
        arguments["from_us"],
        arguments["to_us"],
        arguments["page_size"],
        lines,
    )

    assert text == question["canonical"]
    digest = await admin.fetchval("SELECT sha256(convert_to($1, 'UTF8'))", text)
    assert digest.hex() == question["digest"]


@pytest.mark.parametrize("question", LOOK_BACKS, ids=name)
async def test_the_database_spells_look_backs_as_audit_does(connect: Connect, question) -> None:
    admin, arguments = await connect("admin"), question["arguments"]
    after = arguments["after_read_id"]

    text = await admin.fetchval(
        "SELECT archive.look_back_question($1, $2, $3, $4, $5, $6, $7, $8)",
        UUID(arguments["intent_id"]),
        UUID(arguments["changed_id"]),
        arguments["match_revision"],
        arguments["from_us"],
        arguments["to_us"],
        arguments["plates"],
        arguments["page_size"],
        UUID(after) if after else None,
    )

    assert text == question["canonical"]


@pytest.mark.parametrize("permit", PERMITS, ids=name)
async def test_the_database_knows_golden_permits_for_genuine(connect: Connect, permit) -> None:
    admin, text = await connect("admin"), permit["text"]

    check = "SELECT archive.permit_is_genuine($1, $2)"

    assert await admin.fetchval(check, text[:-65], text[-64:]) is True
    assert await admin.fetchval(check, text[:-66], text[-64:]) is False


@pytest.mark.parametrize("permit", PERMITS, ids=name)
async def test_the_database_reads_the_fields_of_golden_permits(connect: Connect, permit) -> None:
    admin = await connect("admin")

    opened = await admin.fetchrow(
        "SELECT permit_id, kind, question_digest, agency_oris, sensor_groups, "
        "from_time = archive.moment($2) AS from_is, to_time = archive.moment($3) AS to_is, "
        "expires_at = archive.moment($4) AS expiry_is FROM archive.permit_fields($1)",
        permit["text"],
        permit["from_us"],
        permit["to_us"],
        permit["expires_us"],
    )

    assert str(opened["permit_id"]) == permit["permit_id"]
    for field in ("kind", "question_digest", "agency_oris", "sensor_groups"):
        assert opened[field] == permit[field]
    assert (opened["from_is"], opened["to_is"], opened["expiry_is"]) == (True, True, True)


@pytest.mark.parametrize("permit", PERMITS, ids=name)
async def test_golden_permits_ended_long_ago_and_open_nothing(connect: Connect, permit) -> None:
    login = await connect("search_question")

    for statement in (
        "SELECT archive.general_reads($1, 'reads')",
        "SELECT archive.find_image($1, 0, 1, 1, gen_random_uuid())",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the permit does not allow this"):
            await login.fetch(statement, permit["text"])


@pytest.mark.parametrize("seal", SEALS, ids=lambda seal: str(len(seal["content"]) // 2))
async def test_the_database_seals_what_holds_keep_as_search_opens_it(connect: Connect, seal) -> None:
    admin = await connect("admin")
    values = (
        bytes.fromhex(seal["key"]),
        seal["label"],
        *(bytes.fromhex(seal[one]) for one in ("content", "nonce")),
    )

    sealed = await admin.fetchval("SELECT archive.sealed_with($1, $2, $3, $4)", *values)
    twice = [await admin.fetchval("SELECT archive.sealed($1, $2, $3)", *values[:3]) for _ in range(2)]

    assert sealed.hex() == seal["sealed"]
    assert twice[0] != twice[1]
