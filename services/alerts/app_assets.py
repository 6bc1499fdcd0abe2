"""Patrol assets: what centres and crews do with them, each act with its intent in the log before (IV.D.3)."""

from dataclasses import dataclass
from uuid import UUID

from services.alerts.app_acts import AlertActs
from services.alerts.audit import Act, AuditClient, Recorded
from services.alerts.core.dispatch import Asset, Position
from services.alerts.core.model import Actor
from services.alerts.entitlement import who_is
from services.alerts.leases import Leases
from services.alerts.store_assets import AssetStore, BoardAsset, LeaveAsset, RegisterAsset, RetireAsset
from services.alerts.store_writer import Change
from services.common.errors import NotFoundError
from services.common.identity import AccessToken


@dataclass(frozen=True, slots=True)
class NewAsset:
    """What a centre asks for."""

    request_id: UUID
    unit: str
    call_sign: str


@dataclass(frozen=True, slots=True)
class Boarding:
    """Who names no asset by its id names it by its call sign."""

    request_id: UUID
    asset_id: UUID | None
    call_sign: str


class Assets:
    """The use cases of patrol assets."""

    def __init__(self, acts: AlertActs, store: AssetStore, audit: AuditClient, leases: Leases) -> None:
        self._acts = acts
        self._store = store
        self._audit = audit
        self._leases = leases

    async def register(self, new: NewAsset, token: AccessToken) -> Asset:
        """The asset as stored.

        Raises:
            AlreadyExistsError, WrongStateError, RequestIdReusedError: Nothing was changed.
            AlprError: What audit refuses with.
        """
        actor = await who_is(self._audit, token, "asset.register")
        details = {"unit": new.unit, "call_sign": new.call_sign}
        # The asset has no id yet; the request stands for it in the log.
        act = Act(new.request_id, "asset.register", new.request_id, actor.agency_ori, details)
        intent = await self._audit.record_intent(act, token)
        change = RegisterAsset(new.request_id, intent.actor, intent.subject_id, new.unit, new.call_sign)
        return await self._in_use(actor, await self._done(change, act, intent))

    async def retire(self, request_id: UUID, asset_id: UUID, token: AccessToken) -> None:
        """Returns once the asset is out of use. Raises NotFoundError, or what audit refuses with."""
        actor = await who_is(self._audit, token, "asset.retire")
        act = Act(request_id, "asset.retire", asset_id, actor.agency_ori)
        intent = await self._audit.record_intent(act, token)
        await self._done(RetireAsset(request_id, intent.actor, intent.subject_id, asset_id), act, intent)

    async def list(self, token: AccessToken) -> tuple[Asset, ...]:
        """The agency's assets in use. Raises what audit refuses with."""
        actor = await who_is(self._audit, token, "asset.list")
        return await self._store.of_agency(actor.agency_ori)

    async def board(self, boarding: Boarding, token: AccessToken) -> Asset:
        """The asset, with the person aboard.

        Raises:
            NotFoundError: There is no such asset in use in the person's agency.
            AlprError: What audit refuses with: an asset of another unit.
        """
        # Whose unit's the asset is, the intent asks; who may go aboard of any, may report of it too.
        actor = await who_is(self._audit, token, "asset.report")
        asset = await self._named(actor, boarding)
        act = Act(boarding.request_id, "asset.board", asset.asset_id, actor.agency_ori, unit=asset.unit)
        intent = await self._audit.record_intent(act, token)
        change = BoardAsset(boarding.request_id, intent.actor, intent.subject_id, asset.asset_id)
        return await self._in_use(actor, await self._done(change, act, intent))

    async def leave(self, request_id: UUID, token: AccessToken) -> None:
        """Returns once the person is aboard of nothing. Raises as `board`, or WrongStateError."""
        actor = await who_is(self._audit, token, "asset.leave")
        asset_id = await self._store.aboard(actor)
        act = Act(request_id, "asset.leave", asset_id or request_id, actor.agency_ori)
        intent = await self._audit.record_intent(act, token)
        await self._done(LeaveAsset(request_id, intent.actor, intent.subject_id), act, intent)

    async def report(self, position: Position, token: AccessToken) -> None:
        """Returns once the position of the person's asset is on disk.

        Raises:
            WrongStateError: The person is aboard of nothing.
            AlprError: What audit refuses with.
        """
        actor = await self._leases.who_is(token, "asset.report")
        await self._store.report(actor, position)

    async def _named(self, actor: Actor, boarding: Boarding) -> Asset:
        if boarding.asset_id is None:
            asset = await self._store.by_call_sign(actor.agency_ori, boarding.call_sign)
        else:
            asset = await self._store.asset(actor.agency_ori, boarding.asset_id)
        if asset is None:
            raise NotFoundError("no such asset in use")
        return asset

    async def _in_use(self, actor: Actor, asset_id: UUID) -> Asset:
        asset = await self._store.asset(actor.agency_ori, asset_id)
        if asset is None:
            raise NotFoundError("no such asset in use", resource=str(asset_id))
        return asset

    async def _done(self, change: Change, act: Act, intent: Recorded) -> UUID:
        return await self._acts.carry_out(change, act, intent)
