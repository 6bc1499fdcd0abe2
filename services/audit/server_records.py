"""Servicers of alpr.audit.v1: incidents, contracts, requests for support."""

from __future__ import annotations

from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import contract_service_pb2_grpc as contract_rpc
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1 import support_service_pb2_grpc as support_rpc
from services.audit import wire
from services.audit import wire_records as records
from services.audit.app_records import Contracts, Incidents, Support
from services.audit.callers import call_of
from services.common.identity import Context


class IncidentServicer(incident_rpc.IncidentServiceServicer):
    """Incidents."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def OpenIncident(
        self, request: incident_pb.OpenIncidentRequest, context: Context
    ) -> incident_pb.OpenIncidentResponse:
        """See incident_service.proto."""
        call, given = call_of(context, request.request_id), records.parse_open_incident(request)
        made, partners = await self._incidents.open(call, given)
        contacts = self._incidents.contacts
        return incident_pb.OpenIncidentResponse(
            incident=records.incident(made, self._incidents.now()),
            cjis_coordinator=records.contact(contacts.cjis_coordinator),
            platform_operator=records.contact(contacts.platform_operator),
            partner_agencies=partners,
        )

    async def RecordIncidentNotice(
        self, request: incident_pb.RecordIncidentNoticeRequest, context: Context
    ) -> incident_pb.RecordIncidentNoticeResponse:
        """See incident_service.proto."""
        call, (incident_id, notice) = call_of(context, request.request_id), records.parse_tell(request)
        told = await self._incidents.tell(call, incident_id, notice)
        message = records.incident(told, self._incidents.now())
        return incident_pb.RecordIncidentNoticeResponse(incident=message)

    async def CloseIncident(
        self, request: incident_pb.CloseIncidentRequest, context: Context
    ) -> incident_pb.CloseIncidentResponse:
        """See incident_service.proto."""
        call = call_of(context, request.request_id)
        closed = await self._incidents.close(call, *records.parse_close_incident(request))
        return incident_pb.CloseIncidentResponse(incident=records.incident(closed, self._incidents.now()))

    async def ListIncidents(
        self, request: incident_pb.ListIncidentsRequest, context: Context
    ) -> incident_pb.ListIncidentsResponse:
        """See incident_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        before = records.parse_page_token(request.page_token)
        found = await self._incidents.page(call_of(context), before, size + 1)
        last = found[size - 1] if len(found) > size else None
        return incident_pb.ListIncidentsResponse(
            incidents=[records.incident(one, self._incidents.now()) for one in found[:size]],
            next_page_token=records.page_token(last.open_time, last.incident_id) if last else "",
        )


class ContractServicer(contract_rpc.ContractServiceServicer):
    """Contracts."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    async def RecordContract(
        self, request: contract_pb.RecordContractRequest, context: Context
    ) -> contract_pb.RecordContractResponse:
        """See contract_service.proto."""
        call, given = call_of(context, request.request_id), records.parse_contract(request)
        made = await self._contracts.record(call, given)
        return contract_pb.RecordContractResponse(contract=records.contract(made, self._contracts.now()))

    async def ListContracts(
        self, request: contract_pb.ListContractsRequest, context: Context
    ) -> contract_pb.ListContractsResponse:
        """See contract_service.proto."""
        found, now = await self._contracts.listed(call_of(context)), self._contracts.now()
        return contract_pb.ListContractsResponse(contracts=[records.contract(one, now) for one in found])

    async def ReportUse(
        self, request: contract_pb.ReportUseRequest, context: Context
    ) -> contract_pb.ReportUseResponse:
        """See contract_service.proto."""
        found, use = await self._contracts.use(call_of(context), *records.parse_use(request))
        answer = records.use(use)
        answer.contract.CopyFrom(records.contract(found, self._contracts.now()))
        return answer


class SupportServicer(support_rpc.SupportServiceServicer):
    """Requests for support."""

    def __init__(self, support: Support) -> None:
        self._support = support

    async def RequestSupport(
        self, request: support_pb.RequestSupportRequest, context: Context
    ) -> support_pb.RequestSupportResponse:
        """See support_service.proto."""
        call, given = call_of(context, request.request_id), records.parse_support(request)
        made = await self._support.request(call, given)
        first_tier = records.contact(self._support.contacts.first_tier)
        return support_pb.RequestSupportResponse(support_request=records.support(made), first_tier=first_tier)

    async def CloseSupport(
        self, request: support_pb.CloseSupportRequest, context: Context
    ) -> support_pb.CloseSupportResponse:
        """See support_service.proto."""
        call = call_of(context, request.request_id)
        closed = await self._support.close(call, *records.parse_close_support(request))
        return support_pb.CloseSupportResponse(support_request=records.support(closed))

    async def ListSupport(
        self, request: support_pb.ListSupportRequest, context: Context
    ) -> support_pb.ListSupportResponse:
        """See support_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=50, most=200)
        before = records.parse_page_token(request.page_token)
        found = await self._support.page(call_of(context), before, size + 1)
        last = found[size - 1] if len(found) > size else None
        return support_pb.ListSupportResponse(
            support_requests=map(records.support, found[:size]),
            next_page_token=records.page_token(last.open_time, last.support_request_id) if last else "",
            first_tier=records.contact(self._support.contacts.first_tier),
        )
