"""The agency's hot lists, their entries and local entries, a page at a time (ENF-051 IV.A.3)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.common.errors import NotFoundError
from services.common.pg import Connection, Pool, connection, transaction

Record = Mapping[str, Any]

_LISTS: Final = (
    "SELECT l.hot_list_id, l.agency_ori, l.name, l.source, a.account_id, a.act_time AS create_time,"
    " l.latest_version, l.active_version, l.activated_at, l.immigration_file"
    " FROM matcher.hot_list AS l JOIN matcher.act AS a ON a.intent_id = l.intent_id"
    " WHERE l.agency_ori = $1 AND l.hot_list_id > $2 ORDER BY l.hot_list_id LIMIT $3"
)
# What belongs to a list, by the name that it has in the export; all of it in the order in which it came.
_OF_LISTS: Final = {
    "versions": (
        "SELECT v.hot_list_id, v.version, v.intent_id, v.kind, v.base_version, v.compared_version,"
        " a.account_id, v.upload_time, v.source_time, v.expire_time, v.format, v.sha256, v.size_bytes,"
        " v.attestation, v.row_count, v.entry_count, v.added_count, v.removed_count, v.categories,"
        " v.category_counts, v.immigration_file"
        " FROM matcher.hot_list_version AS v JOIN matcher.act AS a ON a.intent_id = v.intent_id"
        " WHERE v.hot_list_id = ANY($1::uuid[]) ORDER BY v.hot_list_id, v.version"
    ),
    "approvals": (
        "SELECT hot_list_id, version, compared_version, account_id, approved_at FROM matcher.version_approval"
        " WHERE hot_list_id = ANY($1::uuid[]) ORDER BY hot_list_id, approved_at"
    ),
    "activations": (
        "SELECT t.hot_list_id, t.version, t.match_revision, t.activated_at, a.account_id"
        " FROM matcher.activation AS t JOIN matcher.act AS a ON a.intent_id = t.intent_id"
        " WHERE t.hot_list_id = ANY($1::uuid[]) ORDER BY t.hot_list_id, t.match_revision"
    ),
}
_LATEST: Final = "SELECT latest_version FROM matcher.hot_list WHERE hot_list_id = $1 AND agency_ori = $2"
# An entry that a later version ends is what it was in the versions up to $2: a page is the same again.
_ENTRIES: Final = (
    "SELECT entry_id, first_version, CASE WHEN last_version < $2 THEN last_version END AS last_version,"
    " category, plate, state, record_number, plate_type, vehicle_year, vehicle_make, vehicle_model,"
    " vehicle_style, vehicle_color, entry_date, expires_at FROM matcher.hot_list_entry"
    " WHERE hot_list_id = $1 AND first_version <= $2 AND (entry_id, first_version) > ($3, $4)"
    " ORDER BY entry_id, first_version LIMIT $5"
)
_REVISION: Final = "SELECT match_revision FROM matcher.revision"
# Every local entry has a revision of its own, given out in the order of commit.
_LOCAL: Final = (
    "SELECT e.entry_id, l.hot_list_id, l.agency_ori, l.owner_kind, l.owner_key, l.unit, e.pattern, e.state,"
    " e.plate_type, e.category, e.vehicle_year, e.vehicle_make, e.vehicle_model, e.vehicle_style,"
    " e.vehicle_color, e.case_number_kind, e.case_number, e.outside_agency, e.purpose, e.offence_code,"
    " e.account_id, e.added_at, e.expires_at, e.added_revision, e.end_reason, e.ended_at"
    " FROM matcher.local_entry AS e JOIN matcher.local_list AS l USING (hot_list_id)"
    " WHERE l.agency_ori = $1 AND e.added_revision > $2 AND e.added_revision <= $3"
    " ORDER BY e.added_revision LIMIT $4"
)
_QUARANTINED: Final = (
    "SELECT q.intent_id, q.upload_id, q.hot_list_id, l.agency_ori, q.account_id, q.upload_time, q.format,"
    " q.sha256, q.size_bytes, q.attestation, q.row_count, q.error_count, q.stopped"
    " FROM matcher.quarantined_upload AS q JOIN matcher.hot_list AS l USING (hot_list_id)"
    " WHERE l.agency_ori = $1 AND q.intent_id > $2 ORDER BY q.intent_id LIMIT $3"
)
# Of uploads that were refused, and of versions.
_FINDINGS: Final = (
    "SELECT f.intent_id, f.number, o.hot_list_id, o.upload, f.row_number, f.column_name, f.problem"
    " FROM matcher.row_finding AS f CROSS JOIN LATERAL ("
    " SELECT q.hot_list_id, 'REFUSED' AS upload FROM matcher.quarantined_upload AS q"
    " WHERE q.intent_id = f.intent_id UNION ALL"
    " SELECT v.hot_list_id, 'STORED' FROM matcher.hot_list_version AS v WHERE v.intent_id = f.intent_id"
    ") AS o JOIN matcher.hot_list AS l USING (hot_list_id)"
    " WHERE l.agency_ori = $1 AND (f.intent_id, f.number) > ($2, $3)"
    " ORDER BY f.intent_id, f.number LIMIT $4"
)
_TUNING: Final = (
    "SELECT t.hot_list_id, l.agency_ori, t.budget, t.number, t.factor_before, t.factor, t.read_count,"
    " t.match_count, t.right_count, t.wrong_count, t.reads_at, t.matches_at, t.match_revision, t.intent_id,"
    " t.set_at FROM matcher.tuning AS t JOIN matcher.hot_list AS l USING (hot_list_id)"
    " WHERE l.agency_ori = $1 AND t.match_revision > $2 AND t.match_revision <= $3"
    " ORDER BY t.match_revision LIMIT $4"
)


@dataclass(frozen=True, slots=True)
class Found:
    """Records of a page, in their order; `until` is the last version or revision that the export goes to."""

    records: Sequence[Record]
    until: int
    has_more: bool


class ExportStore:
    """What an agency owns of hot lists. One method is one snapshot of the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def lists(self, agency_ori: str, after: uuid.UUID, size: int) -> Found:
        """At most `size` lists after `after`, each with its versions, approvals and activations."""
        async with transaction(self._pool, readonly=True) as held:
            rows = await held.fetch(_LISTS, agency_ori, after, size + 1)
            lists = [dict(row) for row in rows[:size]]
            for name, query in _OF_LISTS.items():
                found = await _by_list(held, query, [one["hot_list_id"] for one in lists])
                for one in lists:
                    one[name] = found[one["hot_list_id"]]
        return Found(lists, 0, len(rows) > size)

    async def entries(
        self, list_id: uuid.UUID, agency_ori: str, after: tuple[uuid.UUID, int], until: int | None, size: int
    ) -> Found:
        """At most `size` entries of the list after `after`, up to version `until`, or to the newest of now.

        Raises:
            NotFoundError: The agency has no such list.
        """
        async with transaction(self._pool, readonly=True) as held:
            latest = await held.fetchval(_LATEST, list_id, agency_ori)
            if latest is None:
                raise NotFoundError("the agency has no such list", resource=str(list_id))
            end = latest if until is None else min(until, latest)
            rows = await held.fetch(_ENTRIES, list_id, end, *after, size + 1)
        return Found([dict(row) for row in rows[:size]], end, len(rows) > size)

    async def local_entries(self, agency_ori: str, after: int, until: int | None, size: int) -> Found:
        """At most `size` entries of local lists that were put on after revision `after`, up to `until`."""
        async with transaction(self._pool, readonly=True) as held:
            revision = int(await held.fetchval(_REVISION))
            end = revision if until is None else min(until, revision)
            rows = await held.fetch(_LOCAL, agency_ori, after, end, size + 1)
        return Found([dict(row) for row in rows[:size]], end, len(rows) > size)

    async def quarantined(self, agency_ori: str, after: uuid.UUID, size: int) -> Found:
        """At most `size` uploads that were refused, in the order of their intents, after `after`."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_QUARANTINED, agency_ori, after, size + 1)
        return Found([dict(row) for row in rows[:size]], 0, len(rows) > size)

    async def findings(self, agency_ori: str, after: tuple[uuid.UUID, int], size: int) -> Found:
        """At most `size` findings about rows of uploads after `after`, an intent and a number."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_FINDINGS, agency_ori, *after, size + 1)
        return Found([dict(row) for row in rows[:size]], 0, len(rows) > size)

    async def tuning(self, agency_ori: str, after: int, until: int | None, size: int) -> Found:
        """At most `size` changes of budgets that were made after revision `after`, up to `until`."""
        async with transaction(self._pool, readonly=True) as held:
            revision = int(await held.fetchval(_REVISION))
            end = revision if until is None else min(until, revision)
            rows = await held.fetch(_TUNING, agency_ori, after, end, size + 1)
        return Found([dict(row) for row in rows[:size]], end, len(rows) > size)


async def _by_list(
    held: Connection, query: str, list_ids: Sequence[uuid.UUID]
) -> defaultdict[uuid.UUID, list[Record]]:
    found: defaultdict[uuid.UUID, list[Record]] = defaultdict(list)
    for row in await held.fetch(query, list_ids):
        values = dict(row)
        found[values.pop("hot_list_id")].append(values)
    return found
