"""Pages of a full export: made first, recorded with their SHA-256, and only then sent (ENF-051 IV.A.3).

An audited look comes first, the intent of the page's leaving second, each with its outcome. Both are the same
for every service that exports what it keeps; which records are the agency's is the service's own business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import grpc
import structlog

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2_grpc as rpc
from alpr.type.v1 import exported_page_pb2, notice_pb2
from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import AlprError, AuditUnavailableError, from_rpc_error
from services.common.identity import AccessToken

if TYPE_CHECKING:
    from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceAsyncStub

log = structlog.get_logger()

PART_BYTES: Final = 65_536
# What audit says of the person or the act; every other failure is audit's own.
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.NOT_FOUND,
    }
)
NOTICE: Final = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text=(
        "A lead only, not actionable by itself, and as it was when it was exported: a plate may be misread, "
        "and a record may have been cancelled since. Confirm with the record's owner, LEADS or NCIC before "
        "any action."
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A page as a person asks for it.

    Attributes:
        part: Which records, for instance "alerts".
        of: What they belong to, for instance a hot list's id; may be empty.
        after: Position that the page begins after; empty for the first one.
        until: Position that the export goes to; empty for the first page.
        size: Most records.
    """

    request_id: UUID
    token: AccessToken
    justification: Justification
    part: str
    of: str
    after: str
    until: str
    size: int


@dataclass(frozen=True, slots=True)
class Look:
    """A look at records that is in the log and allowed, and whose records may be looked at."""

    intent_id: UUID
    agency_ori: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The records of a page: JSON objects in order, `until` as it is now certain, and where they end."""

    rows: Sequence[Mapping[str, Any]]
    until: str
    last: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page that may leave: it stands in the log with its hash."""

    data: bytes
    rows: Rows
    description: exported_page_pb2.ExportedPage


def parts_of(data: bytes) -> Iterator[bytes]:
    """The bytes in parts that a stream takes well."""
    return (data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES))


def plain(name: str, value: Any, enums: Mapping[str, Any]) -> Any:
    """A value as JSON has it: moments in UTC, bytes in hex, enumerations of `enums` (by field) by name."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [plain(name, one, enums) for one in value]
    if name in enums and isinstance(value, int):
        return enums[name].Name(value)
    return value


def page_file(asked: Asked, look: Look, rows: Rows) -> bytes:
    """The page as lines of JSON: what it is, then a record a line."""
    about = {
        "format": f"platewarden.{asked.part}/v1",
        "notice": {
            "lead_only": True,
            "verification_state": "NEW",
            "text": NOTICE.text,
        },
        "look_entry": str(look.intent_id),
        "agency_ori": look.agency_ori,
        **_position(asked, rows),
    }
    return "".join(
        json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in (about, *rows.rows)
    ).encode()


def _position(asked: Asked, rows: Rows) -> dict[str, str]:
    return {
        "part": asked.part,
        "of": asked.of,
        "after": asked.after,
        "until": rows.until,
        "last": rows.last,
        "row_count": str(len(rows.rows)),
        "has_more": "yes" if rows.has_more else "no",
    }


class PagedExport:
    """Records looks and leavings with audit, each under a deadline."""

    def __init__(self, channel: grpc.aio.Channel, *, look: str, leave: str, timeout_seconds: float) -> None:
        """`look` and `leave` are the actions of the service by which audit knows both."""
        self._stub: AuthorizationServiceAsyncStub = rpc.AuthorizationServiceStub(channel)
        self._look, self._leave = look, leave
        self._timeout = timeout_seconds

    async def begin(self, asked: Asked) -> Look:
        """The look, once it is in the log and allowed; nothing may be read before. Idempotent.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: It is not certain that it is in the log.
        """
        details = {
            "part": asked.part,
            "of": asked.of,
            "after": asked.after,
            "until": asked.until,
            "page_size": str(asked.size),
        }
        answer = await self._intend(asked, asked.request_id, (self._look, asked.of or asked.part), details)
        return Look(UUID(answer.intent_id), answer.actor.agency_ori)

    async def give_up(self, look: Look) -> None:
        """Tells the log that nothing was shown. The caller must hear why, so a failure is noted only."""
        try:
            await self._end(look.intent_id, pb.OUTCOME_RESULT_FAILED)
        except AlprError as error:
            log.warning("outcome_not_recorded", intent_id=str(look.intent_id), error=type(error).__name__)

    async def leave(self, asked: Asked, look: Look, rows: Rows) -> Page:
        """The page, once the log has its hash and that it leaves; nothing may be sent before.

        Asked again with the same records it is the same leaving; with others it is one more.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: It is not certain that all of it is in the log.
        """
        data = page_file(asked, look, rows)
        digest = sha256(data).digest()
        details = {
            **_position(asked, rows),
            "sha256": digest.hex(),
            "size_bytes": str(len(data)),
            "look_entry": str(look.intent_id),
        }
        looked = await self._end(look.intent_id, pb.OUTCOME_RESULT_DONE)
        request_id = uuid5(asked.request_id, digest.hex())
        intent = await self._intend(asked, request_id, (self._leave, digest.hex()), details)
        left = await self._end(UUID(intent.intent_id), pb.OUTCOME_RESULT_DONE)
        return Page(data, rows, _description(asked, rows, data, (looked, left)))

    async def _intend(
        self, asked: Asked, request_id: UUID, what: tuple[str, str], details: Mapping[str, str]
    ) -> pb.RecordIntentResponse:
        action, resource = what
        request = pb.RecordIntentRequest(
            request_id=str(request_id),
            access_token=asked.token.reveal(),
            action=action,
            resource=resource,
            details=details,
            justification=asked.justification,
        )
        try:
            return await self._stub.RecordIntent(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _typed(error) from None

    async def _end(self, subject_id: UUID, result: pb.OutcomeResult.ValueType) -> AuditReceipt:
        request = pb.RecordOutcomeRequest(
            # From the intent: the same outcome again is the same entry.
            request_id=str(uuid5(subject_id, pb.OutcomeResult.Name(result))),
            subject_id=str(subject_id),
            result=result,
        )
        try:
            answer = await self._stub.RecordOutcome(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _typed(error) from None
        return answer.subject_receipt


def _typed(error: grpc.aio.AioRpcError) -> AlprError:
    refusal = from_rpc_error(error)
    if refusal.code in _REFUSALS:
        return refusal
    return AuditUnavailableError("the audit service did not record it, so nothing left; try again")


def _description(
    asked: Asked, rows: Rows, data: bytes, receipts: tuple[AuditReceipt, AuditReceipt]
) -> exported_page_pb2.ExportedPage:
    looked, left = receipts
    return exported_page_pb2.ExportedPage(
        file_name=f"{asked.part}-{left.log_index}.jsonl",
        media_type="application/jsonl",
        size_bytes=len(data),
        sha256=sha256(data).digest(),
        row_count=len(rows.rows),
        after=asked.after,
        until=rows.until,
        last=rows.last,
        has_more=rows.has_more,
        look_receipt=looked,
        leaving_receipt=left,
    )
