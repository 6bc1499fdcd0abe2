"""Use case: the evidence package of one read, made once and kept for its case (ENF-051 III.D.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final, Protocol
from uuid import UUID

from alpr.type.v1.justification_pb2 import Justification
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.canonical import argument_value
from services.common.errors import NotFoundError, StorageUnavailableError
from services.common.identity import AccessToken
from services.common.receipts import receipt_to_json
from services.search.app_read import not_found
from services.search.app_report import PictureSource, Wording
from services.search.core.answer import Authorization, FoundRead, StoredImage
from services.search.core.evidence import (
    Evidence,
    Package,
    Part,
    Step,
    as_json,
    manifest_of,
    pack,
    with_receipt,
)
from services.search.departures import Departed, Departure, Departures, ForWhom
from services.search.evidence_vault import EvidenceVault, Sealed
from services.search.road import Answered, Put, QuestionRoad, RoadRequest
from services.search.store_register import NewEntry, NewEvidence

_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png"}


class Keys(Protocol):
    """Where the evidence's permit is exchanged for a key (services.search.store_report_pictures)."""

    async def of_evidence(
        self, authorization: Authorization, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The picture of the read, by read."""


class EvidenceRegister(Protocol):
    """Where packages are registered (services.search.store_register)."""

    async def keep_evidence(self, entry: NewEntry, evidence: NewEvidence) -> str:
        """The name of the object that counts."""


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """An evidence package as it was asked for."""

    request_id: UUID
    token: AccessToken
    justification: Justification
    read_id: UUID
    report_number: str
    evidence_system: str
    evidence_item: str
    for_whom: ForWhom


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """A kept package that is asked for again."""

    request_id: UUID
    token: AccessToken
    justification: Justification
    evidence_id: UUID
    for_whom: ForWhom


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """The package as it leaves, and how that is recorded."""

    evidence_id: UUID
    data: bytes
    manifest_sha256: bytes
    answered: Answered
    departed: Departed


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """Where the parts of a package come from; `describe` gives all that is known of a read, as JSON."""

    keys: Keys
    pictures: PictureSource
    describe: Callable[[FoundRead], bytes]
    wording: Wording


@dataclass(frozen=True, slots=True)
class EvidenceRoom:
    """Where packages are kept: sealed in the vault, and named in the register."""

    vault: EvidenceVault
    register: EvidenceRegister


class EvidencePackages:
    """Makes packages, keeps them, and gives them again."""

    def __init__(
        self, road: QuestionRoad, sources: EvidenceSources, departures: Departures, room: EvidenceRoom
    ) -> None:
        self._road = road
        self._sources = sources
        self._departures = departures
        self._room = room

    async def export(self, request: EvidenceRequest) -> EvidenceFile:
        """The package, once it is kept, and question, answer and leaving are recorded.

        The same request again gives the same package: its manifest is the same, and so is its entry.

        Raises:
            NotFoundError: No such read is kept, the person may not see it, or its picture is gone.
            AlprError: As `QuestionRoad.ask` and `Departures.leave`.
        """
        answered = await self._road.ask(_road_request(request))
        reads = await self._road.reads(answered)
        stored = await self._sources.keys.of_evidence(answered.authorization, reads)
        if not reads or request.read_id not in stored:
            raise not_found(request.read_id, answered)
        package = await self._package(request, answered, reads[0], stored[request.read_id])

        async def keep(entry: NewEntry) -> None:
            sealed = await self._room.vault.put(entry.dissemination_id, package.archive)
            kept = _evidence(request, reads[0], entry, (package, sealed))
            if await self._room.register.keep_evidence(entry, kept) != sealed.name:
                await self._room.vault.drop(sealed)

        departed = await self._departures.leave(_departure(request, answered, reads[0], package), keep)
        data = with_receipt(package.archive, _receipt(departed.receipt))
        return EvidenceFile(departed.dissemination_id, data, package.manifest_sha256, answered, departed)

    async def again(self, request: CopyRequest) -> EvidenceFile:
        """A kept package; that it leaves again is recorded as every leaving is.

        Raises:
            NotFoundError: There is no such package in the person's scope.
            AlprError: As `QuestionRoad.ask` and `Departures.leave`.
        """
        answered = await self._road.ask(_copy_request(request))
        found: dict[str, Any] | None = await self._road.computed(answered)
        if found is None:
            raise NotFoundError("there is no such evidence package", resource=str(request.evidence_id))
        sealed = Sealed(found["object_name"], bytes.fromhex(found["wrapped_key"]))
        archive = await self._room.vault.open(request.evidence_id, sealed)
        digest = sha256(manifest_of(archive)).digest()
        if digest.hex() != found["manifest_sha256"]:
            raise StorageUnavailableError("the evidence package is not the one that was registered")
        departed = await self._departures.leave(_copy_departure(request, answered, found, archive))
        data = with_receipt(archive, _receipt(await self._first_receipt(request.evidence_id, found)))
        return EvidenceFile(request.evidence_id, data, digest, answered, departed)

    async def _first_receipt(self, evidence_id: UUID, found: dict[str, Any]) -> AuditReceipt:
        """The receipt of the package's making, which a crash may have kept from the register."""
        if found["receipt"]:
            return AuditReceipt.FromString(bytes.fromhex(found["receipt"]))
        return await self._departures.receipt_of(evidence_id)

    async def _package(
        self, request: EvidenceRequest, answered: Answered, read: FoundRead, image: StoredImage
    ) -> Package:
        original = await self._sources.pictures.stored(image)
        shown = await self._sources.pictures.of(original, image)
        ending = _ENDINGS.get(image.media_type, "bin")
        parts = (
            Part(f"original.{ending}", "the picture as the camera sent it", original),
            Part("overview.jpg", "the same picture for people", shown.overview),
            Part("plate.jpg", "the plate in it", shown.crop),
            Part("read.json", "everything that the recogniser said", self._sources.describe(read)),
        )
        authorization = answered.authorization
        evidence = Evidence(
            read=_facts(read),
            destination=_destination(request),
            custody=_custody(read, authorization),
            question_entry=authorization.authorization_id,
            account_id=authorization.account_id,
            # The moment that audit gave the question, which a retry gets too.
            made_time=authorization.to_time,
            notice=self._sources.wording.notice,
            verification_state=self._sources.wording.verification_state,
            parts=tuple(part for part in parts if part.data),
        )
        receipts = answered.receipts
        return await asyncio.to_thread(
            pack, evidence, _receipt(receipts.question), _receipt(receipts.outcome)
        )


def _road_request(request: EvidenceRequest) -> RoadRequest:
    named = {
        "report_number": request.report_number,
        "evidence_system": request.evidence_system,
        "evidence_item": request.evidence_item,
    }
    return RoadRequest(
        request_id=str(request.request_id),
        token=request.token,
        justification=request.justification,
        kind="evidence",
        arguments=(
            ("read_id", str(request.read_id)),
            *((name, argument_value(value)) for name, value in named.items()),
        ),
        from_time=None,
        to_time=None,
        page_size=1,
        first_authorization_id="",
        put=Put("find_evidence", (request.read_id, *named.values())),
    )


def _copy_request(request: CopyRequest) -> RoadRequest:
    return RoadRequest(
        request_id=str(request.request_id),
        token=request.token,
        justification=request.justification,
        kind="evidencecopy",
        arguments=(("evidence_id", str(request.evidence_id)),),
        from_time=None,
        to_time=None,
        page_size=1,
        first_authorization_id="",
        put=Put("find_evidencecopy", (request.evidence_id,)),
    )


def _departure(request: EvidenceRequest, answered: Answered, read: FoundRead, package: Package) -> Departure:
    return Departure(
        request_id=request.request_id,
        token=request.token,
        justification=request.justification,
        for_whom=request.for_whom,
        action="dissemination.evidence",
        kind="EVIDENCE",
        format="ZIP",
        question_entry_id=UUID(answered.authorization.authorization_id),
        sha256=package.manifest_sha256,
        # Of its receipts the ZIP file has more than the manifest says, so its size is no mark of it.
        size_bytes=len(package.manifest),
        read_ids=(read.read_id,),
        first_capture=read.capture_time,
        last_capture=read.capture_time,
        due_time=None,
        details={
            "manifest_sha256": package.manifest_sha256.hex(),
            "read_id": str(read.read_id),
            "evidence_item": request.evidence_item,
        },
    )


def _copy_departure(
    request: CopyRequest, answered: Answered, found: dict[str, Any], archive: bytes
) -> Departure:
    manifest = manifest_of(archive)
    return Departure(
        request_id=request.request_id,
        token=request.token,
        justification=request.justification,
        for_whom=request.for_whom,
        action="dissemination.export",
        kind="HANDED_ON",
        format="ZIP",
        question_entry_id=UUID(answered.authorization.authorization_id),
        sha256=sha256(manifest).digest(),
        size_bytes=len(manifest),
        read_ids=(UUID(found["read_id"]),),
        first_capture=None,
        last_capture=None,
        due_time=None,
        details={"evidence_id": str(request.evidence_id)},
        export_id=request.evidence_id,
    )


def _evidence(
    request: EvidenceRequest, read: FoundRead, entry: NewEntry, kept: tuple[Package, Sealed]
) -> NewEvidence:
    package, sealed = kept
    return NewEvidence(
        evidence_id=entry.dissemination_id,
        read_id=read.read_id,
        capture_day=read.image_day,
        agency_ori=read.agency_ori,
        sensor_group=read.sensor_group,
        maker_ori=entry.agency_ori,
        case_number=request.justification.case_number,
        report_number=request.report_number,
        evidence_system=request.evidence_system,
        evidence_item=request.evidence_item,
        package_sha256=sha256(package.archive).digest(),
        package_bytes=len(package.archive),
        object_name=sealed.name,
        wrapped_key=sealed.wrapped_key,
    )


def _facts(read: FoundRead) -> dict[str, Any]:
    return {
        "read_id": str(read.read_id),
        "capture_time": read.capture_time.isoformat(),
        "receive_time": read.receive_time.isoformat(),
        "plate": read.plate,
        "state": read.state,
        "confidence": read.confidence,
        "sensor_id": read.sensor_id,
        "agency_ori": read.agency_ori,
        "sensor_group": read.sensor_group,
        "provenance": read.provenance,
        "latitude": read.latitude,
        "longitude": read.longitude,
        "place": read.place,
        "model_version": read.model_version,
        "sender_read_id": read.sender_read_id,
        "image_sha256": read.image_sha256.hex(),
        "image_day": _day(read.image_day),
        "image_media_type": read.image_media_type,
        "image_size_bytes": read.image_size,
    }


def _day(day: date) -> str:
    return day.isoformat()


def _destination(request: EvidenceRequest) -> dict[str, str]:
    return {
        "report_number": request.report_number,
        "evidence_system": request.evidence_system,
        "evidence_item": request.evidence_item,
        "case_number": request.justification.case_number,
        "purpose": request.justification.purpose,
    }


def _custody(read: FoundRead, authorization: Authorization) -> tuple[Step, ...]:
    return (
        Step(read.capture_time, "captured", f"sensor {read.sensor_id} of {read.agency_ori}"),
        Step(read.receive_time, "received, recognised and stored", f"models {read.model_version}"),
        Step(authorization.to_time, "asked for as evidence", f"account {authorization.account_id}"),
    )


def _receipt(receipt: AuditReceipt) -> bytes:
    return as_json(receipt_to_json(receipt))
