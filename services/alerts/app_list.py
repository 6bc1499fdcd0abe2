"""Use case: which alerts were there? A question like any other, save for one's own feed of 24 hours."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alpr.type.v1 import receipt_pb2
from services.alerts.audit import DONE, FAILED, Act, AskedAlerts, AuditClient, Recorded
from services.alerts.core.actions import action_in
from services.alerts.core.listing import Place
from services.alerts.core.model import Actor, Alert
from services.alerts.entitlement import ACTION, who_is
from services.alerts.errors import BadTokenError
from services.alerts.page_tokens import PageSealer
from services.alerts.store_list import AlertList, ListStore
from services.alerts.wire_list import ListRequest
from services.common.clock import Clock
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.common.identity import AccessToken

# How far back a list is of the person's own feed, and needs no case number.
RECENT = timedelta(hours=24)
# Its later pages look a little further back by the time they are asked for.
_PAGING = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page as it leaves; the token is empty when there is no further one."""

    alerts: tuple[Alert, ...]
    next_page_token: str
    receipt: receipt_pb2.AuditReceipt


class AlertLists:
    """Every page is in the log before it is looked for, and its outcome before it leaves."""

    def __init__(self, audit: AuditClient, store: ListStore, sealer: PageSealer, clock: Clock) -> None:
        self._audit = audit
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def page(self, asked: ListRequest, token: AccessToken) -> Listed:
        """The page that is asked for.

        Raises:
            BadTokenError: The page token is another person's or question's.
            InvalidFieldError: The window is empty.
            AlprError: What audit refuses with: what is older than 24 hours needs case number and purpose.
        """
        actor = await who_is(self._audit, token, action_in(asked.wanted.partition, ACTION))
        # Taken once: what is 24 hours back now is so to the end of the call.
        now = self._clock.now()
        place = self._place(asked, actor, now)
        if _is_question(asked, place, now):
            recorded = await self._authorize(asked, place, token)
            first = place.first_authorization_id or str(recorded.subject_id)
            place = replace(place, first_authorization_id=first)
        else:
            recorded = await self._intend(asked, place, actor, token)
        try:
            found = await self._store.page(asked.wanted, place, recorded.actor.agency_ori, asked.size)
        except AlprError:
            await self._audit.record_outcome(recorded.subject_id, FAILED)
            raise
        return await self._leave(recorded, place, found)

    def _place(self, asked: ListRequest, actor: Actor, now: datetime) -> Place:
        digest = _digest(asked)
        if asked.page_token:
            place = self._sealer.open(asked.page_token)
            if (place.account_id, place.asked) != (actor.account_id, digest):
                raise BadTokenError("the page token is of another list; begin with the first page")
            return place
        start = asked.wanted.start or now - RECENT
        end = min(asked.wanted.end or now, now)
        if start >= end:
            violation = FieldViolation("from", "must be before `to`, and not in the future")
            raise InvalidFieldError("nothing can have been raised then", violations=[violation])
        return Place(actor.account_id, digest, start, end)

    async def _intend(self, asked: ListRequest, place: Place, actor: Actor, token: AccessToken) -> Recorded:
        act = Act(
            asked.request_id,
            action_in(asked.wanted.partition, "alert.list"),
            asked.request_id,
            actor.agency_ori,
            dict((*_window(asked, place), *_arguments(asked, place))),
        )
        return await self._audit.record_intent(act, token)

    async def _authorize(self, asked: ListRequest, place: Place, token: AccessToken) -> Recorded:
        question = AskedAlerts(
            request_id=asked.request_id,
            justification=asked.justification,
            partition=asked.wanted.partition,
            start=place.start,
            end=place.end,
            page_size=asked.size,
            arguments=_arguments(asked, place),
            first_authorization_id=place.first_authorization_id,
        )
        return await self._audit.authorize(question, token)

    async def _leave(self, recorded: Recorded, place: Place, found: AlertList) -> Listed:
        reads = b"".join(alert.sighting.read_id.bytes for alert in found.alerts)
        receipt = await self._audit.record_outcome(
            recorded.subject_id,
            DONE,
            row_count=len(found.alerts),
            rows_digest=hashlib.sha256(reads).digest(),
        )
        if found.last is None:
            return Listed(found.alerts, "", receipt)
        return Listed(found.alerts, self._sealer.seal(replace(place, last=found.last)), receipt)


def _is_question(asked: ListRequest, place: Place, now: datetime) -> bool:
    slack = _PAGING if asked.page_token else timedelta()
    return asked.justification is not None or place.start < now - RECENT - slack


def _window(asked: ListRequest, place: Place) -> tuple[tuple[str, str], ...]:
    """In the words of the caller, so that the same request says the same when it is sent again."""
    if asked.page_token:
        return ("from", place.start.isoformat()), ("to", place.end.isoformat())
    start, end = asked.wanted.start, asked.wanted.end
    return ("from", _text(start) or "24 hours ago"), ("to", _text(end) or "now")


def _arguments(asked: ListRequest, place: Place) -> tuple[tuple[str, str], ...]:
    page = (("after", str(place.last.alert_id)),) if place.last else ()
    return (*asked.wanted.arguments(), *page)


def _digest(asked: ListRequest) -> str:
    """Of what stays the same from page to page."""
    wanted = asked.wanted
    bounds = [_text(wanted.start), _text(wanted.end), wanted.partition.name]
    said = [*bounds, *(f"{name}={value}" for name, value in wanted.arguments())]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
