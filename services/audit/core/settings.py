"""System-wide settings beside the retention period: what they mean, and their bounds (ENF-051 IV.E.1.b)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

_GREATEST = 2**31 - 1


class Unit(StrEnum):
    """What a setting's number counts; the names are those of the contract without their prefix."""

    DAYS = "DAYS"
    HOURS = "HOURS"
    MINUTES = "MINUTES"
    SECONDS = "SECONDS"
    COUNT = "COUNT"
    PERCENT = "PERCENT"


_LENGTHS = MappingProxyType(
    {
        Unit.DAYS: timedelta(days=1),
        Unit.HOURS: timedelta(hours=1),
        Unit.MINUTES: timedelta(minutes=1),
        Unit.SECONDS: timedelta(seconds=1),
    }
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A setting that some service reads: its unit, the clause that it belongs to, and what it says."""

    unit: Unit
    clause: str
    title: str


# A new setting is a line here, a table of the same name in policy/settings.toml, and the code that reads it.
DECLARED: Mapping[str, Declared] = MappingProxyType(
    {
        "account_idle_days": Declared(
            Unit.DAYS, "CJIS AC-2(3)", "an account that nobody used for so long is worth nothing"
        ),
        "account_review_days": Declared(
            Unit.DAYS, "CJIS AC-6(7)", "an account's access is reviewed at least so often"
        ),
        "account_temporary_hours": Declared(
            Unit.HOURS, "CJIS AC-2(2)", "a temporary account lives no longer than that"
        ),
        "alert_acknowledge_seconds": Declared(
            Unit.SECONDS, "IV.D.3", "a telecommunication centre acknowledges what sounds in that time"
        ),
        "alert_telecom_grace_minutes": Declared(
            Unit.MINUTES, "IV.D.3", "without audit a telecommunication centre's stream goes on for so long"
        ),
        "alert_verify_seconds": Declared(
            Unit.SECONDS, "III.D.4", "an alert that is not urgent is verified in that time"
        ),
        "alert_verify_urgent_seconds": Declared(
            Unit.SECONDS, "III.D.4", "an urgent alert is verified in that time"
        ),
        "escort_most_minutes": Declared(
            Unit.MINUTES, "III.B.3.p", "an escort of a vendor is begun for no longer than that"
        ),
        "devices_at_once": Declared(
            Unit.COUNT, "III.B.3.k", "on so many devices a person may be signed in at the same time"
        ),
        "interleaved_changes": Declared(
            Unit.COUNT, "III.B.3.k", "an account whose devices take turns so often looks shared"
        ),
        "interleaved_minutes": Declared(
            Unit.MINUTES, "III.B.3.k", "devices that take turns are counted within that time"
        ),
        "look_back_hours": Declared(
            Unit.HOURS, "II.D", "what enters the hot lists is compared with reads of so many hours before"
        ),
        "misuse_barred_tries": Declared(
            Unit.COUNT, "III.B.3.o", "so many tries with an ended or suspended account are flagged"
        ),
        "misuse_case_days": Declared(Unit.DAYS, "III.B.3.o", "and on so many days at least"),
        "misuse_case_offences": Declared(
            Unit.COUNT, "III.B.3.o", "so many offence codes under one case number are different matters"
        ),
        "misuse_case_plates": Declared(
            Unit.COUNT, "III.B.3.o", "one case number, alone, for so many plates is flagged"
        ),
        "misuse_hours_days": Declared(
            Unit.DAYS, "III.B.3.o", "questions outside one's own hours on so many days are flagged"
        ),
        "misuse_leaver_days": Declared(
            Unit.DAYS, "III.B.3.o", "for so many days before an account's end its use is looked at"
        ),
        "misuse_leaver_plates": Declared(
            Unit.COUNT, "III.B.3.o", "and at least so many as usual count as usual"
        ),
        "misuse_leaver_times": Declared(
            Unit.COUNT, "III.B.3.o", "then so many times as many plates as usual are flagged"
        ),
        "misuse_repeat_alone_days": Declared(
            Unit.DAYS, "III.B.3.o", "one plate, alone, on so many days is flagged whatever the case numbers"
        ),
        "misuse_repeat_cases": Declared(
            Unit.COUNT, "III.B.3.o", "so many case numbers for one plate, alone, are several"
        ),
        "misuse_repeat_days": Declared(
            Unit.DAYS, "III.B.3.o", "one plate, alone, on so many days under several case numbers is flagged"
        ),
        "misuse_review_days": Declared(
            Unit.DAYS, "III.C.2.d", "a review of what may be misuse is concluded within so many days"
        ),
        "misuse_spike_plates": Declared(
            Unit.COUNT, "III.B.3.o", "so many plates in a day, alone, are flagged"
        ),
        "misuse_spike_times": Declared(Unit.COUNT, "III.B.3.o", "and so many times as many as on other days"),
        "misuse_vague_of_twenty": Declared(
            Unit.COUNT, "III.B.3.o", "so many of twenty purposes that say nothing are flagged"
        ),
        "sensor_certificate_warning_days": Declared(
            Unit.DAYS,
            "III.B.3.h",
            "so long before its end a sensor's certificate without a successor is told of",
        ),
        "sign_in_quiet_minutes": Declared(
            Unit.MINUTES, "CJIS AC-12", "a sign-in that was quiet for so long does not count as one at once"
        ),
        "sign_ins_at_once": Declared(
            Unit.COUNT, "III.B.3.k", "so many sign-ins a person may have at the same time (CJIS AC-10)"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the policy pack allows, and what counts until somebody changes it."""

    least: int
    most: int
    usual: int

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that are none."""
        numbers = (self.least, self.usual, self.most)
        whole = all(isinstance(one, int) and not isinstance(one, bool) for one in numbers)
        if not (whole and 0 <= self.least <= self.usual <= self.most <= _GREATEST):
            raise ValueError("a setting needs whole numbers 0 <= least <= usual <= most")


@dataclass(frozen=True, slots=True)
class SettingsPack:
    """The bounds of every declared setting, by name."""

    name: str
    bounds: Mapping[str, Bounds]

    def __post_init__(self) -> None:
        """Raises ValueError unless exactly the declared settings have bounds."""
        if not self.name:
            raise ValueError("settings need the name of their pack")
        if apart := sorted(self.bounds.keys() ^ DECLARED.keys()):
            msg = f"settings.toml must have exactly the settings that are declared; see {', '.join(apart)}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is now; `changed_at` is None if it never was changed."""

    name: str
    value: int
    bounds: Bounds
    revision: int = 1
    changed_at: datetime | None = None

    @property
    def declared(self) -> Declared:
        """What it means."""
        return DECLARED[self.name]

    @property
    def period(self) -> timedelta:
        """The value as a length of time. Raises KeyError for a count."""
        return self.value * _LENGTHS[self.declared.unit]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A change as it is asked for."""

    name: str
    value: int
    value_before: int
    reason: str


def cut(value: int | None, bounds: Bounds) -> int:
    """The value that counts: a pack that becomes stricter counts at once. None where nobody changed it."""
    return bounds.usual if value is None else min(max(value, bounds.least), bounds.most)


def usual(pack: SettingsPack) -> dict[str, Setting]:
    """All settings as they are before anybody changed one, by name."""
    return {name: Setting(name, pack.bounds[name].usual, pack.bounds[name]) for name in sorted(DECLARED)}
