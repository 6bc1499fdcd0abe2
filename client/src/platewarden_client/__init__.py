"""Follows the alerts of a Platewarden system, and loses none.

See `AlertStream`; the README has an example of ten lines.
"""

from platewarden_client.errors import (
    EntitlementEndedError,
    PlatewardenError,
    RefusedError,
    ResumeFileError,
    ResumeRefusedError,
)
from platewarden_client.events import AlertEvent, EventKind, Gap, LinkState, Position
from platewarden_client.pace import Pace
from platewarden_client.stream import AlertStream

__all__ = [
    "AlertEvent",
    "AlertStream",
    "EntitlementEndedError",
    "EventKind",
    "Gap",
    "LinkState",
    "Pace",
    "PlatewardenError",
    "Position",
    "RefusedError",
    "ResumeFileError",
    "ResumeRefusedError",
]
