"""Who asks an analysis, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alpr.type.v1.justification_pb2 import Justification
from services.common.identity import AccessToken


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, why, in which window (None where left out), and for how many rows at most.

    `own_agency_only` leaves out what other agencies share.
    """

    request_id: str
    token: AccessToken
    justification: Justification
    from_time: datetime | None
    to_time: datetime | None
    page_size: int
    own_agency_only: bool = False
