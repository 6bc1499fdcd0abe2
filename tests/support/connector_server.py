"""A connector to LEADS as an agency would write it: a small gRPC server in front of records in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from alpr.connector.v1 import record_check_service_pb2 as pb
from alpr.connector.v1 import record_check_service_pb2_grpc as rpc
from services.common.config import ServiceSettings
from services.common.errors import DependencyUnavailableError
from services.common.identity import require_service
from services.common.server import ServerBuilder
from services.dev.pki import DevelopmentAuthority

NAME = "leads-connector"


class LeadsRecords(rpc.RecordCheckServiceServicer):
    """Answers from `records`: plate and state to what is known of it; keeps what it was asked."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], pb.RecordAnswer.ValueType] = {}
        self.asked: list[pb.QueryRecordRequest] = []
        self.away = False
        self.system = "LEADS"
        self.port = 0
        self.answered_ago = timedelta()
        self._answers: dict[str, pb.QueryRecordResponse] = {}

    async def QueryRecord(  # noqa: N802
        self, request: pb.QueryRecordRequest, context: Any
    ) -> pb.QueryRecordResponse:
        require_service(context, "alerts")
        if self.away:
            raise DependencyUnavailableError("LEADS does not answer")
        if request.request_id not in self._answers:
            self.asked.append(request)
            answer = pb.QueryRecordResponse(
                answer=self._look_up(request), system=self.system, response_id=f"R-{len(self.asked):04d}"
            )
            answer.answer_time.FromDatetime(datetime.now(UTC) - self.answered_ago)
            self._answers[request.request_id] = answer
        return self._answers[request.request_id]

    def _look_up(self, request: pb.QueryRecordRequest) -> pb.RecordAnswer.ValueType:
        found = self.records.get((request.plate, request.state))
        if found is not None:
            return found
        elsewhere = any(plate == request.plate for plate, _ in self.records)
        return pb.RECORD_ANSWER_OTHER_STATE if elsewhere else pb.RECORD_ANSWER_NO_RECORD


@asynccontextmanager
async def connecting(
    tls: DevelopmentAuthority, records: LeadsRecords | None = None
) -> AsyncIterator[LeadsRecords]:
    """A connector at work; it takes calls of the alerts service alone."""
    records = records or LeadsRecords()
    files = tls.service(NAME)
    settings = ServiceSettings(
        listen=f"127.0.0.1:{records.port}",
        tls_cert=files.cert_file,
        tls_key=files.key_file,
        tls_ca=files.ca_file,
        shutdown_grace_seconds=0,
    )
    builder = ServerBuilder(settings, name=NAME)
    builder.add("alpr.connector.v1.RecordCheckService", rpc.add_RecordCheckServiceServicer_to_server, records)
    server = builder.build()
    await server.start()
    records.port = server.port
    try:
        yield records
    finally:
        await server.stop()
