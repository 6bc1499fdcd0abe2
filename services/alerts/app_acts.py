"""What every act on an alert begins and ends with: who acts, on which alert, with its intent in the log."""

from dataclasses import replace
from uuid import UUID, uuid4

import grpc
import structlog

from services.alerts.audit import FAILED, Act, AuditClient, Recorded
from services.alerts.core.model import Actor, Alert
from services.alerts.core.view import visible_to
from services.alerts.entitlement import ACTION, who_is
from services.alerts.store import AlertStore
from services.alerts.store_batch import OutboxItem
from services.alerts.store_writer import Change, Done
from services.common.clock import Clock
from services.common.errors import AlprError, NotFoundError
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
        """Who calls, entitled to `action`, and the alert, whoever may know of it.

        Raises:
            NotFoundError: There is no such alert.
            AlprError: What audit refuses with.
        """
        actor = await who_is(self._audit, token, action)
        alert = await self._store.alert(alert_id)
        if alert is None:
            raise NotFoundError("no such alert", resource=str(alert_id))
        return actor, alert

    async def intend(self, act: Act, alert: Alert, token: AccessToken) -> Recorded:
        """The recorded intent. Audit is asked for an outsider too, so that the attempt is in the log."""
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
        """The alert of now as the person may see it. Raises NotFoundError."""
        alert = await self._store.alert(alert_id)
        view = None if alert is None else visible_to(alert, actor.agency_ori)
        if view is None:
            raise NotFoundError("no such alert", resource=str(alert_id))
        return view

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
