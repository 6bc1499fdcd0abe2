"""Reports for tests: reads at some places near Chicago, with pictures drawn on the spot."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from PIL import Image, ImageDraw

from services.search.core.pictures import PlateBox, crop_and_overview
from services.search.core.report import LogEntry, Mark, Report, ReportedRead, Why

MADE = datetime(2026, 11, 25, 21, 4, tzinfo=UTC)
ACCOUNT = "0f0e0d0c-0b0a-4908-8706-050403020100"
NOTICE = "UNVERIFIED. A lead only, not actionable by itself."
BOX = PlateBox(400, 300, 120, 40)


def jpeg(width: int = 1200, height: int = 800) -> bytes:
    """A scene with a plate in BOX."""
    picture = Image.new("RGB", (width, height), "gray")
    ImageDraw.Draw(picture).rectangle(
        (BOX.x, BOX.y, BOX.x + BOX.width, BOX.y + BOX.height), fill="white", outline="black"
    )
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


def reported(number: int, **changes: Any) -> ReportedRead:
    """A read; reads of other numbers are other reads, an hour older each."""
    captured = MADE - timedelta(hours=number)
    values: dict[str, Any] = {
        "read_id": UUID(int=number + 1),
        "capture_time": captured,
        "receive_time": captured + timedelta(seconds=1),
        "plate": "AB1234",
        "state": "IL",
        "confidence": 0.93,
        "sensor_id": f"i90-mile-{number % 3}",
        "agency_ori": "ILISP0001",
        "sensor_group": "expressway-north",
        "provenance": "OWN",
        "latitude": 41.9 + (number % 3) / 10,
        "longitude": -87.9 - (number % 3) / 10,
        "place": f"I-90 at mile {number % 3}, eastbound",
        "model_version": "plates-2",
        "image_sha256": bytes([number % 256]) * 32,
    }
    return ReportedRead(**(values | changes))


def report(*reads: ReportedRead, **changes: Any) -> Report:
    """A report on `reads`."""
    values: dict[str, Any] = {
        "title": "Reads of plate AB1234",
        "asked": (("Plate", "AB1234"),),
        "searched_from": MADE - timedelta(days=90),
        "searched_to": MADE,
        "why": Why("CAD", "2026-0123456", "", "homicide investigation, car seen leaving", "HOMICIDE"),
        "notice": NOTICE,
        "verification_state": "NEW",
        "mark": Mark(ACCOUNT, LogEntry("question-entry", 1041), LogEntry("outcome-entry", 1042)),
        "made_time": MADE,
        "recipient": "the account itself",
        "due_to_delete": MADE + timedelta(days=90),
        "reads": reads,
    }
    return Report(**(values | changes))


def pictured(number: int, **changes: Any) -> ReportedRead:
    """A read with both pictures."""
    return reported(number, pictures=crop_and_overview(jpeg(), BOX), **changes)
