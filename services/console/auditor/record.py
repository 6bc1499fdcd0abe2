"""What else is on record: incidents, contracts, declarations, holds, requests for support, settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.alerts.v1 import webhook_service_pb2 as webhook_pb
from alpr.alerts.v1 import webhook_service_pb2_grpc as webhook_rpc
from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import contract_service_pb2_grpc as contract_rpc
from alpr.audit.v1 import declaration_service_pb2 as declaration_pb
from alpr.audit.v1 import declaration_service_pb2_grpc as declaration_rpc
from alpr.audit.v1 import governance_service_pb2 as governance_pb
from alpr.audit.v1 import governance_service_pb2_grpc as governance_rpc
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1 import support_service_pb2_grpc as support_rpc
from alpr.search.v1 import retention_service_pb2 as retention_pb
from alpr.search.v1 import retention_service_pb2_grpc as retention_rpc
from services.console.auditor import people
from services.console.door import Door, Person
from services.console.pages import new_id

_ROWS: Final = 100
_LISTS: Final[Mapping[str, tuple[Any, str, Any]]] = {
    "incidents": (incident_rpc.IncidentServiceStub, "ListIncidents", incident_pb.ListIncidentsRequest),
    "holds": (retention_rpc.RetentionServiceStub, "ListHolds", retention_pb.ListHoldsRequest),
    "declarations": (
        declaration_rpc.DeclarationServiceStub,
        "ListDeclarations",
        declaration_pb.ListDeclarationsRequest,
    ),
    "support": (support_rpc.SupportServiceStub, "ListSupport", support_pb.ListSupportRequest),
    "limits": (
        governance_rpc.GovernanceServiceStub,
        "ListGroupLimits",
        governance_pb.ListGroupLimitsRequest,
    ),
}
"""RPC and request of each list that comes in pages, by the name of its page token in the address."""


def routes(door: Door) -> Sequence[Route]:
    """The one page."""
    return (Route("/auditor/record", door.page(_show), methods=["GET"]),)


async def _show(request: Request, person: Person) -> Response:
    """All lists, newest first, each with a way to its older ones."""
    found, contracts, settings, webhooks = await asyncio.gather(
        asyncio.gather(*(_listed(request, person, name) for name in _LISTS)),
        person.call(contract_rpc.ContractServiceStub, "ListContracts", contract_pb.ListContractsRequest()),
        person.call(settings_rpc.SettingsServiceStub, "ListSettings", settings_pb.ListSettingsRequest()),
        person.call(
            webhook_rpc.WebhookServiceStub,
            "ListWebhooks",
            webhook_pb.ListWebhooksRequest(request_id=new_id()),
        ),
    )
    lists = dict(zip(_LISTS, found, strict=True))
    acted = [
        *(one.account_id for one in lists["support"].support_requests),
        *(told.account_id for one in lists["incidents"].incidents for told in one.notices),
        *(one.approver_id for one in lists["holds"].holds),
        *(one.approver_account_id for one in webhooks.webhooks),
    ]
    return await person.show(
        "auditor/record.html",
        title="On record",
        section="/auditor",
        contracts=contracts.contracts,
        settings=settings,
        webhooks=webhooks.webhooks,
        names=await people.names_of(person, acted),
        **lists,
    )


async def _listed(request: Request, person: Person, name: str) -> Any:
    stub, rpc, message = _LISTS[name]
    wanted = message(page_size=_ROWS, page_token=request.query_params.get(name, ""))
    return await person.call(stub, rpc, wanted)
