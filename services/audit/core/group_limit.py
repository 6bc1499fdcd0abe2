"""For which offences the reads of a sensor group may be searched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """Codes of the purpose catalogue, sorted; none means every offence."""

    agency_ori: str
    sensor_group: str
    offence_codes: tuple[str, ...]
