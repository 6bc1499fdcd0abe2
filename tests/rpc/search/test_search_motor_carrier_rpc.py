"""Motor Carrier Safety over the network, with the real audit service: both data sets, both directions."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import grpc
import numpy as np
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import motor_carrier_service_pb2 as pb
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1.motor_carrier_service_pb2_grpc import MotorCarrierServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.imagecrypt import image_key, seal_image
from services.common.wire import to_datetime, to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI, Officer, justification, last_entry, refused
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_house import House, running_house
from tests.support.search_kit import archived_read, now
from tests.support.search_motor_carrier import scale_read


@dataclass
class Scales:
    """Audit and search, an officer of Motor Carrier Safety, one of everything else, and the image store."""

    house: House
    cveo: Officer
    user: Officer
    images: Path

    @property
    def apart(self) -> Any:
        return self.house.person(MotorCarrierServiceStub)

    @property
    def general(self) -> Any:
        return self.house.person(SearchServiceStub)

    async def store(self, read: archive_pb.ArchivedRead, picture: bytes = b"") -> archive_pb.ArchivedRead:
        """Stores the read as the matcher does, and its picture as ocr does."""
        if picture:
            day = to_datetime(read.read.capture_time).date()
            sha256 = hashlib.sha256(picture).digest()
            key = image_key(secrets.token_bytes(32), sha256)
            folder = self.images / "days" / day.isoformat() / ("mcs" if read.partition == 2 else "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / sha256.hex()).write_bytes(seal_image(key, day, picture))
            read.read.image.sha256, read.read.image.image_key = sha256, key
        assert await self.house.store(read) == ["STORED"]
        return read


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scales(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scales]:
    database = await migrated_database("audit", "search")
    folder = tmp_path_factory.mktemp("scales")
    async with running_house(database, tls, issuer, folder) as house:
        cveo = await house.audit.person(audit_pb.ROLE_CVEO)
        user = await house.audit.person(audit_pb.ROLE_USER)
        yield Scales(house, cveo, user, folder / "images")


def search(**changes: Any) -> pb.SearchMotorCarrierReadsRequest:
    return pb.SearchMotorCarrierReadsRequest(
        **{"request_id": str(uuid4()), "justification": justification(), **changes}
    )


def look(read_id: str, **changes: Any) -> pb.GetMotorCarrierReadImageRequest:
    return pb.GetMotorCarrierReadImageRequest(
        **{"request_id": str(uuid4()), "justification": justification(), "read_id": read_id, **changes}
    )


def a_plate() -> str:
    return f"T{uuid4().hex[:8].upper()}"


def ours(plate: str, **changes: Any) -> archive_pb.ArchivedRead:
    return scale_read(plate, agency=ORI, **changes)


def photograph() -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


@pytest.mark.clause("II.H", "III.E.5")
async def test_each_officer_finds_reads_of_the_own_data_set_and_no_other(scales: Scales) -> None:
    plate = a_plate()
    apart = await scales.store(ours(plate))
    general = await scales.store(archived_read(plate=plate, agency=ORI))

    theirs = await scales.apart.SearchMotorCarrierReads(search(plate=plate), metadata=scales.cveo.metadata)
    others = await scales.general.SearchReads(
        search_pb.SearchReadsRequest(request_id=str(uuid4()), justification=justification(), plate=plate),
        metadata=scales.user.metadata,
    )

    assert [one.read.read_id for one in theirs.reads] == [apart.read.read_id]
    assert [one.read.read_id for one in others.reads] == [general.read.read_id]
    for found in (*theirs.reads, *others.reads):
        assert found.read.image.image_key == b""


@pytest.mark.clause("II.H", "III.B.3.l")
async def test_neither_officer_gets_through_the_others_door(scales: Scales) -> None:
    plate = a_plate()
    apart, general = (
        await scales.store(ours(plate)),
        await scales.store(archived_read(plate=plate, agency=ORI)),
    )
    as_cveo, as_user = {"metadata": scales.cveo.metadata}, {"metadata": scales.user.metadata}
    asked = {"request_id": str(uuid4()), "justification": justification()}

    for call in (
        scales.general.SearchReads(search_pb.SearchReadsRequest(plate=plate, **asked), **as_cveo),
        scales.general.GetRead(search_pb.GetReadRequest(read_id=general.read.read_id, **asked), **as_cveo),
        scales.general.GetReadImage(
            search_pb.GetReadImageRequest(read_id=general.read.read_id, **asked), **as_cveo
        ),
        scales.apart.SearchMotorCarrierReads(search(plate=plate), **as_user),
        scales.apart.GetMotorCarrierReadImage(look(apart.read.read_id), **as_user),
    ):
        error = await refused(call)
        assert error.metadata["clauses"] == "III.B.3.l"
        assert (await last_entry(scales.house.audit))["decision"] == "refused"


@pytest.mark.clause("II.H", "III.E.5")
async def test_a_picture_is_opened_by_its_own_data_sets_question_alone(scales: Scales) -> None:
    plate, picture = a_plate(), photograph()
    apart = await scales.store(ours(plate), picture)
    general = await scales.store(archived_read(plate=plate, agency=ORI), picture)

    seen = await scales.apart.GetMotorCarrierReadImage(
        look(apart.read.read_id, with_original=True), metadata=scales.cveo.metadata
    )
    wrong = await refused(
        scales.apart.GetMotorCarrierReadImage(look(general.read.read_id), metadata=scales.cveo.metadata)
    )
    other_way = search_pb.GetReadImageRequest(
        request_id=str(uuid4()), justification=justification(), read_id=apart.read.read_id
    )
    other = await refused(scales.general.GetReadImage(other_way, metadata=scales.user.metadata))

    assert seen.original_image == picture
    assert seen.crop_image.startswith(b"\xff\xd8")
    assert seen.overview_image.startswith(b"\xff\xd8")
    assert seen.notice.lead_only
    assert seen.image.image_key == b""
    assert (wrong.code, other.code) == (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.NOT_FOUND)


@pytest.mark.clause("IV.C.5", "IV.C.6", "III.B.3.r", "IV.E.2")
async def test_the_answer_says_what_it_is_good_for_and_how_it_is_recorded(scales: Scales) -> None:
    plate = a_plate()
    await scales.store(ours(plate))

    answer = await scales.apart.SearchMotorCarrierReads(search(plate=plate), metadata=scales.cveo.metadata)

    assert answer.notice.lead_only
    asked = {field.name: field.value for field in answer.question_receipt.fields}
    ended = {field.name: field.value for field in answer.outcome_receipt.fields}
    assert asked["action"] == "question.mcsreads"
    assert f"plate:{len(plate)}:{plate}" in asked["question"]
    assert (asked["case_number"], asked["actor"]) == ("2026-004711", scales.cveo.account_id)
    assert (ended["row_count"], ended["result"]) == ("1", "DONE")
    assert timedelta(days=89, hours=23) < to_datetime(answer.searched_to) - to_datetime(answer.searched_from)


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_without_case_number_or_purpose_nothing_is_asked(scales: Scales) -> None:
    reasons = (ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED, ErrorReason.ERROR_REASON_PURPOSE_REQUIRED)
    for why, reason in zip(
        (justification_pb2.Justification(), justification(purpose="")), reasons, strict=True
    ):
        call = scales.apart.SearchMotorCarrierReads(
            search(plate="TRK4711", justification=why), metadata=scales.cveo.metadata
        )
        assert (await refused(call)).reason == reason


async def test_reads_of_a_sensor_come_in_pages_that_are_the_askers_alone(scales: Scales) -> None:
    sensor = f"scale-{uuid4().hex[:8]}"
    reads = [
        await scales.store(ours(f"P{n}XYZ", sensor_id=sensor, captured=now() - timedelta(hours=n)))
        for n in range(5)
    ]
    found, asked = [], search(sensor_id=sensor, page_size=2)
    while True:
        page = await scales.apart.SearchMotorCarrierReads(asked, metadata=scales.cveo.metadata)
        found += [one.read.read_id for one in page.reads]
        if not page.next_page_token:
            break
        token = page.next_page_token
        asked = search(sensor_id=sensor, page_size=2, page_token=token)

    other = await scales.house.audit.person(audit_pb.ROLE_CVEO)
    borrowed = await refused(scales.apart.SearchMotorCarrierReads(asked, metadata=other.metadata))
    tampered = search(sensor_id=sensor, page_size=2, page_token=token[:-2] + "AA")
    bent = await refused(scales.apart.SearchMotorCarrierReads(tampered, metadata=scales.cveo.metadata))
    moved = search(sensor_id="another-scale", page_size=2, page_token=token)
    wrong = await refused(scales.apart.SearchMotorCarrierReads(moved, metadata=scales.cveo.metadata))

    assert found == [one.read.read_id for one in reads]
    assert {bent.reason, wrong.reason} == {ErrorReason.ERROR_REASON_BAD_TOKEN}
    assert [one.field for one in borrowed.violations] == ["first_authorization_id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "plate"),
        ({"plate": "A"}, "plate"),
        ({"plate": "A?1*"}, "plate"),
        ({"plate": "АВ1234"}, "plate"),  # noqa: RUF001 - Cyrillic letters
        ({"plate": "'; DROP--"}, "plate"),
        ({"sensor_id": "x'; --"}, "sensor_id"),
        ({"plate": "AB1234", "page_size": 1001}, "page_size"),
        ({"plate": "AB1234", "request_id": "again"}, "request_id"),
        (
            {"plate": "AB1234", "from": to_timestamp(now()), "to": to_timestamp(now() - timedelta(days=1))},
            "to",
        ),
    ],
)
async def test_what_is_no_question_is_refused_by_its_field(
    scales: Scales, changes: dict[str, Any], field: str
) -> None:
    error = await refused(
        scales.apart.SearchMotorCarrierReads(search(**changes), metadata=scales.cveo.metadata)
    )

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in {one.field for one in error.violations}


@pytest.mark.clause("IV.E.1")
async def test_nothing_is_found_past_the_retention_period(scales: Scales) -> None:
    plate = a_plate()
    await scales.store(ours(plate))
    long_ago = search(
        plate=plate,
        **{"from": to_timestamp(now() - timedelta(days=3650)), "to": to_timestamp(now() + timedelta(days=1))},
    )

    answer = await scales.apart.SearchMotorCarrierReads(long_ago, metadata=scales.cveo.metadata)

    assert now() - to_datetime(answer.searched_from) < timedelta(days=90, minutes=1)
    assert len(answer.reads) == 1
