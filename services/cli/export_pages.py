"""Pages of a full export as they come from a service, written to files that `export verify` proves."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from alpr.alerts.v1 import export_service_pb2 as alerts_pb
from alpr.alerts.v1 import export_service_pb2_grpc as alerts_rpc
from alpr.matcher.v1 import export_service_pb2 as lists_pb
from alpr.matcher.v1 import export_service_pb2_grpc as lists_rpc
from alpr.type.v1.exported_page_pb2 import ExportedPage
from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL
from services.audit.department_pages import ALERT_PARTS, APART_ALERT_PARTS
from services.cli.export_folder import Where, received
from services.cli.locate import CommandError
from services.cli.session import Session
from services.common.errors import AlprError
from services.common.receipts import receipt_to_json

_ENTRIES_A_PAGE = 5000
_ENDINGS = {b"\xff\xd8\xff": "jpg", b"\x89PN": "png"}


async def export_kept(
    session: Session, justification: Justification, out: Path, partition: Where, *, pictures: bool
) -> tuple[dict[str, int], list[str]]:
    """How many alerts, hot lists and entries are in `out` now, and names of what the person may not have."""
    counts: dict[str, int] = {}
    refused: list[str] = []
    parts: tuple[tuple[str, Callable[[], Awaitable[Mapping[str, int]]]], ...] = (
        ("alerts", lambda: _alerts(session, justification, out, partition, pictures=pictures)),
        ("hot_lists", lambda: _hot_lists(session, justification, out)),
    )
    # Lists are one for both data sets, and no read is in them.
    for name, part in parts if partition == PARTITION_GENERAL else parts[:1]:
        try:
            counts.update(await part())
        except AlprError as error:
            # A part that broke off would look like a whole one that was tampered with.
            shutil.rmtree(out / name, ignore_errors=True)
            refused.append(f"{name} ({error.code.name})")
    return counts, refused


async def _alerts(
    session: Session, justification: Justification, out: Path, partition: Where, *, pictures: bool
) -> Mapping[str, int]:
    stub = alerts_rpc.AlertExportServiceStub(session.channel("alerts"))
    counts = {}
    for name in ALERT_PARTS if partition == PARTITION_GENERAL else APART_ALERT_PARTS:
        request = alerts_pb.ExportAlertsRequest(
            justification=justification,
            with_pictures=pictures,
            part=alerts_pb.AlertPart.Value(f"ALERT_PART_{name.upper()}"),
            partition=partition,
        )
        folder = "alerts" if name == "alerts" else f"alerts/{name}"
        words = name.replace("_", " ")
        counts[words] = await export_pages(session, stub.ExportAlerts, request, out, folder)
    return counts


async def _hot_lists(session: Session, justification: Justification, out: Path) -> Mapping[str, int]:
    stub = lists_rpc.HotListExportServiceStub(session.channel("matcher"))

    async def pages(folder: str, part: lists_pb.HotListPart.ValueType, hot_list_id: str = "") -> int:
        request = lists_pb.ExportHotListsRequest(
            justification=justification, part=part, hot_list_id=hot_list_id, page_size=_ENTRIES_A_PAGE
        )
        return await export_pages(session, stub.ExportHotLists, request, out, f"hot_lists/{folder}")

    lists = await pages("lists", lists_pb.HOT_LIST_PART_LISTS)
    entries = 0
    for hot_list_id in _lists_with_entries(out / "hot_lists" / "lists"):
        entries += await pages(hot_list_id, lists_pb.HOT_LIST_PART_ENTRIES, hot_list_id)
    local = await pages("local", lists_pb.HOT_LIST_PART_LOCAL_ENTRIES)
    refused = await pages("quarantined", lists_pb.HOT_LIST_PART_QUARANTINED_UPLOADS)
    findings = await pages("findings", lists_pb.HOT_LIST_PART_FINDINGS)
    tuning = await pages("tuning", lists_pb.HOT_LIST_PART_TUNING)
    return {
        "hot lists": lists,
        "entries of hot lists": entries,
        "entries of local lists": local,
        "uploads in quarantine": refused,
        "findings about rows": findings,
        "changes of budgets": tuning,
    }


def _lists_with_entries(folder: Path) -> Iterator[str]:
    for page in sorted(folder.glob("*.jsonl")):
        for line in page.read_text(encoding="utf-8").split("\n")[1:]:
            if line and json.loads(line)["latest_version"]:
                yield str(UUID(json.loads(line)["hot_list_id"]))


async def export_pages(session: Session, method: Any, request: Any, out: Path, name: str) -> int:
    """The number of records below `out`/`name`, once every page of them is there.

    Raises:
        AlprError: The person may not have them, or a service does not answer.
        CommandError: Something did not arrive as it was announced.
    """
    count, number, more = 0, 0, True
    while more:
        number += 1
        receive = partial(receive_page, out=out, name=name, number=number)
        page = await received(session, method, request, receive)
        count += page.row_count
        more = page.has_more
        request.after, request.until = page.last, page.until
    return count


async def receive_page(stream: AsyncIterator[Any], out: Path, name: str, number: int) -> ExportedPage:
    """What the page is, once it, its receipts and its pictures are in `out`.

    Raises:
        CommandError: Something did not arrive as it was announced.
    """
    page, day, wanted, data = ExportedPage(), "", b"", bytearray()

    def finish() -> None:
        if sha256(data).digest() != wanted:
            raise CommandError("the export did not arrive whole; begin again")
        ending = _ENDINGS.get(bytes(data[:3]), "bin")
        picture = out / "pictures" / day / f"{wanted.hex()}.{ending}"
        target = picture if day else out / name / f"{number:06}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    async for message in stream:
        part = message.WhichOneof("part")
        if part == "data":
            data += message.data
        elif part == "picture":
            finish()
            # The service's words name no file of ours: a day and a hash in digits.
            day = "".join(one for one in message.picture.day if one.isdigit() or one == "-") or "-"
            wanted, data = message.picture.sha256, bytearray()
        else:
            page, wanted = message.page, message.page.sha256
    finish()
    receipts = {"look": receipt_to_json(page.look_receipt), "leaving": receipt_to_json(page.leaving_receipt)}
    path = out / name / f"{number:06}.receipts.json"
    path.write_text(json.dumps(receipts, indent=1) + "\n", encoding="utf-8")
    return page
