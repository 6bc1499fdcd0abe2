"""Hot lists as their owners manage them, and the acts by which they change."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.matcher.core.entry import Category, ListRow, Source


class FileFormat(enum.IntEnum):
    """Layout of an uploaded file; numbers as in alpr.matcher.v1.HotListFormat."""

    IL_LEADS = 1
    CSV = 2
    IL_SOS = 3
    NCIC = 4
    NCIC_WA = 5
    NCIC_MN = 6
    NCIC_TX = 7
    JSON_LINES = 8


NCIC_FORMATS: Final = frozenset({FileFormat.NCIC, FileFormat.NCIC_WA, FileFormat.NCIC_MN, FileFormat.NCIC_TX})
"""Layouts in which rows of file N (immigration) come."""


class UploadKind(enum.IntEnum):
    """What a file is to its list; numbers as in alpr.matcher.v1.UploadKind."""

    FULL = 1
    ADD = 2
    REMOVE = 3


@dataclass(frozen=True, slots=True)
class HotList:
    """A hot list without its entries; versions are 0 when there is none.

    Attributes:
        upload_time: Of the active version, as the two that follow.
        source_time: When the source wrote its file; None when that was not said.
        expire_time: From then on no read is compared with it; None for never.
        immigration_file: True when NCIC's file N is taken into new versions.
    """

    hot_list_id: uuid.UUID
    name: str
    agency_ori: str
    source: Source
    active_version: int
    activated_at: datetime | None
    entry_count: int
    latest_version: int
    upload_time: datetime | None = None
    source_time: datetime | None = None
    expire_time: datetime | None = None
    immigration_file: bool = False


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """What an uploaded file is, and the uploader's words that it is lawful (ENF-051 III.B.3.d).

    `base_version` is the version that an increment changes, 0 for a whole list.
    """

    request_id: uuid.UUID
    hot_list_id: uuid.UUID
    format: FileFormat
    sha256: bytes
    size_bytes: int
    attestation: str
    kind: UploadKind = UploadKind.FULL
    base_version: int = 0
    source_time: datetime | None = None
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about a row, or with row 0 about a whole file. It repeats nothing of the row."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a file brought besides its rows.

    Attributes:
        notes: On rows that were left out or doubted, the first of them.
        note_count: All of them.
        immigration_file: True when rows of NCIC's file N were taken.
    """

    notes: tuple[Finding, ...] = ()
    note_count: int = 0
    immigration_file: bool = False


NOTHING_FOUND: Final = Checked()


@dataclass(frozen=True, slots=True)
class Removal:
    """What a version removes of what it takes the place of.

    Attributes:
        compared_version: Which reads are or were last compared with; 0 for none.
        removed: Entries of it that go, or of the version of a day before when that is the greater share.
        compared_count: Entries of the version that these are of.
    """

    compared_version: int
    removed: int
    compared_count: int

    def needs_approval(self, share: float) -> bool:
        """True when a second person must agree, for more than `share` of the entries goes (III.B.3.h).

        What counts is what goes, not how many are left: a file that is of another list altogether replaces
        every entry and may well be longer.
        """
        return self.removed > share * self.compared_count


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A stored version in numbers; `added_count` counts against the version that `removal` is of."""

    version: int
    row_count: int
    entry_count: int
    categories: tuple[tuple[Category, int], ...]
    added_count: int
    removal: Removal
    note_count: int
    notes: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody else than the uploader agreed that a version takes the place of `compared_version`."""

    account_id: str
    approved_at: datetime
    compared_version: int


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the list's owner sees it, without its entries."""

    version: int
    kind: UploadKind
    base_version: int
    account_id: str
    attestation: str
    upload_time: datetime
    source_time: datetime | None
    expire_time: datetime | None
    format: FileFormat
    sha256: bytes
    size_bytes: int
    row_count: int
    entry_count: int
    categories: tuple[tuple[Category, int], ...]
    added_count: int
    removal: Removal
    immigration_file: bool
    activated_at: datetime | None
    active: bool
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How many entries one version has and another has not, the other way round, and both have otherwise."""

    added: int
    removed: int
    changed: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which versions of a list to compare, and which entries to show: at most `size` after the id `start`."""

    list_id: uuid.UUID
    before: int
    after: int
    start: uuid.UUID
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """An entry in which two versions differ; None where a version does not have it."""

    entry_id: uuid.UUID
    before: ListRow | None
    after: ListRow | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An upload that was refused, and what was wrong with it; of the file nothing is kept.

    `stopped` is True when the file was looked at no further after so many errors.
    """

    upload_id: uuid.UUID
    hot_list_id: uuid.UUID
    account_id: str
    attestation: str
    upload_time: datetime
    format: FileFormat
    sha256: bytes
    size_bytes: int
    row_count: int
    error_count: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class Act:
    """A change of a hot list whose intent is in the log; stored with the change."""

    intent_id: uuid.UUID
    request_id: uuid.UUID
    action: str
    hot_list_id: uuid.UUID
    account_id: str
    details: Mapping[str, str]
    act_time: datetime
