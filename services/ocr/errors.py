"""Errors of the ocr service that callers see."""

from __future__ import annotations

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, DependencyUnavailableError


class BadImageError(AlprError):
    """The image could not be decoded, or is larger than the limit; the text says which."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BAD_IMAGE


class BusyError(DependencyUnavailableError):
    """As many frames as this process takes are under way; nothing was done; try again."""
