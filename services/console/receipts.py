"""Receipts to take along, as the offline verifier takes them (ENF-051 IV.E.2)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from google.protobuf.message import DecodeError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import FieldViolation, InvalidFieldError
from services.console.answers import attachment, text_of
from services.console.door import Door, Person


def routes(door: Door) -> Sequence[Route]:
    """The download of a receipt that a page shows."""
    return (Route("/receipt", door.page(_download), methods=["POST"]),)


async def _download(_request: Request, person: Person) -> Response:
    """The receipt as a file: what the person's own page had, so no service is asked again."""
    try:
        receipt = AuditReceipt.FromString(base64.b64decode(person.field("receipt"), validate=True))
    except (ValueError, DecodeError):
        wrong = FieldViolation("receipt", "Take it from the page of the answer.")
        raise InvalidFieldError("this is no receipt", violations=[wrong]) from None
    return attachment(text_of(receipt).encode(), f"receipt-{receipt.log_index}.json", "application/json")
