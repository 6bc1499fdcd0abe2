"""The register of what left, with the real audit service."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.search.v1 import dissemination_service_pb2 as register_pb
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.audit.verifier import read_public_key, verify_receipt
from services.common.clock import SystemClock
from services.common.receipts import receipt_to_json
from services.common.wire import to_datetime, to_timestamp
from services.search.acts import Acts
from services.search.departures import Departures
from services.search.store_register import RegisterStore
from tests.support.audit_kit import justification
from tests.support.search_kit import now
from tests.support.search_leaving import Leaving, agency, opened, refusal

PLATE = "LV1234"


@pytest.mark.clause("III.B.3.m")
async def test_the_register_says_to_whom_for_which_case_by_which_hash_and_until_when(
    leaving: Leaving,
) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    got = await leaving.report(ids, recipient=agency())

    request = register_pb.ListDisseminationsRequest(request_id=str(uuid4()), read_id=ids[0])
    answer = await leaving.register.ListDisseminations(request, metadata=leaving.officer.metadata)

    [entry] = answer.disseminations
    assert entry.dissemination_id == got.file.dissemination_id
    assert entry.recipient == agency()
    assert entry.justification.case_number == justification().case_number
    assert entry.sha256 == got.file.sha256
    days = (to_datetime(entry.due_to_delete) - to_datetime(entry.made_time)).total_seconds() / 86400
    assert days == pytest.approx(90, abs=0.01)
    assert PLATE not in str(answer)


@pytest.mark.clause("IV.B.2", "III.B.3.m")
async def test_a_file_that_is_handed_on_gets_an_entry_of_its_own(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    got = await leaving.report(ids)
    request = register_pb.RecordDisseminationRequest(
        request_id=str(uuid4()),
        justification=justification(),
        export_id=got.file.dissemination_id,
        recipient=agency(),
        due_to_delete=to_timestamp(now() + timedelta(days=30)),
    )

    first = await leaving.register.RecordDissemination(request, metadata=leaving.officer.metadata)
    again = await leaving.register.RecordDissemination(request, metadata=leaving.officer.metadata)

    entry = first.dissemination
    assert (entry.kind, entry.export_id) == (
        register_pb.DISSEMINATION_KIND_HANDED_ON,
        got.file.dissemination_id,
    )
    assert entry.sha256 == got.file.sha256
    assert again.dissemination.dissemination_id == entry.dissemination_id
    assert opened(first.receipt)["action"] == "dissemination.share"
    verify_receipt(json.dumps(receipt_to_json(first.receipt)), read_public_key(leaving.log_key))


async def test_an_export_of_nobody_cannot_be_handed_on(leaving: Leaving) -> None:
    request = register_pb.RecordDisseminationRequest(
        request_id=str(uuid4()), justification=justification(), export_id=str(uuid4()), recipient=agency()
    )

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.register.RecordDissemination(request, metadata=leaving.officer.metadata)

    assert refusal(error.value)[0] is grpc.StatusCode.NOT_FOUND


@pytest.mark.clause("III.B.3.n")
async def test_a_correction_reaches_everybody_who_got_the_read_until_each_was_told(leaving: Leaving) -> None:
    ids = await leaving.store(*[await leaving.pictured_read(plate=PLATE) for _ in range(2)])
    with_it = [await leaving.report(ids[:1], recipient=agency()), await leaving.report(ids)]
    await leaving.report(ids[1:])
    wrong = register_pb.RecordCorrectionRequest(
        request_id=str(uuid4()),
        justification=justification(),
        read_id=ids[0],
        statement="the third character was misread",
    )

    corrected = await leaving.register.RecordCorrection(wrong, metadata=leaving.officer.metadata)
    again = await leaving.register.RecordCorrection(wrong, metadata=leaving.officer.metadata)
    listing = register_pb.ListRecipientNoticesRequest(request_id=str(uuid4()))
    open_notices = await leaving.register.ListRecipientNotices(listing, metadata=leaving.officer.metadata)

    assert (corrected.notice_count, again.notice_count) == (2, 2)
    mine = {
        one.dissemination_id: one
        for one in open_notices.notices
        if one.kind == register_pb.RECIPIENT_NOTICE_KIND_CORRECTED
    }
    assert set(mine) >= {one.file.dissemination_id for one in with_it}
    notice = mine[with_it[0].file.dissemination_id]
    assert (notice.recipient, notice.text) == (agency(), "the third character was misread")

    told = register_pb.RecordToldRequest(
        request_id=str(uuid4()), notice_id=notice.notice_id, statement="e-mail to the detective"
    )
    answer = await leaving.register.RecordTold(told, metadata=leaving.officer.metadata)
    await leaving.register.RecordTold(told, metadata=leaving.officer.metadata)
    told.request_id = str(uuid4())
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.register.RecordTold(told, metadata=leaving.officer.metadata)

    assert answer.notice.HasField("told_time")
    assert refusal(error.value)[0] is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.clause("III.B.3.n")
async def test_a_deletion_is_noted_once(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    got = await leaving.report(ids, recipient=agency())
    request = register_pb.RecordDeletionRequest(
        request_id=str(uuid4()),
        dissemination_id=got.file.dissemination_id,
        statement="letter of the detective, all copies",
    )

    answer = await leaving.register.RecordDeletion(request, metadata=leaving.officer.metadata)
    await leaving.register.RecordDeletion(request, metadata=leaving.officer.metadata)
    request.request_id = str(uuid4())
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.register.RecordDeletion(request, metadata=leaving.officer.metadata)

    assert answer.dissemination.HasField("deleted_time")
    assert refusal(error.value)[0] is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_register_is_read_page_by_page_and_every_look_is_recorded(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    made = [(await leaving.report(ids)).file.dissemination_id for _ in range(3)]

    seen, token = [], ""
    while True:
        request = register_pb.ListDisseminationsRequest(
            request_id=str(uuid4()), read_id=ids[0], page_size=2, page_token=token
        )
        answer = await leaving.register.ListDisseminations(request, metadata=leaving.officer.metadata)
        seen += [one.dissemination_id for one in answer.disseminations]
        token = answer.next_page_token
        if not token:
            break

    assert seen == made[::-1]


async def test_the_register_of_another_agency_stays_closed(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    await leaving.report(ids)
    stranger = await leaving.house.audit.head_of("ILX000042")

    request = register_pb.ListDisseminationsRequest(request_id=str(uuid4()))
    answer = await leaving.register.ListDisseminations(request, metadata=stranger.metadata)

    assert list(answer.disseminations) == []


async def test_people_without_a_role_for_it_do_not_see_the_register(leaving: Leaving) -> None:
    person = await leaving.house.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)

    request = register_pb.ListDisseminationsRequest(request_id=str(uuid4()))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.register.ListDisseminations(request, metadata=person.metadata)

    assert refusal(error.value)[0] is grpc.StatusCode.PERMISSION_DENIED


async def test_a_departure_whose_outcome_a_crash_swallowed_gets_it_later(leaving: Leaving) -> None:
    ids = await leaving.store(await leaving.pictured_read(plate=PLATE))
    got = await leaving.report(ids)
    entry = got.file.dissemination_id
    await leaving.rows(
        "UPDATE archive.dissemination SET receipt = NULL, made_time = made_time - interval '2 minutes'"
        " WHERE dissemination_id = $1::text::uuid",
        entry,
    )
    acts = Acts(leaving.house.audit.service(AuthorizationServiceStub), 5)
    async with asyncpg.create_pool(leaving.house.database.url("search_register"), min_size=1) as pool:
        departures = Departures(acts, RegisterStore(pool), SystemClock())

        settled = await departures.settle()
        again = await departures.settle()

    [row] = await leaving.rows(
        "SELECT receipt FROM archive.dissemination WHERE dissemination_id = $1::text::uuid", entry
    )
    assert (settled, again) == (1, 0)
    assert AuditReceipt.FromString(row["receipt"]).entry_id == entry
