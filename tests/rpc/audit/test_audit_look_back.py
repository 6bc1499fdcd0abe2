"""Look-backs are permitted for recorded acts alone, in the name of who did them."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.canonical import LookBackQuestion, question_digest
from services.common.permit import Permit, permit_text
from services.common.wire import to_datetime, to_timestamp
from tests.support.audit_kit import (
    ORI,
    OTHER_ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    refused,
    request_id,
)
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY

PLATES = hashlib.sha256(b"AB1234,A81234").digest()


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


def look_back(intent_id: str, changed_id: str, **changes: Any) -> pb.AuthorizeRequest:
    """A look-back, complete but for `changes` of the question."""
    now = datetime.now(UTC)
    usual = {
        "intent_id": intent_id,
        "changed_id": changed_id,
        "match_revision": 8,
        "from": to_timestamp(now - timedelta(hours=24)),
        "to": to_timestamp(now),
        "plate_count": 2,
        "plates_sha256": PLATES,
        "page_size": 1000,
    }
    question = pb.LookBackQuestion(**{**usual, **changes})
    return pb.AuthorizeRequest(request_id=request_id(), question=pb.Question(look_back=question))


@pytest.mark.clause("II.D", "IV.E.2")
async def test_a_look_back_is_on_record_in_the_name_of_who_activated_the_list(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    manager, intent_id = await activated(audit, hot_list_id)

    answer = await authorizations(audit).Authorize(look_back(intent_id, hot_list_id))

    entry = await last_entry(audit)
    assert (answer.actor.account_id, answer.agency_oris) == (manager.account_id, [ORI])
    assert entry["entry_id"] == answer.authorization_id
    assert (entry["kind"], entry["action"], entry["service"]) == ("query", "look_back.run", "search")
    assert (entry["actor"], entry["actor_agency"]) == (manager.account_id, ORI)
    assert (entry["subject"], entry["resource"]) == (intent_id, hot_list_id)
    assert entry["question"].startswith("kind:8:lookback\n")
    assert PLATES.hex() in entry["question"]
    assert entry["detail.authority"].startswith("standing authority of the hot list")
    assert entry["clauses"] == "II.D/look-back"


@pytest.mark.clause("IV.A.5")
async def test_the_permit_is_bound_to_the_look_back(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    manager, intent_id = await activated(audit, hot_list_id)
    after = uuid4()

    answer = await authorizations(audit).Authorize(
        look_back(intent_id, hot_list_id, after_read_id=str(after))
    )

    start, end = to_datetime(getattr(answer, "from")), to_datetime(answer.to)
    question = LookBackQuestion(
        UUID(intent_id), UUID(hot_list_id), 8, start, end, 2, PLATES, 1000, after_read_id=after
    )
    permit = Permit(
        UUID(answer.authorization_id),
        UUID(manager.account_id),
        "lookback",
        question_digest(question),
        (ORI,),
        (),
        start,
        end,
        to_datetime(answer.expires_at),
    )
    assert answer.permit == permit_text(permit, PERMIT_KEY)


@pytest.mark.clause("II.H", "III.E.5")
async def test_a_look_back_into_motor_carrier_safety_has_a_permit_of_its_own_kind_and_key(
    audit: RunningAudit,
) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    asked = look_back(intent_id, hot_list_id, partition=sensor_pb2.PARTITION_MOTOR_CARRIER)

    answer = await authorizations(audit).Authorize(asked)

    body, _, mac = answer.permit.rpartition("|")
    assert body.split("|")[3] == "mcslookback"
    assert mac == hmac.digest(MCS_PERMIT_KEY, body.encode(), "sha256").hex()
    assert (await last_entry(audit))["question"].startswith("kind:11:mcslookback\n")


@pytest.mark.clause("IV.C.5")
async def test_an_urgent_entrys_look_back_carries_its_case_number(audit: RunningAudit) -> None:
    officer, entry_id = await audit.person(pb.ROLE_USER), str(uuid4())
    intent = pb.RecordIntentRequest(
        request_id=request_id(),
        access_token=officer.token(),
        action="local_list.add",
        resource=entry_id,
        justification=justification(),
    )
    intent_id = (await authorizations(audit, "matcher").RecordIntent(intent)).intent_id

    answer = await authorizations(audit).Authorize(look_back(intent_id, entry_id))

    entry = await last_entry(audit)
    assert answer.agency_oris == [ORI]
    assert (entry["case_number"], entry["actor"]) == ("2026-004711", officer.account_id)
    assert entry["purpose"].startswith("homicide")
    assert "detail.authority" not in entry


async def test_the_same_look_back_gives_the_same_permit_and_another_is_refused(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    request = look_back(intent_id, hot_list_id)

    first = await authorizations(audit).Authorize(request)
    again = await authorizations(audit).Authorize(request)
    request.question.look_back.match_revision = 9
    error = await refused(authorizations(audit).Authorize(request))

    assert again == first
    assert error.code is grpc.StatusCode.ALREADY_EXISTS


@pytest.mark.clause("IV.A.5", "II.D")
@pytest.mark.parametrize("act", ["none", "other list", "question", "other action"])
async def test_without_the_recorded_act_nothing_is_permitted_and_the_attempt_is_on_record(
    audit: RunningAudit, act: str
) -> None:
    hot_list_id = str(uuid4())
    manager, intent_id = await activated(audit, hot_list_id)
    if act == "none":
        intent_id = str(uuid4())
    elif act == "other list":
        hot_list_id = str(uuid4())
    elif act == "question":
        allowed = await authorizations(audit).Authorize(look_back(intent_id, hot_list_id))
        intent_id = allowed.authorization_id
    else:
        request = pb.RecordIntentRequest(
            request_id=request_id(),
            access_token=manager.token(),
            action="hot_list.upload",
            resource=hot_list_id,
            resource_agency_ori=ORI,
        )
        intent_id = (await authorizations(audit, "matcher").RecordIntent(request)).intent_id

    error = await refused(authorizations(audit).Authorize(look_back(intent_id, hot_list_id)))

    entry = await last_entry(audit)
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert (entry["kind"], entry["action"]) == ("refusal", "look_back.run")


@pytest.mark.clause("IV.A.5")
@pytest.mark.parametrize("service", ["matcher", "alerts", "ocr"])
async def test_no_other_service_gets_a_permit(audit: RunningAudit, service: str) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)

    error = await refused(authorizations(audit, service).Authorize(look_back(intent_id, hot_list_id)))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.clause("IV.A.5")
async def test_an_act_of_last_week_is_no_key_to_the_archive(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    admin = await asyncpg.connect(audit.database.admin_url)
    try:
        await admin.execute("ALTER TABLE audit.log_leaf DISABLE TRIGGER ALL")
        changed = await admin.execute(
            "UPDATE audit.log_leaf SET record_time = record_time - interval '8 days'"
            " WHERE entry_id = $1::uuid",
            intent_id,
        )
        await admin.execute("ALTER TABLE audit.log_leaf ENABLE TRIGGER ALL")
    finally:
        await admin.close()
    assert changed == "UPDATE 1"

    error = await refused(authorizations(audit).Authorize(look_back(intent_id, hot_list_id)))

    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_the_window_reaches_a_week_back_at_most(audit: RunningAudit) -> None:
    hot_list_id = str(uuid4())
    _, intent_id = await activated(audit, hot_list_id)
    long_ago = to_timestamp(datetime.now(UTC) - timedelta(days=30))

    answer = await authorizations(audit).Authorize(look_back(intent_id, hot_list_id, **{"from": long_ago}))

    span = to_datetime(answer.to) - to_datetime(getattr(answer, "from"))
    assert timedelta(days=6, hours=23) < span < timedelta(days=7, minutes=1)


@pytest.mark.clause("III.B.3.f")
async def test_reads_of_an_agency_are_permitted_only_while_it_shares_them(audit: RunningAudit) -> None:
    hot_list_id, now = str(uuid4()), datetime.now(UTC)
    _, intent_id = await activated(audit, hot_list_id)
    admin = await asyncpg.connect(audit.database.admin_url)
    try:
        await admin.execute(
            "INSERT INTO audit.agency SELECT (a).* FROM (SELECT jsonb_populate_record(x, jsonb_build_object("
            "'ori', $1::text)) AS a FROM audit.agency AS x WHERE x.ori = $2) AS y ON CONFLICT DO NOTHING",
            OTHER_ORI,
            ORI,
        )
        for start, end in ((-10, -5), (-5, 5)):
            before = await authorizations(audit).Authorize(look_back(intent_id, hot_list_id))
            await admin.execute(
                "INSERT INTO audit.agreement (agreement_id, provider_ori, recipient_ori, data_classes,"
                " document_sha256, start_time, end_time, state, proposed_by_ori, revision, intent_id) VALUES"
                " ($1, $2, $3, '{HOT_LIST_HITS}', $4, $5, $6, 'ACCEPTED', $2,"
                " (SELECT 1000 + count(*) FROM audit.agreement), gen_random_uuid())",
                uuid4(),
                OTHER_ORI,
                ORI,
                bytes(32),
                now + timedelta(days=start),
                now + timedelta(days=end),
            )
            after = await authorizations(audit).Authorize(look_back(intent_id, hot_list_id))
            assert before.agency_oris == [ORI]
        assert after.agency_oris == [ORI, OTHER_ORI]
    finally:
        await admin.execute("DELETE FROM audit.agreement")
        await admin.close()
