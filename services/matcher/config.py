"""Settings of the matcher, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.common.config import ServiceSettings, Target
from services.matcher.core.budget import Budget
from services.matcher.core.settings import MatchSettings


class MatcherSettings(ServiceSettings):
    """PW_... variables of the matcher besides those that every service has."""

    database_url: str = Field(min_length=1)
    """DSN of matcher_app."""
    audit_target: Target
    alerts_target: Target
    search_target: Target
    match_minimum_probability: Annotated[float, Field(ge=0.001, le=1)] = 0.01
    """Least probability of a match. Lower finds more misread plates and shows more false ones."""
    match_sounding_per_million: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """False alarms that sound, of one list in a million reads (ENF-051 III.B.3.o)."""
    match_sounding_in_all_per_million: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    """The same of all lists together."""
    match_checked_per_million: Annotated[float, Field(gt=0, le=100_000)] = 300.0
    """False matches of one list in a million reads that are shown at all, to be checked."""
    home_state: Annotated[str, Field(pattern="^([A-Z]{2})?$")] = "IL"
    """State of most plates that pass, as the NCIC table has it; empty when none is."""
    snapshot_dir: Path | None = None
    """Folder for snapshots of large lists, 100 bytes an entry; without one a start reads the database."""
    batches_in_flight: Annotated[int, Field(ge=1, le=64)] = 8
    """Batches of one stream that are worked on at the same time."""
    upload_spool_dir: Path = Path("/var/tmp")  # noqa: S108 - the spooled files have no name there
    """Folder for uploads on their way in; needs room for two of 2 GiB. Not a memory file system."""
    look_back_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """Reads of so many hours before a change of the hot lists are compared with what it brought.
    Audit's setting, once heard, counts instead."""
    upload_removed_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of a list's entries. A version that removes more of them needs a second person's approval."""

    @property
    def matching(self) -> MatchSettings:
        """How bold matching is."""
        budget = Budget(
            sounding=self.match_sounding_per_million,
            sounding_in_all=self.match_sounding_in_all_per_million,
            checked=self.match_checked_per_million,
        )
        return MatchSettings(
            minimum=self.match_minimum_probability, budget=budget, home_state=self.home_state
        )
