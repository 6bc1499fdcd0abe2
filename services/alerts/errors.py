"""Errors of the alerts service that no other service has. The common ones are in services.common.errors."""

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError


class NotConfirmedError(AlprError):
    """An enforcement disposition came before a recorded confirmation (ENF-051 III.D.4)."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_NOT_CONFIRMED


class BadTokenError(AlprError):
    """A resume token is forged, of another service or person, or too old to resume from."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BAD_TOKEN


class EpochChangedError(AlprError):
    """The feed was restored and numbered anew; metadata `resync_from` says from what time to read again."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_EPOCH_CHANGED


class SlowSubscriberError(AlprError):
    """The subscriber read too slowly; nothing is lost when it resumes with its last token."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_SLOW_SUBSCRIBER


class EntitlementEndedError(AlprError):
    """The entitlement ended: sign-in expired, account suspended, certification lapsed, or unproven."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED
