"""Use case: a page of the agency's hot lists, in an open format (ENF-051 IV.A.3)."""

from __future__ import annotations

import uuid

from services.common.paged_export import Asked, Look, Page, PagedExport, Rows
from services.matcher.store_export import ExportStore, Found
from services.matcher.wire_export import ENTRIES, LISTS, document, entry_position


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
        if asked.part == LISTS:
            after = uuid.UUID(asked.after) if asked.after else uuid.UUID(int=0)
            return await self._store.lists(agency, after, asked.size)
        if asked.part == ENTRIES:
            position = entry_position(asked.after)
            return await self._store.entries(uuid.UUID(asked.of), agency, position, until, asked.size)
        return await self._store.local_entries(agency, int(asked.after or 0), until, asked.size)


def _position(part: str, found: Found) -> str:
    if not found.records:
        return ""
    last = found.records[-1]
    if part == LISTS:
        return str(last["hot_list_id"])
    return f"{last['entry_id']}/{last['first_version']}" if part == ENTRIES else str(last["added_revision"])
