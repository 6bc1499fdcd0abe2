"""Agreements between agencies. One method is one transaction; a change is made once for each intent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from services.audit.core.agreement import Agreement, AgreementState, DataClass, Terms
from services.audit.errors import AgencyNotFoundError
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_AGREEMENT = """
    SELECT agreement_id, provider_ori, recipient_ori, data_classes, document_sha256, start_time, end_time,
           state, proposed_by_ori, revision
    FROM audit.agreement
"""
_BY_ID = _AGREEMENT + "WHERE agreement_id = $1::uuid"
_PAGE = _AGREEMENT + (
    "WHERE (provider_ori = $1 OR recipient_ori = $1) AND agreement_id > $2::uuid "
    "ORDER BY agreement_id LIMIT $3"
)
_SINCE = _AGREEMENT + "WHERE revision > $1 AND revision <= $2 ORDER BY revision"
_PROVIDERS = """
    SELECT DISTINCT provider_ori FROM audit.agreement
    WHERE recipient_ori = $1 AND state = 'ACCEPTED' AND start_time <= $2 AND $2 < end_time
      AND data_classes && ARRAY['HOT_LIST_HITS', 'MOTOR_CARRIER_HITS']
    ORDER BY provider_ori
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
# The row lock makes revision order equal commit order: a watcher never passes over one that commits late.
_NEXT_REVISION = (
    "UPDATE audit.registry_head SET agreement_revision = agreement_revision + 1 RETURNING agreement_revision"
)
_INSERT = """
    INSERT INTO audit.agreement
        (agreement_id, provider_ori, recipient_ori, data_classes, document_sha256, start_time, end_time,
         state, proposed_by_ori, revision, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, 'PROPOSED', $8, $9, $10::uuid)
"""
_LOCK = "SELECT state FROM audit.agreement WHERE agreement_id = $1::uuid FOR NO KEY UPDATE"
_MOVE = "UPDATE audit.agreement SET state = $2, revision = $3 WHERE agreement_id = $1::uuid"
# From which states each may be reached.
_BEFORE = {
    AgreementState.ACCEPTED: frozenset({AgreementState.PROPOSED}),
    AgreementState.ENDED: frozenset({AgreementState.PROPOSED, AgreementState.ACCEPTED}),
}


class AgreementStore(Reader):
    """Agreements and how far they are."""

    async def by_id(self, agreement_id: str) -> Agreement | None:
        """The agreement, or None."""
        row = await self._fetchrow(_BY_ID, agreement_id)
        return _agreement(row) if row else None

    async def page(self, ori: str, after: str, limit: int) -> list[Agreement]:
        """Up to `limit` agreements that the agency is a party of, whose id comes after `after`."""
        return [_agreement(row) for row in await self._fetch(_PAGE, ori, after, limit)]

    async def since(self, revision: int, until: int) -> list[Agreement]:
        """The agreements whose last change lies after `revision` and not after `until`."""
        return [_agreement(row) for row in await self._fetch(_SINCE, revision, until)]

    async def providers(self, recipient_ori: str, moment: datetime) -> list[str]:
        """Agencies that let the recipient's hot lists be compared with their reads at `moment`, by ORI."""
        return [row["provider_ori"] for row in await self._fetch(_PROVIDERS, recipient_ori, moment)]

    async def propose(self, intent_id: str, agreement: Agreement) -> None:
        """Stores a proposal.

        Raises:
            AgencyNotFoundError: A party is not registered.
        """
        terms = agreement.terms
        values = (
            agreement.agreement_id,
            terms.provider_ori,
            terms.recipient_ori,
            [one.value for one in terms.data_classes],
            terms.document_sha256,
            terms.start_time,
            terms.end_time,
            agreement.proposed_by_ori,
        )
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            revision = await connection.fetchval(_NEXT_REVISION)
            try:
                await connection.execute(_INSERT, *values, revision, intent_id)
            except asyncpg.ForeignKeyViolationError:
                text = "a party of the agreement is not registered"
                raise AgencyNotFoundError(text, resource=agreement.agreement_id) from None

    async def move(self, intent_id: str, agreement_id: str, state: AgreementState) -> None:
        """Accepts or ends an agreement that exists.

        Raises:
            WrongStateError: Its state does not lead there.
        """
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(_CLAIM, intent_id):
                return
            # The head before the row, as all changes do, so that two of them never wait for each other.
            revision = await connection.fetchval(_NEXT_REVISION)
            before = AgreementState(await connection.fetchval(_LOCK, agreement_id))
            if before not in _BEFORE[state]:
                text = "the agreement is not in a state that leads there"
                raise WrongStateError(text, resource=agreement_id, metadata={"state": before.value})
            await connection.execute(_MOVE, agreement_id, state.value, revision)


def _agreement(row: Any) -> Agreement:
    terms = Terms(
        provider_ori=row["provider_ori"],
        recipient_ori=row["recipient_ori"],
        data_classes=tuple(map(DataClass, row["data_classes"])),
        document_sha256=row["document_sha256"],
        start_time=row["start_time"],
        end_time=row["end_time"],
    )
    state = AgreementState(row["state"])
    return Agreement(str(row["agreement_id"]), terms, state, row["proposed_by_ori"])
