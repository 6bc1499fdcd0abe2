"""What agencies of other states declare in writing before they are answered (625 ILCS 5/2-130)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_STATE = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class OutOfStateLaw:
    """What the policy pack asks of agencies whose ORI does not begin with `home_state`.

    `uses` are the uses that each declaration must exclude, by id, in the words of the document.
    """

    name: str
    home_state: str
    longest_days: int
    uses: Mapping[str, str]

    def __post_init__(self) -> None:
        """Raises ValueError for a law that could not be kept."""
        if not self.name or not self.uses or not _STATE.fullmatch(self.home_state):
            raise ValueError("out_of_state.toml needs a name, a home_state of two letters, and uses")
        if self.longest_days < 1:
            raise ValueError("out_of_state.toml: longest_days must be at least 1")

    def is_outside(self, ori: str) -> bool:
        """True for an agency that needs a declaration."""
        return not ori.startswith(self.home_state)


@dataclass(frozen=True, slots=True)
class Affirmation:
    """What counts of one declaration: from when to before when, and which offence codes it excludes."""

    start_time: datetime
    end_time: datetime
    excluded_codes: frozenset[str]

    def is_in_force(self, moment: datetime) -> bool:
        """True while it counts."""
        return self.start_time <= moment < self.end_time


@dataclass(frozen=True, slots=True)
class Standing:
    """An agency of another state before the law, with its affirmations that were not withdrawn."""

    affirmations: tuple[Affirmation, ...]

    def is_declared(self, moment: datetime) -> bool:
        """True while a declaration of it is in force."""
        return any(one.is_in_force(moment) for one in self.affirmations)

    def excludes(self, code: str, moment: datetime) -> bool:
        """True when any declaration in force excludes the offence code."""
        return any(code in one.excluded_codes for one in self.affirmations if one.is_in_force(moment))

    def changes_after(self, moment: datetime) -> list[datetime]:
        """When declarations that are in force now end."""
        return [one.end_time for one in self.affirmations if one.is_in_force(moment)]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration as it is on record; `withdraw_time` is None unless it was ended before its time."""

    declaration_id: str
    agency_ori: str
    document_sha256: bytes
    signed_by: str
    office: str
    sign_time: datetime
    start_time: datetime
    end_time: datetime
    excluded_uses: tuple[str, ...]
    excluded_codes: tuple[str, ...]
    record_time: datetime | None = None
    withdraw_time: datetime | None = None

    def is_in_force(self, moment: datetime, law: OutOfStateLaw) -> bool:
        """True while it counts."""
        complete = law.uses.keys() <= set(self.excluded_uses)
        return complete and self.withdraw_time is None and self.start_time <= moment < self.end_time


def problems(given: Declaration, law: OutOfStateLaw, codes: frozenset[str], now: datetime) -> dict[str, str]:
    """What is wrong with a declaration that is to be recorded, by field; empty when nothing is."""
    wrong = {}
    if not law.is_outside(given.agency_ori):
        wrong["agency_ori"] = f"agencies of {law.home_state} declare nothing ({law.name})"
    if lacking := sorted(law.uses.keys() - set(given.excluded_uses)):
        wrong["excluded_uses"] = f"the document must exclude {', '.join(lacking)} ({law.name})"
    elif unknown := sorted(set(given.excluded_uses) - law.uses.keys()):
        wrong["excluded_uses"] = f"the pack knows no use {', '.join(unknown)}"
    if unknown := sorted(set(given.excluded_codes) - codes):
        wrong["excluded_offence_codes"] = f"the purpose catalogue has no {', '.join(unknown)}"
    if given.sign_time > now:
        wrong["sign_time"] = "must not be ahead"
    if given.start_time < given.sign_time:
        wrong["start_time"] = "must not be before it was signed"
    if not now < given.end_time or given.end_time <= given.start_time:
        wrong["end_time"] = "must be ahead, and after the start"
    elif given.end_time - given.start_time > timedelta(days=law.longest_days):
        wrong["end_time"] = f"must be at most {law.longest_days} days after the start"
    return wrong
