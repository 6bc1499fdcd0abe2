"""The typed errors of the matcher."""

from __future__ import annotations

import grpc

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, DependencyUnavailableError, NotFoundError


class BadHotListError(AlprError):
    """The uploaded file has wrong rows; nothing of it was stored. `violations` names the first 100."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_BAD_HOT_LIST


class HotListNotFoundError(NotFoundError):
    """No hot list, or no version of it, has that id."""


class LocalEntryNotFoundError(NotFoundError):
    """No entry of a local list has that id."""


class UploadNotFoundError(NotFoundError):
    """No upload of that id was refused."""


class IndexBehindError(DependencyUnavailableError):
    """The lists in memory may be more than 30 seconds behind the stored ones; no read is compared."""


class LookBackRefusedError(AlprError):
    """Audit knows of no act that allows the look-back; to ask again will not change that."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_NOT_FOUND


class AbsentEntriesError(Exception):
    """An increment removes entries that its base version does not have; their number is `count`."""

    def __init__(self, count: int) -> None:
        super().__init__("entries are not in the base version")
        self.count = count
