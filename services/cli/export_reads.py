"""Reads of a full export as search gives them: of the archive, of what holds have kept, and evidence."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from alpr.search.v1 import export_service_pb2 as export_pb
from alpr.search.v1 import export_service_pb2_grpc as export_rpc
from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from alpr.search.v1 import retention_service_pb2 as held_pb
from alpr.search.v1 import retention_service_pb2_grpc as held_rpc
from alpr.type.v1.justification_pb2 import Justification
from services.cli.export_folder import Where, received
from services.cli.locate import CommandError
from services.cli.options import new_request_id
from services.cli.session import Session
from services.common.errors import AlprError, NotFoundError
from services.common.receipts import receipt_to_json

_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}
_HELD_A_PAGE = 1000


@dataclass(frozen=True)
class Wanted:
    """What is exported, why, and into which folder."""

    session: Session
    justification: Justification
    out: Path
    partition: Where
    pictures: bool


async def export_reads(wanted: Wanted, page_size: int) -> int:
    """The number of reads, page by page; every page of the window that the first one got.

    Raises:
        AlprError: The person may not have them, or a service does not answer.
        CommandError: Something did not arrive as it was announced.
    """
    stub = rpc.ReportServiceStub(wanted.session.channel("search"))
    request = pb.ExportReadsRequest(
        justification=wanted.justification,
        page_size=page_size,
        with_pictures=wanted.pictures,
        partition=wanted.partition,
    )
    count, number, more = 0, 0, True
    while more:
        number += 1
        receive = partial(receive_page, out=wanted.out, number=number)
        page = await received(wanted.session, stub.ExportReads, request, receive)
        count += page.read_count
        # A page that is not full proves the end, if need be an empty one.
        more = page.read_count == page_size
        request.after_read_id = page.last_read_id or request.after_read_id
        if number == 1:
            request.first_question_id = page.question_receipt.entry_id
            getattr(request, "from").CopyFrom(page.searched_from)
            request.to.CopyFrom(page.searched_to)
    return count


async def export_held(wanted: Wanted, hold_id: str) -> int:
    """The number of reads that a hold has kept. Errors as for `export_reads`."""
    stub = export_rpc.ExportServiceStub(wanted.session.channel("search"))
    request = export_pb.ExportHeldReadsRequest(
        justification=wanted.justification,
        hold_id=hold_id,
        page_size=_HELD_A_PAGE,
        partition=wanted.partition,
    )
    name = f"held/{UUID(hold_id)}"
    count, number, more = 0, 0, True
    while more:
        number += 1
        receive = partial(receive_page, out=wanted.out, number=number, name=name)
        page = await received(wanted.session, stub.ExportHeldReads, request, receive)
        count += page.read_count
        more = page.read_count == _HELD_A_PAGE
        request.after_read_id = page.last_read_id or request.after_read_id
        if wanted.pictures:
            await _held_pictures(wanted, hold_id, wanted.out / name / f"{number:06}.jsonl")
    return count


async def _held_pictures(wanted: Wanted, hold_id: str, page: Path) -> None:
    """Writes the pictures of a page; the verifier counts those that the hold does not have."""
    stub = held_rpc.RetentionServiceStub(wanted.session.channel("search"))
    for read in records_of(page, first=1):
        request = held_pb.GetHeldReadImageRequest(
            request_id=new_request_id(),
            justification=wanted.justification,
            hold_id=hold_id,
            read_id=read["read"]["read_id"],
            partition=wanted.partition,
        )
        try:
            answer = await wanted.session.call(stub.GetHeldReadImage, request)
        except NotFoundError:
            continue
        _write_picture(
            wanted.out,
            read["read"]["image"]["day"],
            (sha256(answer.image).digest(), answer.media_type),
            answer.image,
        )


async def export_evidence(wanted: Wanted) -> tuple[int, list[str]]:
    """How many packages of the list are in `out` now, and names of those that the person may not have."""
    stub = rpc.ReportServiceStub(wanted.session.channel("search"))
    count, refused = 0, []
    for one in records_of(wanted.out / "evidence.jsonl"):
        evidence_id = str(UUID(one["evidence_id"]))
        request = pb.GetEvidenceRequest(
            justification=wanted.justification,
            evidence_id=evidence_id,
            partition=wanted.partition,
        )
        target = wanted.out / "evidence" / f"{evidence_id}.zip"
        target.parent.mkdir(exist_ok=True)
        try:
            package = await received(wanted.session, stub.GetEvidence, request, _bytes_of)
        except AlprError as error:
            refused.append(f"evidence {evidence_id} ({error.code.name})")
            continue
        target.write_bytes(package)
        count += 1
    return count, refused


async def _bytes_of(stream: AsyncIterator[Any]) -> bytes:
    return b"".join([part.data async for part in stream])


def records_of(path: Path, first: int = 0) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file from line `first` on; none when there is no such file."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").split("\n")[first:]:
            if line:
                yield json.loads(line)


async def receive_page(
    stream: AsyncIterator[Any], out: Path, number: int, name: str = "reads"
) -> pb.ExportedFile:
    """What the page is, once it and its pictures are in `out`, the page below `name`.

    Raises:
        CommandError: Something did not arrive as it was announced.
    """
    page, picture = pb.ExportedFile(), pb.ExportedPicture()
    wanted, data = b"", bytearray()

    def finish() -> None:
        if sha256(data).digest() != wanted:
            raise CommandError("the export did not arrive whole; begin again")
        if picture.sha256:
            _write_picture(out, picture.day, (picture.sha256, picture.media_type), bytes(data))
            return
        target = out / name / f"{number:06}.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    async for message in stream:
        part = message.WhichOneof("part")
        if part == "data":
            data += message.data
        elif part == "picture":
            finish()
            picture, wanted, data = message.picture, message.picture.sha256, bytearray()
        else:
            page, wanted = message.file, message.file.sha256
    finish()
    receipts = {
        "question": receipt_to_json(page.question_receipt),
        "outcome": receipt_to_json(page.outcome_receipt),
        "dissemination": receipt_to_json(page.dissemination_receipt),
    }
    path = out / name / f"{number:06}.receipts.json"
    path.write_text(json.dumps(receipts, indent=1) + "\n", encoding="utf-8")
    return page


def _write_picture(out: Path, day: str, about: tuple[bytes, str], data: bytes) -> None:
    """`about` is its SHA-256 and its media type."""
    digest, media_type = about
    # The service's words name no file of ours: a day and a hash in digits.
    day = "".join(one for one in day if one.isdigit() or one == "-") or "-"
    target = out / "pictures" / day / f"{digest.hex()}.{_ENDINGS.get(media_type, 'bin')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
