"""Patrol assets: who is aboard of which, and where it is."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.dispatch import Asset, Position
from services.alerts.core.model import Actor
from services.alerts.rows import Row
from services.alerts.store_batch import Batch, OutboxItem
from services.alerts.store_steps import OUTCOME_DONE
from services.common.errors import (
    AlreadyExistsError,
    NotFoundError,
    RequestIdReusedError,
    WrongStateError,
)
from services.common.pg import Connection, Pool, connection

# As many as a list shows, so that no asset is left out of a proposal.
MOST_IN_USE = 5000

_COLUMNS = """
SELECT a.asset_id, a.agency_ori, a.unit, a.call_sign, a.latitude, a.longitude, a.position_time,
    ARRAY(SELECT c.account_id FROM alerts.asset_crew c
          WHERE c.asset_id = a.asset_id AND c.leave_time IS NULL ORDER BY c.board_time, c.account_id) AS crew
FROM alerts.asset a
"""
_OF_AGENCY = (
    f"{_COLUMNS} WHERE a.agency_ori = $1 AND a.retire_time IS NULL ORDER BY a.unit, a.call_sign LIMIT $2"
)
_IN_USE = "SELECT count(*) FROM alerts.asset WHERE agency_ori = $1 AND retire_time IS NULL"
_BY_ID = f"{_COLUMNS} WHERE a.agency_ori = $1 AND a.retire_time IS NULL AND a.asset_id = ANY($2::uuid[])"
_BY_CALL_SIGN = f"{_COLUMNS} WHERE a.agency_ori = $1 AND a.retire_time IS NULL AND a.call_sign = $2"
_ABOARD = """
SELECT c.asset_id FROM alerts.asset_crew c JOIN alerts.asset a USING (asset_id)
WHERE c.account_id = $1 AND c.leave_time IS NULL AND a.agency_ori = $2
"""
_EARLIER_ASSET = "SELECT asset_id, account_id, unit, call_sign FROM alerts.asset WHERE request_id = $1"
_EARLIER_END = "SELECT asset_id FROM alerts.asset WHERE retire_request_id = $1"
_EARLIER_BOARDING = "SELECT asset_id, account_id FROM alerts.asset_crew WHERE request_id = $1"
_EARLIER_LEAVING = "SELECT asset_id, account_id FROM alerts.asset_crew WHERE leave_request_id = $1"
_INSERT = """
INSERT INTO alerts.asset
    (asset_id, request_id, intent_id, account_id, agency_ori, unit, call_sign, register_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_RETIRE = """
UPDATE alerts.asset SET retire_time = $2, retire_request_id = $3, retire_intent_id = $4,
    latitude = NULL, longitude = NULL, position_time = NULL
WHERE asset_id = $1
"""
_CLEAR_CREW = """
UPDATE alerts.asset_crew SET leave_time = $2, leave_intent_id = $3 WHERE asset_id = $1 AND leave_time IS NULL
"""
_BOARD = """
INSERT INTO alerts.asset_crew (request_id, asset_id, intent_id, account_id, board_time)
VALUES ($1, $2, $3, $4, $5)
"""
_LEAVE = """
UPDATE alerts.asset_crew SET leave_time = $2, leave_intent_id = $3, leave_request_id = $4
WHERE account_id = $1 AND leave_time IS NULL RETURNING asset_id
"""
# Where a car stands that nobody is aboard of is nobody's business.
_FORGET_POSITION = """
UPDATE alerts.asset a SET latitude = NULL, longitude = NULL, position_time = NULL
WHERE a.asset_id = $1 AND a.retire_time IS NULL AND a.position_time IS NOT NULL
AND NOT EXISTS (SELECT FROM alerts.asset_crew c WHERE c.asset_id = a.asset_id AND c.leave_time IS NULL)
"""
_REPORT = """
UPDATE alerts.asset SET latitude = $2, longitude = $3, position_time = $4
WHERE asset_id = $1 AND retire_time IS NULL AND (position_time IS NULL OR position_time < $4)
AND EXISTS (SELECT FROM alerts.asset_crew c WHERE c.asset_id = $1 AND c.leave_time IS NULL)
"""


@dataclass(frozen=True, slots=True)
class AssetAct:
    """What every change of assets has: the request, who asks, and the intent that the log holds already."""

    request_id: UUID
    actor: Actor
    intent_id: UUID


@dataclass(frozen=True, slots=True)
class RegisterAsset(AssetAct):
    """A new asset of the actor's agency."""

    unit: str
    call_sign: str

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The asset, made now or before under the same request id.

        Raises:
            RequestIdReusedError, AlreadyExistsError, WrongStateError: Nothing was written.
        """
        earlier = await batch.conn.fetchrow(_EARLIER_ASSET, self.request_id)
        if earlier is not None:
            said = (self.actor.account_id, self.unit, self.call_sign)
            require_same(tuple(earlier.values())[1:] == said, self.request_id)
            return _id(earlier)
        if await batch.conn.fetchrow(_BY_CALL_SIGN, self.actor.agency_ori, self.call_sign):
            raise AlreadyExistsError("an asset in use has this call sign")
        if await batch.conn.fetchval(_IN_USE, self.actor.agency_ori) >= MOST_IN_USE:
            raise WrongStateError(
                f"there are {MOST_IN_USE} assets in use already; retire one first", metadata={"state": "FULL"}
            )
        asset_id = new_id()
        who = (self.actor.account_id, self.actor.agency_ori)
        await batch.conn.execute(
            _INSERT, asset_id, self.request_id, self.intent_id, *who, self.unit, self.call_sign, batch.now
        )
        batch.report(outcome(self, "asset.register", asset_id, batch, new_id()))
        return asset_id


@dataclass(frozen=True, slots=True)
class RetireAsset(AssetAct):
    """The end of an asset."""

    asset_id: UUID

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The asset, out of use now or before by the same request id. Raises NotFoundError."""
        earlier = await batch.conn.fetchrow(_EARLIER_END, self.request_id)
        if earlier is not None:
            require_same(_id(earlier) == self.asset_id, self.request_id)
            return self.asset_id
        await require_assets(batch.conn, self.actor.agency_ori, [self.asset_id])
        await batch.conn.execute(_CLEAR_CREW, self.asset_id, batch.now, self.intent_id)
        await batch.conn.execute(_RETIRE, self.asset_id, batch.now, self.request_id, self.intent_id)
        batch.then.call([str(self.asset_id)])
        batch.report(outcome(self, "asset.retire", self.asset_id, batch, new_id()))
        return self.asset_id


@dataclass(frozen=True, slots=True)
class BoardAsset(AssetAct):
    """The actor goes aboard."""

    asset_id: UUID

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The asset. Who was aboard of another one has left it. Raises NotFoundError."""
        earlier = await batch.conn.fetchrow(_EARLIER_BOARDING, self.request_id)
        if earlier is not None:
            said = (self.asset_id, self.actor.account_id)
            require_same(tuple(earlier.values()) == said, self.request_id)
            return self.asset_id
        await require_assets(batch.conn, self.actor.agency_ori, [self.asset_id])
        account_id = self.actor.account_id
        left = await batch.conn.fetchval(_LEAVE, account_id, batch.now, self.intent_id, None)
        await batch.conn.execute(
            _BOARD, self.request_id, self.asset_id, self.intent_id, account_id, batch.now
        )
        await _after_leaving(batch, left)
        batch.report(outcome(self, "asset.board", self.asset_id, batch, new_id()))
        return self.asset_id


@dataclass(frozen=True, slots=True)
class LeaveAsset(AssetAct):
    """The actor leaves the asset that it is aboard of."""

    async def write_into(self, batch: Batch, new_id: Callable[[], UUID]) -> UUID:
        """The asset, left now or before by the same request id. Raises WrongStateError."""
        earlier = await batch.conn.fetchrow(_EARLIER_LEAVING, self.request_id)
        if earlier is not None:
            require_same(earlier["account_id"] == self.actor.account_id, self.request_id)
            return _id(earlier)
        left: UUID | None = await batch.conn.fetchval(
            _LEAVE, self.actor.account_id, batch.now, self.intent_id, self.request_id
        )
        if left is None:
            raise not_aboard()
        await _after_leaving(batch, left)
        batch.report(outcome(self, "asset.leave", left, batch, new_id()))
        return left


class AssetStore:
    """Assets as they are on disk, and their newest positions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of_agency(self, agency_ori: str) -> tuple[Asset, ...]:
        """The agency's assets in use by unit and call sign."""
        async with connection(self._pool) as conn:
            return await assets_of(conn, agency_ori)

    async def asset(self, agency_ori: str, asset_id: UUID) -> Asset | None:
        """The agency's asset of that id, while it is in use."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_BY_ID, agency_ori, [asset_id])
        return None if row is None else _asset(row)

    async def by_call_sign(self, agency_ori: str, call_sign: str) -> Asset | None:
        """The agency's asset in use of that call sign."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(_BY_CALL_SIGN, agency_ori, call_sign)
        return None if row is None else _asset(row)

    async def aboard(self, actor: Actor) -> UUID | None:
        """The asset that the person is aboard of."""
        async with connection(self._pool) as conn:
            return await aboard(conn, actor)

    async def report(self, actor: Actor, position: Position) -> None:
        """Returns once the position is on disk; an older one changes nothing. Raises WrongStateError."""
        async with connection(self._pool) as conn:
            asset_id = await aboard(conn, actor)
            if asset_id is None:
                raise not_aboard()
            await conn.execute(_REPORT, asset_id, position.latitude, position.longitude, position.moment)


async def assets_of(conn: Connection, agency_ori: str) -> tuple[Asset, ...]:
    """The agency's assets in use by unit and call sign."""
    return tuple(_asset(row) for row in await conn.fetch(_OF_AGENCY, agency_ori, MOST_IN_USE))


async def aboard(conn: Connection, actor: Actor) -> UUID | None:
    """The asset that the person is aboard of."""
    asset_id: UUID | None = await conn.fetchval(_ABOARD, actor.account_id, actor.agency_ori)
    return asset_id


async def require_assets(conn: Connection, agency_ori: str, asset_ids: Collection[UUID]) -> Sequence[Asset]:
    """The agency's assets of these ids. Raises NotFoundError when one is not in use there."""
    found = [_asset(row) for row in await conn.fetch(_BY_ID, agency_ori, list(asset_ids))]
    missing = set(asset_ids) - {asset.asset_id for asset in found}
    if missing:
        raise NotFoundError("no such asset in use", resource=str(min(missing)))
    return found


def require_same(same: bool, request_id: UUID) -> None:
    """Returns when a request that came before had the same content. Raises RequestIdReusedError."""
    if not same:
        raise RequestIdReusedError("this request id came before with other content", resource=str(request_id))


def not_aboard() -> WrongStateError:
    """The error for who is aboard of no asset."""
    return WrongStateError("you are aboard of no patrol asset; go aboard first", metadata={"state": "ASHORE"})


def outcome(act: AssetAct, action: str, resource: UUID, batch: Batch, item_id: UUID) -> OutboxItem:
    """How the intent of `act` ended, on its way to the log with the change itself."""
    return OutboxItem(
        item_id=item_id,
        action=action,
        resource=str(resource),
        agency_ori=act.actor.agency_ori,
        event_time=batch.now,
        subject_id=act.intent_id,
        result=OUTCOME_DONE,
    )


async def _after_leaving(batch: Batch, asset_id: UUID | None) -> None:
    if asset_id is not None:
        await batch.conn.execute(_FORGET_POSITION, asset_id)
        batch.then.call([str(asset_id)])


def _id(row: Row) -> UUID:
    asset_id: UUID = row["asset_id"]
    return asset_id


def _asset(row: Row) -> Asset:
    moment: datetime | None = row["position_time"]
    return Asset(
        asset_id=row["asset_id"],
        agency_ori=row["agency_ori"],
        unit=row["unit"],
        call_sign=row["call_sign"],
        crew=tuple(row["crew"]),
        position=None if moment is None else Position(row["latitude"], row["longitude"], moment),
    )
