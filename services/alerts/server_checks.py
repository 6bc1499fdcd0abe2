"""The servicer of alpr.alerts.v1.VerificationService: decode, call, encode."""

from alpr.alerts.v1 import verification_service_pb2 as pb
from alpr.alerts.v1 import verification_service_pb2_grpc as rpc
from services.alerts.app_checks import RecordChecks
from services.alerts.callers import token_of
from services.alerts.wire_checks import encode_check, parse_ask
from services.common.identity import Context


class VerificationServicer(rpc.VerificationServiceServicer):
    """See verification_service.proto."""

    def __init__(self, checks: RecordChecks) -> None:
        self._checks = checks

    async def AskRecord(self, request: pb.AskRecordRequest, context: Context) -> pb.AskRecordResponse:
        """See verification_service.proto."""
        check = await self._checks.ask(parse_ask(request), token_of(context))
        return pb.AskRecordResponse(check=encode_check(check))
