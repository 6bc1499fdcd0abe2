"""ReportService with an audit service that misbehaves: nothing leaves that is not on record."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import dissemination_pb2 as who_pb
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.search.v1 import report_service_pb2 as pb
from alpr.search.v1.dissemination_service_pb2_grpc import DisseminationServiceStub
from alpr.search.v1.report_service_pb2_grpc import ReportServiceStub
from alpr.type.v1.justification_pb2 import CASE_NUMBER_KIND_CAD, Justification
from services.common.errors import AuditUnavailableError, NotPermittedError
from services.common.imagecrypt import seal_image
from services.common.objects import FileObjectStore
from services.search.core.evidence import manifest_of
from tests.support.search_kit import OTHER_ORI, archived_read, now
from tests.support.search_leaving import OWN_USE, Files, agency, received, refusal
from tests.support.search_report import jpeg
from tests.support.search_world import World

WHY = Justification(
    case_number_kind=CASE_NUMBER_KIND_CAD,
    case_number="26-0001",
    purpose="homicide investigation, victim's car seen leaving",
    offence_code="HOMICIDE",
)


async def stored(world: World, plate: str, count: int = 1) -> list[str]:
    """Ids of reads whose pictures are in the store."""
    reads = []
    for number in range(count):
        read = archived_read(now() - timedelta(minutes=number + 1), plate=plate, seed=f"{plate}{number}")
        picture, key = jpeg() + uuid4().bytes, secrets.token_bytes(32)
        read.read.image.sha256, read.read.image.image_key = sha256(picture).digest(), key
        day = read.read.capture_time.ToDatetime().date()
        name = f"days/{day.isoformat()}/{read.read.image.sha256.hex()}"
        await FileObjectStore(world.settings.image_store_dir).put_new(name, seal_image(key, day, picture))
        reads.append(read)
    await world.archive.AppendReads(archive_pb.AppendReadsRequest(reads=reads))
    return [one.read.read_id for one in reads]


def request(read_ids: list[str], **changes: Any) -> pb.ExportReportRequest:
    usual = {
        "request_id": str(uuid4()),
        "justification": WHY,
        "read_ids": read_ids,
        "format": pb.REPORT_FORMAT_HTML,
        "picture_count": 5,
        "recipient": OWN_USE,
    }
    return pb.ExportReportRequest(**{**usual, **changes})


async def export(world: World, read_ids: list[str], **changes: Any) -> Files:
    stub = ReportServiceStub(world.people)
    return await received(
        stub.ExportReport(request(read_ids, **changes), metadata=world.metadata, timeout=60)
    )


async def evidence(world: World, read_id: str, **changes: Any) -> Files:
    usual = {
        "request_id": str(uuid4()),
        "justification": WHY,
        "read_id": read_id,
        "report_number": "RPT-1",
        "evidence_system": "Evidence.com",
    }
    stub = ReportServiceStub(world.people)
    asked = pb.ExportEvidenceRequest(**{**usual, **changes})
    return await received(stub.ExportEvidence(asked, metadata=world.metadata, timeout=60))


async def entries(world: World, read_id: str) -> list[Any]:
    return await world.admin(
        "SELECT dissemination_id, receipt FROM archive.dissemination WHERE $1::text::uuid = ANY (read_ids)",
        read_id,
    )


async def test_a_report_is_asked_recorded_and_registered_before_its_first_byte(
    world: World, plate: str
) -> None:
    [read_id] = await stored(world, plate)
    stub = ReportServiceStub(world.people)
    stream: AsyncIterator[pb.ExportReportResponse] = stub.ExportReport(
        request([read_id]), metadata=world.metadata, timeout=20
    )

    first = await anext(aiter(stream))

    assert first.file.dissemination_id
    assert len(world.audit.asked) == len(world.audit.intents) == 1
    assert [one.result for one in world.audit.outcomes] == [1, 1]
    assert world.audit.intents[0].details["sha256"] == first.file.sha256.hex()
    [entry] = await entries(world, read_id)
    assert entry["receipt"]


@pytest.mark.clause("III.B.3.m")
@pytest.mark.parametrize(
    "error", [AuditUnavailableError("away"), NotPermittedError("no", metadata={"clauses": "IV.A.4"})]
)
async def test_nothing_leaves_when_audit_does_not_take_the_intent(
    world: World, plate: str, error: Any
) -> None:
    [read_id] = await stored(world, plate)
    world.audit.intent_error = error

    for ask in (export(world, [read_id]), evidence(world, read_id)):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ask
        assert raised.value.code() is error.code

    assert await entries(world, read_id) == []


@pytest.mark.clause("III.B.3.m")
async def test_nothing_leaves_when_audit_does_not_take_the_outcome_and_the_entry_is_settled_later(
    world: World, plate: str
) -> None:
    [read_id] = await stored(world, plate)

    async def fail_second() -> None:
        if world.audit.intents:
            world.audit.outcome_error = AuditUnavailableError("away")

    world.audit.before_outcome = fail_second

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await export(world, [read_id])

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    [entry] = await entries(world, read_id)
    assert entry["receipt"] is None


@pytest.mark.clause("IV.A.5")
async def test_nothing_runs_when_audit_is_silent(world: World, plate: str) -> None:
    [read_id] = await stored(world, plate)
    world.audit.silent = True

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await export(world, [read_id])

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await entries(world, read_id) == []


async def test_a_permit_for_another_question_gives_no_report(world: World, plate: str) -> None:
    first, second = await stored(world, plate, 2)
    world.audit.change_permit = lambda permit: replace(
        permit, question=permit.question.replace(first, second)
    ).text()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await export(world, [first])

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_report_whose_picture_is_gone_says_all_the_rest(world: World, plate: str) -> None:
    read = archived_read(plate=plate, seed=plate)
    await world.archive.AppendReads(archive_pb.AppendReadsRequest(reads=[read]))

    got = await export(world, [read.read.read_id])

    assert plate.encode() in got.data
    assert b"data:image/jpeg" not in got.data


async def test_evidence_without_its_picture_is_none(world: World, plate: str) -> None:
    read = archived_read(plate=plate, seed=plate)
    await world.archive.AppendReads(archive_pb.AppendReadsRequest(reads=[read]))

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await evidence(world, read.read.read_id)

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert await entries(world, read.read.read_id) == []


async def test_pictures_that_are_redacted_are_not_even_opened(world: World, plate: str) -> None:
    [read_id] = await stored(world, plate)
    redactions = [who_pb.Redaction(field=who_pb.REDACTED_FIELD_PICTURE, reason="bystanders")]

    got = await export(world, [read_id], redactions=redactions)

    assert b"data:image/jpeg" not in got.data
    arguments = {one.name: one.value for one in world.audit.asked[-1].question.archive.arguments}
    assert arguments["pictures"] == "0"


async def test_an_evidence_package_is_kept_sealed_and_its_key_is_not_beside_it(
    world: World, plate: str
) -> None:
    [read_id] = await stored(world, plate)

    got = await evidence(world, read_id)

    [sealed] = (world.settings.image_store_dir / "evidence" / got.file.evidence_id).rglob("package")
    assert plate.encode() in manifest_of(got.data)
    assert plate.encode() not in await asyncio.to_thread(sealed.read_bytes)
    [row] = await world.admin(
        "SELECT wrapped_key FROM archive.evidence WHERE evidence_id = $1::text::uuid", got.file.evidence_id
    )
    assert len(row["wrapped_key"]) == 12 + 32 + 16


@pytest.mark.parametrize("damage", ["gone", "changed"])
async def test_a_kept_package_that_was_damaged_is_not_given_out(
    world: World, plate: str, damage: str
) -> None:
    [read_id] = await stored(world, plate)
    got = await evidence(world, read_id)
    [sealed] = (world.settings.image_store_dir / "evidence" / got.file.evidence_id).rglob("package")
    if damage == "gone":
        await asyncio.to_thread(sealed.unlink)
    else:
        data = bytearray(await asyncio.to_thread(sealed.read_bytes))
        data[100] ^= 1
        await asyncio.to_thread(sealed.unlink)
        await asyncio.to_thread(sealed.write_bytes, bytes(data))
    asked = pb.GetEvidenceRequest(
        request_id=str(uuid4()), justification=WHY, evidence_id=got.file.evidence_id
    )

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await received(ReportServiceStub(world.people).GetEvidence(asked, metadata=world.metadata))

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


# --- Bad requests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": "x"}, "request_id"),
        ({"read_ids": []}, "read_ids"),
        ({"read_ids": ["'; DROP TABLE archive.read --"]}, "read_ids[0]"),
        ({"read_ids": [str(uuid4()) for _ in range(1001)]}, "read_ids"),
        ({"format": 0}, "format"),
        ({"format": 99}, "format"),
        ({"picture_count": 51}, "picture_count"),
        ({"picture_count": -1}, "picture_count"),
        ({"caption": "x" * 201}, "caption"),
        ({"caption": "a\nb"}, "caption"),
        ({"found_by": "x"}, "found_by"),
        ({"recipient": who_pb.Recipient()}, "recipient.kind"),
        ({"recipient": agency(person="")}, "recipient.person"),
        ({"recipient": agency(agency_ori="WIMSN0001")}, "recipient.declaration"),
        ({"redactions": [who_pb.Redaction(field=77, reason="because so")]}, "redactions[0].field"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named_before_audit_is_asked(
    world: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await export(world, **{"read_ids": [str(uuid4())], **changes})

    code, fields = refusal(raised.value)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in fields
    assert world.audit.asked == []


async def test_a_read_that_is_named_twice_is_refused(world: World) -> None:
    same = str(uuid4())

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await export(world, [same, same])

    assert refusal(raised.value)[1] == {"read_ids"}


@pytest.mark.parametrize(
    "changes", [{"report_number": ""}, {"evidence_system": "x" * 101}, {"evidence_item": "a\x00b"}]
)
async def test_an_evidence_package_needs_report_and_system(world: World, changes: dict[str, str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await evidence(world, str(uuid4()), **changes)

    assert refusal(raised.value) == (grpc.StatusCode.INVALID_ARGUMENT, set(changes))


@pytest.mark.clause("I")
async def test_without_a_token_nothing_is_exported_listed_or_registered(world: World) -> None:
    reports, register = ReportServiceStub(world.people), DisseminationServiceStub(world.people)
    one = str(uuid4())

    for call in (
        received(reports.ExportReport(request([one]))),
        received(reports.ExportEvidence(pb.ExportEvidenceRequest())),
        received(reports.GetEvidence(pb.GetEvidenceRequest())),
        reports.ListEvidence(pb.ListEvidenceRequest()),
        register.RecordDissemination(register_pb.RecordDisseminationRequest()),
        register.ListDisseminations(register_pb.ListDisseminationsRequest()),
        register.RecordDeletion(register_pb.RecordDeletionRequest()),
        register.RecordCorrection(register_pb.RecordCorrectionRequest()),
        register.ListRecipientNotices(register_pb.ListRecipientNoticesRequest()),
        register.RecordTold(register_pb.RecordToldRequest()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("token", ["x", "-1", "0", "9" * 40, "1e3", "\u0661"])
async def test_a_page_token_that_is_none_is_refused(world: World, token: str) -> None:
    asked = register_pb.ListDisseminationsRequest(request_id=str(uuid4()), page_token=token)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await DisseminationServiceStub(world.people).ListDisseminations(asked, metadata=world.metadata)

    assert refusal(raised.value)[1] == {"page_token"}


@pytest.mark.parametrize("kind", [who_pb.RECIPIENT_KIND_OWN_USE, who_pb.RECIPIENT_KIND_PUBLIC])
async def test_a_file_is_handed_on_to_somebody_and_never_to_the_public(world: World, kind: int) -> None:
    asked = register_pb.RecordDisseminationRequest(
        request_id=str(uuid4()),
        justification=WHY,
        export_id=str(uuid4()),
        recipient=who_pb.Recipient(kind=who_pb.RecipientKind.ValueType(kind), legal_basis="5 ILCS 140"),
    )

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await DisseminationServiceStub(world.people).RecordDissemination(asked, metadata=world.metadata)

    assert "recipient.kind" in refusal(raised.value)[1]


async def test_reads_of_other_agencies_are_missing(world: World, plate: str) -> None:
    read = archived_read(plate=plate, seed=plate, agency=OTHER_ORI)
    await world.archive.AppendReads(archive_pb.AppendReadsRequest(reads=[read]))

    got = await export(world, [read.read.read_id])

    assert (got.file.read_count, got.file.missing_count) == (0, 1)
    assert plate.encode() not in got.data
