"""SearchService over gRPC: the question road."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest
from alpr.type.v1 import justification_pb2, notice_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import (
    AlprError,
    FieldViolation,
    InvalidFieldError,
    NotPermittedError,
    UnauthenticatedError,
    WrongStateError,
    from_rpc_error,
)
from services.common.wire import to_timestamp
from tests.support.search_kit import OTHER_ORI, archived_read, now
from tests.support.search_world import OFFICER, question


async def store(world, *reads: Any) -> None:
    response = await world.archive.AppendReads(AppendReadsRequest(reads=reads), timeout=60)
    assert len(response.results) == len(reads)


async def refused(call: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


@pytest.mark.clause("IV.C.5", "IV.C.6", "IV.E.2")
async def test_an_authorized_question_is_answered_with_reads_and_both_receipts(world, plate) -> None:
    old, new = archived_read(now() - timedelta(days=30), plate=plate), archived_read(plate=plate)
    await store(world, old, new, archived_read(plate="OTHER1"))

    answer = await world.ask(plate)

    assert [found.read.read_id for found in answer.reads] == [new.read.read_id, old.read.read_id]
    assert answer.next_page_token == ""
    outcome = world.audit.outcomes[-1]
    assert answer.question_receipt.entry_id == outcome.subject_id
    assert answer.HasField("outcome_receipt")
    assert outcome.result == audit_pb.OUTCOME_RESULT_DONE
    assert outcome.row_count == 2
    ids = [UUID(found.read.read_id).bytes for found in answer.reads]
    assert outcome.rows_digest == hashlib.sha256(b"".join(ids)).digest()


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_audit_gets_the_question_the_reason_and_the_officers_own_token(world, plate) -> None:
    request = question(plate.lower(), page_size=7)
    getattr(request, "from").CopyFrom(to_timestamp(now() - timedelta(days=3)))

    await world.search.SearchReads(request, metadata=world.metadata)

    asked = world.audit.asked[-1]
    assert asked.request_id == request.request_id
    assert asked.access_token == OFFICER
    assert asked.justification == request.justification
    sent = asked.question.archive
    assert (sent.kind, sent.page_size) == ("reads", 7)
    said = {one.name: one.value for one in sent.arguments if one.value}
    assert said == {"plate_form": "exact", "plate": plate}
    assert getattr(sent, "from") == getattr(request, "from")
    assert not sent.HasField("to")
    assert asked.first_authorization_id == ""


async def test_a_found_read_is_the_read_that_was_stored_without_its_image_key(world, plate) -> None:
    sent = archived_read(plate=plate)
    sent.provenance = sensor_pb2.PROVENANCE_PARTNER
    await store(world, sent)

    found = (await world.ask(plate)).reads[0]

    sent.read.image.ClearField("image_key")
    assert found.read == sent.read
    assert (found.agency_ori, found.sensor_group, found.provenance) == (
        sent.agency_ori,
        sent.sensor_group,
        sent.provenance,
    )


@pytest.mark.clause("III.B.3.r", "II.A")
async def test_every_answer_says_that_it_is_a_lead_only_and_unverified(world, plate) -> None:
    for answer in (await world.ask(plate), await world.ask("NOSUCH1")):
        assert answer.notice.lead_only
        assert answer.notice.verification_state == notice_pb2.VERIFICATION_STATE_NEW
        assert answer.notice.text.startswith("UNVERIFIED")


async def test_a_question_without_result_is_recorded_too(world) -> None:
    answer = await world.ask("NOSUCH1")

    assert (list(answer.reads), world.audit.outcomes[-1].row_count) == ([], 0)
    assert world.audit.outcomes[-1].rows_digest == hashlib.sha256(b"").digest()


@pytest.mark.clause("II.F")
async def test_own_partner_and_commercial_reads_come_in_one_list_each_labelled(world, plate) -> None:
    reads = [archived_read(now() - timedelta(hours=hours), plate=plate) for hours in (1, 2, 3)]
    kinds = [
        sensor_pb2.PROVENANCE_COMMERCIAL,
        sensor_pb2.PROVENANCE_OWN,
        sensor_pb2.PROVENANCE_PARTNER,
    ]
    for read, kind in zip(reads, kinds, strict=True):
        read.provenance = kind
    await store(world, *reads)

    assert [found.provenance for found in (await world.ask(plate)).reads] == kinds


async def test_the_window_that_was_searched_is_in_the_answer(world, plate) -> None:
    answer = await world.ask(plate)

    searched = answer.searched_to.ToDatetime() - answer.searched_from.ToDatetime()
    assert timedelta(days=89, hours=23) < searched < timedelta(days=90, seconds=1)


@pytest.mark.clause("II.F")
async def test_reads_of_agencies_outside_the_permit_are_not_found(world, plate) -> None:
    await store(world, archived_read(plate=plate, agency=OTHER_ORI))

    assert list((await world.ask(plate)).reads) == []


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_pages_are_authorized_and_recorded_one_by_one_and_cite_the_first(world, plate) -> None:
    reads = [archived_read(now() - timedelta(hours=hours), plate=plate) for hours in range(1, 8)]
    await store(world, *reads)

    pages, token = [], ""
    while True:
        answer = await world.ask(plate, page_size=3, page_token=token)
        pages.append(answer)
        token = answer.next_page_token
        if not token:
            break

    assert [len(page.reads) for page in pages] == [3, 3, 1]
    found = [found.read.read_id for page in pages for found in page.reads]
    assert found == [read.read.read_id for read in reads]
    first = pages[0].question_receipt.entry_id
    assert [asked.first_authorization_id for asked in world.audit.asked] == ["", first, first]
    assert [outcome.row_count for outcome in world.audit.outcomes] == [3, 3, 1]
    assert len({outcome.subject_id for outcome in world.audit.outcomes}) == 3
    assert {page.searched_to.ToNanoseconds() for page in pages} == {pages[0].searched_to.ToNanoseconds()}


async def test_reads_that_come_between_two_pages_shift_nothing(world, plate) -> None:
    reads = [archived_read(now() - timedelta(hours=hours), plate=plate) for hours in range(1, 5)]
    await store(world, *reads)
    first = await world.ask(plate, page_size=2)
    await store(world, archived_read(now() - timedelta(minutes=30), plate=plate))

    second = await world.ask(plate, page_size=2, page_token=first.next_page_token)

    found = [found.read.read_id for page in (first, second) for found in page.reads]
    assert found == [read.read.read_id for read in reads]


@pytest.mark.parametrize("other", ["plate", "window", "bytes", "key"])
async def test_a_page_token_of_another_question_is_refused_before_audit_is_asked(world, plate, other) -> None:
    await store(world, *(archived_read(now() - timedelta(hours=h), plate=plate) for h in (1, 2)))
    token = (await world.ask(plate, page_size=1)).next_page_token
    asked = len(world.audit.asked)
    request = question(plate, page_size=1, page_token=token)
    if other == "plate":
        request.plate = "OTHER1"
    elif other == "window":
        getattr(request, "from").CopyFrom(to_timestamp(now() - timedelta(days=1)))
    elif other == "bytes":
        request.page_token = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    else:
        request.page_token = "AAAA"  # noqa: S105

    error = await refused(world.search.SearchReads(request, metadata=world.metadata))

    assert (error.code, error.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ErrorReason.ERROR_REASON_BAD_TOKEN,
    )
    assert len(world.audit.asked) == asked


@pytest.mark.clause("III.B.3.k")
async def test_a_page_token_of_another_person_gives_no_row_and_is_recorded(world, plate) -> None:
    await store(world, *(archived_read(now() - timedelta(hours=h), plate=plate) for h in (1, 2)))
    token = (await world.ask(plate, page_size=1)).next_page_token
    world.audit.account = str(uuid4())

    error = await refused(world.ask(plate, page_size=1, page_token=token))

    assert error.reason == ErrorReason.ERROR_REASON_BAD_TOKEN
    await until(lambda: world.audit.outcomes[-1].result == audit_pb.OUTCOME_RESULT_FAILED)


REFUSALS = {
    "case number": InvalidFieldError(
        "a case number is needed",
        violations=[FieldViolation("justification.case_number", "must be set")],
    ),
    "training": NotPermittedError("no training on record", metadata={"clauses": "III.D.1"}),
    "token": UnauthenticatedError("the token has ended"),
    "ended": WrongStateError("ask again with a new request id", metadata={"state": "ENDED"}),
}


@pytest.mark.clause("IV.C.5", "IV.C.6", "III.D.1")
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_of_audit_reaches_the_officer_unchanged(world, plate, refusal) -> None:
    await store(world, archived_read(plate=plate))
    world.audit.refusal = refusal

    error = await refused(world.ask(plate))

    assert (error.code, error.reason, error.message) == (refusal.code, refusal.reason, refusal.message)
    assert (error.metadata, error.violations) == (refusal.metadata, refusal.violations)
    assert world.audit.outcomes == []


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_an_incomplete_justification_is_audits_to_refuse_and_to_record(world, plate) -> None:
    await world.ask(plate, justification=justification_pb2.Justification())

    assert world.audit.asked[-1].justification == justification_pb2.Justification()


@pytest.mark.clause("I")
async def test_without_a_token_audit_is_not_even_asked(world, plate) -> None:
    error = await refused(world.search.SearchReads(question(plate)))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert world.audit.asked == []


async def test_a_malformed_request_names_its_fields_and_is_not_asked(world) -> None:
    error = await refused(world.ask("?", page_size=5000, request_id="7"))

    assert {one.field for one in error.violations} == {"plate", "page_size", "request_id"}
    assert world.audit.asked == []


@pytest.mark.clause("IV.C.5", "IV.E.2")
async def test_a_retry_after_a_lost_answer_gets_that_answer_and_is_recorded_again(world, plate) -> None:
    await store(world, archived_read(plate=plate))
    request = question(plate)
    first = await world.search.SearchReads(request, metadata=world.metadata)
    await store(world, archived_read(now() - timedelta(seconds=90), plate=plate))

    again = await world.search.SearchReads(request, metadata=world.metadata)

    assert again.reads == first.reads
    assert len(world.audit.outcomes) == 2
    assert world.audit.outcomes[0].rows_digest == world.audit.outcomes[1].rows_digest
    assert world.audit.outcomes[0].request_id != world.audit.outcomes[1].request_id


async def until(condition: Any) -> None:
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")
