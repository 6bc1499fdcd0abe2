"""Webhooks in the style of Flock: one read, with an address from which its picture is to be fetched.

What the sender says of its own hot lists (`sources`) is not looked at: it may name cases and persons.
"""

from __future__ import annotations

from typing import Final

from services.ocr.core.pushed.fields import message_of
from services.ocr.core.pushed.model import UNSTATED_ISSUER, Issuer, PushedRead, plate_text, with_shares

_MOST_ID: Final = 128
_STATE_LETTERS: Final = 2


def parse_flock(body: bytes) -> tuple[PushedRead, ...]:
    """The read; none when no plate was read.

    Raises:
        PushError: A field is wrong or missing.
    """
    message = message_of(body)
    ocr = message.object("ocr")
    plate = plate_text(ocr.text("label"))
    if not plate:
        return ()
    state = ocr.text("state").upper()
    known = len(state) == _STATE_LETTERS and state.isascii() and state.isalpha()
    confidence = min(1.0, max(0.0, ocr.number("stateConfidence", UNSTATED_ISSUER)))
    return (
        PushedRead(
            sender_read_id=message.required_text("objectId", most=_MOST_ID),
            capture_time=message.moment("eventTime"),
            plate=plate,
            candidates=with_shares(plate, [(plate, ocr.number("labelConfidence", 0.0))]),
            issuer=Issuer(state, "US", confidence) if known else None,
            place=message.place("deviceLat", "deviceLong"),
            plate_box=None,
            crop=b"",
            picture=b"",
            picture_url=message.text("imageUrl"),
            vehicle=("", ""),
            reader="flock",
        ),
    )
