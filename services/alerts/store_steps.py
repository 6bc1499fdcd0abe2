"""Records what people did about an alert, inside a batch of the writer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from services.alerts.core.dispatch import kind_after
from services.alerts.core.model import (
    Actor,
    Disposition,
    FeedKind,
    Severity,
    StepKind,
    StepRequest,
    Verification,
)
from services.alerts.core.verification import ENFORCEMENT, Progress, Refusal, refusal_of
from services.alerts.errors import NotConfirmedError
from services.alerts.rows import Row
from services.alerts.store_batch import Batch, OutboxItem
from services.alerts.store_checks import cite_check, resting_on_check
from services.common.errors import (
    AlprError,
    FieldViolation,
    InvalidFieldError,
    NotFoundError,
    RequestIdReusedError,
    WrongStateError,
)

OUTCOME_DONE = 1

_EARLIER = """
SELECT alert_id, account_id, kind, verified_state, disposition, system, response_id, report_number,
    reported_by
FROM alerts.alert_step WHERE request_id = $1
"""
_PROGRESS = """
SELECT a.step_count, a.verification_state, a.confirmation_step, a.disposition, a.enforced,
    a.motor_carrier, alerts.entry_state(a.alert_id) AS entry_state,
    (SELECT max(t.level) FROM alerts.timer t WHERE t.alert_id = a.alert_id AND t.kind = 2) AS level,
    coalesce(s.step_time <= alerts.withdrawn_at(a.alert_id), false) AS outdated
FROM alerts.alert a LEFT JOIN alerts.alert_step s
    ON s.alert_id = a.alert_id AND s.step_number = a.confirmation_step
WHERE a.alert_id = $1
"""
_INSERT = """
INSERT INTO alerts.alert_step (alert_id, step_number, request_id, intent_id, step_time, account_id,
    agency_ori, kind, verified_state, disposition, system, response_id, report_number, confirmation_step,
    confirmation_state, by_centre, reported_by, entry_state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""


@dataclass(frozen=True, slots=True)
class StepChange:
    """A step that `actor` takes, with the intent that the log holds already."""

    request: StepRequest
    actor: Actor
    intent_id: UUID


async def record_step(batch: Batch, change: StepChange, new_id: Callable[[], UUID]) -> UUID:
    """The alert that the step was recorded on, now or before under the same request id.

    Raises:
        AlprError: There is no such alert, the request id is used, or the step does not follow. Nothing was
            written; the batch may go on.
    """
    request = await resting_on_check(batch, change.request, change.actor)
    change = replace(change, request=request)
    earlier = await batch.conn.fetchrow(_EARLIER, request.request_id)
    if earlier is not None:
        _require_same(earlier, change)
        return request.alert_id
    row = await batch.conn.fetchrow(_PROGRESS, request.alert_id)
    if row is None:
        raise NotFoundError("no such alert", resource=str(request.alert_id))
    progress = _progress(row)
    refusal = refusal_of(progress, request)
    if refusal is not None:
        raise _error(refusal, progress, request)
    number = row["step_count"] + 1
    await batch.conn.execute(_INSERT, *_values(change, batch, number, progress), row["entry_state"])
    await cite_check(batch, request)
    batch.announce(request.alert_id, FeedKind.UPDATED)
    _follow(batch, request, row, number)
    batch.report(_outcome(change, batch, new_id()))
    return request.alert_id


def _follow(batch: Batch, request: StepRequest, row: Row, number: int) -> None:
    kind = kind_after(request)
    if kind is not None:
        batch.then.tell(request.alert_id, kind)
    # As for hits: nobody gets what escalates of Motor Carrier Safety (II.H).
    if request.verification == Verification.VERIFYING and not row["motor_carrier"]:
        # Whoever takes up a notice has an hour as well. A decision that is looked at again has its time anew.
        level = Severity(row["level"] or Severity.NOTICE)
        is_first = row["verification_state"] == Verification.NEW
        batch.then.watch_verification(request.alert_id, level, 0 if is_first else number)


def _progress(row: Row) -> Progress:
    return Progress(
        verification=Verification(row["verification_state"]),
        disposition=Disposition(row["disposition"]),
        enforced=row["enforced"],
        confirmation=row["confirmation_step"],
        outdated=row["outdated"],
    )


def _values(change: StepChange, batch: Batch, number: int, progress: Progress) -> tuple[object, ...]:
    request = change.request
    enforcement = request.disposition in ENFORCEMENT
    return (
        request.alert_id,
        number,
        request.request_id,
        change.intent_id,
        batch.now,
        change.actor.account_id,
        change.actor.agency_ori,
        int(request.kind),
        None if request.verification is None else int(request.verification),
        int(request.disposition) or None,
        request.system,
        request.response_id,
        request.report_number,
        progress.confirmation if enforcement else None,
        int(Verification.CONFIRMED) if enforcement else None,
        change.actor.is_telecom_center,
        request.reported_by,
    )


def _outcome(change: StepChange, batch: Batch, item_id: UUID) -> OutboxItem:
    # In the same transaction as the step: whatever stops the service now, the log hears how the intent ended.
    return OutboxItem(
        item_id=item_id,
        action=f"alert.{change.request.kind.name.lower()}",
        resource=str(change.request.alert_id),
        agency_ori=change.actor.agency_ori,
        event_time=batch.now,
        subject_id=change.intent_id,
        result=OUTCOME_DONE,
    )


def _require_same(row: Row, change: StepChange) -> None:
    request = change.request
    said = (
        request.alert_id,
        change.actor.account_id,
        int(request.kind),
        None if request.verification is None else int(request.verification),
        int(request.disposition) or None,
        request.system,
        request.response_id,
        request.report_number,
        request.reported_by,
    )
    if tuple(row.values()) != said:
        raise RequestIdReusedError(
            "this request id came before with other content", resource=str(request.request_id)
        )


def _error(refusal: Refusal, progress: Progress, request: StepRequest) -> AlprError:
    alert_id = str(request.alert_id)
    state = {"state": progress.verification.name}
    match refusal:
        case Refusal.NOT_CONFIRMED:
            return NotConfirmedError(
                "the entry was taken off its list after the confirmation; confirm it again before enforcement"
                if progress.outdated
                else "record a confirmation by LEADS, NCIC or the record's owner before any enforcement",
                resource=alert_id,
                metadata={**state, "clauses": "III.D.4,IV.D.4"},
            )
        case Refusal.ANSWER_MISSING:
            missing = [name for name in ("system", "response_id") if not getattr(request, name)]
            return InvalidFieldError(
                "say which system answered, and its response id",
                violations=[FieldViolation(name, "required for this state") for name in missing],
            )
        case Refusal.WRONG_STATE:
            kind = "verification" if request.kind == StepKind.VERIFY else "disposition"
            message = f"this {kind} does not follow from {progress.verification.name}"
            return WrongStateError(message, resource=alert_id, metadata=state)
