"""Agencies and accounts. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from services.audit.core.declaration import Affirmation, OutOfStateLaw, Standing
from services.audit.core.document import DocumentKind, Duty
from services.audit.core.email import EmailException
from services.audit.core.escort import Escorted, EscortScope
from services.audit.core.person import (
    Account,
    AccountState,
    Certification,
    CertificationKind,
    Life,
    Profile,
    Role,
    Vetting,
)
from services.audit.core.registry import Agency
from services.audit.core.sign_in import SignedOut
from services.audit.errors import AccountExistsError, AgencyExistsError
from services.audit.live_settings import LiveSettings
from services.audit.store_reader import AnyConnection, Reader
from services.common.errors import WrongStateError
from services.common.pg import Pool, transaction

_ACCOUNT = """
    SELECT account_id, issuer, subject, full_name, badge_number, email, agency_ori, unit, state,
           ARRAY(SELECT role FROM audit.account_role AS held
                 WHERE held.account_id = account.account_id) AS roles,
           ARRAY(SELECT (kind, valid_from, valid_until, reference) FROM audit.certification AS held
                 WHERE held.account_id = account.account_id
                 ORDER BY kind, valid_until, intent_id) AS certifications,
           (SELECT (document_sha256, reference, valid_until, decided_by, decide_time)
            FROM audit.non_agency_access AS held WHERE held.account_id = account.account_id) AS vetting,
           ARRAY(SELECT (document_id, kind, effective_time, superseded_time, acknowledge_time,
                         acknowledged_until)
                 FROM audit.documents_of(account.account_id)) AS duties,
           (SELECT (escort_id, escort_account_id, scope, begin_time, ends_at)
            FROM audit.escort_of(account.account_id)) AS escorted,
           made_time, end_time, email_until, signed_out_time,
           ARRAY(SELECT sign_in_id FROM audit.sign_in AS held
                 WHERE held.account_id = account.account_id AND held.end_time IS NOT NULL
                   AND held.auth_time > clock_timestamp() - interval '1 day') AS ended_sign_ins,
           greatest(enabled_time, (SELECT use_time FROM audit.account_use AS held
                                   WHERE held.account_id = account.account_id)) AS use_time,
           (SELECT max(review_time) FROM audit.account_review AS held
            WHERE held.account_id = account.account_id) AS review_time,
           ARRAY(SELECT (start_time, end_time, excluded_uses, excluded_codes) FROM audit.declaration AS held
                 WHERE held.agency_ori = account.agency_ori AND held.withdraw_time IS NULL) AS declarations
    FROM audit.account AS account
"""
_BY_IDENTITY = _ACCOUNT + "WHERE issuer = $1 AND subject = $2"
_BY_ID = _ACCOUNT + "WHERE account_id = $1::uuid"
_PAGE = _ACCOUNT + (
    "WHERE agency_ori = $1 AND (full_name, account_id) > ($2, $3::uuid) "
    "ORDER BY full_name, account_id LIMIT $4"
)
_AGENCY = "SELECT ori, name, email_domains FROM audit.agency WHERE ori = $1"
_AGENCIES = "SELECT ori, name, email_domains FROM audit.agency WHERE ori > $1 ORDER BY ori LIMIT $2"
_HAS_COORDINATOR = """
    SELECT EXISTS (
        SELECT FROM audit.account AS account JOIN audit.account_role AS held USING (account_id)
        WHERE account.agency_ori = $1 AND account.state = 'ENABLED' AND held.role = 'STATEWIDE_COORDINATOR'
          AND (account.end_time IS NULL OR account.end_time > clock_timestamp())
    )
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_BUMP = "UPDATE audit.registry_head SET account_revision = account_revision + 1"
_INSERT_AGENCY = (
    "INSERT INTO audit.agency (ori, name, email_domains, intent_id) VALUES ($1, $2, $3, $4::uuid)"
)
_INSERT_ACCOUNT = """
    INSERT INTO audit.account
        (account_id, issuer, subject, full_name, badge_number, email, agency_ori, unit, state, end_time,
         enabled_time, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10,
            CASE WHEN $9 = 'ENABLED' THEN clock_timestamp() END, $11::uuid)
"""
_SET_STATE = """
    UPDATE audit.account
    SET state = $2, enabled_time = CASE WHEN $2 = 'ENABLED' THEN clock_timestamp() ELSE enabled_time END
    WHERE account_id = $1::uuid
"""
_END = "UPDATE audit.account SET end_time = $2 WHERE account_id = $1::uuid"
_REVIEW = """
    INSERT INTO audit.account_review (account_id, review_time, reviewed_by, intent_id)
    VALUES ($1::uuid, clock_timestamp(), $2::uuid, $3::uuid)
"""
_USE = """
    INSERT INTO audit.account_use (account_id, use_time) VALUES ($1::uuid, $2)
    ON CONFLICT (account_id) DO UPDATE SET use_time = greatest(account_use.use_time, excluded.use_time)
"""
_EXCEPT = """
    INSERT INTO audit.email_exception (intent_id, account_id, approver, document_sha256, reason, valid_until)
    VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6)
"""
_ADDRESS_UNTIL = "UPDATE audit.account SET email_until = $2 WHERE account_id = $1::uuid"
_GRANT = """
    INSERT INTO audit.account_role (account_id, role, intent_id) VALUES ($1::uuid, $2, $3::uuid)
    ON CONFLICT (account_id, role) DO NOTHING
"""
_REVOKE = "DELETE FROM audit.account_role WHERE account_id = $1::uuid AND role = $2"
_CERTIFY = """
    INSERT INTO audit.certification (account_id, kind, valid_from, valid_until, reference, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid)
"""
_VET = """
    INSERT INTO audit.non_agency_access
        (account_id, document_sha256, reference, valid_until, decided_by, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5::uuid, $6::uuid)
    ON CONFLICT (account_id) DO UPDATE
    SET document_sha256 = excluded.document_sha256, reference = excluded.reference,
        valid_until = excluded.valid_until, decided_by = excluded.decided_by,
        decide_time = excluded.decide_time, intent_id = excluded.intent_id
"""
_UNVET = "DELETE FROM audit.non_agency_access WHERE account_id = $1::uuid"


class AccountStore(Reader):
    """Agencies and accounts with their roles and certifications."""

    def __init__(self, pool: Pool, settings: LiveSettings, law: OutOfStateLaw) -> None:
        super().__init__(pool)
        self._settings = settings
        self._law = law

    @property
    def longest_temporary(self) -> timedelta:
        """The longest life of an account that is made with an end (CJIS AC-2(2))."""
        return self._settings.period("account_temporary_hours")

    def key_of(self, issuer: str, subject: str) -> Hashable:
        """What `by_identity` depends on beside the registry: the person's name, and settings in memory."""
        return (issuer, subject, *self._periods())

    async def by_identity(self, issuer: str, subject: str) -> Account | None:
        """The account of the person whom the identity provider knows by that name, or None."""
        return self._account(await self._fetchrow(_BY_IDENTITY, issuer, subject))

    async def by_id(self, account_id: str) -> Account | None:
        """The account, or None."""
        return self._account(await self._fetchrow(_BY_ID, account_id))

    async def page(self, agency_ori: str, after: tuple[str, str], limit: int) -> list[Account]:
        """Up to `limit` accounts of the agency that come after (name, account id), in that order."""
        rows = await self._fetch(_PAGE, agency_ori, *after, limit)
        return [account for row in rows if (account := self._account(row))]

    async def agency(self, ori: str) -> Agency | None:
        """The agency, or None."""
        return _agency(await self._fetchrow(_AGENCY, ori))

    async def agencies(self, after: str, limit: int) -> list[Agency]:
        """Up to `limit` agencies whose ORI comes after `after`, in that order."""
        return [agency for row in await self._fetch(_AGENCIES, after, limit) if (agency := _agency(row))]

    async def has_coordinator(self, ori: str) -> bool:
        """True when the agency has a statewide coordinator of its own who may act."""
        return bool(await self._fetchval(_HAS_COORDINATOR, ori))

    async def register_agency(self, intent_id: str, agency: Agency) -> None:
        """Registers the agency.

        Raises:
            AgencyExistsError: Its ORI is registered already.
        """
        async with self._changing(intent_id) as connection:
            if connection:
                await insert_agency(connection, intent_id, agency)

    async def create(self, intent_id: str, account: Account, exception: EmailException | None = None) -> None:
        """Makes the account, with the approval of its address; roles and certifications come later.

        Raises:
            AccountExistsError: There is one for this person already.
        """
        async with self._changing(intent_id) as connection:
            if connection:
                await insert_account(connection, intent_id, account)
                if exception:
                    await insert_exception(connection, intent_id, account.account_id, exception)

    async def except_email(self, intent_id: str, account_id: str, exception: EmailException) -> None:
        """Records the approval of the account's address, which counts from now on."""
        async with self._changing(intent_id) as connection:
            if connection:
                await insert_exception(connection, intent_id, account_id, exception)

    async def set_state(self, intent_id: str, account_id: str, state: AccountState) -> None:
        """Enables or suspends the account."""
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_SET_STATE, account_id, state.value)

    async def end(self, intent_id: str, account_id: str, end_time: datetime | None) -> None:
        """Sets when the account ends; None takes an end back."""
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_END, account_id, end_time)

    async def review(self, intent_id: str, account_id: str, by: str) -> None:
        """Notes that `by` has reviewed the account."""
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_REVIEW, account_id, by, intent_id)

    async def used(self, account_id: str, moment: datetime) -> None:
        """Notes that the account was used."""
        await self._fetchval(_USE, account_id, moment)

    async def grant(self, intent_id: str, account_id: str, role: Role) -> None:
        """Gives the role; nothing happens when it is held.

        Raises:
            WrongStateError: The agency has its statewide coordinator (III.A).
        """
        async with self._changing(intent_id) as connection:
            if connection:
                try:
                    await connection.execute(_GRANT, account_id, role.value, intent_id)
                except asyncpg.UniqueViolationError:
                    msg = "the agency has its statewide coordinator, who hands the office over"
                    raise WrongStateError(msg, metadata={"clauses": "III.A"}) from None

    async def revoke(self, intent_id: str, account_id: str, role: Role) -> None:
        """Takes the role; nothing happens when it is not held."""
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_REVOKE, account_id, role.value)

    async def certify(self, intent_id: str, account_id: str, certification: Certification) -> None:
        """Puts the certification on record."""
        async with self._changing(intent_id) as connection:
            if connection:
                await insert_certification(connection, intent_id, account_id, certification)

    async def vet(self, intent_id: str, account_id: str, vetting: Vetting) -> None:
        """Puts the decision in the place of an earlier one."""
        parts = vetting.document_sha256, vetting.reference, vetting.valid_until, vetting.decided_by
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_VET, account_id, *parts, intent_id)

    async def unvet(self, intent_id: str, account_id: str) -> None:
        """Takes the decision back; nothing happens when there is none."""
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_UNVET, account_id)

    def _account(self, row: Any) -> Account | None:
        account = _account(row, *self._periods())
        if account is None or not self._law.is_outside(account.profile.agency_ori):
            return account
        return replace(account, standing=self._standing(row["declarations"]))

    def _standing(self, declared: Any) -> Standing:
        """What counts of declarations; one that lacks what the pack asks for by now counts no more."""
        return Standing(
            tuple(
                Affirmation(start, end, frozenset(codes))
                for start, end, uses, codes in declared
                if self._law.uses.keys() <= set(uses)
            )
        )

    def _periods(self) -> tuple[timedelta, timedelta]:
        period = self._settings.period
        return period("account_idle_days"), period("account_review_days")

    @asynccontextmanager
    async def _changing(self, intent_id: str) -> AsyncIterator[AnyConnection | None]:
        """A transaction for the change of this intent, or None when it has been made before."""
        async with transaction(self._pool) as connection:
            claimed = await connection.fetchval(_CLAIM, intent_id)
            if claimed:
                await connection.execute(_BUMP)
            yield connection if claimed else None


async def insert_agency(connection: AnyConnection, intent_id: str, agency: Agency) -> None:
    """Inserts the agency in the caller's transaction."""
    try:
        await connection.execute(
            _INSERT_AGENCY, agency.ori, agency.name, list(agency.email_domains), intent_id
        )
    except asyncpg.UniqueViolationError:
        raise AgencyExistsError("this ORI is registered already", resource=agency.ori) from None


async def insert_account(connection: AnyConnection, intent_id: str, account: Account) -> None:
    """Inserts the account with roles and certifications in the caller's transaction."""
    who = account.profile
    named = (who.issuer, who.subject, who.full_name, who.badge_number, who.email, who.agency_ori, who.unit)
    try:
        standing = (account.state.value, account.life.end_time)
        await connection.execute(_INSERT_ACCOUNT, account.account_id, *named, *standing, intent_id)
    except asyncpg.UniqueViolationError:
        raise AccountExistsError("this person has an account already; use that one") from None
    for role in sorted(account.roles):
        await connection.execute(_GRANT, account.account_id, role.value, intent_id)
    for certification in account.certifications:
        await insert_certification(connection, intent_id, account.account_id, certification)


async def insert_exception(
    connection: AnyConnection, intent_id: str, account_id: str, one: EmailException
) -> None:
    """Inserts the approval, by which the address counts from now on, in the caller's transaction."""
    parts = (one.approver, one.document_sha256, one.reason, one.valid_until)
    await connection.execute(_EXCEPT, intent_id, account_id, *parts)
    await connection.execute(_ADDRESS_UNTIL, account_id, one.valid_until)


async def insert_certification(
    connection: AnyConnection, intent_id: str, account_id: str, one: Certification
) -> None:
    """Inserts the certification in the caller's transaction."""
    parts = (one.kind.value, one.valid_from, one.valid_until, one.reference)
    await connection.execute(_CERTIFY, account_id, *parts, intent_id)


def _agency(row: Any) -> Agency | None:
    return Agency(row["ori"], row["name"], tuple(row["email_domains"])) if row else None


def _account(row: Any, idle: timedelta, review: timedelta) -> Account | None:
    if row is None:
        return None
    profile = Profile(
        subject=row["subject"],
        issuer=row["issuer"],
        full_name=row["full_name"],
        badge_number=row["badge_number"],
        email=row["email"],
        agency_ori=row["agency_ori"],
        unit=row["unit"],
    )
    held = tuple(
        Certification(CertificationKind(kind), valid_from, valid_until, reference)
        for kind, valid_from, valid_until, reference in row["certifications"]
    )
    roles = frozenset(Role(role) for role in row["roles"])
    duties = tuple(Duty(str(one), DocumentKind(kind), *times) for one, kind, *times in row["duties"])
    return Account(
        account_id=str(row["account_id"]),
        profile=profile,
        state=AccountState(row["state"]),
        roles=roles,
        certifications=held,
        vetting=_vetting(row["vetting"]),
        duties=duties,
        escorted=_escorted(row["escorted"]),
        signed_out=SignedOut(row["signed_out_time"], frozenset(map(str, row["ended_sign_ins"]))),
        life=Life(row["made_time"], row["end_time"], row["use_time"], row["review_time"], idle, review),
        email_until=row["email_until"],
    )


def _vetting(held: Any) -> Vetting | None:
    if held is None:
        return None
    document_sha256, reference, valid_until, decided_by, decided_at = held
    return Vetting(document_sha256, reference, valid_until, str(decided_by), decided_at)


def _escorted(held: Any) -> Escorted | None:
    if held is None:
        return None
    escort_id, by, scope, begin_time, ends_at = held
    return Escorted(str(escort_id), str(by), EscortScope(scope), begin_time, ends_at)
