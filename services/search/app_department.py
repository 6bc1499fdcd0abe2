"""Use cases of the full export: what holds have kept leaves, and the whole is sealed (ENF-051 IV.A.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.identity import AccessToken
from services.search.acts import ActPlan, Acts
from services.search.app_export import ExportPage
from services.search.app_holds import HeldQuestion, HeldReads
from services.search.core.answer import FoundRead
from services.search.departures import Departure, Departures, ForWhom
from services.search.road import Answered

WritePage = Callable[[Answered, list[FoundRead], UUID | None], bytes]


@dataclass(frozen=True, slots=True)
class House:
    """A data set as its export knows it.

    Attributes:
        held: Asks what a hold of it has kept.
        departures: Lets its files leave, by way of its own register.
        leave: The action by which a page of it leaves.
        seal: The action by which its export is sealed.
    """

    held: Callable[[HeldQuestion], Awaitable[HeldReads]]
    departures: Departures
    leave: str
    seal: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of an export that is to be sealed; nothing of it but its hash is known here."""

    request_id: UUID
    token: AccessToken
    justification: Justification
    sha256: bytes
    file_count: int
    size_bytes: int


class DepartmentExports:
    """Lets pages of held reads leave, and puts the hash of the whole into the log."""

    def __init__(self, acts: Acts, houses: Mapping[bool, House], write: WritePage, own_use: ForWhom) -> None:
        """
        Args:
            acts: Where acts are recorded.
            houses: The archive's data set as False, that of Motor Carrier Safety as True.
            write: Makes the file of a page from its answer, its reads, and the read that it begins after.
            own_use: That it is for the agency itself.
        """
        self._acts = acts
        self._houses = houses
        self._write = write
        self._own_use = own_use

    async def held_page(self, asked: HeldQuestion, request_id: UUID, *, motor_carrier: bool) -> ExportPage:
        """A page of what a hold has kept, once question, answer and leaving are recorded.

        Raises:
            AlprError: As `QuestionRoad.ask` and `Departures.leave`.
        """
        house = self._houses[motor_carrier]
        found = await house.held(asked)
        data = self._write(found.answered, list(found.reads), asked.read_id)
        departed = await house.departures.leave(self._departure(house, asked, request_id, (found, data)))
        return ExportPage(data, found.reads, found.answered, departed, ())

    async def seal(self, manifest: Manifest, *, motor_carrier: bool) -> AuditReceipt:
        """The receipt of the entry that has the manifest's hash. Asked again it is the same entry.

        Raises:
            AlprError: Audit's refusal, unchanged.
            AuditUnavailableError: It is not certain that it is in the log.
        """
        plan = ActPlan(
            request_id=manifest.request_id,
            action=self._houses[motor_carrier].seal,
            resource=manifest.sha256.hex(),
            details={
                "sha256": manifest.sha256.hex(),
                "files": str(manifest.file_count),
                "size_bytes": str(manifest.size_bytes),
            },
            token=manifest.token,
            justification=manifest.justification,
        )
        intent = await self._acts.begin(plan)
        return (await self._acts.done(intent.intent_id, {})).question

    def _departure(
        self, house: House, asked: HeldQuestion, request_id: UUID, made: tuple[HeldReads, bytes]
    ) -> Departure:
        found, data = made
        return Departure(
            request_id=request_id,
            token=asked.token,
            justification=asked.justification,
            for_whom=self._own_use,
            action=house.leave,
            kind="EXPORT",
            format="JSONL",
            question_entry_id=UUID(found.answered.authorization.authorization_id),
            sha256=sha256(data).digest(),
            size_bytes=len(data),
            read_ids=tuple(read.read_id for read in found.reads),
            # They are past their time and held all the same: nobody is to be told that they are purged.
            first_capture=None,
            last_capture=None,
            due_time=None,
            details={"hold_id": str(asked.hold_id)},
        )
