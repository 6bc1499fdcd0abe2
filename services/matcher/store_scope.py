"""Agreements and the matrix of lists and sensor groups in the database. One method is one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.hot_list import Act
from services.matcher.core.scope import Agreement, AgreementNews, GroupMode, GroupRow, Partition, Scope
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_acts import claim
from services.matcher.store_revision import next_revision

if TYPE_CHECKING:
    import asyncpg

_NEWEST_AGREEMENTS: Final = (
    "SELECT DISTINCT ON (agreement_id) agreement_id, sensor_agency_ori, list_agency_ori, partitions,"
    " start_time, end_time, in_force FROM matcher.agreement ORDER BY agreement_id, match_revision DESC"
)
_NEWEST_ROWS: Final = (
    "SELECT DISTINCT ON (agency_ori, sensor_group) agency_ori, sensor_group, mode, hot_list_ids"
    " FROM matcher.group_row ORDER BY agency_ori, sensor_group, match_revision DESC"
)
_PAGE: Final = (
    "SELECT DISTINCT ON (sensor_group) agency_ori, sensor_group, mode, hot_list_ids FROM matcher.group_row"
    " WHERE agency_ori = $1 AND sensor_group > $2 ORDER BY sensor_group, match_revision DESC LIMIT $3"
)
_HEAD: Final = "SELECT audit_revision FROM matcher.agreement_head WHERE only_row FOR UPDATE"
_SET_HEAD: Final = "UPDATE matcher.agreement_head SET audit_revision = $1 WHERE only_row"
_AGREEMENT: Final = (
    "INSERT INTO matcher.agreement (agreement_id, match_revision, sensor_agency_ori, list_agency_ori,"
    " partitions, start_time, end_time, in_force, audit_revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)
# Lists that the agency may name: its own, and those of agencies whose lists an agreement lets in.
_NAMED: Final = (
    "SELECT l.hot_list_id FROM (SELECT hot_list_id, agency_ori FROM matcher.hot_list"  # noqa: S608 - constants
    " UNION ALL SELECT hot_list_id, agency_ori FROM matcher.local_list) AS l"
    " WHERE l.hot_list_id = ANY ($2::uuid[]) AND (l.agency_ori = $1 OR l.agency_ori IN"
    f" (SELECT a.list_agency_ori FROM ({_NEWEST_AGREEMENTS}) AS a"
    " WHERE a.sensor_agency_ori = $1 AND a.in_force AND a.end_time > $3))"
)
_ROW: Final = (
    "INSERT INTO matcher.group_row (agency_ori, sensor_group, match_revision, mode, hot_list_ids, intent_id,"
    " set_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_SET_AT: Final = "SELECT match_revision FROM matcher.group_row WHERE intent_id = $1"


class ScopeStore:
    """What says which lists are compared with which sensor's reads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, agency_ori: str, after: str, size: int) -> tuple[GroupRow, ...]:
        """At most `size` rows of the agency's groups whose name comes after `after`, by name."""
        async with connection(self._pool) as held:
            return tuple(_row(one) for one in await held.fetch(_PAGE, agency_ori, after, size))

    async def set_row(self, act: Act, row: GroupRow) -> int:
        """The revision from which `row` counts.

        Raises:
            HotListNotFoundError: The agency has no such list, nor is there one that an agreement lets in.
        """
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                revision: int = await held.fetchval(_SET_AT, act.intent_id)
                return revision
            named = sorted(row.hot_list_ids)
            found = await held.fetch(_NAMED, row.agency_ori, named, act.act_time)
            known = {one["hot_list_id"] for one in found}
            for missing in (one for one in named if one not in known):
                raise HotListNotFoundError("there is no such hot list", resource=str(missing))
            revision = await next_revision(held)
            group = (row.agency_ori, row.sensor_group, revision, row.mode.value)
            await held.execute(_ROW, *group, named, act.intent_id, act.act_time)
            return revision

    async def take(self, news: AgreementNews) -> int | None:
        """The revision from which audit's news count; None when they change nothing, or are known already."""
        async with transaction(self._pool) as held:
            if news.audit_revision <= await held.fetchval(_HEAD):
                return None
            before = await _in_force(held)
            changed = _changed(before, news)
            revision = await next_revision(held) if changed else None
            for agreement, in_force in changed:
                await held.execute(_AGREEMENT, *_values(agreement, revision), in_force, news.audit_revision)
            await held.execute(_SET_HEAD, news.audit_revision)
            return revision


async def read_scope(held: Connection) -> Scope:
    """Agreements and matrix as the open transaction sees them."""
    rows = await held.fetch(_NEWEST_ROWS)
    return Scope(tuple((await _in_force(held)).values()), tuple(_row(one) for one in rows))


async def _in_force(held: Connection) -> dict[uuid.UUID, Agreement]:
    """The agreements that nobody has ended, those before and after their period among them."""
    found = await held.fetch(_NEWEST_AGREEMENTS)
    return {one["agreement_id"]: _agreement(one) for one in found if one["in_force"]}


def _changed(before: dict[uuid.UUID, Agreement], news: AgreementNews) -> Sequence[tuple[Agreement, bool]]:
    """The agreements that begin to count, and with False those that no longer do."""
    begun = [one for one in news.in_force if before.get(one.agreement_id) != one]
    told = {one.agreement_id for one in news.in_force}
    gone: Iterable[uuid.UUID] = before.keys() - told if news.snapshot else news.ended
    ended = [before[one] for one in gone if one in before]
    return [*((one, True) for one in begun), *((one, False) for one in ended)]


def _values(agreement: Agreement, revision: int | None) -> tuple[object, ...]:
    return (
        agreement.agreement_id,
        revision,
        agreement.sensor_agency_ori,
        agreement.list_agency_ori,
        sorted(one.value for one in agreement.partitions),
        agreement.start,
        agreement.end,
    )


def _agreement(row: asyncpg.Record) -> Agreement:
    return Agreement(
        agreement_id=row["agreement_id"],
        sensor_agency_ori=row["sensor_agency_ori"],
        list_agency_ori=row["list_agency_ori"],
        partitions=frozenset(map(Partition, row["partitions"])),
        start=row["start_time"],
        end=row["end_time"],
    )


def _row(row: asyncpg.Record) -> GroupRow:
    return GroupRow(
        row["agency_ori"], row["sensor_group"], GroupMode(row["mode"]), frozenset(row["hot_list_ids"])
    )
