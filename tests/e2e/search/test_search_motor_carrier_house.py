"""Motor Carrier Safety's own house with the real audit: held, reported, packed; nobody else reaches it."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1.dissemination_service_pb2_grpc import DisseminationServiceStub
from alpr.search.v1.motor_carrier_service_pb2_grpc import MotorCarrierServiceStub
from alpr.search.v1.retention_service_pb2_grpc import RetentionServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import left_out_pb2, sensor_pb2
from services.audit import verify_evidence
from services.audit.verifier import read_public_key
from services.common.objects import FileObjectStore
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search.core.houses import ARCHIVE, MOTOR_CARRIER, HouseNames
from tests.support.audit_kit import ADMINISTRATOR, COORDINATOR, ORI, Officer, justification, refused
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.search_house import House, running_house
from tests.support.search_kit import archived_read
from tests.support.search_leaving import Files, Leaving, opened, received
from tests.support.search_motor_carrier import SCALE, scale_read
from tests.support.search_retention import day_ago, noon, plant_image

pytestmark = pytest.mark.timeout(180)

APART, GENERAL = sensor_pb2.PARTITION_MOTOR_CARRIER, sensor_pb2.PARTITION_GENERAL
OLD = 45
FORMATS = {
    report_pb.REPORT_FORMAT_GEOJSON: b'"FeatureCollection"',
    report_pb.REPORT_FORMAT_CSV: b"capture_time",
    report_pb.REPORT_FORMAT_HTML: b"<!doctype html>",
    report_pb.REPORT_FORMAT_PDF: b"%PDF-",
}


@dataclass
class Scales:
    """Audit and search; an officer and a supervisor of Motor Carrier Safety, and a user of the rest."""

    house: House
    cveo: Officer
    supervisor: Officer
    user: Officer
    folder: Path

    @property
    def retention(self) -> Any:
        return self.house.person(RetentionServiceStub)

    @property
    def register(self) -> Any:
        return self.house.person(DisseminationServiceStub)

    @property
    def leaving(self) -> Leaving:
        return Leaving(self.house, self.cveo, self.folder)

    def by(self, subject: str) -> tuple[tuple[str, str]]:
        return self.house.audit.bearer(subject)

    async def store(
        self, read: archive_pb.ArchivedRead, names: HouseNames = MOTOR_CARRIER
    ) -> archive_pb.ArchivedRead:
        """Stores the read with its picture, as ocr and matcher do."""
        await plant_image(FileObjectStore(self.folder / "images"), read, names)
        assert await self.house.store(read) == ["STORED"]
        return read

    async def pictured(self, plate: str) -> archive_pb.ArchivedRead:
        """A read of a scale house with a picture that people can look at."""
        read = await self.leaving.pictured_read(plate=plate)
        read.read.sensor_id, read.partition = SCALE, APART
        general = self.folder / "images" / "days" / read.read.image.day / read.read.image.sha256.hex()
        own = general.parent / MOTOR_CARRIER.days / general.name
        own.parent.mkdir(exist_ok=True)
        general.rename(own)
        assert await self.house.store(read) == ["STORED"]
        return read

    async def keep_days(self, days: int, before: int) -> None:
        """Sets the retention period, and waits until search follows."""
        request = settings_pb.SetRetentionRequest(
            request_id=str(uuid4()), days=days, days_before=before, reason="a test", confirm_days=days
        )
        stub = self.house.audit.people(SettingsServiceStub)
        await stub.SetRetention(request, metadata=self.by(ADMINISTRATOR))
        statement = "SELECT retention_days FROM archive.setting"
        async with asyncio.timeout(60):
            while (await fetch(self.house.database.admin_url, statement))[0][0] != days:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def purge(self) -> dict[str, dict[str, str]]:
        """The certificates by day, once all that is over is purged."""
        under_way = True
        while under_way:
            run = pb.RunPurgeRequest(request_id=str(uuid4()))
            under_way = (await self.retention.RunPurge(run, metadata=self.by(ADMINISTRATOR))).under_way
        listed = await self.retention.ListPurges(
            pb.ListPurgesRequest(page_size=500), metadata=self.by(ADMINISTRATOR)
        )
        return {one.day: dict(one.certificate) for one in listed.purges}

    async def check(self) -> dict[str, str]:
        """What the doctor finds, by place."""
        request = pb.CheckRetentionRequest(request_id=str(uuid4()))
        answer = await self.retention.CheckRetention(request, metadata=self.by(ADMINISTRATOR))
        return {
            one.place: pb.OlderReason.Name(one.reason).removeprefix("OLDER_REASON_") for one in answer.found
        }


@pytest_asyncio.fixture
async def scales(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Scales]:
    database = await migrated_database("audit", "search")
    async with running_house(database, tls, issuer, tmp_path) as house:
        people = [
            await house.audit.person(role)
            for role in (audit_pb.ROLE_CVEO, audit_pb.ROLE_CVEO_SUPERVISOR, audit_pb.ROLE_USER)
        ]
        yield Scales(house, *people, tmp_path)


def ours(plate: str, **changes: Any) -> archive_pb.ArchivedRead:
    return scale_read(plate, agency=ORI, **changes)


def a_plate() -> str:
    return f"T{uuid4().hex[:8].upper()}"


def asked(**changes: Any) -> dict[str, Any]:
    return {"request_id": str(uuid4()), "justification": justification(), **changes}


def hold_request(plate: str, **changes: Any) -> pb.PlaceHoldRequest:
    usual: dict[str, Any] = {
        "plates": [plate],
        "from": to_timestamp(datetime.now(UTC) - timedelta(days=60)),
        "to": to_timestamp(datetime.now(UTC)),
        "document_sha256": b"d" * 32,
        "reason": "preservation letter of the state's attorney",
        "partition": APART,
    }
    return pb.PlaceHoldRequest(**asked(**{**usual, **changes}))


@pytest.mark.clause("II.H", "IV.C.3", "III.B.3.m")
async def test_an_officer_gets_a_report_in_every_form_and_it_leaves_by_the_houses_own_register(
    scales: Scales,
) -> None:
    plate = a_plate()
    read = await scales.pictured(plate)
    other = await scales.store(archived_read(plate=plate, agency=ORI), ARCHIVE)
    read_ids = [read.read.read_id, other.read.read_id]

    made: dict[int, Files] = {}
    for form in FORMATS:
        made[form] = await scales.leaving.report(read_ids, format=form, partition=APART, picture_count=1)

    for form, mark in FORMATS.items():
        files = made[form]
        assert mark.lower() in files.data.lower()
        assert (files.file.read_count, files.file.missing_count) == (1, 1)
        assert opened(files.file.question_receipt)["action"] == "question.mcsreport"
        assert opened(files.file.dissemination_receipt)["action"] == "mcs_dissemination.export"
    assert plate.encode() in made[report_pb.REPORT_FORMAT_HTML].data
    assert b"data:image/jpeg" in made[report_pb.REPORT_FORMAT_HTML].data
    request = register_pb.ListDisseminationsRequest(request_id=str(uuid4()), partition=APART)
    listed = await scales.register.ListDisseminations(request, metadata=scales.cveo.metadata)
    assert {one.dissemination_id for one in listed.disseminations} == {
        one.file.dissemination_id for one in made.values()
    }
    elsewhere = register_pb.ListDisseminationsRequest(request_id=str(uuid4()))
    assert not (
        await scales.register.ListDisseminations(elsewhere, metadata=scales.user.metadata)
    ).disseminations


@pytest.mark.clause("II.H", "III.D.5")
async def test_an_evidence_package_is_kept_in_the_house_verified_offline_and_given_again_there_alone(
    scales: Scales,
) -> None:
    plate = a_plate()
    read = await scales.pictured(plate)

    got = await scales.leaving.evidence(read.read.read_id, partition=APART)
    copy = report_pb.GetEvidenceRequest(**asked(evidence_id=got.file.evidence_id, partition=APART))
    again = await received(scales.leaving.reports.GetEvidence(copy, metadata=scales.cveo.metadata))
    wrong_house = report_pb.GetEvidenceRequest(**asked(evidence_id=got.file.evidence_id))
    error = await refused(
        received(scales.leaving.reports.GetEvidence(wrong_house, metadata=scales.user.metadata))
    )
    listed = await scales.leaving.reports.ListEvidence(
        report_pb.ListEvidenceRequest(request_id=str(uuid4()), partition=APART),
        metadata=scales.cveo.metadata,
    )

    package = scales.folder / "package.zip"
    package.write_bytes(got.data)
    manifest = verify_evidence.verify(package, read_public_key(scales.leaving.log_key))
    assert manifest["read"]["plate"] == plate
    with zipfile.ZipFile(BytesIO(got.data)) as archive:
        assert archive.read("plate.jpg").startswith(b"\xff\xd8")
    assert again.data == got.data
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert [one.evidence_id for one in listed.packages] == [got.file.evidence_id]
    images = scales.folder / "images"
    assert (images / MOTOR_CARRIER.evidence / got.file.evidence_id).is_dir()
    assert not (images / ARCHIVE.evidence).exists()


@pytest.mark.clause("IV.E.3", "II.H", "IV.E.1")
async def test_what_is_held_outlives_its_day_in_the_house_and_ends_with_the_hold(scales: Scales) -> None:
    plate = a_plate()
    old, day = noon(day_ago(OLD)), str(day_ago(OLD))
    await limit_groups(scales)
    read = await scales.store(ours(plate, captured=old))
    await scales.store(archived_read(old + timedelta(hours=1), plate=plate, agency=ORI), ARCHIVE)
    supervisor, cveo = scales.supervisor.metadata, scales.cveo.metadata
    placed = await scales.retention.PlaceHold(hold_request(plate), metadata=supervisor)
    hold_id = placed.hold.hold_id
    await scales.keep_days(30, before=90)

    certificate = (await scales.purge())[day]
    await scales.purge()  # which ends what lies under no hold of its own house
    reads = await scales.retention.ListHeldReads(
        pb.ListHeldReadsRequest(**asked(hold_id=hold_id, partition=APART)), metadata=cveo
    )
    picture = await scales.retention.GetHeldReadImage(
        pb.GetHeldReadImageRequest(**asked(hold_id=hold_id, read_id=read.read.read_id, partition=APART)),
        metadata=cveo,
    )
    through_the_other_door = await scales.retention.ListHeldReads(
        pb.ListHeldReadsRequest(**asked(hold_id=hold_id)), metadata=scales.user.metadata
    )
    found = await scales.check()
    release = pb.ReleaseHoldRequest(
        request_id=str(uuid4()), hold_id=hold_id, reason="the case is closed", partition=APART
    )
    released = await scales.retention.ReleaseHold(release, metadata=supervisor)

    assert placed.hold.matching_reads == 1
    assert opened(placed.intent_receipt)["action"] == "mcs_hold.place"
    held = ("motor_carrier_holds", "motor_carrier_held_reads", "motor_carrier_held_images")
    assert [certificate[one] for one in held] == ["1"] * 3
    assert (certificate["held_reads"], certificate["reads"], certificate["motor_carrier_reads"]) == (
        ("0", "1", "1")
    )
    assert [(one.read.read_id, one.read.plate) for one in reads.reads] == [(read.read.read_id, plate)]
    assert reads.notice.lead_only
    assert picture.image == read.read.read_id.encode()
    assert kept_back(reads) == kept_back(picture) == ["limitedmcs"]
    assert not through_the_other_door.reads
    assert found == {
        "motor_carrier.held_read": "HOLD",
        f"images {MOTOR_CARRIER.holds}/{hold_id}": "HOLD",
    }
    assert released.released_reads == 1
    assert await scales.check() == {}


@pytest.mark.clause("II.H", "III.B.3.l", "III.E.5")
async def test_neither_houses_people_place_hold_report_or_pack_anything_of_the_other(scales: Scales) -> None:
    plate = a_plate()
    apart = await scales.store(ours(plate))
    general = await scales.store(archived_read(plate=plate, agency=ORI), ARCHIVE)
    coordinator = scales.by(COORDINATOR)
    supervisor, cveo, user = (one.metadata for one in (scales.supervisor, scales.cveo, scales.user))
    retention, reports, register = scales.retention, scales.leaving.reports, scales.register

    def report(read: archive_pb.ArchivedRead, partition: int) -> report_pb.ExportReportRequest:
        return scales.leaving.report_request([read.read.read_id], partition=partition)

    def evidence(read: archive_pb.ArchivedRead, partition: int) -> report_pb.ExportEvidenceRequest:
        return report_pb.ExportEvidenceRequest(
            **asked(read_id=read.read.read_id, report_number="R-1", evidence_system="E", partition=partition)
        )

    def listing(partition: int) -> register_pb.ListDisseminationsRequest:
        return register_pb.ListDisseminationsRequest(request_id=str(uuid4()), partition=partition)  # type: ignore[arg-type]

    calls = (
        retention.PlaceHold(hold_request(plate), metadata=coordinator),
        retention.PlaceHold(hold_request(plate), metadata=cveo),
        retention.PlaceHold(hold_request(plate, partition=GENERAL), metadata=supervisor),
        retention.ListHolds(pb.ListHoldsRequest(partition=APART), metadata=coordinator),
        retention.ListHolds(pb.ListHoldsRequest(), metadata=supervisor),
        received(reports.ExportReport(report(apart, APART), metadata=user)),
        received(reports.ExportReport(report(general, GENERAL), metadata=cveo)),
        received(reports.ExportEvidence(evidence(apart, APART), metadata=user)),
        received(reports.ExportEvidence(evidence(general, GENERAL), metadata=supervisor)),
        register.ListDisseminations(listing(APART), metadata=user),
        register.ListDisseminations(listing(GENERAL), metadata=cveo),
    )
    for number, call in enumerate(calls):
        error = await refused(call)
        assert (error.code, error.metadata["clauses"]) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "III.B.3.l",
        ), number
    for call in (
        received(reports.ExportEvidence(evidence(general, APART), metadata=cveo)),
        received(reports.ExportEvidence(evidence(apart, GENERAL), metadata=user)),
    ):
        assert (await refused(call)).code is grpc.StatusCode.NOT_FOUND


async def test_a_data_set_that_nobody_knows_is_refused_by_every_call(scales: Scales) -> None:
    unknown = {"partition": 9}
    retention, reports, register = scales.retention, scales.leaving.reports, scales.register
    calls = (
        (retention.PlaceHold, hold_request("AB1234", **unknown)),
        (
            retention.ReleaseHold,
            pb.ReleaseHoldRequest(request_id=str(uuid4()), hold_id=str(uuid4()), reason="closed", **unknown),
        ),
        (retention.ListHolds, pb.ListHoldsRequest(**unknown)),
        (retention.ListHeldReads, pb.ListHeldReadsRequest(**asked(hold_id=str(uuid4()), **unknown))),
        (
            register.ListDisseminations,
            register_pb.ListDisseminationsRequest(request_id=str(uuid4()), **unknown),
        ),
        (reports.ListEvidence, report_pb.ListEvidenceRequest(request_id=str(uuid4()), **unknown)),
    )
    for call, request in calls:
        error = await refused(call(request, metadata=scales.supervisor.metadata))
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [one.field for one in error.violations] == ["partition"]


async def limit_groups(scales: Scales) -> None:
    """In both houses there is a group whose sensors serve AMBER alerts alone, and one without limits."""
    for names, sensor, by in (
        (ARCHIVE, "limited-1", COORDINATOR),
        (MOTOR_CARRIER, "limited-scale-1", scales.supervisor.subject),
    ):
        await scales.house.sensor(
            sensor,
            by,
            sensor_group=f"limited{names.days}",
            partition=APART if names is MOTOR_CARRIER else GENERAL,
        )
        limit = agency_pb.GroupLimit(
            agency_ori=ORI, sensor_group=f"limited{names.days}", offence_codes=["AMBER_ALERT"]
        )
        request = agency_pb.SetGroupLimitRequest(request_id=str(uuid4()), limit=limit, reason="contract")
        stub = scales.house.audit.people(GovernanceServiceStub)
        await stub.SetGroupLimit(request, metadata=scales.by(COORDINATOR))
    await scales.house.sensor("open-1")
    await scales.house.sensor("open-scale-1", scales.supervisor.subject, partition=APART)


def kept_back(answer: Any) -> list[str]:
    """Groups that an answer says it did not look at for their limits; there is no other reason."""
    reason = left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT
    assert all(one.reason == reason for one in answer.left_out)
    return [one.sensor_group for one in answer.left_out]


@pytest.mark.clause("IV.A.1", "II.F")
async def test_every_answer_about_reads_says_what_a_group_limit_kept_back(scales: Scales) -> None:
    plate, old = a_plate(), noon(day_ago(OLD))
    await limit_groups(scales)
    barred = scale_read(plate, agency=ORI)
    barred.sensor_group = "limitedmcs"
    await scales.store(barred)
    withheld = archived_read(plate=plate, agency=ORI)
    withheld.sensor_group = "limited"
    await scales.store(withheld, ARCHIVE)
    weighed, seen = await scales.pictured(a_plate()), await scales.leaving.pictured_read(plate=a_plate())
    assert await scales.house.store(seen) == ["STORED"]
    found = await scales.store(archived_read(old, plate=plate, agency=ORI), ARCHIVE)
    placed = await scales.retention.PlaceHold(
        hold_request(plate, partition=GENERAL), metadata=scales.by(COORDINATOR)
    )
    search, apart = scales.house.person(SearchServiceStub), scales.house.person(MotorCarrierServiceStub)
    cveo, user = scales.cveo.metadata, scales.user.metadata

    answers = (
        await search.GetRead(search_pb.GetReadRequest(**asked(read_id=found.read.read_id)), metadata=user),
        await search.GetReadImage(
            search_pb.GetReadImageRequest(**asked(read_id=seen.read.read_id)), metadata=user
        ),
        await scales.retention.ListHeldReads(
            pb.ListHeldReadsRequest(**asked(hold_id=placed.hold.hold_id)), metadata=user
        ),
        (await scales.leaving.report([found.read.read_id], by=scales.user)).file,
    )
    apart_answers = (
        await apart.SearchMotorCarrierReads(
            apart_pb.SearchMotorCarrierReadsRequest(**asked(plate=plate)), metadata=cveo
        ),
        await apart.GetMotorCarrierReadImage(
            apart_pb.GetMotorCarrierReadImageRequest(**asked(read_id=weighed.read.read_id)), metadata=cveo
        ),
        (await scales.leaving.report([barred.read.read_id], partition=APART)).file,
    )
    missing = await refused(
        search.GetRead(search_pb.GetReadRequest(**asked(read_id=withheld.read.read_id)), metadata=user)
    )
    page = await scales.leaving.report(
        [found.read.read_id], by=scales.user, format=report_pb.REPORT_FORMAT_GEOJSON
    )

    assert [kept_back(answer) for answer in answers] == [["limited"]] * 4
    assert [kept_back(answer) for answer in apart_answers] == [["limitedmcs"]] * 3
    assert not apart_answers[0].reads
    assert missing.code is grpc.StatusCode.NOT_FOUND
    assert missing.metadata["left_out"] == f"{ORI}/limited/PURPOSE_LIMIT"
    assert f"{ORI}/limited/PURPOSE_LIMIT" in json.dumps(json.loads(page.data))
