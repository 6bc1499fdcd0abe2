"""The end of days in the database: the search_purge and search_mcs_purge logins."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import StorageUnavailableError
from services.common.pg import Pool, connection
from services.search.errors import DayKeptError

_FOLLOW: Final = "SELECT archive.follow_retention($1)"
_IS_DUE: Final = "SELECT archive.purge_is_due()"
_RESTORE_IS_OPEN: Final = "SELECT archive.restore_is_open()"
_WAS_RUN: Final = "SELECT archive.purge_was_run()"
_LAST_DAY_OVER: Final = "SELECT archive.last_day_over()"
_DAYS_OVER: Final = "SELECT day FROM archive.days_over() AS t (day)"
_DAYS_OVER_APART: Final = "SELECT day FROM motor_carrier.days_over() AS t (day)"
_PURGES_OF: Final = "SELECT archive.purges_of($1)"
_UNDER_WAY: Final = "SELECT purge_id, intent_id, day FROM archive.purges_under_way()"
_BEGIN: Final = "SELECT archive.begin_purge($1, $2, $3)"
_DROP_DAY: Final = "SELECT archive.drop_day($1, $2, $3)"
_DROP_DAY_APART: Final = "SELECT motor_carrier.drop_day($1, $2, $3, $4)"
_FORGET_WORDS: Final = "SELECT archive.forget_words($1, $2)"
_NOTE_STEP: Final = "SELECT archive.note_step($1, $2, $3)"
_RESULT: Final = "SELECT begun_at, retention_days, setting_revision, steps FROM archive.purge_result($1)"
_END: Final = "SELECT archive.end_purge($1, $2, $3, $4)"
_PURGES: Final = (
    "SELECT purge_id, day, ended_at, result, certificate, receipts FROM archive.purges($1, $2, $3)"
)
_OLDER: Final = "SELECT place, row_count, oldest, why FROM archive.older_rows()"
_OLDER_APART: Final = "SELECT place, row_count, oldest, why FROM motor_carrier.older_rows()"
_TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('archive.purge', 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('archive.purge', 0))"
_WORDS_AT_ONCE: Final = 5000
_LACKS_KEY: Final = "a hold on this day lacks its key"


@dataclass(frozen=True, slots=True)
class Purge:
    """A purge that is under way."""

    purge_id: UUID
    intent_id: UUID
    day: date


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What the steps of a purge wrote down, by step, and by which setting."""

    begun_at: datetime
    retention_days: int
    setting_revision: int
    steps: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class EndedPurge:
    """A purge that ended; `certificate` is empty for one that was given up."""

    purge_id: UUID
    day: date
    ended_at: datetime
    done: bool
    certificate: Mapping[str, str]
    receipts: tuple[AuditReceipt, ...]


@dataclass(frozen=True, slots=True)
class OlderRows:
    """What a table has that is older than the retention period; None for what cannot be told."""

    place: str
    row_count: int | None
    oldest: date | None
    why: str


class PurgeStore:
    """Ends days, step by step. `apart` is the Motor Carrier Safety data set's own login."""

    def __init__(self, pool: Pool, apart: Pool) -> None:
        self._pool = pool
        self._apart = apart

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """True inside for one replica at a time; the server frees the place of one that dies."""
        async with connection(self._pool) as held:
            mine: bool = await held.fetchval(_TRY_LOCK)
            try:
                yield mine
            finally:
                if mine:
                    try:
                        await held.fetchval(_UNLOCK)
                    except BaseException:
                        held.terminate()  # the place goes with the session
                        raise

    async def follow(self, statement: str) -> int:
        """The days that reads are kept, once the database follows audit's `statement`."""
        return int(await self._value(_FOLLOW, statement))

    async def is_due(self) -> bool:
        """Whether today's daily run (UTC) has not been made to the end."""
        return bool(await self._value(_IS_DUE))

    async def restore_is_open(self) -> bool:
        """Whether a restore may have brought back days that have not ended again."""
        return bool(await self._value(_RESTORE_IS_OPEN))

    async def was_run(self) -> None:
        """Notes that it has."""
        await self._value(_WAS_RUN)

    async def last_day_over(self) -> date:
        """The last day of which no read may be found any more."""
        day: date = await self._value(_LAST_DAY_OVER)
        return day

    async def days_over(self) -> set[date]:
        """Days that are over and have tables in either data set."""
        async with connection(self._pool) as held:
            days = {row["day"] for row in await held.fetch(_DAYS_OVER)}
        async with connection(self._apart) as held:
            return days | {row["day"] for row in await held.fetch(_DAYS_OVER_APART)}

    async def purges_of(self, day: date) -> int:
        """How often the day was purged before."""
        return int(await self._value(_PURGES_OF, day))

    async def under_way(self) -> list[Purge]:
        """Purges that have begun and not ended, oldest day first."""
        async with connection(self._pool) as held:
            return [Purge(*row.values()) for row in await held.fetch(_UNDER_WAY)]

    async def begin(self, purge: Purge) -> None:
        """Begins it, if it has not begun.

        Raises:
            DayKeptError: Reads of the day may still be found.
        """
        await self._value(_BEGIN, purge.purge_id, purge.intent_id, purge.day)

    async def drop_day(self, purge: Purge, keys: Mapping[UUID, bytes]) -> None:
        """Returns when the day's rows are gone, but for what holds keep apart, sealed with their `keys`.

        Raises:
            DayKeptError: Reads of the day may be found again; nothing was done.
            StorageUnavailableError: A reader was in the way for too long, or a hold came meanwhile, whose key
                is not among `keys`; nothing was done.
        """
        try:
            await self._value(_DROP_DAY, purge.purge_id, list(keys), list(keys.values()))
        except asyncpg.InvalidParameterValueError as error:
            raise StorageUnavailableError(_LACKS_KEY) from error

    async def drop_day_apart(self, purge: Purge, keys: Mapping[UUID, bytes]) -> None:
        """The same for the Motor Carrier Safety data set."""
        named = list(keys), list(keys.values())
        try:
            async with connection(self._apart) as held:
                result = await held.fetchval(_DROP_DAY_APART, purge.purge_id, purge.day, *named)
        except asyncpg.InvalidParameterValueError as error:
            raise StorageUnavailableError(_LACKS_KEY) from error
        await self.note(purge, "motor_carrier", json.loads(result))

    async def forget_words(self, purge: Purge) -> None:
        """Returns when the dictionary knows nothing of days that are over."""
        while await self._value(_FORGET_WORDS, purge.purge_id, _WORDS_AT_ONCE):
            pass

    async def note(self, purge: Purge, step: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """What is written down for the step: `result`, or what was written before."""
        found: dict[str, Any] = json.loads(
            await self._value(_NOTE_STEP, purge.purge_id, step, json.dumps(result))
        )
        return found

    async def result(self, purge: Purge) -> PurgeResult:
        """What the steps wrote down."""
        async with connection(self._pool) as held:
            row = (await held.fetch(_RESULT, purge.purge_id))[0]
        return PurgeResult(
            row["begun_at"], row["retention_days"], row["setting_revision"], json.loads(row["steps"])
        )

    async def end(
        self, purge: Purge, certificate: Mapping[str, str], receipts: Sequence[AuditReceipt] = ()
    ) -> None:
        """Ends it: done with a certificate, given up without."""
        await self._value(
            _END,
            purge.purge_id,
            "DONE" if certificate else "FAILED",
            json.dumps(dict(certificate)),
            [one.SerializeToString() for one in receipts],
        )

    async def page(self, before_time: datetime, before_id: UUID, most: int) -> list[EndedPurge]:
        """Purges that ended before a position, newest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_PURGES, before_time, before_id, most)
        return [_ended(row) for row in rows]

    async def older(self) -> list[OlderRows]:
        """What the tables of both data sets have that is older than the retention period."""
        async with connection(self._pool) as held:
            rows = list(await held.fetch(_OLDER))
        async with connection(self._apart) as held:
            rows += await held.fetch(_OLDER_APART)
        return [OlderRows(*row.values()) for row in rows]

    async def _value(self, statement: str, *arguments: object) -> Any:
        try:
            async with connection(self._pool) as held:
                return await held.fetchval(statement, *arguments)
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            raise DayKeptError("reads of this day are still kept") from error


def _ended(row: asyncpg.Record) -> EndedPurge:
    return EndedPurge(
        purge_id=row["purge_id"],
        day=row["day"],
        ended_at=row["ended_at"],
        done=row["result"] == "DONE",
        certificate=json.loads(row["certificate"]),
        receipts=tuple(AuditReceipt.FromString(one) for one in row["receipts"]),
    )
