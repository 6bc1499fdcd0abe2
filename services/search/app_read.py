"""Use cases: one read, and its picture; each a question of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog

from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import NotFoundError
from services.common.identity import AccessToken
from services.search.audit_gateway import Receipts
from services.search.core.answer import Authorization, FoundRead, StoredImage, left_out_text
from services.search.core.pictures import PictureError, Pictures, PlateBox, crop_and_overview
from services.search.road import Answered, Put, QuestionRoad, RoadRequest

log = structlog.get_logger()

# A picture of 50 megapixels takes 300 MB while it is cut.
_CUT_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Which read, by whom and why."""

    request_id: str
    token: AccessToken
    justification: Justification
    read_id: UUID


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """A read with the proof that question and outcome stand in the log."""

    read: FoundRead
    receipts: Receipts
    authorization: Authorization


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """A read's picture, as stored and as people look at it, with the proof."""

    image: StoredImage
    original: bytes
    pictures: Pictures
    receipts: Receipts
    authorization: Authorization


class ImageKeys(Protocol):
    """Where permits are exchanged for keys of pictures (services.search.store_image)."""

    async def image_of(self, authorization: Authorization, read_id: UUID) -> StoredImage | None:
        """The picture of the read, None when it is not in the permit's scope."""


class Images(Protocol):
    """Where pictures are opened (services.search.images)."""

    async def load(self, image: StoredImage) -> bytes:
        """The picture."""


class Boxes(Protocol):
    """What the recogniser said of the plate's place (services.search.wire_search)."""

    def __call__(self, recognition: bytes) -> PlateBox | None:
        """The plate's box in the picture, None when nobody said."""


class OneRead:
    """Asks for a read or its picture by the question road."""

    def __init__(self, road: QuestionRoad, keys: ImageKeys, images: Images, box_of: Boxes) -> None:
        self._road = road
        self._keys = keys
        self._images = images
        self._box_of = box_of
        self._cutting = asyncio.Semaphore(_CUT_AT_ONCE)

    async def read(self, request: ReadRequest) -> ReadAnswer:
        """The read.

        Raises:
            NotFoundError: It is not kept, or not one that the person may see; that, too, is recorded.
            AlprError: As `QuestionRoad.ask`.
        """
        answered = await self._ask(request, "read", "find_read")
        reads = await self._road.reads(answered)
        if not reads:
            raise not_found(request.read_id, answered)
        return ReadAnswer(reads[0], answered.receipts, answered.authorization)

    async def image(self, request: ReadRequest) -> ImageAnswer:
        """The read's picture.

        Raises:
            NotFoundError: The read is not kept or not one that the person may see, or its picture is gone.
            StorageUnavailableError: The picture cannot be read at the moment.
            AlprError: As `QuestionRoad.ask`.
        """
        answered = await self._ask(request, "image", "find_image")
        image = await self._keys.image_of(answered.authorization, request.read_id)
        if image is None:
            raise not_found(request.read_id, answered)
        # What fails from here on stands in the log as having left: it may say too much, never too little.
        original = await self._images.load(image)
        return ImageAnswer(
            image=image,
            original=original,
            pictures=await self._pictures(image, original),
            receipts=answered.receipts,
            authorization=answered.authorization,
        )

    async def _pictures(self, image: StoredImage, original: bytes) -> Pictures:
        """Crop and overview; none of a picture that nobody can decode, which is still evidence as it is."""
        try:
            async with self._cutting:
                return await asyncio.to_thread(crop_and_overview, original, self._box_of(image.recognition))
        except PictureError as error:
            log.warning("picture_not_decoded", error=str(error))
            return Pictures(b"", b"")

    async def _ask(self, request: ReadRequest, kind: str, function: str) -> Answered:
        return await self._road.ask(
            RoadRequest(
                request_id=request.request_id,
                token=request.token,
                justification=request.justification,
                kind=kind,
                arguments=(("read_id", str(request.read_id)),),
                from_time=None,
                to_time=None,
                page_size=1,
                first_authorization_id="",
                put=Put(function, (request.read_id,)),
            )
        )


def not_found(read_id: UUID, answered: Answered) -> NotFoundError:
    """No such read, or one that the question was not allowed to look at; it says what it did not look at."""
    left_out = left_out_text(answered.authorization.left_out)
    return NotFoundError(
        "no such read is kept, or it is not one that you may see",
        resource=str(read_id),
        metadata={"left_out": left_out} if left_out else {},
    )
