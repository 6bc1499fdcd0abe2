"""Use case: pictures for the hits of a look-back, each opened on record (ENF-051 II.D, IV.E.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog

from services.common.canonical import ArchiveQuestion
from services.common.errors import AuditUnavailableError, NotFoundError, StorageUnavailableError
from services.search.app_read import Boxes, Images
from services.search.audit_gateway import Receipts
from services.search.core.answer import AnswerSummary, Authorization, StoredImage, rows_digest
from services.search.core.look_back_pictures import LookBackPictureQuestion, pictures_of
from services.search.core.pictures import Pictures
from services.search.errors import PermitRefusedError
from services.search.failure_reports import FailureReports
from services.search.road import Put

log = structlog.get_logger()

_NOTHING: Final = Pictures(b"", b"")


class Audit(Protocol):
    """Where the question is authorized and its end recorded (services.search.audit_gateway)."""

    async def authorize_look_back_pictures(
        self, request_id: str, question: LookBackPictureQuestion
    ) -> Authorization:
        """Audit's permission, in the name of who changed the hot list."""

    async def record_outcome(self, authorization: Authorization, answer: AnswerSummary) -> Receipts:
        """Receipts, once it is in the log that these pictures leave."""

    async def record_failure(self, authorization: Authorization) -> None:
        """Returns when it is in the log that the question failed."""


class Questions(Protocol):
    """Where questions are put (services.search.store_question)."""

    async def put(self, authorization: Authorization, question: ArchiveQuestion, put: Put) -> AnswerSummary:
        """The summary of the answer, once the use of the permit is on disk."""


class Keys(Protocol):
    """Where permits are exchanged for keys of pictures (services.search.store_look_back_pictures)."""

    async def take(self, authorization: Authorization) -> list[tuple[UUID, StoredImage]]:
        """Read and picture, by read id."""


@dataclass(frozen=True, slots=True)
class ReadPictures:
    """Crop and overview of one read, JPEG; empty where the image is gone."""

    read_id: UUID
    pictures: Pictures


@dataclass(frozen=True, slots=True)
class PictureSources:
    """What stands between a permit and a picture."""

    questions: Questions
    keys: Keys
    images: Images
    box_of: Boxes


class LookBackPictures:
    """Audit first, then the archive, then audit again, then the object store; one picture at a time.

    Args:
        audit: Says whether they may be opened.
        sources: Of the archive.
        motor_carrier: Of the Motor Carrier Safety data set (ENF-051 II.H).
    """

    def __init__(self, audit: Audit, sources: PictureSources, motor_carrier: PictureSources) -> None:
        self._audit = audit
        self._sources = {False: sources, True: motor_carrier}
        self._failures = FailureReports(audit)

    async def of_reads(
        self, request_id: str, question: LookBackPictureQuestion
    ) -> AsyncIterator[ReadPictures]:
        """The pictures of the reads that there are, by read id; audit has recorded question and outcome.

        Raises:
            AlprError: Audit's refusal, unchanged: it knows of no such act.
            AuditUnavailableError: Audit did not record the question or its outcome, or gave a permit that the
                database refuses. Nothing was given out.
            StorageUnavailableError: Archive or object store did not answer.
        """
        authorization = await self._audit.authorize_look_back_pictures(request_id, question)
        try:
            answer = await self._put(authorization, question)
            await self._audit.record_outcome(authorization, answer)
        except BaseException:
            # Also when the matcher goes away. The question stands in the log; its end shall too.
            self._failures.report(authorization)
            raise
        sources = self._sources[question.motor_carrier]
        found = await sources.keys.take(authorization)
        if rows_digest(read_id for read_id, _ in found) != answer.rows_digest:
            raise StorageUnavailableError("the answer changed while it was being given; ask again")
        for read_id, image in found:
            yield ReadPictures(read_id, await _pictures(sources, image))

    async def close(self) -> None:
        """Returns when audit has been told of the failures that are still on their way to it."""
        await self._failures.close()

    async def _put(self, authorization: Authorization, question: LookBackPictureQuestion) -> AnswerSummary:
        arguments = question.arguments
        asked = ArchiveQuestion(
            question.kind, authorization.from_time, authorization.to_time, len(question.read_ids), arguments
        )
        put = Put(f"find_{question.kind}", tuple(value for _, value in arguments))
        try:
            return await self._sources[question.motor_carrier].questions.put(authorization, asked, put)
        except PermitRefusedError as error:
            log.exception("permit_refused", authorization_id=authorization.authorization_id)
            raise AuditUnavailableError(
                "the archive does not accept the audit service's permit, so nothing was asked; try again"
            ) from error


async def _pictures(sources: PictureSources, image: StoredImage) -> Pictures:
    try:
        original = await sources.images.load(image)
    except NotFoundError:
        # A hit without a picture is better than none.
        return _NOTHING
    return await asyncio.to_thread(pictures_of, original, sources.box_of(image.recognition))
