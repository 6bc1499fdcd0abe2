"""Servicers of alpr.audit.v1: decode, call, encode. What services call."""

from __future__ import annotations

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2_grpc as rpc
from services.audit import wire
from services.audit.app_authorize import Authorizer
from services.audit.app_gate import Gate
from services.audit.app_look_back import LookBacks
from services.audit.app_record import Recorder
from services.audit.app_statement import Statements
from services.audit.callers import SERVICES, require_somebody
from services.common.identity import Context, require_service

# Questions without a token: a recorded act stands for the person.
_OF_ACTS = frozenset({"look_back", "look_back_pictures"})


class AuthorizationServicer(rpc.AuthorizationServiceServicer):
    """Decides and records for other services."""

    def __init__(
        self,
        gate: Gate,
        authorizer: Authorizer,
        look_backs: LookBacks,
        recorder: Recorder,
        statements: Statements,
    ) -> None:
        self._gate = gate
        self._statements = statements
        self._authorizer = authorizer
        self._look_backs = look_backs
        self._recorder = recorder

    async def Authorize(self, request: pb.AuthorizeRequest, context: Context) -> pb.AuthorizeResponse:
        """See authorization_service.proto."""
        service = require_service(context, *SERVICES).peer.name
        asked = wire.parse_authorize(request, service)
        looks_back = request.question.WhichOneof("kind") in _OF_ACTS
        authorize = self._look_backs.authorize if looks_back else self._authorizer.authorize
        return wire.authorization(await authorize(asked))

    async def RecordIntent(
        self, request: pb.RecordIntentRequest, context: Context
    ) -> pb.RecordIntentResponse:
        """See authorization_service.proto."""
        service = require_service(context, *SERVICES).peer.name
        intended = wire.parse_intent(request, service)
        intent, actor = await self._recorder.intent(intended)
        return pb.RecordIntentResponse(
            intent_id=intent.entry.entry_id,
            actor=wire.actor(actor),
            statement=self._statements.of(intent, intended.details),
        )

    async def RecordOutcome(
        self, request: pb.RecordOutcomeRequest, context: Context
    ) -> pb.RecordOutcomeResponse:
        """See authorization_service.proto."""
        service = require_service(context, *SERVICES).peer.name
        subject, outcome = await self._recorder.outcome(wire.parse_outcome(request, service))
        return pb.RecordOutcomeResponse(
            subject_receipt=wire.receipt(subject), outcome_receipt=wire.receipt(outcome)
        )

    async def RecordEvents(
        self, request: pb.RecordEventsRequest, context: Context
    ) -> pb.RecordEventsResponse:
        """See authorization_service.proto."""
        service = require_service(context, *SERVICES).peer.name
        return pb.RecordEventsResponse(
            log_size=await self._recorder.events(wire.parse_events(request, service))
        )

    async def GetPurposeCatalogue(
        self, request: pb.GetPurposeCatalogueRequest, context: Context
    ) -> pb.GetPurposeCatalogueResponse:
        """See authorization_service.proto."""
        await require_somebody(context, self._gate)
        codes = [pb.PurposeCode(code=one.code, title=one.title) for one in self._authorizer.catalogue()]
        return pb.GetPurposeCatalogueResponse(codes=codes)
