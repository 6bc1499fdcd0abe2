"""Questions about reads, as they are recorded and put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.search.core.area import Area, area_text
from services.search.core.pattern import WantedPlate


@dataclass(frozen=True, slots=True)
class ReadsQuestion:
    """ "Where was this plate, or one like it?", or "what was seen here?", newest first.

    Attributes:
        plate: Which plates.
        state: Two letters, or "" for any.
        provenances: OWN, PARTNER, COMMERCIAL; none for all of them.
        area: Where; None for everywhere.
        from_time: UTC, or None for the start of the retention period.
        to_time: UTC and exclusive, or None for now.
        page_size: Most rows of a page.
    """

    plate: WantedPlate
    state: str
    provenances: tuple[str, ...]
    area: Area | None
    from_time: datetime | None
    to_time: datetime | None
    page_size: int

    def named(self) -> tuple[tuple[str, str], ...]:
        """What is asked for, in the order of archive.find_reads; the position of a page follows."""
        return (
            ("plate_form", self.plate.form.value),
            ("plate", self.plate.text),
            ("state", self.state),
            ("provenance", ",".join(self.provenances)),
            ("area", area_text(self.area)),
        )
