"""Options that say for whom something leaves, and what it does not show (ENF-051 IV.B)."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.search.v1 import dissemination_pb2 as pb
from services.cli.locate import CommandError
from services.cli.words import Words

KINDS = Words(pb.RecipientKind, "RECIPIENT_KIND_", "recipient")
FIELDS = Words(pb.RedactedField, "REDACTED_FIELD_", "redacted field")


@dataclass(frozen=True, slots=True)
class ForWhom:
    """Options of everything that leaves: the recipient, and until when it may keep it."""

    recipient: Annotated[
        str,
        typer.Option(
            "--for", help="For whom: own-use, law-enforcement, government, evidence-system or public."
        ),
    ] = "own-use"
    ori: Annotated[str, typer.Option("--ori", help="ORI of a law enforcement agency.")] = ""
    organisation: Annotated[
        str, typer.Option("--organisation", help="Name of the agency, entity or system.")
    ] = ""
    person: Annotated[str, typer.Option("--person", help="Name and office of who gets it.")] = ""
    their_purpose: Annotated[
        str, typer.Option("--their-purpose", help="For what they need it, in their words.")
    ] = ""
    legal_basis: Annotated[
        str, typer.Option("--legal-basis", help="By which law or order it may go to the public.")
    ] = ""
    declaration: Annotated[
        Path | None,
        typer.Option(
            "--declaration",
            help="Signed declaration of an agency of another state (625 ILCS 5/2-130); its hash is kept.",
        ),
    ] = None
    no_health_care: Annotated[
        bool,
        typer.Option("--declares-no-health-care-use", help="It declares so of lawful health care."),
    ] = False
    no_immigration: Annotated[
        bool, typer.Option("--declares-no-immigration-use", help="It declares so of immigration.")
    ] = False
    decision: Annotated[
        Path | None,
        typer.Option("--decision", help="The request of a government entity, decided on; its hash is kept."),
    ] = None
    signed_by: Annotated[str, typer.Option("--signed-by", help="Who signed the declaration, or decided.")] = (
        ""
    )
    signed_on: Annotated[datetime | None, typer.Option("--signed-on", help="When, UTC.")] = None
    report_number: Annotated[str, typer.Option("--report-number", help="The report that it belongs to.")] = ""
    email: Annotated[
        str,
        typer.Option("--email", help="Where the system writes when it is purged, was wrong or is overdue."),
    ] = ""
    delete_by: Annotated[
        datetime | None,
        typer.Option("--delete-by", help="When it must be deleted; usually when a read of now would be."),
    ] = None

    def message(self) -> pb.Recipient:
        """The recipient as the contract has it.

        Raises:
            CommandError: A word that is none, or a document that cannot be read.
        """
        recipient = pb.Recipient(
            kind=pb.RecipientKind.ValueType(KINDS.number(self.recipient)),
            agency_ori=self.ori,
            organisation=self.organisation,
            person=self.person,
            purpose=self.their_purpose,
            legal_basis=self.legal_basis,
            report_number=self.report_number,
            email=self.email,
        )
        if self.declaration:
            recipient.declaration.CopyFrom(
                pb.Declaration(
                    signed_by=self.signed_by,
                    document_sha256=digest_of(self.declaration),
                    not_for_reproductive_care=self.no_health_care,
                    not_for_immigration=self.no_immigration,
                )
            )
            _set(recipient.declaration.signed_time, self.signed_on)
        if self.decision:
            recipient.decision.CopyFrom(
                pb.Decision(decided_by=self.signed_by, request_sha256=digest_of(self.decision))
            )
            _set(recipient.decision.decided_time, self.signed_on)
        return recipient

    def set_due(self, due_to_delete: Timestamp) -> None:
        """Sets the request's field, as far as the person gave a date."""
        _set(due_to_delete, self.delete_by)


def redactions_of(words: list[str]) -> list[pb.Redaction]:
    """The redactions that `--redact FIELD=REASON` names.

    Raises:
        CommandError: One has no reason, or names no field.
    """
    redactions = []
    for word in words:
        name, separator, reason = word.partition("=")
        if not separator:
            raise CommandError("--redact takes FIELD=REASON, for instance 'plate=personal privacy, 7(1)(c)'")
        field = pb.RedactedField.ValueType(FIELDS.number(name))
        redactions.append(pb.Redaction(field=field, reason=reason))
    return redactions


def digest_of(document: Path) -> bytes:
    """SHA-256 of a document.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        return sha256(document.read_bytes()).digest()
    except OSError as error:
        raise CommandError(f"{document} cannot be read: {error.strerror}") from None


def _set(stamp: Timestamp, moment: datetime | None) -> None:
    if moment is not None:
        stamp.FromDatetime(moment)
