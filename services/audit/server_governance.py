"""Servicer of alpr.audit.v1: agencies and the agreements between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from alpr.audit.v1 import governance_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2_grpc as rpc
from services.audit import wire, wire_agreements, wire_group_limits, wire_registry
from services.audit.app_agreements import Agreements
from services.audit.app_group_limits import GroupLimits
from services.audit.app_registry import Agencies
from services.audit.app_watch import Watch
from services.audit.callers import SERVICES, call_of
from services.audit.core.agreement import Agreement
from services.audit.server_streams import until_stopping
from services.common.identity import Context, require_service


class GovernanceServicer(rpc.GovernanceServiceServicer):
    """Agencies and agreements."""

    def __init__(
        self, agencies: Agencies, agreements: Agreements, limits: GroupLimits, watch: Watch[Agreement]
    ) -> None:
        self._agencies = agencies
        self._limits = limits
        self._agreements = agreements
        self._watch = watch

    async def RegisterAgency(
        self, request: pb.RegisterAgencyRequest, context: Context
    ) -> pb.RegisterAgencyResponse:
        """See governance_service.proto."""
        call, agency = call_of(context, request.request_id), wire_registry.parse_agency(request)
        registered = await self._agencies.register(call, agency)
        return pb.RegisterAgencyResponse(agency=wire_registry.agency(registered))

    async def ListAgencies(
        self, request: pb.ListAgenciesRequest, context: Context
    ) -> pb.ListAgenciesResponse:
        """See governance_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        (after,) = wire.parse_page_token(request.page_token, ("",))
        found = await self._agencies.page(call_of(context), after, size + 1)
        return pb.ListAgenciesResponse(
            agencies=map(wire_registry.agency, found[:size]),
            next_page_token=wire.page_token(found[size - 1].ori) if len(found) > size else "",
        )

    async def ProposeAgreement(
        self, request: pb.ProposeAgreementRequest, context: Context
    ) -> pb.ProposeAgreementResponse:
        """See governance_service.proto."""
        call, terms = call_of(context, request.request_id), wire_agreements.parse_propose(request)
        proposed = await self._agreements.propose(call, terms)
        return pb.ProposeAgreementResponse(agreement=wire_agreements.agreement(proposed))

    async def AcceptAgreement(
        self, request: pb.AcceptAgreementRequest, context: Context
    ) -> pb.AcceptAgreementResponse:
        """See governance_service.proto."""
        call, agreement_id = call_of(context, request.request_id), wire_agreements.parse_accept(request)
        accepted = await self._agreements.accept(call, agreement_id)
        return pb.AcceptAgreementResponse(agreement=wire_agreements.agreement(accepted))

    async def EndAgreement(
        self, request: pb.EndAgreementRequest, context: Context
    ) -> pb.EndAgreementResponse:
        """See governance_service.proto."""
        call = call_of(context, request.request_id)
        ended = await self._agreements.end(call, *wire_agreements.parse_end(request))
        return pb.EndAgreementResponse(agreement=wire_agreements.agreement(ended))

    async def ListAgreements(
        self, request: pb.ListAgreementsRequest, context: Context
    ) -> pb.ListAgreementsResponse:
        """See governance_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        after = wire_agreements.parse_page_token(request.page_token)
        found = await self._agreements.page(call_of(context), after, size + 1)
        return pb.ListAgreementsResponse(
            agreements=map(wire_agreements.agreement, found[:size]),
            next_page_token=wire.page_token(found[size - 1].agreement_id) if len(found) > size else "",
        )

    async def SetGroupLimit(
        self, request: pb.SetGroupLimitRequest, context: Context
    ) -> pb.SetGroupLimitResponse:
        """See governance_service.proto."""
        call = call_of(context, request.request_id)
        limit = await self._limits.set(call, *wire_group_limits.parse_set(request))
        return pb.SetGroupLimitResponse(limit=wire_group_limits.group_limit(limit))

    async def ListGroupLimits(
        self, request: pb.ListGroupLimitsRequest, context: Context
    ) -> pb.ListGroupLimitsResponse:
        """See governance_service.proto."""
        size = wire.parse_page_size(request.page_size, usual=100, most=500)
        (after,) = wire.parse_page_token(request.page_token, ("",))
        found = await self._limits.page(call_of(context), after, size + 1)
        return pb.ListGroupLimitsResponse(
            limits=map(wire_group_limits.group_limit, found[:size]),
            next_page_token=wire.page_token(found[size - 1].sensor_group) if len(found) > size else "",
        )

    async def WatchAgreements(
        self, request: pb.WatchAgreementsRequest, context: Context
    ) -> AsyncIterator[pb.WatchAgreementsResponse]:
        """See governance_service.proto."""
        require_service(context, *SERVICES)
        async with aclosing(self._watch.watch()) as news:
            async for one in until_stopping(news, context):
                yield pb.WatchAgreementsResponse(
                    agreements=map(wire_agreements.agreement, one.items),
                    revision=one.revision,
                    snapshot=one.snapshot,
                )
