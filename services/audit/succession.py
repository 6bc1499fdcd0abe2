"""Fills a vacant office: `python -m services.audit.succession`, with the migration credential.

The statewide coordinator hands the office over himself (`platewarden office`). When he has died, or was
dismissed, nobody can: then the official who designates (ENF-051 III.A) names a successor on paper, and this
puts it on record. In one transaction the former holder loses office and access, the successor gets the
office, and the log says by whose word.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from services.audit.config import read_signer
from services.audit.core.checkpoint import Signer, is_origin
from services.audit.core.entry import Entry, EntryKind, make_entry, rfc3339
from services.audit.core.office import NEEDED
from services.audit.store_log import NewEntry, append_in
from services.audit.store_office import Successor, fill, successor_in
from services.common.config import ConfigError
from services.common.database import DatabaseError, admin_connection

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_TEXT = 200
_LEAST_REASON = 3


class SuccessionError(Exception):
    """The office cannot be filled like this; the text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Designation:
    """An official's word: who holds the office of the agency from now on, by which document, and why."""

    agency_ori: str
    account_id: str
    official: str
    document_sha256: str
    reason: str


async def succeed(admin_url: str, given: Designation, signer: Signer, now: datetime) -> str:
    """Account of the former holder, "" for none, once everything is on disk.

    Raises:
        SuccessionError: The designation is not complete, or the successor may not hold the office.
        DatabaseError: The database cannot be reached.
    """
    _check(given)
    async with admin_connection(admin_url) as connection, connection.transaction():
        found = await successor_in(connection, given.account_id, now)
        _check_successor(found, given)
        entry_id = str(uuid4())
        former = await fill(connection, entry_id, given.agency_ori, given.account_id)
        if former == given.account_id:
            raise SuccessionError("this account holds the office already")
        await append_in(connection, [NewEntry(_entry(entry_id, given, former, now), now)], signer.checkpoint)
    return former


def _check(given: Designation) -> None:
    checks = (
        (_is_uuid(given.account_id), "the successor's account must be named by its id"),
        (_is_text(given.official), "the designating official must be named"),
        (_SHA256.fullmatch(given.document_sha256), "the document's SHA-256 must be 64 of 0-9 and a-f"),
        (_is_text(given.reason) and len(given.reason) >= _LEAST_REASON, "say why the office is vacant"),
    )
    for good, sentence in checks:
        if not good:
            raise SuccessionError(sentence)


def _check_successor(found: Successor | None, given: Designation) -> None:
    if found is None or found.agency_ori != given.agency_ori:
        raise SuccessionError("the agency has no such account")
    lacking = sorted(kind.lower() for kind in NEEDED if kind.value not in found.certified)
    if not found.may_act:
        raise SuccessionError("the successor's account is not enabled, or has ended")
    if found.is_barred:
        raise SuccessionError("whoever administers the system, or is a vendor, does not hold the office")
    if lacking:
        msg = f"the successor's account is not complete; missing: {', '.join(lacking)}"
        raise SuccessionError(msg)


def _entry(entry_id: str, given: Designation, former: str, now: datetime) -> Entry:
    values = {
        "entry_id": entry_id,
        "kind": EntryKind.EVENT.value,
        "record_time": rfc3339(now),
        "action": "office.fill",
        "actor": given.official,
        "agency": given.agency_ori,
        "resource": given.account_id,
        "clauses": "III.A",
        "detail.former": former or "none",
        "detail.reason": given.reason,
        "detail.document_sha256": given.document_sha256,
    }
    return make_entry(f"office-fill/{entry_id}", values, secrets.token_bytes)


def _is_text(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and len(text) <= _MOST_TEXT


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.audit.succession")
    parser.add_argument("--admin-url", required=True, help="database URL of the migration credential")
    parser.add_argument("--agency-ori", required=True, help="ORI of the agency whose office is vacant")
    parser.add_argument("--account-id", required=True, help="the successor's account")
    parser.add_argument("--official", required=True, help="who designates, with title")
    parser.add_argument("--document-sha256", required=True, help="SHA-256 of the designating document")
    parser.add_argument("--reason", required=True, help="why the office is vacant")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0 and the former holder when the office is filled; 1 and one sentence on standard error when not."""
    given = _arguments().parse_args(arguments)
    designation = Designation(
        given.agency_ori, given.account_id, given.official, given.document_sha256, given.reason
    )
    try:
        former = asyncio.run(succeed(given.admin_url, designation, _signer(), datetime.now(UTC)))
    except (SuccessionError, ConfigError, DatabaseError) as error:
        print(f"not filled: {error}", file=sys.stderr)
        return 1
    print(f"holder {designation.account_id}")
    print(f"former {former or 'none'}")
    return 0


def _signer() -> Signer:
    origin, file = os.environ.get("PW_LOG_ORIGIN", ""), os.environ.get("PW_LOG_SIGNING_KEY_FILE", "")
    if not is_origin(origin) or not file:
        raise ConfigError("PW_LOG_ORIGIN and PW_LOG_SIGNING_KEY_FILE must be set")
    return read_signer(origin, Path(file))


if __name__ == "__main__":
    sys.exit(main())
