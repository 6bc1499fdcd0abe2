"""Use case: a report on reads, as a file that leaves on record (ENF-051 IV.C.3, III.B.3.m)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol
from uuid import UUID

import structlog

from alpr.type.v1.justification_pb2 import CaseNumberKind, Justification
from services.common.canonical import argument_value
from services.common.clock import Clock
from services.common.errors import NotFoundError
from services.common.identity import AccessToken
from services.search.app_read import Boxes, Images
from services.search.core.answer import Authorization, FoundRead, StoredImage, left_out_text
from services.search.core.pictures import PictureError, Pictures, crop_and_overview
from services.search.core.redaction import COUNTS, redacted
from services.search.core.report import NO_PICTURES, LogEntry, Mark, Report, ReportedRead, Why
from services.search.departures import Departed, Departure, Departures, ForWhom
from services.search.report_forms import Form
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

log = structlog.get_logger()

_AT_ONCE: Final = 2


class Keys(Protocol):
    """Where the report's permit is exchanged for keys (services.search.store_report_pictures)."""

    async def of_report(
        self, authorization: Authorization, page_size: int, put: Put, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The pictures of the first reads, by read."""


class DueTimes(Protocol):
    """Where it is known how long files may be kept (services.search.store_register)."""

    async def usual_due_time(self) -> datetime:
        """When a file that leaves now must be deleted, if nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a report says beside its reads: the notice, and the state of verification."""

    notice: str
    verification_state: str


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report as it was asked for."""

    request_id: UUID
    token: AccessToken
    justification: Justification
    read_ids: tuple[UUID, ...]
    form: Form
    picture_count: int
    caption: str
    found_by: str
    for_whom: ForWhom
    due_to_delete: datetime | None


@dataclass(frozen=True, slots=True)
class ReportFile:
    """The file, and how its leaving is recorded."""

    data: bytes
    answered: Answered
    departed: Departed
    read_count: int
    due_time: datetime


class PictureSource:
    """Pictures of reads for people, from keys that a permit gave."""

    def __init__(self, images: Images, box_of: Boxes) -> None:
        self._images = images
        self._box_of = box_of
        # A picture takes up to 300 MB while it is decoded.
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def stored(self, image: StoredImage) -> bytes:
        """The picture as the sensor sent it.

        Raises:
            NotFoundError: It is not there.
            StorageUnavailableError: It cannot be read at the moment.
        """
        return await self._images.load(image)

    async def pictures(self, image: StoredImage) -> Pictures:
        """Crop and overview; none of a picture that is gone or that nobody can decode.

        Raises:
            StorageUnavailableError: It cannot be read at the moment.
        """
        async with self._turns:
            try:
                return await self.of(await self._images.load(image), image)
            except NotFoundError:
                return NO_PICTURES

    async def of(self, stored: bytes, image: StoredImage) -> Pictures:
        """Crop and overview of a stored picture; none of one that nobody can decode."""
        try:
            return await asyncio.to_thread(crop_and_overview, stored, self._box_of(image.recognition))
        except PictureError as error:
            log.warning("picture_not_decoded", error=str(error))
            return NO_PICTURES


@dataclass(frozen=True, slots=True)
class ReportSources:
    """Where the parts of a report come from."""

    keys: Keys
    pictures: PictureSource
    due_times: DueTimes
    wording: Wording


class Reports:
    """Asks for reads by the question road, makes the file, and lets it leave."""

    def __init__(
        self, road: QuestionRoad, sources: ReportSources, departures: Departures, clock: Clock
    ) -> None:
        self._road = road
        self._sources = sources
        self._departures = departures
        self._clock = clock
        # A PDF of a thousand reads takes seconds of one core; questions shall not wait for two of them.
        self._turn = asyncio.Lock()

    async def export(self, request: ReportRequest) -> ReportFile:
        """The file, once question, answer and leaving are recorded.

        Raises:
            AlprError: As `QuestionRoad.ask` and `Departures.leave`.
        """
        asked = _road_request(request)
        answered = await self._road.ask(asked)
        reads = await self._road.reads(answered)
        pictures = await self._pictures(request, asked, answered, reads)
        due_time = request.due_to_delete or await self._sources.due_times.usual_due_time()
        whole = self._report(request, answered, [_reported(read, pictures) for read in reads], due_time)
        report = redacted(whole, {one.field for one in request.for_whom.redactions})
        async with self._turn:
            data = await asyncio.to_thread(request.form.value.make, report)
        departed = await self._departures.leave(_departure(request, answered, reads, data, due_time))
        return ReportFile(data, answered, departed, len(reads), due_time)

    async def _pictures(
        self, request: ReportRequest, asked: RoadRequest, answered: Answered, reads: list[FoundRead]
    ) -> dict[UUID, Pictures]:
        if not request.picture_count:
            return {}
        stored = await self._sources.keys.of_report(answered.authorization, asked.page_size, asked.put, reads)
        shown = await asyncio.gather(*(self._sources.pictures.pictures(one) for one in stored.values()))
        return dict(zip(stored, shown, strict=True))

    def _report(
        self, request: ReportRequest, answered: Answered, reads: list[ReportedRead], due_time: datetime
    ) -> Report:
        authorization, receipts = answered.authorization, answered.receipts
        missing = len(request.read_ids) - len(reads)
        asked = (
            ("Caption", request.caption),
            (COUNTS[0], str(len(request.read_ids))),
            (COUNTS[1], f"{missing}: no longer kept, or not to be seen by this account" if missing else ""),
            ("Not looked at", left_out_text(authorization.left_out)),
        )
        return Report(
            title=_title(reads),
            asked=tuple((name, value) for name, value in asked if value),
            searched_from=authorization.from_time,
            searched_to=authorization.to_time,
            why=_why(request.justification),
            notice=self._sources.wording.notice,
            verification_state=self._sources.wording.verification_state,
            mark=Mark(
                account_id=authorization.account_id,
                question=LogEntry(receipts.question.entry_id, receipts.question.log_index),
                outcome=LogEntry(receipts.outcome.entry_id, receipts.outcome.log_index),
            ),
            made_time=self._clock.now(),
            recipient=request.for_whom.recipient.in_words(),
            due_to_delete=due_time,
            reads=tuple(reads),
        )


def _road_request(request: ReportRequest) -> RoadRequest:
    read_ids = ",".join(map(str, request.read_ids))
    return RoadRequest(
        request_id=str(request.request_id),
        token=request.token,
        justification=request.justification,
        kind="report",
        arguments=(
            ("pictures", str(request.picture_count)),
            ("read_ids", argument_value(read_ids)),
            ("caption", argument_value(request.caption)),
        ),
        from_time=None,
        to_time=None,
        page_size=len(request.read_ids),
        first_authorization_id=request.found_by,
        put=Put("find_report", (request.picture_count, read_ids, request.caption)),
    )


def _departure(
    request: ReportRequest, answered: Answered, reads: list[FoundRead], data: bytes, due_time: datetime
) -> Departure:
    captured = [read.capture_time for read in reads]
    return Departure(
        request_id=request.request_id,
        token=request.token,
        justification=request.justification,
        for_whom=request.for_whom,
        action=request.for_whom.recipient.kind.value,
        kind="REPORT",
        format=request.form.name,
        question_entry_id=UUID(answered.authorization.authorization_id),
        sha256=sha256(data).digest(),
        size_bytes=len(data),
        read_ids=tuple(read.read_id for read in reads),
        first_capture=min(captured, default=None),
        last_capture=max(captured, default=None),
        due_time=due_time,
        details={},
    )


def _reported(read: FoundRead, pictures: dict[UUID, Pictures]) -> ReportedRead:
    return ReportedRead(
        read_id=read.read_id,
        capture_time=read.capture_time,
        receive_time=read.receive_time,
        plate=read.plate,
        state=read.state or "",
        confidence=read.confidence,
        sensor_id=read.sensor_id,
        agency_ori=read.agency_ori,
        sensor_group=read.sensor_group,
        provenance=read.provenance,
        latitude=read.latitude,
        longitude=read.longitude,
        place=read.place,
        model_version=read.model_version,
        image_sha256=read.image_sha256,
        pictures=pictures.get(read.read_id, NO_PICTURES),
    )


def _title(reads: list[ReportedRead]) -> str:
    plates = {read.plate for read in reads}
    return f"Reads of plate {plates.pop()}" if len(plates) == 1 else f"Reads of {len(plates)} plates"


def _why(justification: Justification) -> Why:
    return Why(
        case_number_kind=CaseNumberKind.Name(justification.case_number_kind)
        .removeprefix("CASE_NUMBER_KIND_")
        .replace("_", " "),
        case_number=justification.case_number,
        outside_agency=justification.outside_agency,
        purpose=justification.purpose,
        offence_code=justification.offence_code,
    )
