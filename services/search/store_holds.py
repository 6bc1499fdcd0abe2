"""Legal holds in the database: the purge login of a data set, and the question login for what they keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

import asyncpg

from services.common.canonical import to_microseconds
from services.common.errors import RequestIdReusedError
from services.common.pg import Connection, Pool, connection
from services.search.acts import Intent
from services.search.core.answer import Authorization
from services.search.core.holds import Hold, NewHold
from services.search.core.houses import ARCHIVE, HouseNames
from services.search.errors import PermitRefusedError
from services.search.hold_keys import WrappedKey
from services.search.road import Put
from services.search.store_question import asking

_PLACE: Final = "SELECT %s.place_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_HOLDS: Final = """
SELECT hold_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason, placed_at,
       from_time, to_time, plate_count, sensor_ids, matching_rows, kept_rows, released_at, released_rows
  FROM %s.holds($1, $2, $3)"""
_RELEASE: Final = "SELECT rows, digest FROM %s.release_hold($1, $2, $3)"
_TO_RECORD: Final = "SELECT intent_id, hold_id, released, rows, digest FROM %s.hold_acts_to_record()"
_RECORDED: Final = "SELECT %s.note_hold_act($1)"
_READS: Final = "SELECT read_id, sealed_read, wrapped_key FROM %s.held_reads($1, $2, $3, $4, $5, $6)"
_IMAGE_KEY: Final = """
SELECT image_day, image_sha256, sealed_read, sealed_image_key, wrapped_key
  FROM %s.held_image_key($1, $2, $3, $4, $5, $6)"""
_NOT_SIGNED: Final = "the archive does not accept the audit service's word for this act, so nothing was done"


@dataclass(frozen=True, slots=True)
class HoldAct:
    """A hold that was placed, or released, without the log having its outcome."""

    intent_id: UUID
    hold_id: UUID
    released: bool
    rows: int
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class SealedRead:
    """A held read as the archive gives it out; its hold's key opens it."""

    read_id: UUID
    sealed: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedImage:
    """Where a held picture is, and what opens it, sealed; it has no image key where none came."""

    day: date
    sha256: bytes
    sealed_read: bytes = field(repr=False)
    sealed_image_key: bytes | None = field(repr=False)
    wrapped_key: bytes = field(repr=False)


class HoldStore:
    """Places and releases holds of a data set; what they keep leaves the database sealed, and by permit."""

    def __init__(self, pool: Pool, questions: Pool, names: HouseNames = ARCHIVE) -> None:
        self._pool = pool
        self._questions = questions
        self._schema = names.schema

    async def place(self, intent: Intent, hold: NewHold, key: WrappedKey) -> int:
        """How many reads it covers now, once it is in force; once for each intent, and the first key stays.

        Raises:
            RequestIdReusedError: The hold exists and is somebody else's.
            PermitRefusedError: Audit has not signed this hold.
        """
        rule = hold.rule
        values = (
            intent.statement,
            hold.hold_id,
            hold.case_number_kind,
            hold.case_number,
            hold.document_sha256,
            hold.reason,
            rule.from_time,
            rule.to_time,
            list(rule.plates),
            list(rule.sensor_ids),
            key.wrapped,
            key.digest,
        )
        try:
            async with signed_act(self._pool) as held:
                return int(await held.fetchval(_PLACE % self._schema, *values))
        except asyncpg.UniqueViolationError:
            raise RequestIdReusedError("the request id was used for another hold") from None

    async def page(self, agency_ori: str, after: UUID, most: int) -> list[Hold]:
        """Up to `most` holds of the agency whose id comes after `after`."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_HOLDS % self._schema, agency_ori, after, most)
        return [_hold(row) for row in rows]

    async def release(self, hold_id: UUID, intent: Intent, reason: str) -> tuple[int, bytes] | None:
        """Reads that ended with the hold, and the digest of their ids; None when there is none to release.

        Raises:
            PermitRefusedError: Audit has not signed this release.
        """
        async with signed_act(self._pool) as held:
            rows = await held.fetch(_RELEASE % self._schema, intent.statement, hold_id, reason)
        return (rows[0]["rows"], rows[0]["digest"]) if rows else None

    async def acts_to_record(self) -> list[HoldAct]:
        """Acts older than a minute whose outcome the log may not have."""
        async with connection(self._pool) as held:
            return [HoldAct(*row.values()) for row in await held.fetch(_TO_RECORD % self._schema)]

    async def recorded(self, intent_id: UUID) -> None:
        """Notes that the log has the act's outcome."""
        async with connection(self._pool) as held:
            await held.execute(_RECORDED % self._schema, intent_id)

    async def reads_of(self, authorization: Authorization, page_size: int, put: Put) -> list[SealedRead]:
        """The reads of the answer, by id.

        Raises:
            PermitRefusedError: The permit is for another question, or has ended.
        """
        rows = await self._taken(_READS, authorization, page_size, put)
        return [SealedRead(*row.values()) for row in rows]

    async def image_of(self, authorization: Authorization, page_size: int, put: Put) -> SealedImage | None:
        """The picture of a held read, None when it is not in the permit's scope. Raises as `reads_of`."""
        rows = await self._taken(_IMAGE_KEY, authorization, page_size, put)
        return SealedImage(*rows[0].values()) if rows else None

    async def _taken(
        self, statement: str, authorization: Authorization, page_size: int, put: Put
    ) -> list[asyncpg.Record]:
        window = to_microseconds(authorization.from_time), to_microseconds(authorization.to_time)
        async with asking(self._questions) as held:
            return await held.fetch(
                statement % self._schema, authorization.permit, *window, page_size, *put.arguments
            )


@asynccontextmanager
async def signed_act(pool: Pool) -> AsyncIterator[Connection]:
    """A connection; an act inside that audit has not signed becomes PermitRefusedError."""
    try:
        async with connection(pool) as held:
            yield held
    except asyncpg.InsufficientPrivilegeError as error:
        raise PermitRefusedError(_NOT_SIGNED) from error


def _hold(row: asyncpg.Record) -> Hold:
    values = dict(row)
    return Hold(**{**values, "sensor_ids": tuple(values["sensor_ids"])})
