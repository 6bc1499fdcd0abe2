"""The history of roll-outs in the object store: every replica reads it, and a change is one new object.

An object there is written once, so the history is a row of numbered objects. Who writes the next number first
has made the change; everybody else sees that the number is taken. No database is needed, and nothing that was
rolled out is ever forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from services.common.errors import StorageUnavailableError
from services.common.objects import ObjectStore
from services.ocr.core.rollout import RollOut

_CHANGES: Final = "models/rollout"
_RECORDED: Final = "models/recorded"


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and who made it.

    Attributes:
        number: From 1, without gaps.
        state: What it made.
        action: For instance "model.activate".
        request_id: Of the call that made it; empty for the first one, which nobody asked for.
        intent_id: Of its entry in the log; empty likewise.
        asked: SHA-256 of what the call asked for, to tell a repeated call from another with the same id.
        change_time: When it was made.
    """

    number: int
    state: RollOut
    action: str
    request_id: str
    intent_id: str
    asked: str
    change_time: datetime


class RollOutStore:
    """Reads and extends the history. Every method may raise StorageUnavailableError."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def changes_after(self, number: int) -> tuple[Change, ...]:
        """The changes after that number, in their order."""
        names = await self._objects.children(_CHANGES)
        found = [_decoded(await self._objects.get(f"{_CHANGES}/{name}")) for name in names[number:]]
        if [one.number for one in found] != list(range(number + 1, number + 1 + len(found))):
            raise StorageUnavailableError("the history of roll-outs has a gap")
        return tuple(found)

    async def add(self, change: Change) -> bool:
        """Whether `change` is now the one with its number; False when another one has it."""
        encoded = _encoded(change)
        return await self._objects.put_new(f"{_CHANGES}/{change.number:08d}", encoded) == encoded

    async def unrecorded(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """Those of `changes` whose outcome may be missing in the log."""
        recorded = set(await self._objects.children(_RECORDED))
        return tuple(one for one in changes if one.intent_id and f"{one.number:08d}" not in recorded)

    async def mark_recorded(self, number: int) -> None:
        """Notes that the log has the outcome of that change."""
        await self._objects.put(f"{_RECORDED}/{number:08d}", b"recorded\n")


def _encoded(change: Change) -> bytes:
    values: dict[str, Any] = {**asdict(change), "change_time": change.change_time.isoformat()}
    return json.dumps(values, sort_keys=True, indent=1).encode()


def _decoded(data: bytes) -> Change:
    try:
        values = json.loads(data)
        state = values.pop("state")
        state["earlier"] = tuple(state["earlier"])
        moment = datetime.fromisoformat(values.pop("change_time"))
        return Change(**values, state=RollOut(**state), change_time=moment)
    except (ValueError, KeyError, TypeError):
        raise StorageUnavailableError("the history of roll-outs cannot be understood") from None
