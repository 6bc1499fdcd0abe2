"""Use case: a page of the agency's hot lists, in an open format (ENF-051 IV.A.3)."""

from __future__ import annotations

import uuid

from services.common.paged_export import Asked, Look, Page, PagedExport, Rows
from services.matcher.store_export import ExportStore, Found
from services.matcher.wire_export import (
    ENTRIES,
    FINDINGS,
    LISTS,
    QUARANTINED,
    TUNING,
    document,
    numbered_position,
)

_BEFORE_ALL = uuid.UUID(int=0)
# What the position of a record is, by part.
_MARKS = {
    LISTS: ("hot_list_id",),
    ENTRIES: ("entry_id", "first_version"),
    QUARANTINED: ("intent_id",),
    FINDINGS: ("intent_id", "number"),
    TUNING: ("match_revision",),
}


class HotListExports:
    """Looks, makes the page, and lets it leave once the log has it."""

    def __init__(self, records: PagedExport, store: ExportStore) -> None:
        self._records = records
        self._store = store

    async def page(self, asked: Asked) -> Page:
        """The page, once the look at it and its leaving are recorded.

        Raises:
            NotFoundError: The agency has no such list.
            AlprError: As `PagedExport`, or the database does not answer.
        """
        look = await self._records.begin(asked)
        try:
            found = await self._found(asked, look)
        except BaseException:
            await self._records.give_up(look)
            raise
        rows = Rows(
            rows=[document(one) for one in found.records],
            until=str(found.until),
            last=_position(asked.part, found),
            has_more=found.has_more,
        )
        return await self._records.leave(asked, look, rows)

    async def _found(self, asked: Asked, look: Look) -> Found:
        agency = look.agency_ori
        until = int(asked.until) if asked.until else None
        if asked.part in {LISTS, QUARANTINED}:
            after = uuid.UUID(asked.after) if asked.after else _BEFORE_ALL
            pages = self._store.lists if asked.part == LISTS else self._store.quarantined
            return await pages(agency, after, asked.size)
        if asked.part == ENTRIES:
            position = numbered_position(asked.after)
            return await self._store.entries(uuid.UUID(asked.of), agency, position, until, asked.size)
        if asked.part == FINDINGS:
            return await self._store.findings(agency, numbered_position(asked.after), asked.size)
        if asked.part == TUNING:
            return await self._store.tuning(agency, int(asked.after or 0), until, asked.size)
        return await self._store.local_entries(agency, int(asked.after or 0), until, asked.size)


def _position(part: str, found: Found) -> str:
    if not found.records:
        return ""
    last = found.records[-1]
    return "/".join(str(last[name]) for name in _MARKS.get(part, ("added_revision",)))
