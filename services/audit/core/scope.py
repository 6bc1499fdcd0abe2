"""Whose reads a question may look at (ENF-051 II.F, III.B.1, III.B.3.f), and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

NO_GROUP = "-"
"""Name of no sensor group: the registry takes none without a letter or digit."""


class LeftOutReason(StrEnum):
    """Why reads are left out."""

    NO_NON_AGENCY_ACCESS = "NO_NON_AGENCY_ACCESS"
    PURPOSE_LIMIT = "PURPOSE_LIMIT"


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Reads that may not be looked at; `sensor_group` is "" for all of the agency."""

    agency_ori: str
    sensor_group: str
    reason: LeftOutReason


@dataclass(frozen=True, slots=True)
class Group:
    """A sensor group of an agency; "" for the agency itself, which may have no sensors.

    Attributes:
        commercial: A sensor of it belongs to a company: what it reads is no data of the agency.
        offence_codes: For which offences it may be searched; none means for all.
    """

    agency_ori: str
    name: str
    commercial: bool
    offence_codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a permit opens. No `sensor_groups` means all groups of `agency_oris`."""

    agency_oris: tuple[str, ...]
    sensor_groups: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a person's question reaches: the own agency, whether beyond it, and for which offence.

    `own_only` is true when the person wants it no farther; then nobody need be told what that leaves out.
    """

    agency_ori: str
    non_agency: bool
    offence_code: str
    own_only: bool = False

    @property
    def beyond(self) -> bool:
        """True when data that are not the own agency's are looked at."""
        return self.non_agency and not self.own_only


def scope_of(reach: Reach, groups: Sequence[Group]) -> Scope:
    """The scope of a question with this reach.

    Args:
        reach: Whose question it is.
        groups: Those of the own agency and of every agency that shares its reads with it.

    A permit names groups without their agencies, so a name that is left out for one agency is left out for
    all: rather too little than a read too much.
    """
    oris = sorted({group.agency_ori for group in groups} - {reach.agency_ori})
    agencies = (reach.agency_ori, *(oris if reach.beyond else ()))
    looked_at = [group for group in groups if group.agency_ori in agencies and group.name]
    barred = {group: reason for group in looked_at if (reason := _reason(group, reach))}
    names = {group.name for group in looked_at} - {group.name for group in barred}
    # Group and reason of the first that bars a name, for the others of that name as well.
    why = {group.name: reason for group, reason in barred.items()}
    left_out = [LeftOut(one.agency_ori, one.name, why[one.name]) for one in looked_at if one.name in why]
    if not reach.beyond:
        left_out += [LeftOut(ori, "", LeftOutReason.NO_NON_AGENCY_ACCESS) for ori in oris]
    if reach.own_only:
        left_out = [one for one in left_out if one.reason is not LeftOutReason.NO_NON_AGENCY_ACCESS]
    allowed = (tuple(sorted(names)) or (NO_GROUP,)) if barred else ()
    return Scope(agencies, allowed, tuple(sorted(left_out)))


def _reason(group: Group, reach: Reach) -> LeftOutReason | None:
    if group.commercial and not reach.beyond:
        return LeftOutReason.NO_NON_AGENCY_ACCESS
    if group.offence_codes and reach.offence_code not in group.offence_codes:
        return LeftOutReason.PURPOSE_LIMIT
    return None


def scope_values(scope: Scope) -> dict[str, str]:
    """The scope as it stands in a log entry, by field."""
    left_out = (f"{one.agency_ori}/{one.sensor_group}/{one.reason}" for one in scope.left_out)
    return {
        "agency": ",".join(scope.agency_oris),
        "detail.sensor_groups": ",".join(scope.sensor_groups),
        "detail.left_out": ",".join(left_out),
    }


def scope_in(value: Callable[[str], str]) -> Scope:
    """The scope that a log entry holds; `value` gives the text of a field."""
    oris, groups, left_out = (
        tuple(one for one in value(name).split(",") if one)
        for name in ("agency", "detail.sensor_groups", "detail.left_out")
    )
    parts = (one.split("/") for one in left_out)
    return Scope(
        oris, groups, tuple(LeftOut(ori, group, LeftOutReason(reason)) for ori, group, reason in parts)
    )
