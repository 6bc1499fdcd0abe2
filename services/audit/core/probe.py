"""What a person should be shown, as the acts in the log say it, and how that differs from what was shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Act:
    """An act that was carried out, by its log entry: action, what it was done to, what it says besides."""

    action: str
    resource: str
    facts: Mapping[str, str]

    def moment(self, name: str) -> datetime:
        """The moment that the fact `name` says."""
        return datetime.fromisoformat(self.facts[name])


class DifferenceKind(StrEnum):
    """The names are those of the contract without their prefix."""

    UNEXPECTED = "UNEXPECTED"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a question was shown: whose reads, who has any, and of whom something was left out by offence."""

    seen: frozenset[str]
    with_reads: frozenset[str]
    limited: frozenset[str]


def expected(agency_ori: str, account_id: str, acts: Sequence[Act], moment: datetime) -> tuple[str, ...]:
    """ORIs of the agencies whose reads the account should see at `moment`, sorted.

    Args:
        agency_ori: The account's agency.
        account_id: The account.
        acts: Acts about agreements and about access to data of others, in the order of the log.
        moment: When the question was asked.
    """
    if not _may_see_others(account_id, acts, moment):
        return (agency_ori,)
    shared: dict[str, str] = {}
    for act in acts:
        if act.action == "agreement.accept" and _gives_reads(act, agency_ori, moment):
            shared[act.resource] = act.facts["provider"]
        elif act.action == "agreement.end":
            shared.pop(act.resource, None)
    return tuple(sorted({agency_ori, *shared.values()}))


def differences(wanted: Iterable[str], shown: Shown) -> list[tuple[str, DifferenceKind]]:
    """Agency and how it differs, sorted; empty when access is as agreed."""
    wanted = frozenset(wanted)
    found = [(ori, DifferenceKind.UNEXPECTED) for ori in shown.seen - wanted]
    missing = (wanted & shown.with_reads) - shown.seen - shown.limited
    found += [(ori, DifferenceKind.MISSING) for ori in missing]
    return sorted(found)


def _may_see_others(account_id: str, acts: Sequence[Act], moment: datetime) -> bool:
    """True when the last decision about the account's access to data of others lets it see them."""
    decided = [act for act in acts if act.action.startswith("account.") and act.resource == account_id]
    last = decided[-1] if decided else None
    return last is not None and last.action == "account.vet" and moment < last.moment("valid_until")


def _gives_reads(act: Act, recipient: str, moment: datetime) -> bool:
    return (
        act.facts["recipient"] == recipient
        and "READS" in act.facts["data_classes"].split(",")
        and act.moment("start_time") <= moment < act.moment("end_time")
    )
