"""To whom something may go, and what must be on record first (ENF-051 IV.B, III.B.3.m, III.D.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from services.search.core.notice import is_address

_ORI: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{7}")
_HASH_BYTES: Final = 32
_LONGEST_NAME: Final = 200
_PURPOSE: Final = (10, 500)
_WORDS: Final = (5, 500)
_LONGEST_REPORT_NUMBER: Final = 64
# Leap days in.
_LONGEST_DUE: Final = timedelta(days=3653)

Wrong = tuple[str, str]


class RecipientKind(Enum):
    """Kinds of recipients, each with the action by which audit's policies know what goes to it."""

    OWN_USE = "dissemination.export"
    LAW_ENFORCEMENT = "dissemination.share"
    GOVERNMENT = "dissemination.government"
    EVIDENCE_SYSTEM = "dissemination.evidence"
    PUBLIC = "dissemination.public"


class Field(Enum):
    """What a file can do without."""

    NONE = "none"
    PLATE = "plate"
    PLACE = "place"
    PICTURE = "picture"
    TIME = "time"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an agency of another state declares in writing (625 ILCS 5/2-130)."""

    signed_by: str
    signed_time: datetime | None
    document_sha256: bytes
    not_for_reproductive_care: bool
    not_for_immigration: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided on a request for sharing (IV.B.3)."""

    decided_by: str
    decided_time: datetime | None
    request_sha256: bytes


@dataclass(frozen=True, slots=True)
class Recipient:
    """For whom something leaves; which parts are needed depends on the kind."""

    kind: RecipientKind
    agency_ori: str = ""
    organisation: str = ""
    person: str = ""
    purpose: str = ""
    legal_basis: str = ""
    declaration: Declaration | None = None
    decision: Decision | None = None
    report_number: str = ""
    email: str = ""

    def in_words(self) -> str:
        """The recipient in one line, for people."""
        if self.kind is RecipientKind.OWN_USE:
            return "own use, for this case"
        if self.kind is RecipientKind.PUBLIC:
            return f"the public ({self.legal_basis})"
        parts = (self.organisation, self.agency_ori, self.person, self.report_number)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was left out, and why."""

    field: Field
    reason: str


def facts_of(recipient: Recipient, redactions: Sequence[Redaction]) -> dict[str, str]:
    """What the log says of recipient and redactions, by name; empty parts are left out."""
    declaration, decision = recipient.declaration, recipient.decision
    facts = {
        "recipient_kind": recipient.kind.name,
        "recipient_ori": recipient.agency_ori,
        "recipient": recipient.organisation,
        "recipient_person": recipient.person,
        "legal_basis": recipient.legal_basis,
        "report_number": recipient.report_number,
        **{f"redacted_{one.field.value}": one.reason for one in redactions},
    }
    if declaration:
        facts |= {
            "declaration_signed_by": declaration.signed_by,
            "declaration_sha256": declaration.document_sha256.hex(),
        }
    if decision:
        facts |= {"decided_by": decision.decided_by, "request_sha256": decision.request_sha256.hex()}
    return {name: value for name, value in facts.items() if value}


def shortcomings(recipient: Recipient, home_state: str) -> Iterator[Wrong]:
    """Field and what to change, for each part that is missing or wrong.

    Args:
        recipient: As it was asked for.
        home_state: First two letters of the ORIs of agencies that need no declaration.
    """
    for name, text, most in (
        ("organisation", recipient.organisation, _LONGEST_NAME),
        ("person", recipient.person, _LONGEST_NAME),
        ("purpose", recipient.purpose, _PURPOSE[1]),
        ("legal_basis", recipient.legal_basis, _WORDS[1]),
        ("report_number", recipient.report_number, _LONGEST_REPORT_NUMBER),
    ):
        if text and not is_printable(text, 1, most):
            yield name, f"must be at most {most} printable characters"
    if recipient.agency_ori and not _ORI.fullmatch(recipient.agency_ori):
        yield "agency_ori", "must be an ORI: two letters, then seven letters or digits"
    if recipient.email and not is_address(recipient.email):
        yield "email", "must be a plain address, as records@example.gov"
    yield from _missing(recipient)
    if recipient.kind is RecipientKind.LAW_ENFORCEMENT and not recipient.agency_ori.startswith(home_state):
        yield from _of_declaration(recipient.declaration)
    if recipient.kind is RecipientKind.GOVERNMENT:
        yield from _of_decision(recipient.decision)


def _missing(recipient: Recipient) -> Iterator[Wrong]:
    named = ("organisation", "person", "purpose")
    needed = {
        RecipientKind.OWN_USE: (),
        RecipientKind.LAW_ENFORCEMENT: ("agency_ori", *named),
        RecipientKind.GOVERNMENT: named,
        RecipientKind.EVIDENCE_SYSTEM: ("organisation", "report_number"),
        RecipientKind.PUBLIC: ("legal_basis",),
    }[recipient.kind]
    for name in needed:
        if not getattr(recipient, name).strip():
            yield name, "is needed for this kind of recipient"
    if "purpose" in needed and 0 < len(recipient.purpose.strip()) < _PURPOSE[0]:
        yield "purpose", f"must be {_PURPOSE[0]} to {_PURPOSE[1]} characters"


def _of_declaration(declaration: Declaration | None) -> Iterator[Wrong]:
    if declaration is None:
        yield "declaration", "an agency of another state must declare in writing first (625 ILCS 5/2-130)"
        return
    yield from _of_document(
        "declaration",
        ("signed_by", declaration.signed_by),
        ("signed_time", declaration.signed_time),
        ("document_sha256", declaration.document_sha256),
    )
    for name in ("not_for_reproductive_care", "not_for_immigration"):
        if not getattr(declaration, name):
            yield f"declaration.{name}", "without this declaration nothing may go to another state"


def _of_decision(decision: Decision | None) -> Iterator[Wrong]:
    if decision is None:
        yield "decision", "a government entity's request must have been decided on (IV.B.3)"
        return
    yield from _of_document(
        "decision",
        ("decided_by", decision.decided_by),
        ("decided_time", decision.decided_time),
        ("request_sha256", decision.request_sha256),
    )


def _of_document(
    part: str, who: tuple[str, str], when: tuple[str, datetime | None], digest: tuple[str, bytes]
) -> Iterator[Wrong]:
    if not is_printable(who[1], 1, _LONGEST_NAME):
        yield f"{part}.{who[0]}", f"must be 1 to {_LONGEST_NAME} printable characters"
    if when[1] is None:
        yield f"{part}.{when[0]}", "must be set"
    if len(digest[1]) != _HASH_BYTES:
        yield f"{part}.{digest[0]}", "must be a SHA-256, 32 bytes"


def redaction_shortcomings(redactions: Sequence[Redaction], recipient: Recipient) -> Iterator[Wrong]:
    """As `shortcomings`, for what is left out; for the public it must have been thought about (IV.B.1)."""
    fields = [one.field for one in redactions]
    if recipient.kind is RecipientKind.PUBLIC and not fields:
        yield "redactions", "say what is redacted for the public, or why nothing is"
    if len(set(fields)) < len(fields):
        yield "redactions", "name each field once"
    if Field.NONE in fields and len(fields) > 1:
        yield "redactions", "NONE stands alone"
    for number, one in enumerate(redactions):
        if not is_printable(one.reason, *_WORDS):
            yield f"redactions[{number}].reason", f"must be {_WORDS[0]} to {_WORDS[1]} printable characters"


def due_shortcomings(due: datetime | None, now: datetime) -> Iterator[Wrong]:
    """As `shortcomings`, for the date by which a file must be deleted."""
    if due is not None and not now < due <= now + _LONGEST_DUE:
        yield "due_to_delete", "must lie ahead, by 10 years at most"


def is_printable(text: str, least: int, most: int) -> bool:
    """Whether the text without blanks round it has so many characters, none of them a control character."""
    return least <= len(text.strip()) <= most and text.isprintable()
