"""What of a hit is the agency's own, when it takes all that it owns with it (ENF-051 IV.A.3)."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

# Of a read of another agency's camera the agency has that its entry matched it, and when.
FOREIGN_READ = frozenset({"read_id", "capture_time", "sensor_agency_ori"})
# Of another agency's entry the agency has that its camera's read matched it, and what it was about.
FOREIGN_ENTRY = frozenset(
    {"entry_id", "list_version", "hot_list_id", "list_agency_ori", "source", "category"}
)


def own_part(values: Mapping[str, T], owner: str, agency_ori: str, shared: frozenset[str]) -> dict[str, T]:
    """`values` as they are when `owner` is the agency, else those of them that are `shared`."""
    return {name: value for name, value in values.items() if owner == agency_ori or name in shared}
