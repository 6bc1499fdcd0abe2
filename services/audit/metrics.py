"""What audit counts. No label holds anything of a person, a case or what was asked."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from services.audit.core.entry import EntryKind

ENTRIES: Final = Counter("platewarden_audit_entries", "Entries appended by this replica.", ["kind"])
LOG_SIZE: Final = Gauge("platewarden_audit_log_size", "Entries of the log, as this replica knows it.")
LOG_CLOSED: Final = Gauge(
    "platewarden_audit_log_closed", "1 while the log takes no entry until it is restored."
)
CHECKPOINT_COPIED: Final = Gauge(
    "platewarden_audit_checkpoint_copied_timestamp_seconds",
    "When a checkpoint was last copied to the second place: within a second after entries were appended.",
)
COPIES_FAILED: Final = Counter(
    "platewarden_audit_checkpoint_copies_failed", "Checkpoints that could not be copied to the second place."
)
WITNESSES: Final = Gauge("platewarden_audit_witnesses", "Witnesses that have signed a checkpoint of the log.")
WITNESSED_SIZE: Final = Gauge(
    "platewarden_audit_witnessed_size", "Entries under the largest checkpoint that a witness has signed."
)
WITNESSED: Final = Gauge(
    "platewarden_audit_witnessed_timestamp_seconds", "When a witness last signed; only once one has."
)
UNFINISHED: Final = Counter(
    "platewarden_audit_unfinished_acts", "Questions and acts found without outcome after five minutes."
)
FLAGS: Final = Counter("platewarden_audit_misuse_flags", "Flags raised by the rules about misuse.", ["rule"])

for _kind in EntryKind:
    ENTRIES.labels(_kind.value)
