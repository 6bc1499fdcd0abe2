"""Entries are found by whose people acted, whichever way leads to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Signer
from services.audit.core.entry import EntryKind
from services.audit.core.log_question import LogFilter
from services.audit.store_log import LogStore
from services.audit.store_log_query import LogQueryStore
from services.common.clock import SystemClock
from services.common.pg import Pool
from tests.support.databases import MigratedDatabase

OWN, OTHER, THIRD = "IL0160000", "IL0000077", "IL0000088"
OURS, THEIRS = UUID(int=1), UUID(int=2)
CASE: Final = "2026-004711"
QUESTION: Final = "plate_form:5:exact\nplate:4:AB12"


async def people(database: MigratedDatabase) -> None:
    """An agency besides, and one person of each."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        for ori, account in ((OWN, OURS), (OTHER, THEIRS)):
            await connection.execute(
                "INSERT INTO audit.agency VALUES ($1, $1, '{isp.illinois.gov}', $2)", ori, uuid4()
            )
            await connection.execute(
                """INSERT INTO audit.account (account_id, issuer, subject, full_name, badge_number, email,
                                              agency_ori, unit, state, intent_id)
                   VALUES ($1, 'i', $2, 'n', 'b', 'e', $2, 'u', 'PENDING', $3)""",
                account,
                ori,
                uuid4(),
            )
    finally:
        await connection.close()


async def recorded(pool: Pool) -> dict[str, int]:
    """Place in the log of each entry that the tests look for."""
    log = Log(LogStore(pool), Signer("audit.test/log", Ed25519PrivateKey.generate()), SystemClock())
    await log.open()
    by_us = {"actor": str(OURS), "actor_agency": OWN, "case_number": CASE, "question": QUESTION}
    by_them = {"actor": str(THEIRS), "actor_agency": OTHER, "case_number": CASE, "question": QUESTION}
    entries = {
        "ours": {**by_us, "agency": OWN},
        "ours on theirs": {**by_us, "agency": OTHER},
        "theirs": {**by_them, "agency": OTHER},
        "theirs on ours": {**by_them, "agency": OWN},
        "a service for us": {"actor": "alerts", "service": "alerts", "agency": OWN},
        "a service for them": {"actor": "alerts", "service": "alerts", "agency": OTHER},
    }
    drafts = {name: Draft(EntryKind.EVENT, name, values) for name, values in entries.items()}
    return {name: (await log.append(draft)).log_index for name, draft in drafts.items()}


@pytest.mark.parametrize(
    ("agency", "found"),
    [
        ("", {"ours", "ours on theirs", "theirs on ours", "a service for us"}),
        (OWN, {"ours", "ours on theirs", "a service for us"}),
        (OTHER, {"theirs on ours"}),
        (THIRD, set()),
    ],
)
@pytest.mark.clause("III.B.3.o", "III.B.3.f")
async def test_an_agencys_entries_are_those_of_its_people_and_of_services_for_it(
    database: MigratedDatabase, pool: Pool, agency: str, found: set[str]
) -> None:
    await people(database)
    places = await recorded(pool)
    now = datetime.now(UTC)
    window = (now - timedelta(hours=1), now + timedelta(hours=1))
    of_people = found - {"a service for us"}
    ways = {
        (): found,
        ("case_number",): of_people,
        ("plate",): of_people,
        ("ours",): {one for one in of_people if one.startswith("ours")},
        ("theirs",): {one for one in of_people if one.startswith("theirs")},
    }
    more = {
        "case_number": {"case_number": CASE},
        "plate": {"plate": "AB12"},
        "ours": {"account_id": str(OURS)},
        "theirs": {"account_id": str(THEIRS)},
    }
    for way, expected in ways.items():
        asked = LogFilter(agency_ori=agency, **{key: text for one in way for key, text in more[one].items()})
        shown = await LogQueryStore(pool).find(asked, window, OWN, len(places) + 10)
        assert shown == sorted((places[one] for one in expected), reverse=True), (agency, way)
