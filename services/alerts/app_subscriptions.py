"""Use cases: what a person chooses to hear of (ENF-051 IV.D.1)."""

import hashlib
from collections.abc import Mapping
from uuid import UUID, uuid5

import grpc

from services.alerts.app_acts import AlertActs
from services.alerts.audit import FAILED, Act, AuditClient, Recorded
from services.alerts.core.actions import action_in
from services.alerts.core.model import Actor, Partition
from services.alerts.core.subscription import widened
from services.alerts.entitlement import ACTION, who_is
from services.alerts.store_subscriptions import Subscription, SubscriptionChange, SubscriptionStore
from services.alerts.wire_subscription import Choice, End
from services.common.errors import AlprError, NotFoundError, StorageUnavailableError
from services.common.identity import AccessToken

# The same request of the same person begins the same subscription, however often it is sent.
_NAMES = UUID("b1c5a6de-52c4-4f0a-9d3e-0e8f3a1c7d55")
# The log takes at most 2,000 characters a detail; the digest covers what is longer.
_LONGEST_DETAIL = 2000


class SubscriptionActs:
    """Every change has its intent in the log before, and its outcome in its own transaction."""

    def __init__(
        self,
        acts: AlertActs,
        store: SubscriptionStore,
        audit: AuditClient,
    ) -> None:
        self._acts = acts
        self._store = store
        self._audit = audit

    async def choose(self, choice: Choice, token: AccessToken) -> Subscription:
        """The subscription that `choice` begins or changes, once it is on disk.

        Raises:
            NotFoundError: The person has no such subscription.
            WrongStateError: The person has as many as there may be.
            RequestIdReusedError: The request id came before with other content.
            AlprError: What audit refuses with, or that it does not answer. Nothing was changed.
        """
        actor = await self._person(choice.partition, token)
        begins = choice.subscription_id is None
        found = choice.subscription_id or uuid5(_NAMES, f"{actor.account_id}/{choice.request_id}")
        action = action_in(choice.partition, "subscription.create" if begins else "subscription.change")
        act = Act(
            choice.request_id, action, found, actor.agency_ori, _details(choice), account=actor.account_id
        )
        intent = await self._intend(act, begins=begins, token=token)
        await self._acts.carry_out(
            SubscriptionChange(
                request_id=choice.request_id,
                action=action,
                subscription_id=found,
                partition=choice.partition,
                actor=intent.actor,
                intent_id=intent.subject_id,
                name=choice.name,
                chosen=choice.chosen,
                begins=begins,
            ),
            act,
            intent,
        )
        return await self._stored(found)

    async def end(self, end: End, token: AccessToken) -> None:
        """Returns once the subscription has ended, now or before. Raises as `choose`."""
        actor = await self._person(end.partition, token)
        action = action_in(end.partition, "subscription.end")
        act = Act(end.request_id, action, end.subscription_id, actor.agency_ori, account=actor.account_id)
        intent = await self._intend(act, begins=False, token=token)
        change = SubscriptionChange(
            request_id=end.request_id,
            action=action,
            subscription_id=end.subscription_id,
            partition=end.partition,
            actor=intent.actor,
            intent_id=intent.subject_id,
            ends=True,
        )
        await self._acts.carry_out(change, act, intent)

    async def list(self, partition: Partition, token: AccessToken) -> tuple[Subscription, ...]:
        """The person's own, oldest first. Raises what audit refuses with."""
        actor = await self._person(partition, token)
        return await self._store.of(actor.account_id, partition)

    async def _person(self, partition: Partition, token: AccessToken) -> Actor:
        return await who_is(self._audit, token, action_in(partition, ACTION))

    async def _intend(self, act: Act, *, begins: bool, token: AccessToken) -> Recorded:
        """The recorded intent. Audit is asked for somebody else's too, so that the attempt is in the log."""
        stored = None if begins else await self._store.one(act.alert_id)
        if begins or (stored is not None and stored.account_id == act.account):
            return await self._audit.record_intent(act, token)
        if stored is not None:
            await self._record_attempt(act, stored, token)
        raise NotFoundError("no such subscription", resource=str(act.alert_id))

    async def _record_attempt(self, act: Act, stored: Subscription, token: AccessToken) -> None:
        theirs = Act(act.request_id, act.action, act.alert_id, act.agency_ori, account=stored.account_id)
        try:
            intent = await self._audit.record_intent(theirs, token)
        except AlprError as error:
            if error.code is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return
        await self._audit.record_outcome(intent.subject_id, FAILED)

    async def _stored(self, subscription_id: UUID) -> Subscription:
        stored = await self._store.one(subscription_id)
        if stored is None:
            raise StorageUnavailableError("the subscription cannot be read; try again")
        return stored


def _details(choice: Choice) -> Mapping[str, str]:
    # Without its name, which is the person's own words.
    said = {
        "filter": choice.chosen if len(choice.chosen) <= _LONGEST_DETAIL else "",
        "filter_sha256": hashlib.sha256(choice.chosen.encode()).hexdigest(),
        "widened": ",".join(widened(choice.filter)),
    }
    return {name: value for name, value in said.items() if value}
