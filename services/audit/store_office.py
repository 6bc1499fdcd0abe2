"""The office of the statewide coordinator. One method is one transaction, made once for each intent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.office import Offer, Office
from services.audit.core.person import Role
from services.audit.store_reader import AnyConnection, Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_HOLDER = """
    SELECT held.account_id, who.full_name
    FROM audit.account_role AS held JOIN audit.account AS who USING (account_id)
    WHERE held.agency_ori = $1 AND held.role = 'STATEWIDE_COORDINATOR'
"""
_OFFER = """
    SELECT successor_account_id, official, document_sha256, offer_id, agency_ori, holder_account_id,
           offer_time, end_time IS NULL
    FROM audit.office_offer
"""
_OFFER_BY_ID = _OFFER + "WHERE offer_id = $1::uuid"
_OPEN_OFFER = _OFFER + "WHERE agency_ori = $1 AND end_time IS NULL"
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_CLOSE = """
    UPDATE audit.office_offer SET end_time = clock_timestamp(), accepted = $2
    WHERE agency_ori = $1 AND end_time IS NULL
"""
_ACCEPT = """
    UPDATE audit.office_offer SET end_time = clock_timestamp(), accepted = true
    WHERE offer_id = $1::uuid AND end_time IS NULL RETURNING true
"""
_INSERT = """
    INSERT INTO audit.office_offer (offer_id, agency_ori, holder_account_id, successor_account_id, official,
                                    document_sha256, intent_id)
    VALUES ($1::uuid, $2, $3::uuid, $4::uuid, $5, $6, $7::uuid)
"""
_TAKE = """
    DELETE FROM audit.account_role WHERE agency_ori = $1 AND role = 'STATEWIDE_COORDINATOR'
    RETURNING account_id
"""
_GIVE = "INSERT INTO audit.account_role (account_id, role, intent_id) VALUES ($1::uuid, $2, $3::uuid)"
# Whoever takes the office needs no appointment to a unit, and keeps none of its roles.
_LEAVE_UNIT = "DELETE FROM audit.account_role WHERE account_id = $1::uuid AND role = 'WORK_UNIT_COORDINATOR'"
_SUSPEND = "UPDATE audit.account SET state = 'SUSPENDED' WHERE account_id = $1::uuid"
_SUCCESSOR = """
    SELECT agency_ori, state = 'ENABLED' AND (end_time IS NULL OR end_time > $2),
           EXISTS (SELECT FROM audit.account_role AS held WHERE held.account_id = account.account_id
                   AND held.role IN ('SYSTEM_ADMINISTRATOR', 'VENDOR_SUPPORT')),
           ARRAY(SELECT kind FROM audit.certification AS held WHERE held.account_id = account.account_id
                 AND held.valid_from <= $2 AND $2 < held.valid_until)
    FROM audit.account AS account WHERE account_id = $1::uuid
"""


@dataclass(frozen=True, slots=True)
class Successor:
    """What is known of somebody who is to fill a vacant office; `certified` are the kinds in force."""

    agency_ori: str
    may_act: bool
    is_barred: bool
    certified: frozenset[str]


class OfficeStore(Reader):
    """Who holds the office, and to whom it is offered."""

    async def office(self, ori: str) -> Office:
        """The agency's office with the offer that nobody has accepted yet, in its life or not."""
        holder = await self._fetchrow(_HOLDER, ori)
        offer = await self._fetchrow(_OPEN_OFFER, ori)
        who, name = (str(holder["account_id"]), holder["full_name"]) if holder else ("", "")
        return Office(ori, who, name, _offer(offer) if offer else None)

    async def offer(self, offer_id: str) -> Offer | None:
        """The offer, or None."""
        row = await self._fetchrow(_OFFER_BY_ID, offer_id)
        return _offer(row) if row else None

    async def make_offer(self, intent_id: str, one: Offer) -> None:
        """Stores the offer in the place of an earlier one."""
        async with transaction(self._pool) as connection:
            if await connection.fetchval(_CLAIM, intent_id):
                await connection.execute(_CLOSE, one.agency_ori, False)
                who = (one.offer_id, one.agency_ori, one.holder_account_id, one.successor_account_id)
                await connection.execute(_INSERT, *who, one.official, one.document_sha256, intent_id)

    async def accept(self, intent_id: str, one: Offer) -> None:
        """The office goes from the holder to the successor, in one moment.

        Raises:
            WrongStateError: The offer is over, or its holder holds the office no more.
        """
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            await connection.execute(_BUMP)
            accepted = await connection.fetchval(_ACCEPT, one.offer_id)
            former = await hand_over(connection, intent_id, one.agency_ori, one.successor_account_id)
            if not accepted or former != one.holder_account_id:
                raise WrongStateError("the office has gone on since it was offered", resource=one.offer_id)


async def hand_over(connection: AnyConnection, intent_id: str, ori: str, successor: str) -> str:
    """Account of the former holder, "" for none; the successor holds the office. In the caller's transaction.

    Raises:
        WrongStateError: Somebody else has taken it at the same moment.
    """
    former = await connection.fetchval(_TAKE, ori)
    await connection.execute(_LEAVE_UNIT, successor)
    try:
        await connection.execute(_GIVE, successor, Role.STATEWIDE_COORDINATOR.value, intent_id)
    except asyncpg.UniqueViolationError:
        raise WrongStateError("somebody else has taken the office", resource=ori) from None
    return str(former) if former else ""


async def successor_in(connection: AnyConnection, account_id: str, moment: datetime) -> Successor | None:
    """What is known of the account at `moment`, or None."""
    row = await connection.fetchrow(_SUCCESSOR, account_id, moment)
    return Successor(row[0], row[1], row[2], frozenset(row[3])) if row else None


async def fill(connection: AnyConnection, intent_id: str, ori: str, successor: str) -> str:
    """Account of the former holder, who loses office and access; "" for none. In the caller's transaction."""
    await connection.execute(_BUMP)
    await connection.execute(_CLOSE, ori, False)
    former = await hand_over(connection, intent_id, ori, successor)
    if former and former != successor:
        await connection.execute(_SUSPEND, former)
    return former


def _offer(row: Any) -> Offer:
    successor, official, digest, offer_id, ori, holder, moment, is_open = row
    return Offer(str(successor), official, digest, str(offer_id), ori, str(holder), moment, is_open)
