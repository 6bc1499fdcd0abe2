"""The coordinator's pages, and a page of them: its own navigation, its style, its scripts."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.audit.v1 import authorization_service_pb2 as roles
from services.console.coordinator.forms import Forms
from services.console.door import Person

STATEWIDE: Final = frozenset({roles.ROLE_STATEWIDE_COORDINATOR})
COORDINATORS: Final = STATEWIDE | {roles.ROLE_WORK_UNIT_COORDINATOR}
_ADMINISTRATORS: Final = COORDINATORS | {roles.ROLE_SYSTEM_ADMINISTRATOR}
# Which role may what the services say; this spares people pages that would refuse them.
PLACES: Final = (
    ("/coordinator", "Today", _ADMINISTRATORS),
    ("/coordinator/people", "People", COORDINATORS),
    ("/coordinator/units", "Units", COORDINATORS),
    ("/coordinator/packets", "Weekly packet", COORDINATORS),
    ("/coordinator/sensors", "Sensors", _ADMINISTRATORS),
    ("/coordinator/escorts", "Vendor sessions", _ADMINISTRATORS),
    ("/coordinator/incidents", "Incidents", _ADMINISTRATORS),
    ("/coordinator/support", "Support", COORDINATORS),
    ("/coordinator/holds", "Holds", STATEWIDE),
    ("/coordinator/agreements", "Agreements", COORDINATORS),
    ("/coordinator/declarations", "Declarations", COORDINATORS),
    ("/auditor/requests", "Requests", COORDINATORS),
    ("/coordinator/documents", "Documents", COORDINATORS),
    ("/coordinator/roster", "Leavers", STATEWIDE),
    ("/coordinator/office", "Office", _ADMINISTRATORS),
)


async def show(
    request: Request, person: Person, template: str, place: str, forms: Forms, **values: Any
) -> Response:
    """A page of the coordinator's; `place` is the one in the navigation that it belongs to."""
    return await person.show(
        f"coordinator/{template}",
        forms.status,
        section="/coordinator",
        places=PLACES,
        place=place,
        forms=forms,
        done=request.query_params.get("done", ""),
        **values,
    )
