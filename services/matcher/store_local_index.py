"""Local lists as the index needs them: a header and its entries, like any other list's."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.common.pg import Connection
from services.matcher.core.entry import Entry, Source
from services.matcher.core.index import ListHeader
from services.matcher.core.local import LocalEntry, Owner, OwnerKind
from services.matcher.store_local import read_live

# The database's clock says only what is worth loading; whether an entry has expired is told when a read is
# compared, to the second, by this service's own.
_LOADED_FROM: Final = "SELECT now() - interval '1 hour'"
_CHANGES: Final = (
    "SELECT hot_list_id, max(greatest(added_revision, ended_revision)) AS version,"
    " max(greatest(added_at, ended_at)) AS changed_at"
    " FROM matcher.local_entry WHERE hot_list_id = ANY($1::uuid[]) GROUP BY hot_list_id"
)


async def read_local_lists(held: Connection) -> tuple[tuple[ListHeader, tuple[Entry, ...]], ...]:
    """Every local list with something to compare, in the snapshot of the open transaction.

    A list's version is the revision of its last change: list and version together never change their content,
    but that what has expired is left out.
    """
    live = await read_live(held, await held.fetchval(_LOADED_FROM))
    by_list = _by_list(live)
    changes = await held.fetch(_CHANGES, list(by_list))
    return tuple(
        (_header(by_list[row["hot_list_id"]][0].owner, row["version"], row["changed_at"]), entries)
        for row in changes
        for entries in [tuple(_entry(one) for one in by_list[row["hot_list_id"]])]
    )


def _by_list(live: Iterable[LocalEntry]) -> dict[uuid.UUID, list[LocalEntry]]:
    ordered = sorted(live, key=lambda one: one.owner.hot_list_id)
    groups = itertools.groupby(ordered, key=lambda one: one.owner.hot_list_id)
    return {hot_list_id: list(entries) for hot_list_id, entries in groups}


def _header(owner: Owner, version: int, changed_at: datetime) -> ListHeader:
    return ListHeader(
        hot_list_id=owner.hot_list_id,
        name=owner.list_name,
        agency_ori=owner.agency_ori,
        source=Source.AGENCY,
        version=version,
        upload_time=changed_at,
        activated_at=changed_at,
        is_local=True,
        sensor_id=owner.key if owner.kind is OwnerKind.SENSOR else "",
    )


def _entry(one: LocalEntry) -> Entry:
    """The entry as hits show it: its record number is the case number; the purpose stays with the owner."""
    watched = one.watched
    return Entry(
        entry_id=one.entry_id,
        plate=watched.pattern,
        state=watched.state,
        category=watched.category,
        record_number=one.grounds.case_number,
        vehicle=watched.vehicle,
        plate_type=watched.plate_type,
        entry_date=one.added_at.date(),
        expires_at=one.expires_at,
    )
