"""Begins a system: `python -m services.audit.bootstrap`, once, with the migration credential.

Makes the agency, its statewide coordinator and, if named, the system administrator, their units, and the log
entry which says by whose appointment, in one transaction on an empty account table. It is entry 0, unless
somebody came too early: refusals of before stand before it, for nothing is taken out of a log. All the rest
is the coordinator's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from services.audit.config import read_signer
from services.audit.core.checkpoint import Signer, is_origin
from services.audit.core.entry import Entry, EntryKind, make_entry, rfc3339
from services.audit.core.founding import Appointee, Founding, FoundingError, account_of, check, units_of
from services.audit.core.person import Profile
from services.audit.core.registry import Agency
from services.audit.store_accounts import insert_account, insert_agency
from services.audit.store_log import NewEntry, append_in
from services.audit.store_units import insert_appointment, insert_unit
from services.common.config import ConfigError
from services.common.database import DatabaseError, admin_connection

# Any constant will do; two bootstraps at once must meet at the same one.
_LOCK = 0x504C4154
_CERTIFIED = timedelta(days=365)
_PERSON_KEYS = ("office", "subject", "full_name", "badge_number", "email", "unit")


async def found(admin_url: str, founding: Founding, signer: Signer, now: datetime) -> str:
    """Id of the founding's log entry, once everything is on disk.

    Raises:
        FoundingError: The founding is not complete, or the system has begun already.
        DatabaseError: The database cannot be reached.
    """
    check(founding)
    entry = _genesis(founding, now)
    async with admin_connection(admin_url) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # Accounts are never deleted. The log is no sign: anybody's refusal is in it, and must not keep a
        # system from beginning.
        if await connection.fetchval("SELECT EXISTS (SELECT FROM audit.account)"):
            raise FoundingError("this system has begun already; its coordinator makes further accounts")
        await append_in(connection, [NewEntry(entry, now)], signer.checkpoint)
        await insert_agency(connection, entry.entry_id, founding.agency)
        for one in founding.appointees:
            await insert_account(connection, entry.entry_id, account_of(one, now))
        for unit, appointment in units_of(founding):
            await insert_unit(connection, entry.entry_id, unit)
            await insert_appointment(connection, entry.entry_id, unit, appointment)
    return entry.entry_id


def _genesis(founding: Founding, now: datetime) -> Entry:
    agency = founding.agency
    people = {
        f"detail.{one.office}": f"{one.profile.full_name}, {one.profile.badge_number}, {one.account_id}"
        for one in founding.appointees
    }
    values = {
        "entry_id": str(uuid4()),
        "kind": EntryKind.GENESIS.value,
        "record_time": rfc3339(now),
        "action": "system.begin",
        "actor": founding.official,
        "agency": agency.ori,
        "clauses": "III.A",
        "detail.agency_name": agency.name,
        "detail.email_domains": ",".join(agency.email_domains),
        "detail.document_sha256": founding.document_sha256,
        "detail.units": ",".join(unit.code for unit, _ in units_of(founding)),
        **people,
    }
    return make_entry("genesis", values, secrets.token_bytes)


def parse_person(text: str, agency_ori: str, issuer: str, now: datetime) -> Appointee:
    """The appointee that a JSON object describes.

    Raises:
        FoundingError: It is not such an object.
    """
    try:
        given = json.loads(text)
        parts = {key: str(given[key]) for key in _PERSON_KEYS}
        until = now + _CERTIFIED
        if "certified_until" in given:
            until = datetime.fromisoformat(given["certified_until"])
    except (ValueError, KeyError, TypeError) as error:
        msg = f"--person must be a JSON object with {', '.join(_PERSON_KEYS)} ({type(error).__name__})"
        raise FoundingError(msg) from None
    office = parts.pop("office")
    profile = Profile(issuer=str(given.get("issuer") or issuer), agency_ori=agency_ori, **parts)
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    if until <= now:
        msg = f"the {office}'s certified_until lies in the past"
        raise FoundingError(msg)
    return Appointee(office, str(uuid4()), profile, until)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.audit.bootstrap")
    parser.add_argument("--admin-url", required=True, help="database URL of the migration credential")
    parser.add_argument("--agency-ori", required=True, help="Originating Agency Identifier, 9 characters")
    parser.add_argument("--agency-name", required=True)
    parser.add_argument("--email-domain", required=True, action="append", help="may be given often")
    parser.add_argument("--official", required=True, help="who appoints, with title")
    parser.add_argument("--document-sha256", required=True, help="SHA-256 of the appointing document")
    parser.add_argument(
        "--person",
        required=True,
        action="append",
        metavar="JSON",
        help='{"office": "coordinator" or "administrator", "subject", "full_name", "badge_number", "email", '
        '"unit", and if wanted "issuer" and "certified_until"}; may be given twice',
    )
    issuer = os.environ.get("PW_OIDC_ISSUER", "")
    parser.add_argument("--issuer", default=issuer, help="of the people's tokens; default: PW_OIDC_ISSUER")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0 and the new ids when the system has begun; 1 and one sentence on standard error when not."""
    given = _arguments().parse_args(arguments)
    now = datetime.now(UTC)
    try:
        people = tuple(parse_person(one, given.agency_ori, given.issuer, now) for one in given.person)
        agency = Agency(given.agency_ori, given.agency_name, tuple(given.email_domain))
        founding = Founding(agency, given.official, given.document_sha256, people)
        signer = _signer()
        asyncio.run(found(given.admin_url, founding, signer, now))
    except (FoundingError, ConfigError, DatabaseError) as error:
        print(f"not begun: {error}", file=sys.stderr)
        return 1
    for one in people:
        print(f"{one.office} {one.account_id}")
    print(f"verifier-key {signer.verifier_key()}")
    return 0


def _signer() -> Signer:
    origin, file = os.environ.get("PW_LOG_ORIGIN", ""), os.environ.get("PW_LOG_SIGNING_KEY_FILE", "")
    if not is_origin(origin) or not file:
        raise ConfigError("PW_LOG_ORIGIN and PW_LOG_SIGNING_KEY_FILE must be set")
    return read_signer(origin, Path(file))


if __name__ == "__main__":
    sys.exit(main())
