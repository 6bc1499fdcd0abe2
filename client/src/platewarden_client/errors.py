"""Errors of the client, and how they are made of what comes over the wire.

No text here holds a plate, a token or an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

_DOMAIN: Final = "platewarden"
_DETAILS: Final = "grpc-status-details-bin"
_PREFIX: Final = "ERROR_REASON_"
BAD_TOKEN: Final = _PREFIX + "BAD_TOKEN"
EPOCH_CHANGED: Final = _PREFIX + "EPOCH_CHANGED"
ENTITLEMENT_ENDED: Final = _PREFIX + "ENTITLEMENT_ENDED"
RESYNC_FROM: Final = "resync_from"
_UNENTITLED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
# Trying again does not mend these. Everything else may pass: a replica that stops, a database that is away, a
# subscriber that was too slow, a proxy that cut the line.
_FINAL: Final = _UNENTITLED | {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
}

_Detail = TypeVar("_Detail", bound=Message)


class PlatewardenError(Exception):
    """Any error of this package."""


class ResumeFileError(PlatewardenError):
    """The file of the resume token cannot be read or written, or is damaged. Nothing was skipped."""


class RefusedError(PlatewardenError):
    """The service refused, and trying again does not mend it.

    `code` is gRPC's, `reason` a name of the contract's ErrorReason ("" when the service gave none),
    `metadata` its facts for machines, `fields` the fields of the request to change.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message or failure.reason or failure.code.name)
        self.code = failure.code
        self.reason = failure.reason
        self.metadata = failure.metadata
        self.fields = failure.fields


class EntitlementEndedError(RefusedError):
    """The person may not follow alerts, or no longer: sign-in over, account suspended, certification lapsed.

    Sign in again and open a new stream with the same resume file: it goes on where this one stopped.
    """


class ResumeRefusedError(RefusedError):
    """The resume token is not this account's or not this system's, so where to go on is not known.

    Whoever knows that nothing is lost by it removes the resume file and begins anew.
    """


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a stream ended, as the service or the transport said it."""

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fields: tuple[str, ...] = ()
    retry_seconds: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether trying again is in vain."""
        return self.code in _FINAL

    def error(self) -> RefusedError:
        """The error to raise for it."""
        if self.code in _UNENTITLED:
            return EntitlementEndedError(self)
        return (ResumeRefusedError if self.reason == BAD_TOKEN else RefusedError)(self)


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """What `error` says. Of a failure that is not the service's own the code alone is kept."""
    status = _status_of(error)
    info = _detail(status, error_details_pb2.ErrorInfo())
    if info is None or info.domain != _DOMAIN:
        return Failure(error.code())
    wrong = _detail(status, error_details_pb2.BadRequest())
    retry = _detail(status, error_details_pb2.RetryInfo())
    return Failure(
        code=error.code(),
        message=status.message,
        reason=info.reason,
        metadata=MappingProxyType(dict(info.metadata)),
        fields=tuple(one.field for one in wrong.field_violations) if wrong else (),
        retry_seconds=retry.retry_delay.ToMilliseconds() / 1000 if retry else 0.0,
    )


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                # Not made by the service: what is left is the code.
                return status_pb2.Status()
    return status


def _detail(status: status_pb2.Status, into: _Detail) -> _Detail | None:
    return next((into for one in status.details if one.Unpack(into)), None)
