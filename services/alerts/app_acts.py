"""What every act on an alert begins and ends with: who acts, on which alert, with its intent in the log."""

from dataclasses import replace
from uuid import UUID, uuid4

import grpc
import structlog

from services.alerts.audit import FAILED, Act, AuditClient, Recorded
from services.alerts.core.actions import action_in
from services.alerts.core.model import Actor, Alert, Partition
from services.alerts.core.view import visible_to
from services.alerts.entitlement import ACTION, who_is
from services.alerts.store import AlertStore
from services.alerts.store_batch import OutboxItem
from services.alerts.store_writer import Change, Done
from services.common.clock import Clock
from services.common.errors import AlprError, NotFoundError, StorageUnavailableError
from services.common.groupcommit import GroupCommit
from services.common.identity import AccessToken

log = structlog.get_logger()


class AlertActs:
    """The record of acts on alerts. To an outsider there is no such alert, and the log has the attempt."""

    def __init__(
        self, store: AlertStore, writes: GroupCommit[Change, Done], audit: AuditClient, clock: Clock
    ) -> None:
        self._store = store
        self._writes = writes
        self._audit = audit
        self._clock = clock

    async def person_and_alert(
        self, alert_id: UUID, token: AccessToken, action: str = ACTION
    ) -> tuple[Actor, Alert]:
        """Who calls, entitled to `action` in the data set of the alert, and the alert, whosever it is.

        Raises:
            NotFoundError: There is no such alert, or it is of the data set that is not the person's (II.H).
            AlprError: What audit refuses with.
        """
        alert = await self._store.alert(alert_id)
        own = alert.partition if alert else Partition.GENERAL
        refusals: dict[Partition, AlprError] = {}
        for partition in sorted(Partition, key=lambda one: one is not own):
            try:
                actor = await who_is(self._audit, token, action_in(partition, action))
            except AlprError as error:
                if error.code is not grpc.StatusCode.PERMISSION_DENIED:
                    raise
                refusals[partition] = error
                continue
            if alert is not None and partition is own:
                return actor, alert
            raise NotFoundError("no such alert", resource=str(alert_id))
        # Whoever may use neither data set hears the same of every id.
        raise refusals[Partition.GENERAL]

    async def intend(self, act: Act, alert: Alert, token: AccessToken) -> Recorded:
        """The recorded intent. Audit is asked for an outsider too, so that the attempt is in the log."""
        act = replace(act, action=action_in(alert.partition, act.action))
        if act.agency_ori in alert.agencies:
            return await self._audit.record_intent(act, token)
        try:
            owner = replace(act, agency_ori=alert.sighting.sensor_agency_ori)
            intent = await self._audit.record_intent(owner, token)
        except AlprError as error:
            if error.code is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            raise NotFoundError("no such alert", resource=str(act.alert_id)) from None
        await self._audit.record_outcome(intent.subject_id, FAILED)
        raise NotFoundError("no such alert", resource=str(act.alert_id))

    async def seen_by(self, actor: Actor, alert_id: UUID) -> Alert:
        """The alert of now as the person may see it; `person_and_alert` has said that the data set is his.

        Raises:
            NotFoundError: There is no such alert, or it is another agency's.
        """
        alert = await self._store.alert(alert_id)
        view = None if alert is None else visible_to(alert, actor.agency_ori, alert.partition)
        if view is None:
            raise NotFoundError("no such alert", resource=str(alert_id))
        return view

    async def carry_out(self, change: Change, act: Act, intent: Recorded) -> Done:
        """What the change belongs to, once it is on disk. That it was refused is on its way to the log.

        Raises:
            AlprError: Nothing was changed, but after a StorageUnavailableError nobody knows.
        """
        try:
            return await self._writes.submit(change)
        except StorageUnavailableError:
            # The same request id finds out.
            raise
        except Exception:
            await self.report_failure(intent, act.action, act.alert_id)
            raise

    async def report_failure(self, intent: Recorded, action: str, resource: UUID) -> None:
        """Puts on the way to the log that nothing came of `intent`; never raises what is expected."""
        item = OutboxItem(
            item_id=uuid4(),
            action=action,
            resource=str(resource),
            agency_ori=intent.actor.agency_ori,
            event_time=self._clock.now(),
            subject_id=intent.subject_id,
            result=int(FAILED),
        )
        try:
            await self._writes.submit(item)
        except AlprError as error:
            # The person gets the first error; audit reports an intent that stays without an outcome.
            log.warning("outcome_not_stored", error=type(error).__name__)
