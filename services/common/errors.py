"""Errors that callers see, and their form on the wire (google.rpc.Status, AIP-193).

Raise an `AlprError` where the cause is known; the interceptor maps it once. Its text and metadata reach the
caller and must not hold a plate, a name, a case number or a token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from alpr.type.v1.error_reason_pb2 import ErrorReason

DOMAIN: Final = "platewarden"
REQUEST_ID: Final = "request_id"
_INTERNAL_TEXT: Final = "the call failed for a reason of ours; the service's log has it under the request id"
_RESOURCE: Final = "resource"
_NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})
# A status travels in a trailer. gRPC clients take 8 KiB of them; more would hide the error behind another.
_MOST_DETAIL_BYTES: Final = 4096
_MOST_TEXT: Final = 1024
_CODES: Final[Mapping[int, grpc.StatusCode]] = MappingProxyType(
    {code.value[0]: code for code in grpc.StatusCode}
)


_Detail = TypeVar("_Detail", bound=Message)


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request, as a path such as `reads[3].plate`, and what to change; it repeats no value."""

    field: str
    description: str


class AlprError(Exception):
    """An error with a code for machines, a reason of the contract, and a text that its caller may read.

    Args:
        message: One sentence for developers of clients.
        resource: Id of what the call named; goes into the metadata as `resource`.
        metadata: Further facts for machines, keys as the contract's ErrorReason lists them.
        violations: Fields to change; as many as fit into a trailer are sent, and the rest is counted.
        retry_after_ms: Earliest time of a new try, milliseconds; 0 takes the class's own, where it has one.
    """

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason: ErrorReason.ValueType = ErrorReason.ERROR_REASON_INTERNAL
    default_retry_after_ms: int = 0

    def __init__(
        self,
        message: str,
        *,
        resource: str = "",
        metadata: Mapping[str, str] = _NO_METADATA,
        violations: Sequence[FieldViolation] = (),
        retry_after_ms: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = {**metadata, _RESOURCE: resource} if resource else dict(metadata)
        self.violations = tuple(violations)
        self.retry_after_ms = retry_after_ms or self.default_retry_after_ms

    @property
    def resource(self) -> str:
        """Id of what the call named; empty where it named nothing."""
        return self.metadata.get(_RESOURCE, "")


class InvalidFieldError(AlprError):
    """A field of the request is missing or wrong."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD


class UnauthenticatedError(AlprError):
    """The call came without the certificate or token that it needs."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = ErrorReason.ERROR_REASON_UNAUTHENTICATED


class NotPermittedError(AlprError):
    """The caller is known but may not do this; metadata `clauses` says which clauses refuse it."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_NOT_PERMITTED


class NotFoundError(AlprError):
    """There is no such thing, or the caller may not know that there is."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_NOT_FOUND


class AlreadyExistsError(AlprError):
    """What the call creates exists with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_ALREADY_EXISTS


class RequestIdReusedError(AlprError):
    """The request id came before with other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_REQUEST_ID_REUSED


class WrongStateError(AlprError):
    """The state of the object forbids the change; metadata `state` says what it is."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_WRONG_STATE


class SensorNotApprovedError(AlprError):
    """Nothing is accepted from the sensor at this time (ENF-051 III.B.3.e)."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED


class CertificateNotValidError(AlprError):
    """The sensor's certificate is not on record, was revoked or has ended (ENF-051 III.B.3.h)."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_CERTIFICATE_NOT_VALID


class SensorsUnknownError(SensorNotApprovedError):
    """Nothing is accepted from any sensor, for the registry was not heard of in time; try again."""

    code = grpc.StatusCode.UNAVAILABLE
    default_retry_after_ms = 1000


class DeadlineError(AlprError):
    """The time given was too short; whether the call was carried out is not known."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED


class DependencyUnavailableError(AlprError):
    """A service that this call depends on did not answer; try again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE
    default_retry_after_ms = 500


class AuditUnavailableError(AlprError):
    """The audit service did not record the call, so it was not carried out; try again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE
    default_retry_after_ms = 500


class StorageUnavailableError(AlprError):
    """Storage is full or cannot be reached; nothing was stored; try again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_STORAGE_UNAVAILABLE
    default_retry_after_ms = 500


class StoppingError(AlprError):
    """The service is stopping; another replica takes the call at once."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_STOPPING
    default_retry_after_ms = 100


class InternalError(AlprError):
    """An error of ours, or of a service behind us; its text says nothing about the request."""


_BY_WIRE: Final[Mapping[tuple[grpc.StatusCode, int], type[AlprError]]] = MappingProxyType(
    {
        (kind.code, kind.reason): kind
        for kind in (
            InvalidFieldError,
            UnauthenticatedError,
            NotPermittedError,
            NotFoundError,
            AlreadyExistsError,
            RequestIdReusedError,
            WrongStateError,
            SensorNotApprovedError,
            CertificateNotValidError,
            SensorsUnknownError,
            DeadlineError,
            DependencyUnavailableError,
            AuditUnavailableError,
            StorageUnavailableError,
            StoppingError,
            InternalError,
        )
    }
)


def internal_error(request_id: str) -> InternalError:
    """What a caller gets for an exception that nobody foresaw: a constant text and where to look."""
    return InternalError(_INTERNAL_TEXT, metadata={REQUEST_ID: request_id})


def to_status(error: AlprError) -> status_pb2.Status:
    """The google.rpc.Status for `error`: code, message and exactly one ErrorInfo (AIP-193).

    With violations it holds a BadRequest, and with a time of a new try a RetryInfo.
    """
    message = error.message if len(error.message) <= _MOST_TEXT else error.message[: _MOST_TEXT - 1] + "…"
    status = status_pb2.Status(code=error.code.value[0], message=message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=ErrorReason.Name(error.reason), domain=DOMAIN, metadata=dict(error.metadata)
        )
    )
    if error.retry_after_ms:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(error.retry_after_ms)
        status.details.add().Pack(retry)
    if error.violations:
        status.details.add().Pack(_bad_request(error.violations, _MOST_DETAIL_BYTES - status.ByteSize()))
    return status


def _bad_request(violations: Sequence[FieldViolation], room: int) -> error_details_pb2.BadRequest:
    """As many of `violations` as fit into `room` bytes; the last one says how many were left out."""
    request = error_details_pb2.BadRequest()
    for n, one in enumerate(violations):
        request.field_violations.add(field=one.field, description=one.description)
        if n and request.ByteSize() > room:
            del request.field_violations[-1]
            left_out = len(violations) - len(request.field_violations)
            request.field_violations.add(field="", description=f"and {left_out} more")
            break
    return request


def from_rpc_error(error: grpc.aio.AioRpcError) -> AlprError:
    """The error that a service of ours raised, the same again on the client's side.

    A failure of the transport, or of a server that is not ours, becomes DependencyUnavailableError,
    DeadlineError or InternalError. Its own text is dropped, for it names hosts and addresses.
    """
    status = _status_of(error)
    info = _detail(status, error_details_pb2.ErrorInfo()) if status else None
    if status is None or info is None or info.domain != DOMAIN:
        return _of_transport(error.code())
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    try:
        reason = ErrorReason.Value(info.reason)
    except ValueError:
        # A newer service knows more reasons than this one; the code still says what to do.
        reason = ErrorReason.ERROR_REASON_UNSPECIFIED
    retry = _detail(status, error_details_pb2.RetryInfo())
    wrong = _detail(status, error_details_pb2.BadRequest())
    made = _BY_WIRE.get((code, reason), AlprError)(
        status.message,
        metadata=dict(info.metadata),
        violations=[FieldViolation(one.field, one.description) for one in wrong.field_violations]
        if wrong
        else (),
    )
    made.code, made.reason = code, reason
    made.retry_after_ms = retry.retry_delay.ToMilliseconds() if retry else 0
    return made


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(cast(grpc.Call, error))
    except ValueError:
        # Its code or text differs from the trailers': not made by us.
        return None


def _detail(status: status_pb2.Status, into: _Detail) -> _Detail | None:
    return next((into for one in status.details if one.Unpack(into)), None)


def _of_transport(code: grpc.StatusCode) -> AlprError:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError("the service did not answer in time")
    # CANCELLED: a server that shut down dropped the call. Who cancels a call himself sees CancelledError.
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return DependencyUnavailableError("the service cannot be reached")
    return InternalError("the service failed")
