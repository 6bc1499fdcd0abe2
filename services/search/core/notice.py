"""What a recipient is told, and when it is tried again (ENF-051 III.B.3.m, III.B.3.n)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

FORMAT: Final = "platewarden.notice/v1"
# Nine waits, from a minute to a day: four days in all.
MOST_ATTEMPTS: Final = 10
_GROWTH: Final = 4
_LONGEST_WAIT: Final = timedelta(days=1)
_LOCAL: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_ADDRESS: Final = 254
# What a notice is about, in a subject, and what its recipient is to do.
_KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "PURGED": (
            "reads are no longer kept",
            "The agency keeps reads for a limited time, and so may you. Delete your copy, unless it is "
            "evidence in a case, and tell the agency that you have.",
        ),
        "CORRECTED": (
            "a read was wrong",
            "Do not act on the file as it is. Correct or delete your copy, tell whoever got it from you, and "
            "tell the agency what you have done.",
        ),
        "OVERDUE": (
            "a file was to be deleted",
            "The day by which this file was to be deleted has passed. Delete it and tell the agency, or tell "
            "it why you still need it.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice with the file that it is about; nothing in it is a plate, a place or a picture."""

    notice_id: UUID
    kind: str
    statement: str
    notice_time: datetime
    dissemination_id: UUID
    agency_ori: str
    file_format: str
    file_sha256: bytes
    left_time: datetime
    due_time: datetime | None
    recipient: str


def is_address(text: str) -> bool:
    """True for a plain e-mail address of at most 254 characters: no name, comment, quotes or line break."""
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(text) <= _LONGEST_ADDRESS
        and _LOCAL.fullmatch(local) is not None
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
    )


def document_of(notice: Notice) -> bytes:
    """The notice for machines, always the same bytes: its SHA-256 stands in the log."""
    document = {
        "format": FORMAT,
        "notice_id": str(notice.notice_id),
        "kind": notice.kind,
        "statement": notice.statement,
        "notice_time": notice.notice_time.isoformat(),
        "agency_ori": notice.agency_ori,
        "recipient": notice.recipient,
        "file": {
            "register_entry": str(notice.dissemination_id),
            "format": notice.file_format,
            "sha256": notice.file_sha256.hex(),
            "left": notice.left_time.isoformat(),
            "due_to_delete": notice.due_time.isoformat() if notice.due_time else "",
        },
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def subject_of(notice: Notice) -> str:
    """What the letter's subject says."""
    return f"License plate reader data of {notice.agency_ori}: {_KINDS[notice.kind][0]}"


def words_of(notice: Notice) -> str:
    """The letter for people."""
    return (
        f"To {notice.recipient or 'the recipient of the file below'}\n\n"
        f"{notice.statement}\n\n"
        f"{_KINDS[notice.kind][1]}\n\n"
        f"The file:       {notice.file_format}, given to you on {notice.left_time:%Y-%m-%d}\n"
        f"Its SHA-256:    {notice.file_sha256.hex()}\n"
        f"Register entry: {notice.dissemination_id} of {notice.agency_ori}\n"
        f"This notice:    {notice.notice_id} of {notice.notice_time:%Y-%m-%d}\n\n"
        "notice.json has the same for machines. receipt.json proves that the agency's tamper-evident log\n"
        "has it, and so that the notice is genuine:\n"
        "    python verify_notice.py --public-key FILE notice.json receipt.json\n"
        "with the log's public key, which the agency publishes.\n\n"
        "A system sent this letter and reads no answer; answer the agency.\n"
    )


def next_attempt(attempt: int, now: datetime, first_wait: timedelta) -> datetime | None:
    """When a letter is tried again after its `attempt`th failed; None when it is given up.

    One that a person has sent again after that has as many attempts once more.
    """
    number = (attempt - 1) % MOST_ATTEMPTS + 1
    if number == MOST_ATTEMPTS:
        return None
    return now + min(first_wait * int(_GROWTH ** (number - 1)), _LONGEST_WAIT)
