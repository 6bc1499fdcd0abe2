"""A system begins once, by appointment, and log entry 0 says by whose."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.audit.bootstrap import found
from services.audit.config import read_signer
from services.audit.core.entry import EntryKind, make_entry
from services.audit.core.founding import FoundingError
from services.audit.store_log import NewEntry, append_in
from services.common.database import admin_connection
from tests.support.audit_kit import DOMAIN, ORI, ORIGIN, founding, write_keys
from tests.support.databases import MigratedDatabase, fetch


def arguments(database: MigratedDatabase, **changes: Any) -> list[str]:
    def person(office: str) -> str:
        return json.dumps(
            {
                "office": office,
                "subject": office,
                "full_name": f"{office} One",
                "badge_number": office,
                "email": f"{office}@{DOMAIN}",
                "unit": "HQ",
                "certified_until": "2099-01-01",
            }
        )

    usual = {
        "admin-url": database.admin_url,
        "agency-ori": ORI,
        "agency-name": "Illinois State Police",
        "email-domain": DOMAIN,
        "official": "Deputy Director, DOP",
        "document-sha256": "ab" * 32,
        "issuer": "https://idp.example.gov",
    }
    given = [f"--{name}={value}" for name, value in {**usual, **changes}.items()]
    return [*given, "--person", person("coordinator"), "--person", person("administrator")]


async def run(folder: Path, given: list[str]) -> tuple[int, str, str]:
    """Exit code and output of the command."""
    signing, _ = (
        write_keys(folder) if not (folder / "signing.pem").exists() else (folder / "signing.pem", None)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.audit.bootstrap",
        *given,
        env={"PW_LOG_ORIGIN": ORIGIN, "PW_LOG_SIGNING_KEY_FILE": str(signing), "PYTHONPATH": "gen:."},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.clause("III.A", "III.B.3.g")
async def test_the_command_makes_agency_people_and_entry_0_and_refuses_a_second_time(
    database: MigratedDatabase, tmp_path: Path
) -> None:
    code, out, err = await run(tmp_path, arguments(database))
    again, _, refusal = await run(tmp_path, arguments(database))

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["coordinator", "administrator", "verifier-key"]
    assert (again, refusal) == (
        1,
        "not begun: this system has begun already; its coordinator makes further accounts\n",
    )
    fields = await fetch(database.admin_url, "SELECT name, value FROM audit.log_field WHERE log_index = 0")
    entry = {row["name"]: row["value"] for row in fields}
    assert (entry["kind"], entry["actor"], entry["detail.document_sha256"]) == (
        "genesis",
        "Deputy Director, DOP",
        "ab" * 32,
    )
    roles = await fetch(database.admin_url, "SELECT role, intent_id FROM audit.account_role ORDER BY role")
    assert [row["role"] for row in roles] == ["STATEWIDE_COORDINATOR", "SYSTEM_ADMINISTRATOR"]
    assert {str(row["intent_id"]) for row in roles} == {entry["entry_id"]}


async def test_a_refusal_of_before_does_not_keep_the_system_from_beginning(
    database: MigratedDatabase, tmp_path: Path
) -> None:
    signer = read_signer(ORIGIN, write_keys(tmp_path)[0])
    values = {
        "entry_id": str(uuid4()),
        "kind": EntryKind.REFUSAL.value,
        "record_time": "2026-11-01T00:00:00Z",
    }
    early = make_entry("refusal/search/1", values, secrets.token_bytes)
    async with admin_connection(database.admin_url) as connection, connection.transaction():
        await append_in(connection, [NewEntry(early, datetime.now(UTC))], signer.checkpoint)

    await found(database.admin_url, founding("iss"), signer, datetime.now(UTC))

    kinds = "SELECT value FROM audit.log_field WHERE name = 'kind' ORDER BY log_index"
    assert [row["value"] for row in await fetch(database.admin_url, kinds)] == ["refusal", "genesis"]


async def test_of_two_foundings_at_once_one_is_refused(database: MigratedDatabase, tmp_path: Path) -> None:
    signer = read_signer(ORIGIN, write_keys(tmp_path)[0])

    results = await asyncio.gather(
        *(found(database.admin_url, founding("iss"), signer, datetime.now(UTC)) for _ in range(2)),
        return_exceptions=True,
    )

    assert sorted(isinstance(one, FoundingError) for one in results) == [False, True]
    assert len(await fetch(database.admin_url, "SELECT FROM audit.account")) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"agency-ori": "x"},
        {"document-sha256": "x"},
        {"email-domain": "gmail.com"},
        {"official": " "},
        {"issuer": ""},
    ],
)
async def test_an_appointment_that_is_not_complete_leaves_nothing_behind(
    database: MigratedDatabase, tmp_path: Path, changes: dict[str, str]
) -> None:
    code, out, err = await run(tmp_path, arguments(database, **changes))

    assert (code, out) == (1, "")
    assert err.startswith("not begun: ")
    assert len(err.splitlines()) == 1
    assert not await fetch(database.admin_url, "SELECT FROM audit.log_leaf")
