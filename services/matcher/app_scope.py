"""What people do with the matrix of lists and sensor groups: set a row, look."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.common.clock import Clock
from services.common.identity import AccessToken
from services.matcher.app_acts import Acts, Plan, act_of
from services.matcher.app_index import IndexFollower
from services.matcher.core.index import Index, ListHeader
from services.matcher.core.scope import GroupMode, GroupRow, Partition
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_scope import ScopeStore

# Until the change is in this replica's memory; shorter than a call may take.
_REACH_S: Final = 25.0
_NAMESPACE: Final = uuid.UUID("0d1c7a4e-3b52-5b6e-8f0a-94c1de2a7b35")
# A detail of an intent has at most 2000 characters, an id with its comma 37.
_IDS_A_DETAIL: Final = 50


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the matrix as somebody wants it; the agency is that person's own."""

    request_id: uuid.UUID
    sensor_group: str
    mode: GroupMode
    hot_list_ids: frozenset[uuid.UUID]


@dataclass(frozen=True, slots=True)
class Compared:
    """A list that reads of a group are compared with; by these agreements when it is another agency's."""

    header: ListHeader
    agreement_ids: tuple[uuid.UUID, ...]


class Matrix:
    """The matrix of all agencies; audit says for every call whether the person may make it."""

    def __init__(self, acts: Acts, store: ScopeStore, index: IndexFollower, clock: Clock) -> None:
        self._acts = acts
        self._store = store
        self._index = index
        self._clock = clock

    async def set_row(self, wanted: NewRow, token: AccessToken) -> tuple[GroupRow, int]:
        """The row, and the revision from which it counts; this replica compares reads with it.

        Raises:
            HotListNotFoundError: The agency cannot name one of the lists.
            IndexBehindError: It is stored, but not in memory here yet; the same request id waits again.
        """
        plan = Plan(wanted.request_id, "scope.set", wanted.sensor_group, "", _details(wanted))
        intent = await self._acts.begin(plan, token)
        row = GroupRow(intent.agency_ori, wanted.sensor_group, wanted.mode, wanted.hot_list_ids)
        # An act is of one thing with an id; a group has a name only.
        row_id = uuid.uuid5(_NAMESPACE, f"{row.agency_ori}/{row.sensor_group}")
        try:
            revision = await self._store.set_row(act_of(plan, intent, row_id, self._clock.now()), row)
        except HotListNotFoundError:
            await self._acts.refused(intent)
            raise
        await self._index.reach(revision, _REACH_S)
        await self._acts.changed(intent.intent_id)
        return row, revision

    async def page(
        self, request_id: uuid.UUID, after: str, size: int, token: AccessToken
    ) -> tuple[tuple[GroupRow, ...], bool]:
        """At most `size` rows of the person's agency after the group `after`, and whether more follow."""
        intent = await self._acts.begin(Plan(request_id, "scope.list", "sensor_groups", "", {}), token)
        found = await self._store.page(intent.agency_ori, after, size + 1)
        rows = found[:size]
        await self._acts.shown(intent, len(rows))
        return rows, len(found) > size

    async def compared(
        self, request_id: uuid.UUID, sensor_group: str, partition: Partition, token: AccessToken
    ) -> tuple[tuple[Compared, ...], int]:
        """What reads of a group of the person's agency are compared with now, and the revision of that."""
        details = {"partition": partition.name}
        intent = await self._acts.begin(Plan(request_id, "scope.list", sensor_group, "", details), token)
        index = self._index.current()
        found = _compared(index, intent.agency_ori, sensor_group, partition, self._clock.now())
        lists = tuple(sorted(found, key=lambda one: (one.header.agency_ori, one.header.name)))
        await self._acts.shown(intent, len(lists))
        return lists, index.revision


def _compared(
    index: Index, agency_ori: str, sensor_group: str, partition: Partition, now: datetime
) -> Iterator[Compared]:
    headers, agreements = index.headers, index.scope.agreements
    rules = index.scope.rules_at(now)
    for number in rules.lists_for(agency_ori, sensor_group, partition, headers):
        header = headers[number]
        yield Compared(
            header,
            tuple(
                one.agreement_id
                for one in agreements
                if one.lets_in(agency_ori, header.agency_ori, partition) and one.is_in_effect(now)
            ),
        )


def _details(wanted: NewRow) -> dict[str, str]:
    """Every list by its id: the log must say what was admitted without asking this service."""
    ids = [str(one) for one in sorted(wanted.hot_list_ids)]
    parts = [ids[start : start + _IDS_A_DETAIL] for start in range(0, len(ids), _IDS_A_DETAIL)]
    return {"mode": wanted.mode.name, **{f"hot_lists.{n}": ",".join(part) for n, part in enumerate(parts)}}
