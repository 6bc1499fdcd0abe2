"""Settings of the matcher, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from services.common.config import Address, ServiceSettings


class MatcherSettings(ServiceSettings):
    """PW_... variables of the matcher besides those that every service has."""

    database_url: str = Field(min_length=1)
    """DSN of matcher_app."""
    audit_target: Annotated[Address, Field(min_length=1)]
    alerts_target: Annotated[Address, Field(min_length=1)]
    search_target: Annotated[Address, Field(min_length=1)]
    match_minimum_probability: Annotated[float, Field(ge=0.001, le=1)] = 0.05
    """Least P(text) * P(state) of a match. Lower finds more misread plates and raises more false alarms."""
    batches_in_flight: Annotated[int, Field(ge=1, le=64)] = 8
    """Batches of one stream that are worked on at the same time."""
    upload_spool_dir: Path = Path("/var/tmp")  # noqa: S108 - the spooled files have no name there
    """Folder for uploads on their way in; needs room for two of 2 GiB. Not a memory file system."""
    look_back_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """Reads of so many hours before a change of the hot lists are compared with what it brought."""
    upload_removed_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of a list's entries. A version that removes more of them needs a second person's approval."""
