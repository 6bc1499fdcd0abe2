"""What the system has said: all that it answered, and how it refused. The checker holds it to every word."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import grpc

from alpr.type.v1 import read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import from_rpc_error

KEPT: Final = frozenset({read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE})
_DETAILS: Final = "grpc-status-details-bin"
# A service that says one of these, rather than the transport, has met something that it does not know.
_UNKNOWN: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


@dataclass(frozen=True, slots=True)
class AnsweredRead:
    """A read with its final answer; `image` is the hash of what ocr keeps of its frame, empty without one."""

    read_id: str
    plate: str
    sensor_id: str
    captured: datetime
    status: int
    reason: str
    revision: int
    answered_at: float
    image: bytes = b""


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question that rows came for, with the moment in which it was asked."""

    request_id: str
    plate: str
    asked_at: float
    searched_to: datetime
    read_ids: tuple[str, ...]
    is_whole: bool
    receipts: tuple[AuditReceipt, AuditReceipt]


@dataclass(frozen=True, slots=True)
class AnsweredAct:
    """An act that was answered OK; `what` is its action in the log, `subject` the alert, list or entry."""

    request_id: str
    what: str
    subject: str
    value: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """An alert as a follower got it."""

    alert_id: str
    position: int
    epoch: int
    raised: bool


@dataclass
class Answers:
    """All of it. `last_ok` is when each kind of work was last answered, on the monotonic clock."""

    reads: dict[str, AnsweredRead] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    questions: list[AnsweredQuestion] = field(default_factory=list)
    looks: list[tuple[str, AuditReceipt]] = field(default_factory=list)
    acts: list[AnsweredAct] = field(default_factory=list)
    delivered: dict[str, list[Delivered]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    unknown_errors: Counter[str] = field(default_factory=Counter)
    last_ok: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def ok(self, kind: str, count: int = 1) -> None:
        """Notes that work of this kind was answered."""
        self.last_ok[kind] = time.monotonic()
        self.counts[kind] += count

    def refused(self, kind: str, error: grpc.aio.AioRpcError) -> None:
        """Notes how a call ended."""
        reason = ErrorReason.Name(from_rpc_error(error).reason).removeprefix("ERROR_REASON_")
        self.refusals[f"{kind}: {error.code().name} {reason}"] += 1
        told = any(key == _DETAILS for key, _ in error.trailing_metadata() or ())
        if told and error.code() in _UNKNOWN:
            self.unknown_errors[f"{kind}: {error.code().name}"] += 1

    def read(self, answered: AnsweredRead) -> None:
        """Notes a read's answer; a second one must not take back the first."""
        before = self.reads.get(answered.read_id)
        if before is None or (before.status not in KEPT and answered.status in KEPT):
            self.reads[answered.read_id] = answered
        if before is not None and (before.status in KEPT) != (answered.status in KEPT):
            self.contradictions.append(
                f"{answered.read_id}: {_status(before.status)}, then {_status(answered.status)}"
            )

    def summary(self) -> dict[str, Any]:
        """Counts for the ledger."""
        statuses = Counter(_status(one.status) for one in self.reads.values())
        return {
            "answered": dict(self.counts),
            "reads": dict(statuses),
            "questions": len(self.questions),
            "rows": sum(len(one.read_ids) for one in self.questions),
            "acts": dict(Counter(one.what for one in self.acts)),
            "delivered": {name: len(found) for name, found in self.delivered.items()},
            "checkpoints": len(self.checkpoints),
            "refused": dict(self.refusals.most_common()),
        }


def _status(status: int) -> str:
    return read_pb2.ReadStatus.Name(status).removeprefix("READ_STATUS_")
