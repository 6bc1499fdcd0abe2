"""What became of every call, read and alert of a run."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc

from services.common.errors import AlprError

_MOST_SHOWN = 20


@dataclass
class Ledger:
    """Filled by the load as it goes; `phase` says what was being replaced meanwhile."""

    phase: str = "begin"
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    moved: Counter[str] = field(default_factory=Counter)
    reads: dict[str, str] = field(default_factory=dict)
    """Plate by id of each read that was answered STORED or DUPLICATE."""
    listed: set[str] = field(default_factory=set)
    """Listed plates among them."""
    delivered: dict[str, Counter[str]] = field(default_factory=dict)
    """How often each alert was delivered, by plate, to each subscriber."""
    longest_ms: dict[str, float] = field(default_factory=dict)

    def answered(self, what: str, seconds: float = 0.0) -> None:
        """A call had its answer."""
        self.calls[what] += 1
        self.longest_ms[what] = max(self.longest_ms.get(what, 0.0), 1000 * seconds)

    def failed(self, what: str, why: object) -> None:
        """A call was not answered as it must be, in spite of the transport's own retries."""
        self.failures.append({"phase": self.phase, "what": what, "why": words_of(why)})

    def went_on(self, what: str) -> None:
        """A stream ended as streams do when their replica stops, and goes on at another one."""
        self.moved[what] += 1

    def as_json(self) -> dict[str, Any]:
        """The ledger's counts; texts of failures name codes and reasons, no content."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "longest_ms": {what: round(value) for what, value in sorted(self.longest_ms.items())},
            "failed_calls": len(self.failures),
            "failures": self.failures[:_MOST_SHOWN],
            "streams_moved": dict(sorted(self.moved.items())),
            "reads": len(self.reads),
            "alerts": len(self.listed),
            "deliveries": {who: sum(count.values()) for who, count in sorted(self.delivered.items())},
        }


def words_of(why: object) -> str:
    """Code and reason of an error."""
    if isinstance(why, grpc.aio.AioRpcError):
        return f"{why.code().name}: {why.details()}"
    if isinstance(why, AlprError):
        return f"{why.code.name}: {why}"
    return f"{type(why).__name__}: {why}" if isinstance(why, BaseException) else str(why)
