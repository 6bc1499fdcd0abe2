"""Use cases: legal holds, and what they keep (ENF-051 IV.E.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from alpr.type.v1.justification_pb2 import Justification
from services.common.canonical import argument_value
from services.common.errors import AlprError, NotFoundError, StorageUnavailableError
from services.common.identity import AccessToken
from services.search.acts import ActPlan, Acts
from services.search.app_read import not_found
from services.search.audit_gateway import Receipts
from services.search.core.answer import FoundRead
from services.search.core.holds import Hold, NewHold, held_reads
from services.search.day_images import DayImages
from services.search.road import Answered, Put, QuestionRoad, RoadRequest
from services.search.store_holds import HoldStore

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


class Holds:
    """Places, releases and shows holds; asks what they kept by the question road."""

    def __init__(self, acts: Acts, store: HoldStore, images: DayImages, road: QuestionRoad) -> None:
        self._acts = acts
        self._store = store
        self._images = images
        self._road = road

    async def place(
        self, request_id: UUID, token: AccessToken, justification: Justification, hold: NewHold
    ) -> tuple[Hold, Receipts]:
        """The hold, in force, and the proof.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError, StorageUnavailableError: Try again with the same request id.
        """
        rule = hold.rule
        details = {
            "plates": argument_value(",".join(rule.plates)),
            "sensors": argument_value(",".join(rule.sensor_ids)),
            "from": rule.from_time.isoformat(),
            "to": rule.to_time.isoformat(),
            "document_sha256": hold.document_sha256.hex(),
            "reason": hold.reason,
        }
        plan = ActPlan(request_id, "hold.place", str(hold.hold_id), details, token, justification)
        intent = await self._acts.begin(plan)
        try:
            matching = await self._store.place(intent, hold)
        except StorageUnavailableError:
            raise
        except AlprError:
            await self._acts.failed(intent.intent_id)
            raise
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
        released = await self._store.release(hold_id, intent)
        if released is None:
            await self._acts.failed(intent.intent_id)
            raise NotFoundError("there is no such hold in force", resource=str(hold_id))
        await self._images.remove_hold(str(hold_id))
        return *released, await self._recorded(intent.intent_id, _released(*released))

    async def settle(self) -> int:
        """The number of acts that a crash left without an outcome, and that have theirs now."""
        left = await self._store.acts_to_record()
        for act in left:
            if act.released:
                await self._images.remove_hold(str(act.hold_id))
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
        answered = await self._ask(asked, "held", arguments, "find_held")
        return HeldReads(tuple(held_reads(await self._road.computed(answered))), answered)

    async def image(self, asked: HeldQuestion) -> HeldImage:
        """A held picture as the sensor sent it.

        Raises:
            NotFoundError: The hold keeps no such picture, or it is not one that the person may see.
            AlprError: As `QuestionRoad.ask`.
        """
        arguments = (("hold_id", str(asked.hold_id)), ("read_id", str(asked.read_id)))
        answered = await self._ask(asked, "heldimage", arguments, "find_held_image")
        assert asked.read_id is not None  # noqa: S101 -- the request was checked
        kept = await self._store.image_of(answered.authorization, asked.hold_id, asked.read_id)
        if kept is None or kept.key is None:
            raise not_found(asked.read_id, answered)
        image = await self._images.held_image(asked.hold_id, kept.day, kept.sha256, kept.key)
        return HeldImage(image, kept.media_type, answered)

    async def _recorded(self, intent_id: UUID, details: Mapping[str, str]) -> Receipts:
        """Receipts once log and database both know that the act is done."""
        receipts = await self._acts.done(intent_id, details)
        await self._store.recorded(intent_id)
        return receipts

    async def _one(self, agency_ori: str, hold_id: UUID) -> Hold:
        (found,) = await self._store.page(agency_ori, UUID(int=hold_id.int - 1), 1)
        return found

    async def _ask(
        self, asked: HeldQuestion, kind: str, arguments: tuple[tuple[str, str], ...], function: str
    ) -> Answered:
        return await self._road.ask(
            RoadRequest(
                request_id=asked.request_id,
                token=asked.token,
                justification=asked.justification,
                kind=kind,
                arguments=arguments,
                from_time=None,
                to_time=None,
                page_size=asked.page_size,
                first_authorization_id="",
                put=Put(function, (asked.hold_id, asked.read_id)),
            )
        )


def _placed(matching: int) -> dict[str, str]:
    return {"matching_reads": str(matching)}


def _released(rows: int, digest: bytes) -> dict[str, str]:
    return {"reads": str(rows), "reads_digest": digest.hex(), "hold_key": "destroyed"}
