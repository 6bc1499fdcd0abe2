"""Pictures for the hits of a look-back are permitted for recorded acts alone, read by read."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.canonical import ArchiveQuestion, question_digest
from services.common.wire import to_datetime, to_timestamp
from tests.support.audit_kit import (
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    last_entry,
    refused,
    request_id,
)
from tests.support.databases import MCS_PERMIT_KEY


async def activated(audit: RunningAudit, hot_list_id: str) -> tuple[Officer, str]:
    """Who activated the list, and the intent."""
    manager = await audit.person(pb.ROLE_HOT_LIST_MANAGER)
    request = pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=manager.token(),
        action="hot_list.activate",
        resource=hot_list_id,
        resource_agency_ori=ORI,
    )
    return manager, (await authorizations(audit, "matcher").RecordIntent(request)).intent_id


def pictures(intent_id: str, changed_id: str, *read_ids: str, **changes: Any) -> pb.AuthorizeRequest:
    """A request for the pictures of these reads, complete but for `changes` of the question."""
    now = datetime.now(UTC)
    usual = {
        "intent_id": intent_id,
        "changed_id": changed_id,
        "read_ids": read_ids,
        "from": to_timestamp(now - timedelta(hours=24)),
        "to": to_timestamp(now),
    }
    question = pb.LookBackPictureQuestion(**{**usual, **changes})
    return pb.AuthorizeRequest(request_id=request_id(), question=pb.Question(look_back_pictures=question))


@pytest.mark.clause("II.D", "IV.A.5", "IV.E.2")
async def test_the_pictures_of_these_reads_are_on_record_in_the_name_of_who_changed_the_list(
    audit: RunningAudit,
) -> None:
    hot_list_id, reads = str(uuid4()), [str(uuid4()), str(uuid4())]
    manager, intent_id = await activated(audit, hot_list_id)

    answer = await authorizations(audit).Authorize(pictures(intent_id, hot_list_id, *reads))

    entry = await last_entry(audit)
    assert (answer.actor.account_id, list(answer.agency_oris)) == (manager.account_id, [ORI])
    assert (entry["kind"], entry["action"], entry["service"]) == ("query", "look_back.run", "search")
    assert (entry["actor"], entry["subject"], entry["resource"]) == (
        manager.account_id,
        intent_id,
        hot_list_id,
    )
    assert all(read_id in entry["question"] for read_id in reads)
    fields = answer.permit.split("|")
    start, end = to_datetime(getattr(answer, "from")), to_datetime(answer.to)
    asked = (("intent_id", intent_id), ("changed_id", hot_list_id), ("read_ids", ",".join(reads)))
    question = ArchiveQuestion("lookbackimage", start, end, 2, asked)
    assert fields[3:6] == ["lookbackimage", question_digest(question).hex(), ORI]
    assert UUID(answer.authorization_id) == UUID(fields[1])


@pytest.mark.clause("IV.A.5", "II.D")
@pytest.mark.parametrize("act", ["none", "other list"])
async def test_without_the_recorded_act_no_picture_is_permitted(audit: RunningAudit, act: str) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    if act == "none":
        intent_id = str(uuid4())
    else:
        hot_list_id = str(uuid4())

    error = await refused(authorizations(audit).Authorize(pictures(intent_id, hot_list_id, str(uuid4()))))

    entry = await last_entry(audit)
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert (entry["kind"], entry["action"]) == ("refusal", "look_back.run")


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("service", ["matcher", "alerts", "ocr"])
async def test_no_other_service_gets_a_permit_for_pictures(audit: RunningAudit, service: str) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)

    asked = pictures(intent_id, hot_list_id, str(uuid4()))
    error = await refused(authorizations(audit, service).Authorize(asked))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("count", [0, 51])
async def test_a_question_is_about_one_to_fifty_pictures(audit: RunningAudit, count: int) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    reads = [str(uuid4()) for _ in range(count)]

    error = await refused(authorizations(audit).Authorize(pictures(intent_id, hot_list_id, *reads)))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == ["question.look_back_pictures.read_ids"]


async def test_what_is_no_read_is_refused_by_its_place(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)

    asked = pictures(intent_id, hot_list_id, str(uuid4()), "x")
    error = await refused(authorizations(audit).Authorize(asked))

    assert [one.field for one in error.violations] == ["question.look_back_pictures.read_ids[1]"]


@pytest.mark.clause("II.H", "III.E.5")
async def test_pictures_of_motor_carrier_safety_have_a_permit_of_their_own_kind_and_key(
    audit: RunningAudit,
) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    asked = pictures(intent_id, hot_list_id, str(uuid4()), partition=sensor_pb2.PARTITION_MOTOR_CARRIER)

    body, _, mac = (await authorizations(audit).Authorize(asked)).permit.rpartition("|")

    assert body.split("|")[3] == "mcslookbackimage"
    assert mac == hmac.digest(MCS_PERMIT_KEY, body.encode(), "sha256").hex()
