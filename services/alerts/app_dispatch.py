"""From the centre to the patrol cars: proposals, broadcasts, and what became of them (ENF-051 IV.D.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from alpr.type.v1 import receipt_pb2
from services.alerts.app_acts import AlertActs
from services.alerts.audit import DONE, FAILED, Act, AuditClient, Recorded
from services.alerts.core.dispatch import Candidate, DeliveryStage, Wish, candidates
from services.alerts.core.model import Actor, Alert, Partition
from services.alerts.entitlement import who_is
from services.alerts.leases import Leases
from services.alerts.store import AlertStore
from services.alerts.store_assets import AssetStore
from services.alerts.store_broadcasts import Answer, Broadcast, CancelBroadcast, Receive
from services.alerts.store_messages import DeliveryRecord, MessageStore
from services.alerts.store_writer import Change, Done
from services.common.clock import Clock
from services.common.errors import AlprError, NotFoundError
from services.common.groupcommit import GroupCommit
from services.common.identity import AccessToken

# The log takes at most 2,000 characters a detail.
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Ask:
    """A request about one alert."""

    request_id: UUID
    alert_id: UUID


@dataclass(frozen=True, slots=True)
class Proposal:
    """Assets nearest first, those of them that were told already, and the proof that the look is recorded."""

    candidates: tuple[Candidate, ...]
    told: frozenset[UUID]
    receipt: receipt_pb2.AuditReceipt


class Dispatch:
    """The use cases of dispatchers and crews."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on
        self,
        acts: AlertActs,
        store: AlertStore,
        assets: AssetStore,
        deliveries: MessageStore,
        writes: GroupCommit[Change, Done],
        audit: AuditClient,
        leases: Leases,
        clock: Clock,
    ) -> None:
        self._acts = acts
        self._store = store
        self._assets = assets
        self._deliveries = deliveries
        self._writes = writes
        self._audit = audit
        self._leases = leases
        self._clock = clock

    async def propose(self, ask: Ask, wish: Wish, token: AccessToken) -> Proposal:
        """Who could be told of the alert. Raises NotFoundError, or what audit refuses with."""
        intent, alert = await self._look("dispatch.propose", ask, token)
        agency_ori = intent.actor.agency_ori
        try:
            assets = await self._assets.of_agency(agency_ori)
            told = await self._deliveries.told(ask.alert_id, agency_ori)
        except AlprError:
            await self._audit.record_outcome(intent.subject_id, FAILED)
            raise
        receipt = await self._audit.record_outcome(intent.subject_id, DONE)
        return Proposal(candidates(alert, assets, self._clock.now(), wish), told, receipt)

    async def broadcast(
        self, ask: Ask, asset_ids: Sequence[UUID], token: AccessToken
    ) -> tuple[UUID, tuple[UUID, ...]]:
        """The broadcast and the assets that are told by it, once that is on disk.

        Raises:
            NotFoundError, WrongStateError, RequestIdReusedError: Nothing was changed.
            AlprError: What audit refuses with.
        """
        chosen = tuple(dict.fromkeys(asset_ids))
        details = {
            f"assets_{1 + first // _LISTED}": ",".join(map(str, chosen[first : first + _LISTED]))
            for first in range(0, len(chosen), _LISTED)
        }
        act, intent = await self._intend("dispatch.broadcast", ask, token, details)
        change = Broadcast(ask.request_id, intent.actor, intent.subject_id, ask.alert_id, chosen)
        broadcast_id = await self._acts.carry_out(change, act, intent)
        return broadcast_id, await self._deliveries.sent_by(broadcast_id)

    async def cancel(self, ask: Ask, token: AccessToken) -> tuple[UUID, ...]:
        """The assets that are told to stand down, once that is on disk. Raises as `broadcast`."""
        act, intent = await self._intend("dispatch.cancel", ask, token, {})
        change = CancelBroadcast(ask.request_id, intent.actor, intent.subject_id, ask.alert_id)
        return await self._deliveries.sent_by(await self._acts.carry_out(change, act, intent))

    async def records(
        self, ask: Ask, token: AccessToken
    ) -> tuple[tuple[DeliveryRecord, ...], receipt_pb2.AuditReceipt]:
        """What the person's agency sent of the alert. Raises NotFoundError, or what audit refuses with."""
        intent, _ = await self._look("dispatch.show", ask, token)
        try:
            found = await self._deliveries.records(ask.alert_id, intent.actor.agency_ori)
        except AlprError:
            await self._audit.record_outcome(intent.subject_id, FAILED)
            raise
        return found, await self._audit.record_outcome(intent.subject_id, DONE)

    async def acknowledge(
        self, request_id: UUID, delivery_id: UUID, stage: DeliveryStage, token: AccessToken
    ) -> None:
        """Returns once it is on disk how far the message has come.

        That a device has it is a thing that happened; what a person says of it is an act, with its intent.

        Raises:
            NotFoundError: It is no message for the asset that the person is aboard of.
            WrongStateError: It says that the crew is on the way, and there is nothing to go to any more.
            AlprError: What audit refuses with.
        """
        if stage is DeliveryStage.RECEIVED:
            actor = await self._leases.who_is(token, "dispatch.receive")
            await self._writes.submit(Receive(request_id, actor, delivery_id))
            return
        actor = await who_is(self._audit, token, "dispatch.acknowledge")
        details = {"stage": stage.name}
        act = Act(request_id, "dispatch.acknowledge", delivery_id, actor.agency_ori, details)
        intent = await self._audit.record_intent(act, token)
        change = Answer(request_id, intent.actor, intent.subject_id, delivery_id, stage)
        await self._acts.carry_out(change, act, intent)

    async def _look(self, action: str, ask: Ask, token: AccessToken) -> tuple[Recorded, Alert]:
        """The recorded intent of a look, and the alert as the person may see it."""
        _, intent = await self._intend(action, ask, token, {})
        try:
            return intent, await self._acts.seen_by(intent.actor, ask.alert_id)
        except AlprError:
            await self._audit.record_outcome(intent.subject_id, FAILED)
            raise

    async def _intend(
        self, action: str, ask: Ask, token: AccessToken, details: dict[str, str]
    ) -> tuple[Act, Recorded]:
        actor, alert = await self._person_and_alert(action, ask.alert_id, token)
        act = Act(ask.request_id, action, ask.alert_id, actor.agency_ori, details)
        return act, await self._acts.intend(act, alert, token)

    async def _person_and_alert(self, action: str, alert_id: UUID, token: AccessToken) -> tuple[Actor, Alert]:
        actor = await who_is(self._audit, token, action)
        alert = await self._store.alert(alert_id)
        # No centre has to do with Motor Carrier Safety (II.H): there is no such alert for it.
        if alert is None or alert.partition is Partition.MOTOR_CARRIER:
            raise NotFoundError("no such alert", resource=str(alert_id))
        return actor, alert
