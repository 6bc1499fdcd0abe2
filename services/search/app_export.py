"""Use case: a page of everything that the agency owns, in open formats (ENF-051 IV.A.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

import structlog

from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import NotFoundError
from services.common.identity import AccessToken
from services.search.app_read import Images
from services.search.core.answer import Authorization, FoundRead, StoredImage
from services.search.departures import Departed, Departure, Departures, ForWhom
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

log = structlog.get_logger()


class Keys(Protocol):
    """Where the page's permit is exchanged for keys (services.search.store_report_pictures)."""

    async def of_export(
        self, authorization: Authorization, page_size: int, put: Put, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The pictures of the page, by read."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A page of the export as it was asked for; times in UTC, None where left out."""

    request_id: UUID
    token: AccessToken
    justification: Justification
    from_time: datetime | None
    to_time: datetime | None
    page_size: int
    after_read_id: UUID | None
    first_question_id: str
    with_pictures: bool
    for_whom: ForWhom


@dataclass(frozen=True, slots=True)
class ExportPage:
    """The page as a file, how its leaving is recorded, and the pictures that go with it."""

    data: bytes
    reads: tuple[FoundRead, ...]
    answered: Answered
    departed: Departed
    images: tuple[StoredImage, ...]


class Exports:
    """Asks for a page by the question road, writes it down, and lets it leave."""

    def __init__(
        self,
        road: QuestionRoad,
        sources: tuple[Keys, Images],
        departures: Departures,
        write: Callable[[Answered, list[FoundRead], UUID | None], bytes],
    ) -> None:
        """`write` makes the file of a page from its answer, its reads, and the read that it begins after."""
        self._road = road
        self._keys, self._images = sources
        self._departures = departures
        self._write = write

    async def page(self, request: ExportRequest) -> ExportPage:
        """The page, once question, answer and leaving are recorded.

        Raises:
            AlprError: As `QuestionRoad.ask` and `Departures.leave`.
        """
        asked = _road_request(request)
        answered = await self._road.ask(asked)
        reads = await self._road.reads(answered)
        images: dict[bytes, StoredImage] = {}
        if request.with_pictures:
            found = await self._keys.of_export(answered.authorization, asked.page_size, asked.put, reads)
            images = {image.sha256: image for image in found.values()}
        data = self._write(answered, reads, request.after_read_id)
        departed = await self._departures.leave(_departure(request, answered, reads, data))
        return ExportPage(data, tuple(reads), answered, departed, tuple(images.values()))

    async def pictures(self, page: ExportPage) -> AsyncIterator[tuple[StoredImage, bytes]]:
        """The page's pictures, each once; one that is not in the store is left out.

        Raises:
            StorageUnavailableError: The store cannot be read at the moment.
        """
        for image in page.images:
            try:
                yield image, await self._images.load(image)
            except NotFoundError:
                log.warning("picture_not_exported", day=image.day.isoformat())


def _road_request(request: ExportRequest) -> RoadRequest:
    return RoadRequest(
        request_id=str(request.request_id),
        token=request.token,
        justification=request.justification,
        kind="export",
        arguments=(
            ("pictures", "yes" if request.with_pictures else "no"),
            ("after_read_id", str(request.after_read_id or "")),
        ),
        from_time=request.from_time,
        to_time=request.to_time,
        page_size=request.page_size,
        first_authorization_id=request.first_question_id,
        put=Put("find_export", (request.with_pictures, request.after_read_id)),
        # What partners share is theirs.
        own_agency_only=True,
    )


def _departure(request: ExportRequest, answered: Answered, reads: list[FoundRead], data: bytes) -> Departure:
    captured = [read.capture_time for read in reads]
    return Departure(
        request_id=request.request_id,
        token=request.token,
        justification=request.justification,
        for_whom=request.for_whom,
        action="dissemination.everything",
        kind="EXPORT",
        format="JSONL",
        question_entry_id=UUID(answered.authorization.authorization_id),
        sha256=sha256(data).digest(),
        size_bytes=len(data),
        read_ids=tuple(read.read_id for read in reads),
        first_capture=min(captured, default=None),
        last_capture=max(captured, default=None),
        # The agency keeps its own data by its own rules.
        due_time=None,
        details={"pictures": "yes" if request.with_pictures else "no"},
    )
