"""Hot lists as their owners manage them, and the acts by which they change."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.matcher.core.entry import Category, Source


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


@dataclass(frozen=True, slots=True)
class HotList:
    """A hot list without its entries; versions are 0 when there is none."""

    hot_list_id: uuid.UUID
    name: str
    agency_ori: str
    source: Source
    active_version: int
    activated_at: datetime | None
    entry_count: int
    latest_version: int


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """What an uploaded file is, and the uploader's words that it is lawful (ENF-051 III.B.3.d)."""

    request_id: uuid.UUID
    hot_list_id: uuid.UUID
    format: FileFormat
    sha256: bytes
    size_bytes: int
    attestation: str


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A stored version in numbers; added and removed against the version that was active then."""

    version: int
    row_count: int
    categories: tuple[tuple[Category, int], ...]
    added_count: int
    removed_count: int


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
