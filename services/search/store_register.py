"""The register of what left: the register login of a data set, which may run its functions and no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.common.pg import Connection, Pool, connection
from services.search.core.houses import Schema

_DUE: Final = "SELECT %s.usual_due_time()"
_REGISTER: Final = """
SELECT %s.register($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"""
_KEEP_EVIDENCE: Final = """
SELECT %s.keep_evidence($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""
_OUTCOME: Final = "SELECT %s.outcome_is_recorded($1, $2)"
_WITHOUT_OUTCOME: Final = "SELECT * FROM %s.entries_without_outcome($1) AS dissemination_id"
_ENTRIES: Final = """
SELECT dissemination_id, entry_number, kind, export_id, account_id, agency_ori, question_entry_id, recipient,
       justification, redactions, format, file_sha256, file_bytes, read_count, first_capture, last_capture,
       made_time, due_time, deleted_time, open_notices
  FROM %s.disseminations($1, $2, $3, $4, $5, $6)"""
_READS: Final = "SELECT %s.registered_reads($1, $2)"
_DELETION: Final = "SELECT %s.note_deletion($1, $2, $3, $4)"
_CORRECTION: Final = "SELECT %s.note_correction($1, $2, $3, $4)"
_MAKE_NOTICES: Final = "SELECT %s.make_notices()"
_NOTICES: Final = """
SELECT notice_id, notice_number, kind, dissemination_id, recipient, file_sha256, statement, notice_time,
       told_time
  FROM %s.recipient_notices($1, $2, $3, $4, $5)"""
_TOLD: Final = "SELECT %s.note_told($1, $2, $3, $4)"
_EVIDENCE: Final = """
SELECT evidence_id, evidence_number, read_id, capture_day, report_number, evidence_system, evidence_item,
       account_id, agency_ori, case_number, made_time, manifest_sha256, package_bytes
  FROM %s.evidence_packages($1, $2, $3, $4)"""
# Positions begin before every number there may be.
BEYOND: Final = 2**62


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A file that is about to leave; recipient, justification and redactions are serialized messages."""

    dissemination_id: UUID
    kind: str
    export_id: UUID | None
    account_id: str
    agency_ori: str
    question_entry_id: UUID
    recipient: bytes
    justification: bytes
    redactions: bytes
    format: str
    file_sha256: bytes
    file_bytes: int
    read_ids: tuple[UUID, ...]
    first_capture: datetime | None
    last_capture: datetime | None
    due_time: datetime | None


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """A package that is to be kept: where it is, and what opens it."""

    evidence_id: UUID
    read_id: UUID
    capture_day: date
    agency_ori: str
    sensor_group: str
    maker_ori: str
    case_number: str
    report_number: str
    evidence_system: str
    evidence_item: str
    package_sha256: bytes
    package_bytes: int
    object_name: str
    wrapped_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the register."""

    dissemination_id: UUID
    entry_number: int
    kind: str
    export_id: UUID | None
    account_id: str
    agency_ori: str
    question_entry_id: UUID
    recipient: bytes
    justification: bytes
    redactions: bytes
    format: str
    file_sha256: bytes
    file_bytes: int
    read_count: int
    first_capture: datetime | None
    last_capture: datetime | None
    made_time: datetime
    due_time: datetime | None
    deleted_time: datetime | None
    open_notices: int


@dataclass(frozen=True, slots=True)
class RecipientNotice:
    """Something that a recipient is to be told."""

    notice_id: UUID
    notice_number: int
    kind: str
    dissemination_id: UUID
    recipient: bytes
    file_sha256: bytes
    statement: str
    notice_time: datetime
    told_time: datetime | None


@dataclass(frozen=True, slots=True)
class KeptEvidence:
    """A package as the register lists it."""

    evidence_id: UUID
    evidence_number: int
    read_id: UUID
    capture_day: date
    report_number: str
    evidence_system: str
    evidence_item: str
    account_id: str
    agency_ori: str
    case_number: str
    made_time: datetime
    manifest_sha256: bytes
    package_bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Which entries are wanted: those of an agency before a number, and of them those that fit."""

    agency_ori: str
    dissemination_id: UUID | None = None
    read_id: UUID | None = None
    overdue_at: datetime | None = None
    before_number: int = BEYOND
    most: int = 1


class RegisterStore:
    """Every method raises StorageUnavailableError when the database does not answer."""

    def __init__(self, pool: Pool, schema: Schema = "archive") -> None:
        self._pool = pool
        self._schema = schema

    def _here(self, statement: str) -> str:
        return statement % self._schema

    async def usual_due_time(self) -> datetime:
        """When a file that leaves now must be deleted, if nobody says otherwise."""
        async with connection(self._pool) as held:
            due: datetime = await held.fetchval(self._here(_DUE))
        return due

    async def register(self, entry: NewEntry) -> None:
        """Returns when the entry is on disk; an entry that is there already stays as it is."""
        async with connection(self._pool) as held:
            await self._write(held, entry)

    async def keep_evidence(self, entry: NewEntry, evidence: NewEvidence) -> str:
        """The name of the object that counts, once entry and package are on disk together.

        It is another name than the one given when the same package was kept before.
        """
        async with connection(self._pool) as held, held.transaction():
            await self._write(held, entry)
            name: str = await held.fetchval(self._here(_KEEP_EVIDENCE), *_values(evidence))
        return name

    async def outcome_is_recorded(self, dissemination_id: UUID, receipt: bytes) -> None:
        """Returns when it is noted that audit has the outcome, with the receipt of the intent."""
        async with connection(self._pool) as held:
            await held.execute(self._here(_OUTCOME), dissemination_id, receipt)

    async def without_outcome(self, before: datetime) -> tuple[UUID, ...]:
        """Entries older than `before` whose outcome audit may not have; a hundred at most."""
        async with connection(self._pool) as held:
            return tuple(row[0] for row in await held.fetch(self._here(_WITHOUT_OUTCOME), before))

    async def entries(self, listing: Listing) -> list[Entry]:
        """The entries, newest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(self._here(_ENTRIES), *_values(listing))
        return [Entry(*row.values()) for row in rows]

    async def reads_of(self, dissemination_id: UUID, agency_ori: str) -> tuple[UUID, ...] | None:
        """Reads of an agency's file, None when there is no such entry."""
        async with connection(self._pool) as held:
            reads = await held.fetchval(self._here(_READS), dissemination_id, agency_ori)
        return None if reads is None else tuple(reads)

    async def note_deletion(
        self, dissemination_id: UUID, agency_ori: str, intent_id: UUID, statement: str
    ) -> UUID | None:
        """The intent that noted the deletion, this or an earlier one; None when there is no such entry."""
        async with connection(self._pool) as held:
            noted: UUID | None = await held.fetchval(
                self._here(_DELETION), dissemination_id, agency_ori, intent_id, statement
            )
        return noted

    async def note_correction(self, read_id: UUID, agency_ori: str, intent_id: UUID, statement: str) -> int:
        """The number of recipients that are to be told, once their notices are on disk."""
        async with connection(self._pool) as held:
            count: int = await held.fetchval(
                self._here(_CORRECTION), read_id, agency_ori, intent_id, statement
            )
        return count

    async def make_notices(self) -> int:
        """The number of notices that had become due and are on disk now."""
        async with connection(self._pool) as held:
            made: int = await held.fetchval(self._here(_MAKE_NOTICES))
        return made

    async def notices(
        self, agency_ori: str, notice_id: UUID | None, after_number: int, most: int, *, with_told: bool
    ) -> list[RecipientNotice]:
        """Notices about files of an agency, oldest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(
                self._here(_NOTICES), agency_ori, notice_id, with_told, after_number, most
            )
        return [RecipientNotice(*row.values()) for row in rows]

    async def note_told(
        self, notice_id: UUID, agency_ori: str, intent_id: UUID, statement: str
    ) -> UUID | None:
        """As `note_deletion`, for a notice that its recipient was told."""
        async with connection(self._pool) as held:
            noted: UUID | None = await held.fetchval(
                self._here(_TOLD), notice_id, agency_ori, intent_id, statement
            )
        return noted

    async def evidence(
        self, maker_ori: str, report_number: str, before_number: int, most: int
    ) -> list[KeptEvidence]:
        """Packages that people of an agency made, newest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(self._here(_EVIDENCE), maker_ori, report_number, before_number, most)
        return [KeptEvidence(*row.values()) for row in rows]

    async def _write(self, held: Connection, entry: NewEntry) -> None:
        await held.execute(self._here(_REGISTER), *_values(entry))


def _values(record: NewEntry | NewEvidence | Listing) -> tuple[object, ...]:
    """The values in the order of the fields, which is that of the function's arguments."""
    return tuple(getattr(record, name) for name in record.__slots__)
