"""Reads with pictures in the object store, and files that are made of them over the network."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import dissemination_pb2, report_service_pb2
from alpr.search.v1.dissemination_service_pb2_grpc import DisseminationServiceStub
from alpr.search.v1.report_service_pb2_grpc import ReportServiceStub
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.audit.config import read_signer
from services.common.errors import from_rpc_error
from services.common.imagecrypt import seal_image
from services.common.objects import FileObjectStore
from tests.support.audit_kit import ORI, Officer, justification
from tests.support.search_house import House
from tests.support.search_kit import archived_read, now
from tests.support.search_report import BOX, jpeg

OWN_USE = dissemination_pb2.Recipient(kind=dissemination_pb2.RECIPIENT_KIND_OWN_USE)


@dataclass
class Files:
    """What an export answered: the description, and the file."""

    file: report_service_pb2.ExportedFile = field(default_factory=report_service_pb2.ExportedFile)
    data: bytes = b""
    notice_text: str = ""


async def received(stream: AsyncIterator[Any]) -> Files:
    """The whole answer of an export."""
    files, parts = Files(), []
    async for message in stream:
        if message.HasField("notice"):
            files.notice_text = message.notice.text
        if message.WhichOneof("part") == "file":
            files.file = message.file
        else:
            parts.append(message.data)
    files.data = b"".join(parts)
    return files


@dataclass
class Leaving:
    """The house, an officer, and where pictures are."""

    house: House
    officer: Officer
    folder: Path

    @property
    def reports(self) -> Any:
        return self.house.person(ReportServiceStub)

    @property
    def register(self) -> Any:
        return self.house.person(DisseminationServiceStub)

    @property
    def log_key(self) -> str:
        """The line that a verifier needs."""
        settings = self.house.audit.settings
        return read_signer(settings.log_origin, settings.log_signing_key_file).verifier_key()

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a statement of the database's administrator."""
        connection = await asyncpg.connect(self.house.database.admin_url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def store(self, *reads: archive_pb.ArchivedRead) -> list[str]:
        """Ids of stored reads."""
        assert set(await self.house.store(*reads)) == {"STORED"}
        return [one.read.read_id for one in reads]

    async def pictured_read(self, captured: datetime | None = None, **named: Any) -> archive_pb.ArchivedRead:
        """A read whose picture is in the object store, as ocr puts it there; not stored yet."""
        captured = captured or now() - timedelta(minutes=1)
        message = archived_read(captured, **{"agency": ORI, "seed": str(uuid4()), **named})
        # Each read its own picture: a picture of a day has one key.
        read, picture = message.read, jpeg() + uuid4().bytes
        read.image.sha256, read.image.size_bytes = sha256(picture).digest(), len(picture)
        read.image.image_key = secrets.token_bytes(32)
        read.plate_box.x, read.plate_box.y = BOX.x, BOX.y
        read.plate_box.width, read.plate_box.height = BOX.width, BOX.height
        objects = FileObjectStore(self.folder / "images")
        sealed = seal_image(read.image.image_key, captured.date(), picture)
        await objects.put_new(f"days/{read.image.day}/{read.image.sha256.hex()}", sealed)
        return message

    def report_request(self, read_ids: list[str], **changes: Any) -> report_service_pb2.ExportReportRequest:
        """A complete request for a report."""
        usual = {
            "request_id": str(uuid4()),
            "justification": justification(),
            "read_ids": read_ids,
            "format": report_service_pb2.REPORT_FORMAT_CSV,
            "recipient": OWN_USE,
        }
        return report_service_pb2.ExportReportRequest(**{**usual, **changes})

    async def report(self, read_ids: list[str], by: Officer | None = None, **changes: Any) -> Files:
        """A report, received."""
        request = self.report_request(read_ids, **changes)
        metadata = (by or self.officer).metadata
        return await received(self.reports.ExportReport(request, metadata=metadata, timeout=30))

    async def evidence(self, read_id: str, by: Officer | None = None, **changes: Any) -> Files:
        """An evidence package, received."""
        usual = {
            "request_id": str(uuid4()),
            "justification": justification(),
            "read_id": read_id,
            "report_number": "RPT-26-1",
            "evidence_system": "Evidence.com",
        }
        request = report_service_pb2.ExportEvidenceRequest(**{**usual, **changes})
        metadata = (by or self.officer).metadata
        return await received(self.reports.ExportEvidence(request, metadata=metadata, timeout=30))


def agency(**changes: Any) -> dissemination_pb2.Recipient:
    """Another law enforcement agency of the state, complete."""
    usual = {
        "kind": dissemination_pb2.RECIPIENT_KIND_LAW_ENFORCEMENT,
        "agency_ori": "ILCPD0001",
        "organisation": "Cook County Sheriff",
        "person": "Det. A. Example",
        "purpose": "homicide investigation in their county",
    }
    return dissemination_pb2.Recipient(**{**usual, **changes})


def refusal(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, set[str]]:
    """Code and fields of a refusal."""
    typed = from_rpc_error(error)
    return typed.code, {one.field for one in typed.violations}


def opened(receipt: AuditReceipt) -> dict[str, str]:
    """The fields of a log entry by name."""
    return {one.name: one.value for one in receipt.fields}
