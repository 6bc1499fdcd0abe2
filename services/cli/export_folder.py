"""The folder of a full export: its pages as they come, tables, manifest, and the seal by the log."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from alpr.search.v1 import export_service_pb2 as pb
from alpr.search.v1 import export_service_pb2_grpc as rpc
from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.sensor_pb2 import Partition
from services.audit import verify_department
from services.audit.department_pages import House
from services.audit.export_tables import table_of
from services.audit.verify_department import files_below
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.session import PATIENCE_SECONDS, Session, is_passing
from services.common.errors import AlprError
from services.common.receipts import receipt_to_json

_Page = TypeVar("_Page")
_PAUSE_SECONDS: Final = 0.5
Where: TypeAlias = Partition.ValueType


def new_folder(out: Path) -> None:
    """Makes the folder.

    Raises:
        CommandError: It cannot be made, or has something in it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise CommandError(f"{out} is not empty; name a new folder")
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}") from None


def write_tables(out: Path) -> None:
    """Writes the table of every page and list beside it."""
    for name in sorted(files_below(out)):
        path = out / name
        if path.suffix == ".jsonl":
            path.with_suffix(".csv").write_bytes(table_of(path.read_bytes()))


def manifest_of(out: Path, not_included: list[str], house: House) -> dict[str, Any]:
    """Which files the export has, each with its SHA-256."""
    return {
        "format": house.format,
        "not_included": not_included,
        "files": [
            {
                "name": name,
                "sha256": sha256((out / name).read_bytes()).hexdigest(),
                "size_bytes": (out / name).stat().st_size,
            }
            for name in sorted(files_below(out))
        ],
    }


def manifest_bytes(document: dict[str, Any]) -> bytes:
    """The manifest as it is written."""
    return (json.dumps(document, indent=1) + "\n").encode()


async def received(
    session: Session, method: Any, request: Any, receive: Callable[[AsyncIterator[Any]], Awaitable[_Page]]
) -> _Page:
    """The page that `receive` makes of the stream; one that breaks off is asked for anew, for a while.

    Raises:
        AlprError: The person may not have it, or a service stays away.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        # A page that broke off may have left: the next one is a question of its own, on record as well.
        request.request_id = new_request_id()
        try:
            return await receive(session.stream(method, request))
        except AlprError as error:
            if not is_passing(error) or time.monotonic() > give_up:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def seal(
    session: Session,
    justification: Justification,
    out: Path,
    not_included: list[str],
    house: tuple[House, Where],
) -> None:
    """Writes the manifest with the proof that it stands in the log; nothing of it is there before.

    Raises:
        AlprError: The person may not export, or a service does not answer.
    """
    document = manifest_of(out, not_included, house[0])
    manifest = manifest_bytes(document)
    stub = rpc.ExportServiceStub(session.channel("search"))
    request = pb.SealExportRequest(
        request_id=new_request_id(),
        justification=justification,
        manifest_sha256=sha256(manifest).digest(),
        file_count=len(document["files"]),
        size_bytes=sum(one["size_bytes"] for one in document["files"]),
        partition=house[1],
    )
    answer = await session.call(stub.SealExport, request)
    receipts = {"seal": receipt_to_json(answer.seal_receipt)}
    (out / verify_department.SEAL).write_text(json.dumps(receipts, indent=1) + "\n", encoding="utf-8")
    (out / verify_department.MANIFEST).write_bytes(manifest)
