"""Webhooks: how far one is, when a message is tried again, and when it is given up (ENF-051 IV.D.3)."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from uuid import UUID, uuid5

from services.alerts.core.model import Alert
from services.alerts.core.subscription import Filter

MOST_OF_AN_AGENCY = 100
# The live feed reaches back so far and no further: what is older is a question, with case number and purpose.
GOOD_FOR = timedelta(hours=24)
SECRETS_OVERLAP = timedelta(hours=24)
_FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
# A receiver may ask for more patience than our own pauses have, within reason.
LONGEST_ASKED = timedelta(hours=1)
_MOST_REFUSALS = 3
_MOST_DOUBLINGS = 12
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
# These say that this very message is not understood; others say nothing about it.
_REFUSALS = frozenset({400, 413, 415, 422})


class Format(IntEnum):
    """What a webhook posts; numbers of alpr.alerts.v1.WebhookFormat."""

    CLOUD_EVENTS = 1
    CAP = 2


class State(IntEnum):
    """How far a webhook is; numbers of alpr.alerts.v1.WebhookState."""

    PROPOSED = 1
    ACTIVE = 2
    ENDED = 3


class Failure(IntEnum):
    """Why a message was not taken; numbers of alpr.alerts.v1.DeliveryFailure."""

    NONE = 0
    STATUS = 1
    REFUSED = 2
    UNREACHABLE = 3
    TLS = 4
    FORBIDDEN_ADDRESS = 5
    REDIRECT = 6
    EXPIRED = 7


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try: HTTP status, 0 without an answer, and how long the receiver asks us to wait."""

    failure: Failure
    status: int = 0
    retry_after: timedelta = timedelta()

    @property
    def taken(self) -> bool:
        """Whether the receiver has the message."""
        return self.failure is Failure.NONE


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a webhook is, from its proposal on.

    Attributes:
        intent_id: The recorded act that proposed it, by which the owner's entitlement is asked for.
        chosen: Which alerts it posts besides the floor.
    """

    webhook_id: UUID
    intent_id: UUID
    agency_ori: str
    owner_id: str
    name: str
    url: str
    format: Format
    chosen: Filter
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One alert on its way to one webhook.

    Attributes:
        sequence: From 1, without gaps, for each webhook.
        event_time: When the alert was raised or changed.
        is_first: The alert is new.
        is_quiet: To be shown without sound.
    """

    event_id: UUID
    sequence: int
    alert: Alert
    event_time: datetime
    is_first: bool
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """The right of one replica to post for one webhook; `holder` is new for each start of a process."""

    webhook: Webhook
    holder: UUID


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a webhook has come: all up to `position` is done with, `sequence` messages were."""

    epoch: int
    position: int
    sequence: int
    tries: int
    next_try: datetime | None
    halt_time: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; `retry_number` is that of its last retry, 0 without one.

    `taken_at` is when the receiver took it after all; it is `waiting` while it is to be posted once more.
    """

    event_id: UUID
    sequence: int
    alert_id: UUID
    event_time: datetime
    dead_time: datetime
    tries: int
    failure: Failure
    status: int
    retry_number: int
    taken_at: datetime | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How a webhook does; see alpr.alerts.v1.WebhookHealth."""

    delivered: int = 0
    dead_letters: int = 0
    last_delivery: datetime | None = None
    failed_tries: int = 0
    failure: Failure = Failure.NONE
    status: int = 0
    next_try: datetime | None = None
    halt_time: datetime | None = None


def event_id(webhook_id: UUID, epoch: int, position: int) -> UUID:
    """Id of the message of a position of the feed: the same for every try, by whatever replica.

    It tells nothing of the position, whose gaps would show how much others get.
    """
    return uuid5(webhook_id, f"{epoch}/{position}")


def answer_of(status: int, retry_after: timedelta = timedelta()) -> Answer:
    """What an HTTP status means for the message."""
    if status in _SUCCESS:
        return Answer(Failure.NONE, status)
    if status in _REDIRECT:
        return Answer(Failure.REDIRECT, status)
    if status in _REFUSALS:
        return Answer(Failure.REFUSED, status)
    return Answer(Failure.STATUS, status, min(retry_after, LONGEST_ASKED))


def is_given_up(answer: Answer, tries: int, event_time: datetime, now: datetime) -> bool:
    """Whether the message is a dead letter after so many failed tries.

    Whatever says nothing about the message itself is tried for 24 hours: a dispatch system that was away
    all night shall find everything.
    """
    if answer.failure is Failure.REFUSED:
        return tries >= _MOST_REFUSALS
    return is_expired(event_time, now)


def is_expired(event_time: datetime, now: datetime) -> bool:
    """Whether the message is too old to be posted: looking so far back is a question."""
    return now - event_time > GOOD_FOR


def may_retry(letter: Letter, now: datetime) -> bool:
    """Whether a letter may be posted once more: it is of the last 24 hours, not taken and not waiting."""
    return letter.taken_at is None and not letter.waiting and not is_expired(letter.event_time, now)


def pause_after(tries: int, answer: Answer, spread: float) -> timedelta:
    """How long to wait after `tries` failed tries: twice as long each time, up to five minutes.

    Args:
        spread: 0 to 1, by chance, so that many webhooks of one receiver do not come back together.
    """
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(tries - 1, _MOST_DOUBLINGS)
    return max(min(doubled, LONGEST_PAUSE) * (0.5 + spread / 2), answer.retry_after)


def state_of(acts: AbstractSet[State]) -> State:
    """How far a webhook is with which those acts were done."""
    return max(acts, default=State.PROPOSED)
