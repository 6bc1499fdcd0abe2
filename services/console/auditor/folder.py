"""A report as the folder that is published: its three forms, its receipt, the programs that check it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from alpr.audit.v1 import transparency_service_pb2 as pb
from services.common.transparency_pages import RECEIPT, files_of
from services.console import words
from services.console.answers import text_of

_SERVICES: Final = Path(__file__).parents[2]
# Programs by themselves, handed out as they are. Read at once: an image without them does not start.
_PROGRAMS: Final[dict[str, bytes]] = {
    Path(name).name: (_SERVICES / name).read_bytes()
    for name in (
        "audit/verify_transparency.py",
        "audit/verifier.py",
        "common/transparency.py",
        "common/transparency_pages.py",
    )
}
_FOR_ALL_TO_READ: Final = 0o644 << 16


def archive(answer: pb.GetReportResponse, name: str) -> bytes:
    """The folder `name` as a ZIP: what `platewarden transparency get` writes (ENF-051 IV.B.1)."""
    receipt = {RECEIPT: text_of(answer.receipt).encode()}
    at = words.moment(answer.report.publish_time).timetuple()[:6]
    made = io.BytesIO()
    with ZipFile(made, "w") as folder:
        for file, content in (files_of(answer.report.report) | receipt | _PROGRAMS).items():
            about = ZipInfo(f"{name}/{file}", at)
            about.external_attr, about.compress_type = _FOR_ALL_TO_READ, ZIP_DEFLATED
            folder.writestr(about, content)
    return made.getvalue()
