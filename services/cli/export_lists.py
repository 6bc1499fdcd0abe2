"""Configuration and registers of a full export: every one that an RPC of the contracts lists."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import contract_service_pb2_grpc as contract_rpc
from alpr.audit.v1 import declaration_service_pb2 as declaration_pb
from alpr.audit.v1 import declaration_service_pb2_grpc as declaration_rpc
from alpr.audit.v1 import document_service_pb2 as document_pb
from alpr.audit.v1 import document_service_pb2_grpc as document_rpc
from alpr.audit.v1 import escort_service_pb2 as escort_pb
from alpr.audit.v1 import escort_service_pb2_grpc as escort_rpc
from alpr.audit.v1 import governance_service_pb2 as governance_pb
from alpr.audit.v1 import governance_service_pb2_grpc as governance_rpc
from alpr.audit.v1 import government_request_service_pb2 as government_pb
from alpr.audit.v1 import government_request_service_pb2_grpc as government_rpc
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.audit.v1 import policy_service_pb2 as policy_pb
from alpr.audit.v1 import policy_service_pb2_grpc as policy_rpc
from alpr.audit.v1 import review_service_pb2 as review_pb
from alpr.audit.v1 import review_service_pb2_grpc as review_rpc
from alpr.audit.v1 import roster_service_pb2 as roster_pb
from alpr.audit.v1 import roster_service_pb2_grpc as roster_rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensor_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1 import support_service_pb2_grpc as support_rpc
from alpr.audit.v1 import transparency_service_pb2 as transparency_pb
from alpr.audit.v1 import transparency_service_pb2_grpc as transparency_rpc
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.audit.v1 import unit_service_pb2_grpc as unit_rpc
from alpr.matcher.v1 import scope_service_pb2 as scope_pb
from alpr.matcher.v1 import scope_service_pb2_grpc as scope_rpc
from alpr.ocr.v1 import ocr_service_pb2 as model_pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as model_rpc
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.search.v1 import dissemination_service_pb2_grpc as register_rpc
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.search.v1 import report_service_pb2_grpc as report_rpc
from alpr.search.v1 import retention_service_pb2 as retention_pb
from alpr.search.v1 import retention_service_pb2_grpc as retention_rpc
from alpr.search.v1 import sensor_health_service_pb2 as health_pb
from alpr.search.v1 import sensor_health_service_pb2_grpc as health_rpc
from services.cli.export_folder import Where
from services.cli.options import new_request_id
from services.cli.session import Session


@dataclass(frozen=True, slots=True)
class PagedList:
    """An RPC that gives a list: where people call it, stub, method, request, and the field with the items."""

    service: str
    stub: Any
    method: str
    request: Any
    items: str


LISTS = {
    "accounts": PagedList(
        "audit", account_rpc.AccountServiceStub, "ListAccounts", account_pb.ListAccountsRequest, "accounts"
    ),
    "leavers": PagedList(
        "audit", roster_rpc.RosterServiceStub, "ListLeavers", roster_pb.ListLeaversRequest, "leavers"
    ),
    "units": PagedList("audit", unit_rpc.UnitServiceStub, "ListUnits", unit_pb.ListUnitsRequest, "units"),
    "agencies": PagedList(
        "audit",
        governance_rpc.GovernanceServiceStub,
        "ListAgencies",
        governance_pb.ListAgenciesRequest,
        "agencies",
    ),
    "agreements": PagedList(
        "audit",
        governance_rpc.GovernanceServiceStub,
        "ListAgreements",
        governance_pb.ListAgreementsRequest,
        "agreements",
    ),
    "group_limits": PagedList(
        "audit",
        governance_rpc.GovernanceServiceStub,
        "ListGroupLimits",
        governance_pb.ListGroupLimitsRequest,
        "limits",
    ),
    "retention": PagedList(
        "audit",
        settings_rpc.SettingsServiceStub,
        "GetRetention",
        settings_pb.GetRetentionRequest,
        "retention",
    ),
    "settings": PagedList(
        "audit",
        settings_rpc.SettingsServiceStub,
        "ListSettings",
        settings_pb.ListSettingsRequest,
        "settings",
    ),
    "government_requests": PagedList(
        "audit",
        government_rpc.GovernmentRequestServiceStub,
        "ListGovernmentRequests",
        government_pb.ListGovernmentRequestsRequest,
        "government_requests",
    ),
    "declarations": PagedList(
        "audit",
        declaration_rpc.DeclarationServiceStub,
        "ListDeclarations",
        declaration_pb.ListDeclarationsRequest,
        "declarations",
    ),
    "holds": PagedList(
        "search", retention_rpc.RetentionServiceStub, "ListHolds", retention_pb.ListHoldsRequest, "holds"
    ),
    "purges": PagedList(
        "search", retention_rpc.RetentionServiceStub, "ListPurges", retention_pb.ListPurgesRequest, "purges"
    ),
    "sensors": PagedList(
        "audit", sensor_rpc.SensorServiceStub, "ListSensors", sensor_pb.ListSensorsRequest, "sensors"
    ),
    "sensor_groups": PagedList(
        "matcher",
        scope_rpc.ScopeServiceStub,
        "ListSensorGroups",
        scope_pb.ListSensorGroupsRequest,
        "sensor_groups",
    ),
    "register": PagedList(
        "search",
        register_rpc.DisseminationServiceStub,
        "ListDisseminations",
        register_pb.ListDisseminationsRequest,
        "disseminations",
    ),
    "recipient_notices": PagedList(
        "search",
        register_rpc.DisseminationServiceStub,
        "ListRecipientNotices",
        register_pb.ListRecipientNoticesRequest,
        "notices",
    ),
    "evidence": PagedList(
        "search",
        report_rpc.ReportServiceStub,
        "ListEvidence",
        report_pb.ListEvidenceRequest,
        "packages",
    ),
    "contracts": PagedList(
        "audit",
        contract_rpc.ContractServiceStub,
        "ListContracts",
        contract_pb.ListContractsRequest,
        "contracts",
    ),
    "incidents": PagedList(
        "audit",
        incident_rpc.IncidentServiceStub,
        "ListIncidents",
        incident_pb.ListIncidentsRequest,
        "incidents",
    ),
    "support_requests": PagedList(
        "audit",
        support_rpc.SupportServiceStub,
        "ListSupport",
        support_pb.ListSupportRequest,
        "support_requests",
    ),
    "reviews": PagedList(
        "audit", review_rpc.ReviewServiceStub, "ListReviews", review_pb.ListReviewsRequest, "reviews"
    ),
    "documents": PagedList(
        "audit",
        document_rpc.DocumentServiceStub,
        "ListDocuments",
        document_pb.ListDocumentsRequest,
        "documents",
    ),
    "escorts": PagedList(
        "audit", escort_rpc.EscortServiceStub, "ListEscorts", escort_pb.ListEscortsRequest, "escorts"
    ),
    "policies": PagedList(
        "audit", policy_rpc.PolicyServiceStub, "ListPolicies", policy_pb.ListPoliciesRequest, "policies"
    ),
    "maintenance": PagedList(
        "search",
        health_rpc.SensorHealthServiceStub,
        "ListMaintenance",
        health_pb.ListMaintenanceRequest,
        "notices",
    ),
    "transparency_reports": PagedList(
        "audit",
        transparency_rpc.TransparencyServiceStub,
        "ListReports",
        transparency_pb.ListReportsRequest,
        "reports",
    ),
    "models": PagedList(
        "ocr_people", model_rpc.OcrServiceStub, "ListModels", model_pb.ListModelsRequest, "versions"
    ),
}
# Lists of what has ended, too, where a request can ask for it.
_WHOLE = ("with_ended", "with_told")


def list_named(name: str) -> PagedList:
    """The list of that name, as the export's folder has it."""
    return LISTS[name]


async def items_of(session: Session, wanted: PagedList, partition: Where) -> AsyncIterator[Message]:
    """All items of the list, page by page, of one data set where there are two.

    Raises:
        AlprError: The person may not see it.
    """
    stub = wanted.stub(session.channel(wanted.service))
    request, fields = wanted.request(), wanted.request.DESCRIPTOR.fields_by_name
    for name in _WHOLE:
        if name in fields:
            setattr(request, name, True)
    if "partition" in fields:
        request.partition = partition
    while True:
        if "request_id" in fields:
            request.request_id = new_request_id()
        answer = await session.call(getattr(stub, wanted.method), request)
        found = getattr(answer, wanted.items)
        if isinstance(found, Message):
            yield found
            return
        for item in found:
            yield item
        if not getattr(answer, "next_page_token", ""):
            return
        request.page_token = answer.next_page_token
