"""Legal holds in the database: the search_purge login, and search_question for keys of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from services.common.errors import RequestIdReusedError
from services.common.pg import Pool, connection
from services.search.acts import Intent
from services.search.core.answer import Authorization, StoredImage
from services.search.core.holds import Hold, NewHold
from services.search.store_question import asking

_PLACE: Final = "SELECT archive.place_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_HOLDS: Final = """
SELECT hold_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason, placed_at,
       from_time, to_time, plate_count, sensor_ids, matching_rows, kept_rows, released_at, released_rows
  FROM archive.holds($1, $2, $3)"""
_RELEASE: Final = "SELECT rows, digest FROM archive.release_hold($1, $2, $3)"
_TO_RECORD: Final = "SELECT intent_id, hold_id, released, rows, digest FROM archive.hold_acts_to_record()"
_RECORDED: Final = "SELECT archive.note_hold_act($1)"
_IMAGE_KEY: Final = """
SELECT image_sha256, image_day, image_media_type, image_size, image_key
  FROM archive.held_image_key($1, $2, $3)"""


@dataclass(frozen=True, slots=True)
class HoldAct:
    """A hold that was placed, or released, without the log having its outcome."""

    intent_id: UUID
    hold_id: UUID
    released: bool
    rows: int
    digest: bytes | None


class HoldStore:
    """Places and releases holds; no read leaves the database here."""

    def __init__(self, pool: Pool, questions: Pool) -> None:
        self._pool = pool
        self._questions = questions

    async def place(self, intent: Intent, hold: NewHold) -> int:
        """How many reads it covers now, once it is in force; once for each intent.

        Raises:
            RequestIdReusedError: The hold exists and is somebody else's.
        """
        rule = hold.rule
        values = (
            hold.hold_id,
            intent.intent_id,
            intent.agency_ori,
            intent.account_id,
            hold.case_number_kind,
            hold.case_number,
            hold.document_sha256,
            hold.reason,
            rule.from_time,
            rule.to_time,
            list(rule.plates),
            list(rule.sensor_ids),
        )
        try:
            async with connection(self._pool) as held:
                return int(await held.fetchval(_PLACE, *values))
        except asyncpg.UniqueViolationError:
            raise RequestIdReusedError("the request id was used for another hold") from None

    async def page(self, agency_ori: str, after: UUID, most: int) -> list[Hold]:
        """Up to `most` holds of the agency whose id comes after `after`."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_HOLDS, agency_ori, after, most)
        return [_hold(row) for row in rows]

    async def release(self, hold_id: UUID, intent: Intent) -> tuple[int, bytes] | None:
        """Reads that ended with the hold, and the digest of their ids; None when there is none to release."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_RELEASE, hold_id, intent.intent_id, intent.agency_ori)
        return (rows[0]["rows"], rows[0]["digest"]) if rows else None

    async def acts_to_record(self) -> list[HoldAct]:
        """Acts older than a minute whose outcome the log may not have."""
        async with connection(self._pool) as held:
            return [HoldAct(*row.values()) for row in await held.fetch(_TO_RECORD)]

    async def recorded(self, intent_id: UUID) -> None:
        """Notes that the log has the act's outcome."""
        async with connection(self._pool) as held:
            await held.execute(_RECORDED, intent_id)

    async def image_of(
        self, authorization: Authorization, hold_id: UUID, read_id: UUID
    ) -> StoredImage | None:
        """The picture of a held read, None when it is not in the permit's scope."""
        async with asking(self._questions) as held:
            rows = await held.fetch(_IMAGE_KEY, authorization.permit, hold_id, read_id)
        return _stored_image(rows[0]) if rows else None


def _stored_image(row: asyncpg.Record) -> StoredImage:
    return StoredImage(
        sha256=row["image_sha256"],
        day=row["image_day"],
        media_type=row["image_media_type"],
        size_bytes=row["image_size"],
        key=row["image_key"],
        recognition=b"",
    )


def _hold(row: asyncpg.Record) -> Hold:
    values = dict(row)
    return Hold(**{**values, "sensor_ids": tuple(values["sensor_ids"])})
