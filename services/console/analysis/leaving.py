"""Files that leave: made by search on record, given to the browser whole or not at all (III.B.3.m)."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.responses import Response

from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1 import report_service_pb2_grpc as rpc
from alpr.type.v1 import sensor_pb2
from alpr.type.v1.left_out_pb2 import LeftOut
from alpr.type.v1.notice_pb2 import Notice
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import DeadlineError, DependencyUnavailableError
from services.console.analysis.page import Analysis
from services.console.answers import attachment
from services.console.door import Person
from services.console.search import motor_carrier

_SECONDS: Final = 150.0
# The page has it in memory, some times over; evidence and reports have some megabytes.
_MOST_BYTES: Final = 64 * 1024 * 1024
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]|^\.+")
_TYPES: Final = frozenset(
    {"application/pdf", "application/zip", "application/geo+json", "text/csv", "text/html"}
)
_ANY_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Left:
    """A file that has left, with what every answer has."""

    file: pb.ExportedFile
    notice: Notice
    data: bytes
    has_more: bool = False

    @property
    def name(self) -> str:
        """Its name, of letters, digits, dots, dashes and underscores alone."""
        return _UNSAFE.sub("_", self.file.file_name) or "file"

    @property
    def media_type(self) -> str:
        """What it is, as far as it is one of those that leave."""
        essence = self.file.media_type.partition(";")[0]
        return essence if essence in _TYPES else _ANY_TYPE

    @property
    def text(self) -> str:
        """Its bytes as the page carries them (static/save.js)."""
        return base64.b64encode(self.data).decode()

    @property
    def question_receipt(self) -> AuditReceipt:
        """Proof of the question."""
        return self.file.question_receipt

    @property
    def outcome_receipt(self) -> AuditReceipt:
        """Proof of the answer."""
        return self.file.outcome_receipt

    @property
    def searched_from(self) -> Timestamp:
        """Start of the window that was searched."""
        return self.file.searched_from

    @property
    def searched_to(self) -> Timestamp:
        """Its end."""
        return self.file.searched_to

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What was not looked at."""
        return self.file.left_out


@dataclass(frozen=True, slots=True)
class Leaving(Analysis):
    """A question whose answer is a file."""

    async def _shown(self, person: Person, answer: Left | None, values: dict[str, Any]) -> Response:
        """The page with the file in it; the file by itself for a browser that runs no scripts."""
        if answer is not None and person.field("plain"):
            return attachment(answer.data, answer.name, answer.media_type)
        # Not super(): classes with slots are made twice, and it would be of the first.
        return await Analysis._shown(self, person, answer, values)


async def received(person: Person, name: str, request: Any) -> Left:
    """The file of that method of ReportService, once all of it is here.

    Raises:
        AlprError: The service's, or that the file did not come whole.
    """
    described, notice, data = pb.ExportedFile(), Notice(), bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for message in person.stream(rpc.ReportServiceStub, name, request):
                if message.WhichOneof("part") == "file":
                    described, notice = message.file, message.notice
                else:
                    data += message.data
                if max(len(data), described.size_bytes) > _MOST_BYTES:
                    raise DependencyUnavailableError("the file is too large for a page; use the command line")
    except TimeoutError:
        raise DeadlineError("the file took too long; ask for less") from None
    if sha256(data).digest() != described.sha256:
        raise DependencyUnavailableError("the file did not arrive whole; ask again")
    return Left(described, notice, bytes(data))


def data_set(person: Person) -> sensor_pb2.Partition.ValueType:
    """The data set that the form is about."""
    apart = motor_carrier.is_meant(person)
    return sensor_pb2.PARTITION_MOTOR_CARRIER if apart else sensor_pb2.PARTITION_GENERAL
