"""What of a profile may be corrected (ENF-051 III.C.2.b); who it is of, and the agency, are no part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from services.audit.core.email import EmailException
from services.audit.core.person import Profile


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What is to stand in a profile; "" leaves what is there."""

    full_name: str = ""
    badge_number: str = ""
    email: str = ""
    unit: str = ""

    def after(self) -> dict[str, str]:
        """What is to change, by name of the field."""
        return {name: text for name, text in asdict(self).items() if text}

    def before(self, profile: Profile) -> Mapping[str, str]:
        """What the profile says in the place of what is to change."""
        return {f"{name}_before": getattr(profile, name) for name in self.after()}

    def of(self, profile: Profile) -> Profile:
        """The profile as changed."""
        return replace(profile, **self.after())


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to change, why, and the approval of an address that is of no domain of the agency."""

    wanted: ProfileChange
    reason: str
    exception: EmailException | None = None
