"""Between the messages of the office and this service's own values."""

from __future__ import annotations

from alpr.audit.v1 import office_service_pb2 as pb
from services.audit.core.office import Offer, Office
from services.audit.wire import Wrong
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_TEXT = 200


def parse_offer(request: pb.OfferOfficeRequest) -> Offer:
    """The offer to make. Raises InvalidFieldError."""
    given, wrong = request.offer, _request_id(request.request_id)
    if given.offer_id or given.HasField("offer_time") or given.HasField("expire_time"):
        wrong.append(FieldViolation("offer", "offer_id, offer_time and expire_time must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the designating document, 32 bytes"
        wrong.append(FieldViolation("offer.document_sha256", text))
    parse_uuid("offer.successor_account_id", given.successor_account_id, wrong)
    official = parse_text("offer.official", given.official, wrong, most=_MOST_TEXT)
    raise_violations(wrong)
    return Offer(given.successor_account_id, official, given.document_sha256)


def parse_accept(request: pb.AcceptOfficeRequest) -> str:
    """The offer's id. Raises InvalidFieldError."""
    wrong = _request_id(request.request_id)
    parse_uuid("offer_id", request.offer_id, wrong)
    raise_violations(wrong)
    return request.offer_id


def offer(given: Offer) -> pb.OfficeOffer:
    """The message."""
    end = given.expires_at()
    return pb.OfficeOffer(
        offer_id=given.offer_id,
        successor_account_id=given.successor_account_id,
        official=given.official,
        document_sha256=given.document_sha256,
        offer_time=to_timestamp(given.offer_time) if given.offer_time else None,
        expire_time=to_timestamp(end) if end else None,
    )


def office(given: Office) -> pb.Office:
    """The message."""
    return pb.Office(
        agency_ori=given.agency_ori,
        holder_account_id=given.holder_account_id,
        holder_name=given.holder_name,
        offer=offer(given.offer) if given.offer else None,
    )


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong
