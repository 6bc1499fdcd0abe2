"""What the alerts service does: raises alerts, shows them, and records what people did about them."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

from alpr.type.v1 import receipt_pb2
from services.alerts.app_acts import AlertActs
from services.alerts.audit import DONE, FAILED, Act, AskedAlerts, AuditClient, Recorded
from services.alerts.core.model import Alert, Hit, Step, StepRequest
from services.alerts.core.severity import with_lateness
from services.alerts.entitlement import Continuation
from services.alerts.pictures import Pictures
from services.alerts.store import AlertStore
from services.alerts.store_batch import OutboxItem
from services.alerts.store_steps import StepChange
from services.alerts.store_withdrawals import Withdrawal
from services.alerts.store_writer import Change, Done
from services.alerts.wire import Look
from services.alerts.wire_hits import ReportedHit
from services.common import tracing
from services.common.clock import Clock
from services.common.errors import AlprError
from services.common.groupcommit import GroupCommit
from services.common.identity import AccessToken

# How long an alert of one's own feed may be opened without case number and purpose.
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Found:
    """An alert as the person may see it, with pictures, history, and the proof that the look is recorded."""

    alert: Alert
    crop: bytes
    overview: bytes
    history: tuple[Step, ...]
    receipt: receipt_pb2.AuditReceipt


class Alerts:
    """The use cases. Every change goes through one group commit; every look and act through audit first."""

    def __init__(
        self,
        store: AlertStore,
        writes: GroupCommit[Change, Done],
        audit: AuditClient,
        pictures: Pictures,
        clock: Clock,
    ) -> None:
        self._store = store
        self._writes = writes
        self._audit = audit
        self._acts = AlertActs(store, writes, audit, clock)
        self._pictures = pictures
        self._clock = clock

    async def raise_alerts(self, reported: Sequence[ReportedHit]) -> tuple[UUID, ...]:
        """The alert of each hit, once pictures, hits, alerts and feed positions are on disk.

        Idempotent by read, entry and list version: a hit that is stored already changes nothing.
        """
        with tracing.span("alerts.pictures"):
            hits = await asyncio.gather(*(self._with_pictures(hit) for hit in reported))
        return tuple(await asyncio.gather(*(self._writes.submit(hit) for hit in hits)))

    async def withdraw(self, withdrawal: Withdrawal) -> None:
        """Returns once the entries are marked and open alerts are on their way to their subscribers.

        Idempotent by revision and entry.
        """
        await self._writes.submit(withdrawal)

    async def take_step(self, request: StepRequest, token: AccessToken) -> Alert:
        """The alert as the person sees it after the step, which is on disk with its intent.

        Raises:
            NotFoundError: There is no such alert, or it is another agency's.
            WrongStateError, NotConfirmedError, InvalidFieldError, RequestIdReusedError: Nothing was changed.
            AlprError: What audit refuses with, or that it does not answer. Nothing was changed.
        """
        actor, alert = await self._acts.person_and_alert(request.alert_id, token)
        action = f"alert.{request.kind.name.lower()}"
        act = Act(request.request_id, action, alert.alert_id, actor.agency_ori, _details(request))
        intent = await self._acts.intend(act, alert, token)
        await self._acts.carry_out(StepChange(request, intent.actor, intent.subject_id), act, intent)
        return await self._acts.seen_by(intent.actor, alert.alert_id)

    async def look(self, look: Look, token: AccessToken) -> Found:
        """One alert with pictures and history; the look is in the log before anything is given out.

        Raises:
            NotFoundError: There is no such alert, or it is another agency's.
            AlprError: What audit refuses with: an alert older than 24 hours needs case number and purpose.
        """
        actor, alert = await self._acts.person_and_alert(look.alert_id, token)
        act = Act(look.request_id, "alert.get", alert.alert_id, actor.agency_ori)
        now = self._clock.now()
        is_question = look.justification is not None or now - alert.raise_time > RECENT
        if is_question and actor.agency_ori in alert.agencies:
            asked = AskedAlerts(
                request_id=look.request_id,
                justification=look.justification,
                partition=alert.partition,
                start=alert.raise_time,
                end=now,
                alert_id=alert.alert_id,
            )
            recorded = await self._audit.authorize(asked, token)
        else:
            recorded = await self._acts.intend(act, alert, token)
            is_question = False
        return await self._show(recorded, alert.alert_id, is_question=is_question)

    async def report_continuation(self, continuation: Continuation) -> None:
        """Puts on the way to the log that a centre's stream goes on unproven, or that this is over."""
        await self._writes.submit(
            OutboxItem(
                item_id=uuid4(),
                action="alerts.delivery_unproven" if continuation.begins else "alerts.delivery_unproven_over",
                resource=continuation.actor.account_id,
                agency_ori=continuation.actor.agency_ori,
                event_time=self._clock.now(),
                details={"lease_until": continuation.lease_until.isoformat()},
            )
        )

    async def _with_pictures(self, reported: ReportedHit) -> Hit:
        hit = reported.hit
        # Pictures first: a hit on disk always has its pictures; a picture without a hit harms nobody.
        keys = await self._pictures.keep(hit.sighting.capture_time, reported.crop, reported.overview)
        now = self._clock.now()
        capture_time = hit.sighting.capture_time
        matches = tuple(
            replace(m, warnings=with_lateness(m.warnings, capture_time, now)) for m in hit.matches
        )
        sighting = replace(hit.sighting, crop_key=keys.crop, overview_key=keys.overview)
        return replace(hit, sighting=sighting, matches=matches)

    async def _show(self, recorded: Recorded, alert_id: UUID, *, is_question: bool) -> Found:
        try:
            view = await self._acts.seen_by(recorded.actor, alert_id)
            crop, overview = await self._pictures.load(view.sighting)
            history = await self._store.history(alert_id)
        except AlprError:
            await self._audit.record_outcome(recorded.subject_id, FAILED)
            raise
        digest = hashlib.sha256(view.sighting.read_id.bytes).digest()
        receipt = await self._audit.record_outcome(
            recorded.subject_id,
            DONE,
            row_count=1 if is_question else 0,
            rows_digest=digest if is_question else b"",
        )
        return Found(view, crop, overview, history, receipt)


def _details(request: StepRequest) -> Mapping[str, str]:
    said = {
        "state": request.verification.name if request.verification else "",
        "disposition": request.disposition.name if request.disposition else "",
        "system": request.system,
        "response_id": request.response_id,
        "report_number": request.report_number,
        "reported_by": request.reported_by,
        "check_id": str(request.check_id or ""),
    }
    return {name: value for name, value in said.items() if value}
