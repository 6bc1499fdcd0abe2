"""Subscriptions, lists and Motor Carrier Safety alerts with the real audit service and its real policies."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_search_service_pb2 as list_pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as list_rpc
from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2 as subscription_pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as subscription_rpc
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.type.v1 import hit_pb2, notice_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import bearer, user_channel
from services.common.wire import to_timestamp
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, refused, settings_for, start_rig
from tests.support.audit_kit import ORI, Officer, RunningAudit
from tests.support.databases import MigratedDatabase, fetch

MOTOR_CARRIER = sensor_pb2.PARTITION_MOTOR_CARRIER
WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED
EXPIRED = hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION


class MovingClock:
    """The machine's clock, ahead by what the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    database: MigratedDatabase
    clock: MovingClock
    subscriptions: subscription_rpc.SubscriptionServiceStub
    lists: list_rpc.AlertSearchServiceStub

    async def log(self, **wanted: str) -> list[dict[str, str]]:
        """Entries of the log with these values, oldest first."""
        rows = await fetch(
            self.database.admin_url,
            "SELECT log_index, json_object_agg(name, value)::text AS fields FROM audit.log_field"
            " GROUP BY log_index ORDER BY log_index",
        )
        entries = [json.loads(row["fields"]) for row in rows]
        return [one for one in entries if wanted.items() <= one.items()]


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        clock = MovingClock()
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(settings_for(tmp_path, tls, database, port), tls, clock)
        stack.push_async_callback(rig.stop)
        channel = user_channel(f"127.0.0.1:{rig.server.user_port}", rig.settings.tls_ca)
        rig.channels.append(channel)
        subscriptions = subscription_rpc.SubscriptionServiceStub(channel)
        yield House(audit, rig, database, clock, subscriptions, list_rpc.AlertSearchServiceStub(channel))


def call(officer: Officer) -> dict[str, Any]:
    return {"metadata": (bearer(officer.token()),), "timeout": 20}


def general(category: "hit_pb2.HotListCategory.ValueType" = WANTED) -> pb.Hit:
    return hit_message(entry_message(category, agency=ORI), agency=ORI)


def motor_carrier() -> pb.Hit:
    entry = entry_message(EXPIRED, agency=ORI)
    entry.source = hit_pb2.HOT_LIST_SOURCE_ICC
    return hit_message(entry, agency=ORI)


def wanting(*categories: int) -> filter_pb.AlertFilter:
    return filter_pb.AlertFilter(categories=categories)


def new(**fields: Any) -> subscription_pb.CreateSubscriptionRequest:
    return subscription_pb.CreateSubscriptionRequest(request_id=str(uuid4()), name="mine", **fields)


def name_of(error: Any) -> str:
    return ErrorReason.Name(error.reason).removeprefix("ERROR_REASON_")


@pytest.mark.clause("IV.D.1", "III.B.3.d")
async def test_a_person_chooses_changes_and_ends_and_each_act_is_in_the_log(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    stream = await house.alerts.subscribe(officer.token()).live()
    request = new(filter=wanting(WANTED))

    made = (await house.subscriptions.CreateSubscription(request, **call(officer))).subscription
    again = (await house.subscriptions.CreateSubscription(request, **call(officer))).subscription
    _, wanted = await house.alerts.raise_hits(general(EXPIRED), general(WANTED))
    change = subscription_pb.UpdateSubscriptionRequest(
        request_id=str(uuid4()), subscription_id=made.subscription_id, name="x", filter=wanting(EXPIRED)
    )
    await house.subscriptions.UpdateSubscription(change, **call(officer))
    expired, _ = await house.alerts.raise_hits(general(EXPIRED), general(WANTED))
    end = subscription_pb.EndSubscriptionRequest(
        request_id=str(uuid4()), subscription_id=made.subscription_id
    )
    await house.subscriptions.EndSubscription(end, **call(officer))
    await stream.until(lambda s: len(s.alerts) >= 2)

    assert again == made
    assert [alert.alert_id for alert in stream.alerts] == [wanted, expired]
    intents = await house.log(kind="intent", resource=made.subscription_id)
    assert [one["action"] for one in intents] == [
        "subscription.create",
        "subscription.change",
        "subscription.end",
    ]
    assert {one["actor"] for one in intents} == {officer.account_id}
    await stream.close()


@pytest.mark.clause("IV.D.1")
async def test_nobody_silences_anybody_else_and_the_attempt_is_in_the_log(house: House) -> None:
    officer, colleague = [await house.audit.person(audit_pb.ROLE_USER) for _ in range(2)]
    made = (await house.subscriptions.CreateSubscription(new(), **call(officer))).subscription
    end = subscription_pb.EndSubscriptionRequest(
        request_id=str(uuid4()), subscription_id=made.subscription_id
    )

    async with refused() as caught:
        await house.subscriptions.EndSubscription(end, **call(colleague))

    assert name_of(caught[0]) == "NOT_FOUND"
    (refusal,) = await house.log(kind="refusal", resource=made.subscription_id)
    assert (refusal["actor"], refusal["clauses"]) == (colleague.account_id, "IV.D.1")


@pytest.mark.clause("II.H", "III.E.5", "III.B.3.l")
async def test_the_two_data_sets_of_alerts_never_meet(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    cveo = await house.audit.person(audit_pb.ROLE_CVEO)
    theirs = await house.alerts.subscribe(cveo.token(), partition=MOTOR_CARRIER).live()
    ours = await house.alerts.subscribe(officer.token()).live()

    first, second = await house.alerts.raise_hits(general(), motor_carrier())
    await theirs.until(lambda s: bool(s.alerts))
    await ours.until(lambda s: bool(s.alerts))

    assert [alert.alert_id for alert in ours.alerts] == [first]
    assert [alert.alert_id for alert in theirs.alerts] == [second]
    for person, partition in ((officer, MOTOR_CARRIER), (cveo, sensor_pb2.PARTITION_GENERAL)):
        error = await house.alerts.subscribe(person.token(), partition=partition).ended()
        assert name_of(error) == "NOT_PERMITTED"
        async with refused() as caught:
            await house.subscriptions.CreateSubscription(new(partition=partition), **call(person))
        assert name_of(caught[0]) == "NOT_PERMITTED"
        async with refused() as caught:
            request = list_pb.ListAlertsRequest(request_id=str(uuid4()), partition=partition)
            await house.lists.ListAlerts(request, **call(person))
        assert name_of(caught[0]) == "NOT_PERMITTED"
    for person, closed in ((officer, second), (cveo, first)):
        async with refused() as caught:
            await house.alerts.person.GetAlert(
                pb.GetAlertRequest(request_id=str(uuid4()), alert_id=closed), **call(person)
            )
        assert name_of(caught[0]) == "NOT_FOUND"
    await ours.close()
    await theirs.close()


@pytest.mark.clause("II.H", "III.D.4")
async def test_a_motor_carrier_alert_is_worked_and_listed_by_its_own_officers(house: House) -> None:
    cveo = await house.audit.person(audit_pb.ROLE_CVEO)
    supervisor = await house.audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)
    (alert_id,) = await house.alerts.raise_hits(motor_carrier())
    ids = {"alert_id": alert_id}

    for state, answer in (
        (notice_pb2.VERIFICATION_STATE_VERIFYING, {}),
        (notice_pb2.VERIFICATION_STATE_CONFIRMED, {"system": "ICC", "response_id": "R-1"}),
    ):
        await house.alerts.person.VerifyAlert(
            pb.VerifyAlertRequest(request_id=str(uuid4()), state=state, **answer, **ids), **call(cveo)
        )
    await house.alerts.person.DisposeAlert(
        pb.DisposeAlertRequest(request_id=str(uuid4()), disposition=pb.DISPOSITION_STOPPED, **ids),
        **call(supervisor),
    )
    house.clock.ahead = timedelta(hours=25)
    old = {
        "from": to_timestamp(house.clock.now() - timedelta(hours=26)),
        "to": to_timestamp(house.clock.now()),
    }
    request = list_pb.ListAlertsRequest(
        request_id=str(uuid4()), partition=MOTOR_CARRIER, justification=audit_kit.justification(), **old
    )
    listed = await house.lists.ListAlerts(request, **call(supervisor))
    again = await house.lists.ListAlerts(request, **call(supervisor))

    assert [alert.alert_id for alert in listed.alerts] == [alert_id]
    assert listed.alerts[0].disposition == pb.DISPOSITION_STOPPED
    assert again.receipt.entry_id == listed.receipt.entry_id
    (question,) = await house.log(kind="query", action="question.mcsalerts")
    assert question["case_number"] == "2026-004711"


@pytest.mark.clause("IV.C.5", "IV.C.6", "III.B.3.d")
async def test_every_page_of_a_list_is_in_the_log_with_what_was_asked(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    raised = [(await house.alerts.raise_hits(general()))[0] for _ in range(3)]
    fields = {"page_size": 2, "categories": [WANTED], "justification": audit_kit.justification()}
    start, end = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC) + timedelta(seconds=5)
    window = {"from": to_timestamp(start), "to": to_timestamp(end)}

    first = await house.lists.ListAlerts(
        list_pb.ListAlertsRequest(request_id=str(uuid4()), **fields, **window), **call(officer)
    )
    second = await house.lists.ListAlerts(
        list_pb.ListAlertsRequest(
            request_id=str(uuid4()), page_token=first.next_page_token, **fields, **window
        ),
        **call(officer),
    )

    assert [alert.alert_id for page in (first, second) for alert in page.alerts] == raised[::-1]
    assert second.next_page_token == ""
    pages = await house.log(kind="query", action="question.alerts")
    assert len(pages) == 2
    assert all("categories:6:WANTED" in page["question"] for page in pages)
    assert pages[1]["subject"] == first.receipt.entry_id
    async with refused() as caught:
        request = list_pb.ListAlertsRequest(request_id=str(uuid4()), **window)
        await house.lists.ListAlerts(request, **call(officer))
    assert name_of(caught[0]) == "CASE_NUMBER_REQUIRED"


@pytest.mark.clause("IV.A.4", "II.H")
async def test_a_motor_carrier_stream_ends_with_the_role(house: House) -> None:
    cveo = await house.audit.person(audit_pb.ROLE_CVEO, audit_pb.ROLE_USER)
    stream = await house.alerts.subscribe(cveo.token(), partition=MOTOR_CARRIER).live()
    other = await house.alerts.subscribe(cveo.token()).live()

    request = account_pb.RevokeRoleRequest(
        request_id=str(uuid4()), account_id=cveo.account_id, role=audit_pb.ROLE_CVEO
    )
    stub = house.audit.people(AccountServiceStub)
    await stub.RevokeRole(request, metadata=house.audit.bearer(audit_kit.COORDINATOR))

    error = await stream.ended()
    assert name_of(error) == "ENTITLEMENT_ENDED"
    (alert_id,) = await house.alerts.raise_hits(general())
    await other.until(lambda s: bool(s.alerts))
    assert other.alerts[0].alert_id == alert_id
    await other.close()
