"""Questions to the log, what may be shown of entries, and what is never taken out of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from services.audit.core.entry import Entry, rfc3339
from services.common.transparency import counted_names

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
# Without them an entry cannot be told from another one, so every receipt and export shows them.
ALWAYS_OPEN = frozenset({"entry_id", "kind", "record_time"})
# What an export for one person or case shows of every entry, so that it can be seen to be complete.
SELECTING = frozenset({"actor", "case_number", "subject"})
# Who did what, when, and how it ended: no law that lets the rest be taken out needs these gone. The database
# keeps to the same list (0010_log_proof.sql).
NEVER_REDACTED = ALWAYS_OPEN | {
    *("action", "actor", "actor_agency", "service", "subject", "decision", "result", "clauses"),
}
REDACTION = "log.redact"
_OF_REDACTION = frozenset({"resource", "detail.field"})


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries are asked for; empty text is no condition. `before` is a place in the log, 0 for its end.

    An unset `start` means the beginning, an unset `end` the moment of the question. `without` is an action
    that is left out.
    """

    start: datetime | None = None
    end: datetime | None = None
    account_id: str = ""
    case_number: str = ""
    action: str = ""
    kind: str = ""
    before: int = 0
    page_size: int = 100
    plate: str = ""
    agency_ori: str = ""
    without: str = ""

    def text(self, action: str = "question.log") -> str:
        """The question in words that a reader of the log understands; the same at any time."""
        named = {
            "from": rfc3339(self.start) if self.start else "",
            "to": rfc3339(self.end) if self.end else "",
            "account": self.account_id,
            "case_number": self.case_number,
            "action": self.action,
            "kind": self.kind,
            "plate": self.plate,
            "before": str(self.before or ""),
            "page_size": str(self.page_size),
        }
        if self.agency_ori:  # else text and digest are those of the release without it
            named["agency"] = self.agency_ori
        return "\n".join((action, *(f"{name}:{value}" for name, value in named.items())))

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """From when to when, for a question asked at `now`."""
        return self.start or _BEGINNING, self.end or now


def rows_digest(entries: Iterable[Entry]) -> str:
    """SHA-256, in hex, of the entries' ids, 16 raw bytes each in the order of the answer."""
    return sha256(b"".join(UUID(one.entry_id).bytes for one in entries)).hexdigest()


def agency_of(entry: Entry) -> str:
    """ORI of the agency that the entry belongs to; "" for what services did for nobody's."""
    return entry.value("actor_agency") or entry.value("agency")


def names_of(entry: Entry) -> frozenset[str]:
    """Names of all fields that the entry commits to, also of those that were redacted."""
    lines = entry.leaf.decode().splitlines()[1:]
    return frozenset(line.partition(" ")[0] for line in lines)


def showing(entry: Entry, names: Iterable[str]) -> Entry:
    """The entry with these fields opened, those by which it is known, and no others."""
    shown = ALWAYS_OPEN.union(names)
    return replace(entry, fields=tuple(one for one in entry.fields if one.name in shown))


@dataclass(slots=True)
class Selection:
    """Which entries an export opens whole: one person's, or those of one case and what belongs to them.

    With `counted_only` it opens none whole, and of each just what a transparency report counts; `offences`
    are the codes by which it does.
    """

    account_id: str = ""
    case_number: str = ""
    counted_only: bool = False
    offences: frozenset[str] = frozenset()
    _chosen: set[str] = field(default_factory=set)

    def shown(self, entry: Entry) -> Entry:
        """The entry as it is exported. Entries come in the order of the log."""
        if self.counted_only:
            return _counted(entry, self.offences)
        if not (self.account_id or self.case_number):
            return entry
        if (
            (self.account_id and entry.value("actor") == self.account_id)
            or (self.case_number and entry.value("case_number") == self.case_number)
            or entry.value("subject") in self._chosen
        ):
            self._chosen.add(entry.entry_id)
            return entry
        if entry.value("action") == REDACTION and entry.value("kind") == "intent":
            return (
                entry  # says why a field of another entry is missing; it holds nothing of what was taken out
            )
        return showing(entry, SELECTING)


def _counted(entry: Entry, offences: frozenset[str]) -> Entry:
    values = {one.name: one.value for one in entry.fields}
    names = counted_names(values, offences)
    if values.get("action") == REDACTION:
        names |= _OF_REDACTION  # which field of another entry is missing
    return showing(entry, names)
