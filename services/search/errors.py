"""Errors of this service."""

from __future__ import annotations

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, DeadlineError, WrongStateError


class BadPageTokenError(AlprError):
    """The page token is not one of ours, of another person, or of another question."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BAD_TOKEN


class PermitRefusedError(AlprError):
    """The archive does not accept the permit for this question."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_BAD_PERMIT


class DayKeptError(WrongStateError):
    """Reads of this day may still be found, so it is not purged."""


class EntitlementEndedError(AlprError):
    """What allowed an open stream has ended: sign-in, account, role or certification, or it is unproven."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED


class TookTooLongError(DeadlineError):
    """The archive gave the question up after its time; a smaller one may be asked, nothing was shown."""
