"""Hot lists in the database: make, show, put in use and out of it. One method is one transaction."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from services.common.errors import AlreadyExistsError, NotPermittedError, WrongStateError
from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.entry import Source
from services.matcher.core.hot_list import Act, HotList, Removal
from services.matcher.errors import HotListNotFoundError
from services.matcher.store_acts import claim
from services.matcher.store_difference import LONGEST_DIFFERENCE_S, count_difference
from services.matcher.store_revision import next_revision
from services.matcher.store_versions import LAST_ACTIVE, LOCK

if TYPE_CHECKING:
    import asyncpg

_DAY: Final = timedelta(days=1)

_LIST: Final = (
    "SELECT l.hot_list_id, l.name, l.agency_ori, l.source, coalesce(l.active_version, 0) AS active_version,"
    " l.activated_at, coalesce(v.entry_count, 0) AS entry_count, l.latest_version, v.upload_time,"
    " v.source_time, v.expire_time, l.immigration_file"
    " FROM matcher.hot_list AS l LEFT JOIN matcher.hot_list_version AS v"
    " ON v.hot_list_id = l.hot_list_id AND v.version = l.active_version"
)
_GET: Final = f"{_LIST} WHERE l.hot_list_id = $1"
_PAGE: Final = f"{_LIST} WHERE l.agency_ori = $1 AND l.name > $2 ORDER BY l.name LIMIT $3"
_INSERT: Final = (
    "INSERT INTO matcher.hot_list (hot_list_id, agency_ori, name, source, intent_id)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agency_ori, name) DO NOTHING RETURNING true"
)
_VERSION: Final = (
    "SELECT v.expire_time, v.immigration_file, a.account_id FROM matcher.hot_list_version AS v"
    " JOIN matcher.act AS a ON a.intent_id = v.intent_id WHERE v.hot_list_id = $1 AND v.version = $2"
)
_ENTRY_COUNT: Final = (
    "SELECT entry_count FROM matcher.hot_list_version WHERE hot_list_id = $1 AND version = $2"
)
_ACTIVE_AT: Final = (
    "SELECT version FROM matcher.activation WHERE hot_list_id = $1 AND version IS NOT NULL"
    " AND activated_at <= $2 ORDER BY match_revision DESC LIMIT 1"
)
_APPROVED: Final = (
    "SELECT true FROM matcher.version_approval WHERE hot_list_id = $1 AND version = $2"
    " AND compared_version = $3 AND account_id <> $4 LIMIT 1"
)
_APPROVE: Final = (
    "INSERT INTO matcher.version_approval (hot_list_id, version, compared_version, account_id, intent_id,"
    " approved_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
)
_APPROVED_BY: Final = "SELECT compared_version FROM matcher.version_approval WHERE intent_id = $1"
_SET_IMMIGRATION_FILE: Final = "UPDATE matcher.hot_list SET immigration_file = $2 WHERE hot_list_id = $1"
_SET_ACTIVE: Final = (
    "UPDATE matcher.hot_list SET active_version = $2, activated_at = $3 WHERE hot_list_id = $1"
)
_ACTIVATION: Final = (
    "INSERT INTO matcher.activation (match_revision, hot_list_id, version, intent_id, activated_at)"
    " VALUES ($1, $2, $3, $4, $5)"
)
_ACTIVATED: Final = "SELECT match_revision FROM matcher.activation WHERE intent_id = $1"


class HotListStore:
    """The table of hot lists."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, hot_list_id: uuid.UUID) -> HotList:
        """The list with that id. Raises HotListNotFoundError."""
        async with connection(self._pool) as held:
            return await _read(held, hot_list_id)

    async def require_versions(self, hot_list_id: uuid.UUID, *versions: int) -> None:
        """Returns when the list has all of `versions`. Raises HotListNotFoundError."""
        async with connection(self._pool) as held:
            for version in versions:
                await _read_version(held, hot_list_id, version)

    async def page(self, agency_ori: str, after: str, size: int) -> tuple[HotList, ...]:
        """At most `size` lists of the agency whose name comes after `after`, by name."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_PAGE, agency_ori, after, size)
        return tuple(_hot_list(row) for row in rows)

    async def create(self, act: Act, agency_ori: str, name: str, source: Source) -> HotList:
        """The list as stored; the same again for an act that is stored already. Raises AlreadyExistsError."""
        async with transaction(self._pool) as held:
            if await claim(held, act) and not await held.fetchval(
                _INSERT, act.hot_list_id, agency_ori, name, source.value, act.intent_id
            ):
                raise AlreadyExistsError("the agency has a hot list of this name", resource="name")
            return await _read(held, act.hot_list_id)

    async def activate(self, act: Act, version: int, share: float) -> tuple[HotList, int]:
        """The list with `version` active, and the revision from which it is.

        Raises:
            HotListNotFoundError: There is no such version.
            WrongStateError: The version has expired, was taken with file N, which is not allowed now, or
                removes more than `share` of what reads were last compared with and nobody but its uploader
                and this person has approved of it.
        """
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                revision = await held.fetchval(_ACTIVATED, act.intent_id)
                return await _read(held, act.hot_list_id), revision
            state = await _lock(held, act.hot_list_id)
            found = await _read_version(held, act.hot_list_id, version)
            _check_version(found, state, act)
            removal = await _removal(held, act, version)
            if removal.needs_approval(share) and not await held.fetchval(
                _APPROVED, act.hot_list_id, version, removal.compared_version, act.account_id
            ):
                raise WrongStateError(
                    "the version removes so much that somebody else must approve it first",
                    resource=f"{act.hot_list_id}/{version}",
                    metadata={"state": "APPROVAL_NEEDED"},
                )
            revision = await _change(held, act, version)
            return await _read(held, act.hot_list_id), revision

    async def approve(self, act: Act, version: int, share: float) -> Removal:
        """What the version may now take the place of; the same again for an act that is stored already.

        Raises:
            HotListNotFoundError: There is no such version.
            NotPermittedError: Who approves has uploaded it.
            WrongStateError: It needs no approval.
        """
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                approved = await held.fetchval(_APPROVED_BY, act.intent_id)
                return await _removal(held, act, version, approved)
            await _lock(held, act.hot_list_id)
            found = await _read_version(held, act.hot_list_id, version)
            removal = await _removal(held, act, version)
            if found["account_id"] == act.account_id:
                raise NotPermittedError(
                    "who uploaded a version cannot approve it", metadata={"clauses": "III.B.3.h"}
                )
            if not removal.needs_approval(share):
                raise WrongStateError("it needs no approval", metadata={"state": "NO_APPROVAL_NEEDED"})
            approval = (act.hot_list_id, version, removal.compared_version, act.account_id)
            await held.execute(_APPROVE, *approval, act.intent_id, act.act_time)
            return removal

    async def deactivate(self, act: Act) -> tuple[HotList, int]:
        """The list without an active version, and the revision from which it is. Raises WrongStateError."""
        async with transaction(self._pool) as held:
            if not await claim(held, act):
                revision = await held.fetchval(_ACTIVATED, act.intent_id)
                return await _read(held, act.hot_list_id), revision
            if (await _lock(held, act.hot_list_id))["active_version"] is None:
                raise WrongStateError("no version of the list is active", metadata={"state": "NOT_ACTIVE"})
            revision = await _change(held, act, None)
            return await _read(held, act.hot_list_id), revision

    async def set_immigration_file(self, act: Act, *, allowed: bool) -> tuple[HotList, int]:
        """The list, whose new versions take file N or leave it out, and the revision at which it is so.

        Forbidding takes the list out of use when its active version was taken with file N.
        """
        async with transaction(self._pool) as held:
            if await claim(held, act):
                active = (await _lock(held, act.hot_list_id))["active_version"]
                await held.execute(_SET_IMMIGRATION_FILE, act.hot_list_id, allowed)
                tainted = active and (await _read_version(held, act.hot_list_id, active))["immigration_file"]
                if tainted and not allowed:
                    await _change(held, act, None)
            revision = await held.fetchval(_ACTIVATED, act.intent_id) or 0
            return await _read(held, act.hot_list_id), revision


async def _change(held: Connection, act: Act, version: int | None) -> int:
    """The next revision, at which reads are compared with `version` of the list, or with none of it."""
    revision = await next_revision(held)
    await held.execute(_SET_ACTIVE, act.hot_list_id, version, act.act_time if version else None)
    await held.execute(_ACTIVATION, revision, act.hot_list_id, version, act.intent_id, act.act_time)
    return revision


async def _removal(held: Connection, act: Act, version: int, compared: int | None = None) -> Removal:
    """What `version` removes of `compared`, or else of the version that reads were last compared with.

    Or of the one that they were compared with a day before, if that is the greater share: many small steps of
    one day are a large one.
    """
    list_id = act.hot_list_id
    compared = compared or await held.fetchval(LAST_ACTIVE, list_id) or 0
    day_before = await held.fetchval(_ACTIVE_AT, list_id, act.act_time - _DAY) or 0
    await held.execute(f"SET LOCAL statement_timeout = '{LONGEST_DIFFERENCE_S}s'")
    worst = Removal(compared, 0, 0)
    for other in {compared, day_before} - {0, version}:
        difference = await count_difference(held, list_id, other, version)
        entries = await held.fetchval(_ENTRY_COUNT, list_id, other)
        if difference.removed * worst.compared_count > worst.removed * entries or not worst.removed:
            worst = Removal(compared, difference.removed, entries)
    return worst


def _check_version(found: asyncpg.Record, state: asyncpg.Record, act: Act) -> None:
    """Returns when reads may be compared with the version now."""
    if found["expire_time"] and found["expire_time"] <= act.act_time:
        raise WrongStateError("the version has expired", metadata={"state": "EXPIRED"})
    if found["immigration_file"] and not state["immigration_file"]:
        raise WrongStateError(
            "the version was taken with file N, which is not allowed for the list",
            metadata={"state": "IMMIGRATION_FILE"},
        )


async def _lock(held: Connection, list_id: uuid.UUID) -> asyncpg.Record:
    row = await held.fetchrow(LOCK, list_id)
    if row is None:
        raise HotListNotFoundError("there is no such hot list", resource=str(list_id))
    return row


async def _read_version(held: Connection, list_id: uuid.UUID, version: int) -> asyncpg.Record:
    row = await held.fetchrow(_VERSION, list_id, version)
    if row is None:
        raise HotListNotFoundError("the hot list has no such version", resource=f"{list_id}/{version}")
    return row


async def _read(held: Connection, hot_list_id: uuid.UUID) -> HotList:
    row = await held.fetchrow(_GET, hot_list_id)
    if row is None:
        raise HotListNotFoundError("there is no such hot list", resource=str(hot_list_id))
    return _hot_list(row)


def _hot_list(row: asyncpg.Record) -> HotList:
    return HotList(**{**dict(row), "source": Source(row["source"])})
