"""Exports of the log, each of which is an entry of it (ENF-051 IV.A.3, III.B.3.o)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from services.audit.app_act import Call
from services.audit.app_gate import Attempt, Gate
from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Checkpoint
from services.audit.core.entry import EntryKind
from services.audit.core.log_question import Selection
from services.audit.core.policy import Thing
from services.common.errors import FieldViolation, InvalidFieldError


@dataclass(frozen=True, slots=True)
class Export:
    """An export under way: its entry, who takes it, and the checkpoint that it ends with."""

    intent_id: str
    actor: str
    checkpoint: Checkpoint


class Exporter:
    """Lets auditors take the log with them. `offences` are the codes that a report counts by."""

    def __init__(self, journal: Log, gate: Gate, offences: frozenset[str]) -> None:
        self.offences = offences
        self._log = journal
        self._gate = gate

    async def begin(self, call: Call, first: int, selection: Selection) -> Export:
        """The export, which covers the entry that records it.

        Raises:
            UnauthenticatedError, NotPermittedError: The caller is no auditor.
            InvalidFieldError: The log does not reach `first`, or two things are selected.
        """
        attempt = Attempt("", "log.export", request_id=str(uuid4()))
        async with self._gate.recording(attempt):
            person = await self._gate.person(call.token, attempt)
            decision = self._gate.permit(person, "log.export", Thing())
            if selection.account_id and selection.case_number:
                violation = FieldViolation("case_number", "must be empty when an account is named")
                raise InvalidFieldError("one person or one case", violations=[violation])
            if selection.counted_only and (selection.account_id or selection.case_number):
                violation = FieldViolation("counted_only", "must be unset when an account or case is named")
                raise InvalidFieldError("one person or one case, or what is counted", violations=[violation])
            if not 0 <= first <= (await self._log.checkpoint()).size:
                violation = FieldViolation("first_index", "must be 0 or more, and not beyond the log's end")
                raise InvalidFieldError("the log does not reach there", violations=[violation])
        details = {
            "decision": "allowed",
            "clauses": ",".join(decision.clauses),
            "detail.first_index": str(first),
            "detail.selected_account": selection.account_id,
            "detail.selected_case": selection.case_number,
            "detail.counted_only": "true" if selection.counted_only else "",
        }
        values = {**attempt.values(), **details}
        intent = await self._log.append(Draft(EntryKind.INTENT, "", values))
        return Export(intent.entry.entry_id, values["actor"], await self._log.checkpoint())

    async def end(self, export: Export) -> None:
        """Records that the export has been sent whole; one that broke off stays without outcome."""
        values = {
            "subject": export.intent_id,
            "actor": export.actor,
            "action": "log.export",
            "result": "DONE",
            "row_count": str(export.checkpoint.size),
        }
        await self._log.append(Draft(EntryKind.OUTCOME, "", values))
