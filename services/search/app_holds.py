"""Use cases: legal holds, and what they keep (ENF-051 IV.E.3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from alpr.type.v1.justification_pb2 import Justification
from services.common.canonical import argument_value
from services.common.errors import AlprError, AuditUnavailableError, NotFoundError, StorageUnavailableError
from services.common.identity import AccessToken
from services.search.acts import ActPlan, Acts, Intent
from services.search.app_read import not_found
from services.search.audit_gateway import Receipts
from services.search.core.answer import FoundRead, rows_digest
from services.search.core.hold_seal import HoldSealError, open_held_image_key, open_held_read
from services.search.core.holds import Hold, NewHold, act_moment, held_reads
from services.search.errors import PermitRefusedError
from services.search.held_images import HeldImages
from services.search.hold_keys import HoldKeys
from services.search.road import Answered, Put, QuestionRoad, RoadRequest, taken
from services.search.store_holds import HoldStore, SealedRead

log = structlog.get_logger()

_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class HeldQuestion:
    """Who asks what a hold has kept, and why. `read_id` is the last of the page before, or whose picture."""

    request_id: str
    token: AccessToken
    justification: Justification
    hold_id: UUID
    page_size: int
    read_id: UUID | None


@dataclass(frozen=True, slots=True)
class HeldReads:
    """A page of held reads with its proof."""

    reads: tuple[FoundRead, ...]
    answered: Answered


@dataclass(frozen=True, slots=True)
class HeldImage:
    """A held picture with its proof."""

    image: bytes
    media_type: str
    answered: Answered


@dataclass(frozen=True, slots=True)
class HoldHouse:
    """Where the holds of one data set are, and what they keep."""

    store: HoldStore
    images: HeldImages
    keys: HoldKeys


class Holds:
    """Places, releases and shows holds; asks what they kept by the question road."""

    def __init__(self, acts: Acts, house: HoldHouse, road: QuestionRoad) -> None:
        self._acts = acts
        self._store = house.store
        self._images = house.images
        self._keys = house.keys
        self._road = road

    async def place(
        self, request_id: UUID, token: AccessToken, justification: Justification, hold: NewHold
    ) -> tuple[Hold, Receipts]:
        """The hold, in force, and the proof.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError, StorageUnavailableError: Try again with the same request id; also when the
                archive does not accept audit's signature.
        """
        rule = hold.rule
        details = {
            "plates": argument_value(",".join(rule.plates)),
            "sensors": argument_value(",".join(rule.sensor_ids)),
            "from": act_moment(rule.from_time),
            "to": act_moment(rule.to_time),
            "document_sha256": hold.document_sha256.hex(),
            "reason": hold.reason,
        }
        plan = ActPlan(request_id, "hold.place", str(hold.hold_id), details, token, justification)
        intent = await self._acts.begin(plan)
        async with self._carried_out(intent):
            matching = await self._store.place(intent, hold, self._keys.new(hold.hold_id))
        receipts = await self._recorded(intent.intent_id, _placed(matching))
        return await self._one(intent.agency_ori, hold.hold_id), receipts

    async def release(
        self, request_id: UUID, token: AccessToken, hold_id: UUID, reason: str
    ) -> tuple[int, bytes, Receipts]:
        """Reads that ended with the hold, the digest of their ids, and the proof.

        Raises:
            NotFoundError: There is no such hold in force.
            AlprError: As for `place`.
        """
        plan = ActPlan(request_id, "hold.release", str(hold_id), {"reason": reason}, token)
        intent = await self._acts.begin(plan)
        async with self._carried_out(intent):
            released = await self._store.release(hold_id, intent, reason)
            if released is None:
                raise NotFoundError("there is no such hold in force", resource=str(hold_id))
        await self._images.remove(str(hold_id))
        return *released, await self._recorded(intent.intent_id, _released(*released))

    async def settle(self) -> int:
        """The number of acts that a crash left without an outcome, and that have theirs now."""
        left = await self._store.acts_to_record()
        for act in left:
            if act.released:
                await self._images.remove(str(act.hold_id))
            details = _released(act.rows, act.digest or b"") if act.released else _placed(act.rows)
            await self._recorded(act.intent_id, details)
        return len(left)

    async def page(self, token: AccessToken, after: UUID | None, most: int) -> list[Hold]:
        """Up to `most` holds of the person's agency after `after`; it is on record that they are shown."""
        intent = await self._acts.begin(ActPlan(uuid4(), "hold.list", "holds", {}, token))
        found = await self._store.page(intent.agency_ori, after or _BEFORE_ALL, most)
        await self._acts.done(intent.intent_id, {"rows": str(len(found))})
        return found

    async def reads(self, asked: HeldQuestion) -> HeldReads:
        """A page of what the hold keeps apart. Raises as `QuestionRoad.ask`."""
        arguments = (("hold_id", str(asked.hold_id)), ("after_read_id", str(asked.read_id or "")))
        request = self._question(asked, "held", arguments)
        answered = await self._road.ask(request)
        sealed = await taken(
            self._store.reads_of(answered.authorization, request.page_size, request.put),
        )
        if rows_digest(one.read_id for one in sealed) != answered.summary.rows_digest:
            # A release came between, and has destroyed what was about to leave.
            raise StorageUnavailableError("the answer changed while it was being given; ask again")
        return HeldReads(await asyncio.to_thread(self._opened, asked.hold_id, sealed), answered)

    async def image(self, asked: HeldQuestion) -> HeldImage:
        """A held picture as the sensor sent it.

        Raises:
            NotFoundError: The hold keeps no such picture, or it is not one that the person may see.
            AlprError: As `QuestionRoad.ask`.
        """
        arguments = (("hold_id", str(asked.hold_id)), ("read_id", str(asked.read_id)))
        request = self._question(asked, "heldimage", arguments)
        answered = await self._road.ask(request)
        assert asked.read_id is not None  # noqa: S101 -- the request was checked
        kept = await taken(
            self._store.image_of(answered.authorization, request.page_size, request.put),
        )
        if kept is None or kept.sealed_image_key is None:
            raise not_found(asked.read_id, answered)
        key = self._keys.opened(asked.hold_id, kept.wrapped_key)
        (read,) = self._opened(asked.hold_id, [SealedRead(asked.read_id, kept.sealed_read, kept.wrapped_key)])
        with readable():
            image_key = open_held_image_key(key, asked.hold_id, asked.read_id, kept.sealed_image_key)
        image = await self._images.image(asked.hold_id, key, kept.day, kept.sha256, image_key)
        return HeldImage(image, read.image_media_type, answered)

    def _opened(self, hold_id: UUID, sealed: Sequence[SealedRead]) -> tuple[FoundRead, ...]:
        """The reads, each opened with the hold's key."""
        if not sealed:
            return ()
        key = self._keys.opened(hold_id, sealed[0].wrapped_key)
        with readable():
            rows = [json.loads(open_held_read(key, hold_id, one.read_id, one.sealed)) for one in sealed]
        return tuple(held_reads(rows))

    @asynccontextmanager
    async def _carried_out(self, intent: Intent) -> AsyncIterator[None]:
        """Tells the log when the act inside changes nothing; what may have changed something is taken up."""
        try:
            yield
        except StorageUnavailableError:
            raise
        except PermitRefusedError as error:
            # Keys that differ, or an act other than audit recorded: somebody must look at this.
            log.error("act_refused", intent_id=str(intent.intent_id))  # noqa: TRY400
            raise AuditUnavailableError(
                "the archive does not accept the audit service's word, so nothing was done; try again"
            ) from error
        except AlprError:
            await self._acts.failed(intent.intent_id)
            raise

    async def _recorded(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        """Receipts once log and database both know that the act is done."""
        receipts = await self._acts.done(intent_id, details)
        await self._store.recorded(intent_id)
        return receipts

    async def _one(self, agency_ori: str, hold_id: UUID) -> Hold:
        (found,) = await self._store.page(agency_ori, UUID(int=hold_id.int - 1), 1)
        return found

    def _question(
        self, asked: HeldQuestion, name: str, arguments: tuple[tuple[str, str], ...]
    ) -> RoadRequest:
        return RoadRequest(
            request_id=asked.request_id,
            token=asked.token,
            justification=asked.justification,
            kind=name,
            arguments=arguments,
            from_time=None,
            to_time=None,
            page_size=asked.page_size,
            first_authorization_id="",
            put=Put(f"find_{name}", (asked.hold_id, asked.read_id)),
        )


@contextmanager
def readable() -> Iterator[None]:
    """What does not open inside is what somebody must look at.

    Raises:
        StorageUnavailableError: It was changed, or sealed with another key.
    """
    try:
        yield
    except HoldSealError as error:
        raise StorageUnavailableError(
            "what the hold keeps cannot be opened; tell the system administrator"
        ) from error


def _placed(matching: int) -> dict[str, str]:
    return {"matching_reads": str(matching)}


def _released(rows: int, digest: bytes) -> dict[str, str]:
    return {"reads": str(rows), "reads_digest": digest.hex(), "hold_key": "destroyed"}
