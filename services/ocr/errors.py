"""Errors of the ocr service that callers see."""

from __future__ import annotations

from typing import Final

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, FieldViolation
from services.ocr.core.pictures import PictureError


class BadImageError(AlprError):
    """The image could not be decoded, or is larger than the limit; the text says which."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BAD_IMAGE

    @classmethod
    def of(cls, error: PictureError) -> BadImageError:
        """What a caller is told of `error`: the field, what is wrong with it and what to change."""
        return cls(f"the image {error}", violations=(FieldViolation("frame.image", str(error)),))


class OverloadedError(AlprError):
    """More work waits than can be done in time or held in memory; nothing was done; try again later."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_OVERLOADED
    default_retry_after_ms = 500


_MAY_PASS: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


def may_pass(error: AlprError) -> bool:
    """Whether the same may succeed when it is tried again."""
    return error.code in _MAY_PASS
