"""Reports with the real audit service: what leaves, leaves on record."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import grpc
import pypdfium2
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import dissemination_pb2 as who_pb
from alpr.search.v1 import report_service_pb2 as pb
from tests.support.audit_kit import ORI, justification
from tests.support.search_kit import archived_read, now
from tests.support.search_leaving import Leaving, agency, opened, refusal

PLATE = "LV1234"


@pytest.mark.clause("IV.C.3", "III.B.3.m", "III.B.3.r")
@pytest.mark.parametrize("form", ["GEOJSON", "CSV", "HTML", "PDF"])
async def test_a_report_leaves_with_its_hash_in_log_and_register(leaving: Leaving, form: str) -> None:
    ids = await leaving.store(*[await leaving.pictured_read(plate=PLATE) for _ in range(3)])

    got = await leaving.report(ids, format=pb.ReportFormat.Value(f"REPORT_FORMAT_{form}"), picture_count=2)

    assert sha256(got.data).digest() == got.file.sha256
    assert (len(got.data), got.file.read_count, got.file.missing_count) == (got.file.size_bytes, 3, 0)
    assert "UNVERIFIED" in got.notice_text
    assert PLATE not in got.file.file_name
    log = opened(got.file.dissemination_receipt)
    assert log["action"] == "dissemination.export"
    assert log["detail.sha256"] == got.file.sha256.hex()
    assert log["detail.recipient_kind"] == "OWN_USE"
    assert log["detail.question_entry"] == got.file.question_receipt.entry_id
    assert log["case_number"] == justification().case_number
    [entry] = await leaving.rows(
        "SELECT file_sha256, read_ids::text[] AS ids, receipt FROM archive.dissemination"
        " WHERE dissemination_id = $1::text::uuid",
        got.file.dissemination_id,
    )
    assert (entry["file_sha256"], set(entry["ids"])) == (got.file.sha256, set(ids))
    assert entry["receipt"]


async def test_a_pdf_shows_reads_pictures_account_and_log_entries(leaving: Leaving) -> None:
    ids = await leaving.store(*[await leaving.pictured_read(plate=PLATE) for _ in range(3)])

    got = await leaving.report(
        ids, format=pb.REPORT_FORMAT_PDF, picture_count=2, caption="Stop at the tollway"
    )

    document = pypdfium2.PdfDocument(got.data)
    text = " ".join(page.get_textpage().get_text_range() for page in document)
    pictures = [
        one for page in document for one in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
    ]
    assert PLATE in text
    assert "Stop at the tollway" in text
    assert leaving.officer.account_id in text
    assert str(got.file.question_receipt.log_index) in text
    assert len(pictures) == 4  # plate and scene of two reads


async def test_reads_that_may_not_be_seen_are_counted_and_not_shown(leaving: Leaving) -> None:
    own = await leaving.store(await leaving.pictured_read(plate=PLATE))
    foreign = await leaving.store(archived_read(agency="ILCPD0001", plate="FOREIGN1", seed=str(uuid4())))

    got = await leaving.report([*own, *foreign, str(uuid4())])

    assert (got.file.read_count, got.file.missing_count) == (1, 2)
    assert b"FOREIGN1" not in got.data


async def test_a_report_of_nothing_that_may_be_seen_is_empty_and_recorded(leaving: Leaving) -> None:
    got = await leaving.report([str(uuid4())], format=pb.REPORT_FORMAT_HTML)

    assert got.file.read_count == 0
    assert b"No read was found" in got.data
    assert opened(got.file.outcome_receipt)["row_count"] == "0"


async def test_a_report_of_many_reads_is_recorded_by_the_digest_of_its_list(leaving: Leaving) -> None:
    reads = [
        archived_read(now() - timedelta(minutes=n + 1), plate=PLATE, agency=ORI, seed=str(n))
        for n in range(120)
    ]
    ids = await leaving.store(*reads)

    got = await leaving.report(ids)

    assert got.file.read_count == 120
    question = opened(got.file.question_receipt)["question"]
    assert sha256(",".join(ids).encode()).hexdigest() in question


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_without_case_number_and_purpose_nothing_leaves(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.report(ids, justification=None)

    assert refusal(error.value)[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_report_cites_the_question_that_found_its_reads_if_it_was_the_same_persons(
    leaving: Leaving,
) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    first = await leaving.report(ids)
    other = await leaving.house.audit.person(audit_pb.ROLE_USER)

    second = await leaving.report(ids, found_by=first.file.question_receipt.entry_id)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.report(ids, by=other, found_by=first.file.question_receipt.entry_id)

    assert opened(second.file.question_receipt)["subject"] == first.file.question_receipt.entry_id
    assert refusal(error.value)[1] == {"first_authorization_id"}


@pytest.mark.clause("IV.B.2", "III.B.3.m")
async def test_another_agency_gets_a_file_with_agency_person_and_purpose_on_record(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))

    got = await leaving.report(ids, recipient=agency())

    log = opened(got.file.dissemination_receipt)
    assert log["action"] == "dissemination.share"
    assert log["detail.recipient"] == "Cook County Sheriff"
    assert log["detail.recipient_person"] == "Det. A. Example"
    assert log["purpose"] == "homicide investigation in their county"


@pytest.mark.clause("IV.B.3")
async def test_what_a_recipient_wants_it_for_is_judged_as_any_purpose(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.report(ids, recipient=agency(purpose="immigration enforcement by their office"))

    assert refusal(error.value)[0] in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}
    entries = await leaving.rows(
        "SELECT FROM archive.dissemination WHERE $1::text::uuid = ANY (read_ids)", ids[0]
    )
    assert entries == []


@pytest.mark.clause("IV.B.1")
async def test_only_the_head_of_the_agency_releases_to_the_public_redacted_with_legal_basis(
    leaving: Leaving,
) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    head = await leaving.house.audit.person(audit_pb.ROLE_USER, audit_pb.ROLE_STATEWIDE_COORDINATOR)
    public = {
        "recipient": who_pb.Recipient(
            kind=who_pb.RECIPIENT_KIND_PUBLIC, legal_basis="5 ILCS 140, request 26-77"
        ),
        "redactions": [
            who_pb.Redaction(field=who_pb.REDACTED_FIELD_PLATE, reason="personal privacy, 7(1)(c)"),
            who_pb.Redaction(field=who_pb.REDACTED_FIELD_PLACE, reason="camera places, 7(1)(v)"),
        ],
    }

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.report(ids, **public)
    got = await leaving.report(ids, by=head, **public)

    assert refusal(error.value)[0] is grpc.StatusCode.PERMISSION_DENIED
    [row] = csv.DictReader(io.StringIO(got.data.decode(), newline=""))
    assert (row["plate"], row["place"], row["latitude"]) == ("[redacted]", "[redacted]", "")
    assert ids[0] not in got.data.decode()
    log = opened(got.file.dissemination_receipt)
    assert log["detail.legal_basis"] == "5 ILCS 140, request 26-77"
    assert log["detail.redacted_plate"] == "personal privacy, 7(1)(c)"
