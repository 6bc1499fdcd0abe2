"""Notices on their way to recipients: the search_register login, which may execute its functions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.common.pg import Pool, connection
from services.search.core.houses import Schema

if TYPE_CHECKING:
    import asyncpg

_TO_PLAN: Final = "SELECT notice_id, recipient FROM %s.notices_to_plan($1)"
_PLAN: Final = "SELECT %s.plan_delivery($1, $2)"
_CLAIM: Final = """
SELECT notice_id, attempt, address, kind, statement, notice_time, dissemination_id, agency_ori, recipient,
       format, file_sha256, made_time, due_time, receipt
  FROM %s.claim_delivery($1)"""
_RECORDED: Final = "SELECT %s.notice_is_recorded($1, $2, $3)"
_PUT_BACK: Final = "SELECT %s.put_back_delivery($1, $2, $3)"
_END: Final = "SELECT %s.end_delivery($1, $2, $3, $4, $5, $6)"
_TO_LOG: Final = (
    "SELECT notice_id, attempt, attempt_time, result, problem, agency_ori FROM %s.attempts_to_log($1)"
)
_LOGGED: Final = "SELECT %s.attempt_is_logged($1, $2)"
_DELIVERIES: Final = """
SELECT notice_id, state, attempts, last_attempt, next_attempt, problem FROM %s.deliveries_of($1)"""
_RESEND: Final = "SELECT %s.resend_notice($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Claim:
    """A notice that this process is to send while its lease lasts; `receipt` is None until the log has it."""

    notice_id: UUID
    attempt: int
    address: str = field(repr=False)
    kind: str
    statement: str
    notice_time: datetime
    dissemination_id: UUID
    agency_ori: str
    recipient: bytes = field(repr=False)
    format: str
    file_sha256: bytes
    made_time: datetime
    due_time: datetime | None
    receipt: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that ended, as the log is to have it."""

    notice_id: UUID
    attempt: int
    attempt_time: datetime
    result: str
    problem: str
    agency_ori: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the letter of a notice fares."""

    notice_id: UUID
    state: str
    attempts: int
    last_attempt: datetime | None
    next_attempt: datetime | None
    problem: str


class NoticeStore:
    """What is to be sent, and how it went. One method is one transaction.

    Each may raise StorageUnavailableError.
    """

    def __init__(self, pool: Pool, schema: Schema = "archive") -> None:
        self._pool = pool
        self._schema = schema

    async def to_plan(self, most: int) -> list[tuple[UUID, bytes]]:
        """Notices that nobody has looked at yet, each with its recipient's message."""
        return [tuple(row) for row in await self._fetch(_TO_PLAN, most)]

    async def plan(self, notice_id: UUID, address: str) -> None:
        """Has the notice sent to the address; with "" a person tells the recipient."""
        await self._fetch(_PLAN, notice_id, address)

    async def claim(self, lease: timedelta) -> Claim | None:
        """The notice that is due longest, for so long; None when none is."""
        rows = await self._fetch(_CLAIM, lease)
        return Claim(*rows[0].values()) if rows else None

    async def recorded(self, notice_id: UUID, intent_id: UUID, receipt: bytes) -> None:
        """Notes that the log has the notice."""
        await self._fetch(_RECORDED, notice_id, intent_id, receipt)

    async def put_back(self, claim: Claim, next_time: datetime) -> None:
        """Gives back what could not even be tried."""
        await self._fetch(_PUT_BACK, claim.notice_id, claim.attempt, next_time)

    async def end(
        self, claim: Claim, result: str, problem: str, next_time: datetime | None, statement: str
    ) -> None:
        """Notes how the attempt ended; SENT also notes that the recipient was told, in these words."""
        await self._fetch(_END, claim.notice_id, claim.attempt, result, problem, next_time, statement)

    async def to_log(self, most: int) -> list[Attempt]:
        """Attempts that ended and that the log may not have."""
        return [Attempt(*row.values()) for row in await self._fetch(_TO_LOG, most)]

    async def logged(self, attempt: Attempt) -> None:
        """Notes that the log has the attempt."""
        await self._fetch(_LOGGED, attempt.notice_id, attempt.attempt)

    async def deliveries(self, notice_ids: Sequence[UUID]) -> dict[UUID, Delivery]:
        """How the letters of these notices fare; those that nobody has looked at are left out."""
        rows = await self._fetch(_DELIVERIES, list(notice_ids))
        return {row["notice_id"]: Delivery(*row.values()) for row in rows}

    async def resend(self, notice_id: UUID, agency_ori: str, address: str) -> str:
        """How the notice stands after it was to be sent again: NONE, TOLD, NO_ADDRESS or WAITING."""
        [[state]] = await self._fetch(_RESEND, notice_id, agency_ori, address)
        return str(state)

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with connection(self._pool) as held:
            return await held.fetch(query % self._schema, *arguments)
