"""Webhooks of Plate Recognizer (Stream and Snapshot): a picture and the plates in it."""

from __future__ import annotations

from typing import Final

from services.ocr.core.pushed.fields import MOST_READS, Fields, message_of
from services.ocr.core.pushed.model import (
    UNSTATED_ISSUER,
    PushedRead,
    PushError,
    issuer_of,
    likely_name,
    plate_text,
    with_shares,
)

_MOST_CANDIDATES: Final = 100
_MOST_NAME: Final = 100


def parse_plate_recognizer(body: bytes, picture: bytes) -> tuple[PushedRead, ...]:
    """The reads of a message, in its order; none when the picture shows no plate.

    Args:
        body: The JSON.
        picture: What came with it, empty when nothing did; plates are boxes in it.

    Raises:
        PushError: A field is wrong or missing.
    """
    message = message_of(body)
    data = message.object("data")
    results = data.objects("results", most=MOST_READS)
    if not results:
        return ()
    name = data.text("uuid", most=_MOST_NAME) or data.text("filename", most=_MOST_NAME)
    if not name:
        raise PushError(data.at("filename"), "must be set")
    return tuple(
        _read(data, one, plate, f"{name}#{n}", picture)
        for n, one in enumerate(results)
        if (plate := plate_text(one.text("plate")))
    )


def _read(data: Fields, result: Fields, plate: str, name: str, picture: bytes) -> PushedRead:
    candidates = result.objects("candidates", most=_MOST_CANDIDATES)
    texts = [(one.text("plate"), one.number("score")) for one in candidates]
    texts.append((plate, result.number("score", 0.0)))
    region = result.object("region")
    return PushedRead(
        sender_read_id=name,
        capture_time=data.moment("timestamp"),
        plate=plate,
        candidates=with_shares(plate, texts),
        issuer=issuer_of(region.text("code"), region.number("score", UNSTATED_ISSUER)),
        place=data.place("latitude", "longitude"),
        plate_box=_box(result.object("box")),
        crop=b"",
        picture=picture,
        picture_url="",
        vehicle=(_named(result, "model_make", "make"), _named(result, "color", "color")),
        reader="plate-recognizer",
    )


def _named(result: Fields, what: str, name: str) -> str:
    names = result.objects(what, most=_MOST_CANDIDATES)
    return likely_name((one.text(name), one.number("score", 0.0)) for one in names)


def _box(box: Fields) -> tuple[float, float, float, float] | None:
    if not all(box.has(name) for name in ("xmin", "ymin", "xmax", "ymax")):
        return None
    left, top = box.number("xmin"), box.number("ymin")
    width, height = box.number("xmax") - left, box.number("ymax") - top
    if left < 0 or top < 0 or width <= 0 or height <= 0:
        raise PushError(box.at("xmin"), "must be a box: left and upper edge before right and lower")
    return left, top, width, height
