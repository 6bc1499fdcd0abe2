"""Messages of Rekor Scout and OpenALPR agents: `alpr_group`, one vehicle, and `alpr_alert` with one in it.

An agent's own alert is taken for the passage in it alone; whose list it was on is decided here. Confidences
are in percent, times in milliseconds since 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.ocr.core.pushed.fields import Fields, message_of
from services.ocr.core.pushed.model import (
    UNSTATED_ISSUER,
    PushedRead,
    PushError,
    issuer_of,
    likely_name,
    plate_text,
    with_shares,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PERCENT: Final = 100.0
_MOST_CANDIDATES: Final = 100
_MOST_ID: Final = 128
_EARLIEST_MS: Final = 946_684_800_000
_LATEST_MS: Final = 4_102_444_800_000
_NO_READ: Final = frozenset({"heartbeat", "vehicle"})


def parse_rekor(body: bytes) -> tuple[PushedRead, ...]:
    """The read of a group or alert; none of a heartbeat, or of a vehicle whose plate was not read.

    Raises:
        PushError: The message is another, or a field of it is wrong.
    """
    message = message_of(body)
    kind = message.text("data_type")
    if kind in _NO_READ:
        return ()
    if kind == "alpr_alert":
        group = message.object("group")
    elif kind == "alpr_group":
        group = message
    else:
        raise PushError("data_type", "must be alpr_group or alpr_alert")
    best = group.object("best_plate")
    plate = plate_text(group.text("best_plate_number") or best.text("plate"))
    return (_read(group, best, plate),) if plate else ()


def _read(group: Fields, best: Fields, plate: str) -> PushedRead:
    region = group.text("best_region") or best.text("region")
    unstated = best.number("region_confidence", UNSTATED_ISSUER * _PERCENT)
    confidence = group.number("best_region_confidence", unstated)
    candidates = group.objects("candidates", most=_MOST_CANDIDATES) or best.objects(
        "candidates", most=_MOST_CANDIDATES
    )
    texts = [(one.text("plate"), one.number("confidence") / _PERCENT) for one in candidates]
    texts.append((plate, group.number("best_confidence", best.number("confidence", 0.0)) / _PERCENT))
    version = group.text("agent_version", most=64)
    return PushedRead(
        sender_read_id=_id(group),
        capture_time=_capture_time(group),
        plate=plate,
        candidates=with_shares(plate, texts),
        issuer=issuer_of(region, confidence / _PERCENT),
        place=group.place("gps_latitude", "gps_longitude"),
        # Its coordinates are those of the frame; only the vehicle is sent.
        plate_box=None,
        crop=best.base64("plate_crop_jpeg"),
        picture=group.base64("vehicle_crop_jpeg"),
        picture_url="",
        vehicle=(_named(group.object("vehicle"), "make"), _named(group.object("vehicle"), "color")),
        reader=f"rekor-{version}" if version else "rekor",
    )


def _named(vehicle: Fields, what: str) -> str:
    names = vehicle.objects(what, most=_MOST_CANDIDATES)
    return likely_name((one.text("name"), one.number("confidence", 0.0) / _PERCENT) for one in names)


def _id(group: Fields) -> str:
    """The group's id of the best of its plates."""
    best = group.text("best_uuid", most=_MOST_ID)
    first = next(iter(group.texts("uuids")), "")
    if not best and not 0 < len(first) <= _MOST_ID:
        raise PushError(group.at("best_uuid"), "must be set, or uuids have a first of at most 128 characters")
    return best or first


def _capture_time(group: Fields) -> datetime:
    milliseconds = group.number("epoch_start")
    if not _EARLIEST_MS <= milliseconds < _LATEST_MS:
        raise PushError(group.at("epoch_start"), "must be milliseconds since 1970, from 2000 to 2099")
    return _EPOCH + timedelta(milliseconds=int(milliseconds))
