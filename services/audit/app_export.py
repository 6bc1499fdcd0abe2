"""Exports of the log, each of which is an entry of it (ENF-051 IV.A.3, III.B.3.o)."""

from __future__ import annotations

from uuid import uuid4

from services.audit.app_act import Call
from services.audit.app_gate import Attempt, Gate
from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Checkpoint
from services.audit.core.entry import EntryKind
from services.audit.core.policy import Thing
from services.common.errors import FieldViolation, InvalidFieldError


class Exporter:
    """Lets auditors take the log with them."""

    def __init__(self, journal: Log, gate: Gate) -> None:
        self._log = journal
        self._gate = gate

    async def begin(self, call: Call, first: int) -> Checkpoint:
        """The checkpoint that the export ends with; it covers the entry which records the export.

        Raises:
            UnauthenticatedError, NotPermittedError: The caller is no auditor.
            InvalidFieldError: The log does not reach `first`.
        """
        attempt = Attempt("", "log.export", request_id=str(uuid4()))
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            decision = self._gate.permit(person, "log.export", Thing())
            if not 0 <= first <= (await self._log.checkpoint()).size:
                violation = FieldViolation("first_index", "must be 0 or more, and not beyond the log's end")
                raise InvalidFieldError("the log does not reach there", violations=[violation])
        details = {
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            "detail.first_index": str(first),
        }
        await self._log.append(Draft(EntryKind.INTENT, "", {**attempt.values(), **details}))
        return await self._log.checkpoint()
