"""Sign-ins: which are open, how many there may be, when two people seem to be one (ENF-051 III.B.3.k)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from services.audit.core.claims import Identity

# Every call asks for the name of its sign-in.
_MOST_NAMES = 20_000
_NAMESPACE = uuid.UUID("5d1f7f0e-7c1b-5e0b-9a53-0f6e1f3a2c47")


def sign_in_id(account_id: str, identity: Identity) -> str:
    """The id of the sign-in: the same for every token of it, without the provider's own id in it."""
    return _name((account_id, identity.session, identity.device))


@lru_cache(maxsize=_MOST_NAMES)
def _name(parts: tuple[str, ...]) -> str:
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


@dataclass(frozen=True, slots=True)
class SignIn:
    """One time of proving who one is, on one device; `device` is "" when the provider names none.

    `seen_time` is when it was last used, to some minutes; `end_time` is None while nobody ended it.
    """

    sign_in_id: str
    account_id: str
    device: str
    methods: tuple[str, ...]
    auth_time: datetime
    first_time: datetime
    seen_time: datetime
    end_time: datetime | None = None

    def is_open(self, limits: Limits, moment: datetime) -> bool:
        """True while it counts as one of those at the same time."""
        return self.end_time is None and moment < self.seen_time + limits.quiet

    @property
    def place(self) -> str:
        """What tells its device apart; where none is named, every program has a sign-in of its own."""
        return self.device or self.sign_in_id


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sign-ins a person may have at once, on how many devices; what is quiet so long is not open."""

    sign_ins: int
    devices: int
    quiet: timedelta

    def excess(self, others: Sequence[SignIn], new: SignIn) -> str:
        """What there would be too many of if `new` joined the open `others`; "" if there is room."""
        if len(others) >= self.sign_ins:
            return "sign-ins"
        devices = {one.place for one in others} | {new.place}
        return "devices" if len(devices) > self.devices else ""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What no longer counts: sign-ins of before a moment, None for no such moment, and single ones."""

    before: datetime | None = None
    sign_ins: frozenset[str] = frozenset()

    def covers(self, one: str, auth_time: datetime) -> bool:
        """True when the sign-in with that id, of that time, was ended."""
        return one in self.sign_ins or (self.before is not None and auth_time < self.before)


NOTHING_ENDED = SignedOut()


@dataclass(frozen=True, slots=True)
class Interleaving:
    """From which number of changes between devices on, within which time, an account looks shared."""

    changes: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person came from `place`, the device of a sign-in, after having come from another."""

    moment: datetime
    place: str


def interleaved(sightings: Sequence[Sighting], rule: Interleaving) -> tuple[Sighting, ...]:
    """The last sightings, oldest first, when devices took turns as often as the rule says; () if not.

    Somebody who changes the device does so once; two people with one account take turns: A, B, A, B.
    """
    recent = sightings[-(rule.changes + 1) :]
    if len(recent) <= rule.changes or recent[-1].moment - recent[0].moment > rule.within:
        return ()
    return tuple(recent)


def turned(sightings: Sequence[Sighting], new: Sighting, rule: Interleaving) -> tuple[Sighting, ...]:
    """The sightings with `new`, as many as the rule looks at; the same when the device has not changed."""
    if sightings and sightings[-1].place == new.place:
        return tuple(sightings)
    return (*sightings, new)[-(rule.changes + 1) :]
