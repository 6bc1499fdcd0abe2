"""Alerts are verified with what a connector to LEADS answered, over real gRPC; by hand when it is away."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import verification_service_pb2 as check_pb
from alpr.alerts.v1.verification_service_pb2_grpc import VerificationServiceStub
from alpr.connector.v1 import record_check_service_pb2 as connector_pb
from alpr.type.v1 import notice_pb2
from services.common.client import bearer
from services.common.database import admin_connection
from services.common.errors import (
    DependencyUnavailableError,
    InvalidFieldError,
    NotFoundError,
    RequestIdReusedError,
    WrongStateError,
)
from tests.support.alerts_kit import OTHER, OWN
from tests.support.alerts_rig import (
    AlertsRig,
    AuditHost,
    entry_message,
    eventually,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.connector_server import NAME, LeadsRecords, connecting
from tests.support.databases import MigratedDatabase
from tests.support.webhook_rig import MovingClock

VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED
IN_FORCE = connector_pb.RECORD_ANSWER_IN_FORCE
PLATE, STATE = "AB12345", "IL"


@dataclass
class Desk:
    """A running service with a connector, and an officer at work."""

    rig: AlertsRig
    audit: AuditHost
    leads: LeadsRecords
    clock: MovingClock

    async def ask(self, alert_id: str, token: str = "officer", **fields: Any) -> check_pb.RecordCheck:  # noqa: S107
        usual = {"request_id": str(uuid4()), "alert_id": alert_id}
        stub = VerificationServiceStub(self.rig.channels[1])
        request = check_pb.AskRecordRequest(**{**usual, **fields})
        return (await stub.AskRecord(request, metadata=(bearer(token),), timeout=60)).check

    async def verify(self, alert_id: str, state: int, **fields: Any) -> pb.Alert:
        usual = {"request_id": str(uuid4()), "alert_id": alert_id, "state": state}
        request = pb.VerifyAlertRequest(**{**usual, **fields})
        call = self.rig.person.VerifyAlert(request, metadata=(bearer("officer"),), timeout=60)
        return (await call).alert

    async def alert(self) -> str:
        """An alert that somebody is verifying."""
        (alert_id,) = await self.rig.raise_hits(hit_message())
        await self.verify(alert_id, VERIFYING)
        return alert_id


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(migrated_database) -> MigratedDatabase:
    return await migrated_database("alerts")


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest_asyncio.fixture(loop_scope="session")
async def leads(tls) -> AsyncIterator[LeadsRecords]:
    async with connecting(tls) as records:
        yield records


@pytest.fixture
def settings(database, audit, tls, folder, leads):
    return settings_for(
        folder,
        tls,
        database,
        audit.port,
        connector_target=f"127.0.0.1:{leads.port}",
        connector_name=NAME,
        connector_timeout_seconds=2,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def desk(settings, audit, tls, leads, clock) -> AsyncIterator[Desk]:
    rig = await start_rig(settings, tls, clock)
    yield Desk(rig, audit, leads, clock)
    await rig.stop()


@pytest.mark.clause("III.D.4", "IV.D.4")
async def test_what_the_connector_answered_confirms_an_alert_with_who_when_system_and_response_id(
    desk: Desk,
) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    alert_id = await desk.alert()

    check = await desk.ask(alert_id)
    alert = await desk.verify(alert_id, CONFIRMED, check_id=check.check_id)
    request = pb.GetAlertRequest(request_id=str(uuid4()), alert_id=alert_id)
    found = await desk.rig.person.GetAlert(request, metadata=(bearer("officer"),), timeout=60)

    assert (check.answer, check.bears_out, check.system) == (IN_FORCE, CONFIRMED, "LEADS")
    assert alert.notice.verification_state == CONFIRMED
    last = found.history[-1]
    assert (last.account_id, last.system, last.response_id) == ("account-officer", "LEADS", check.response_id)


@pytest.mark.clause("III.D.4")
async def test_an_answer_verifies_nothing_by_itself(desk: Desk) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    alert_id = await desk.alert()

    await desk.ask(alert_id)
    async with refused() as caught:
        dispose = pb.DisposeAlertRequest(
            request_id=str(uuid4()), alert_id=alert_id, disposition=pb.DISPOSITION_STOPPED
        )
        await desk.rig.person.DisposeAlert(dispose, metadata=(bearer("officer"),), timeout=60)

    assert caught[0].metadata["state"] == "VERIFYING"


@pytest.mark.clause("III.D.4")
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (IN_FORCE, CONFIRMED),
        (connector_pb.RECORD_ANSWER_NO_RECORD, notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED),
        (connector_pb.RECORD_ANSWER_CLEARED, notice_pb2.VERIFICATION_STATE_STALE),
        (connector_pb.RECORD_ANSWER_OTHER_STATE, notice_pb2.VERIFICATION_STATE_WRONG_STATE),
    ],
)
async def test_an_answer_bears_out_one_state_and_no_other(desk: Desk, answer: int, state: int) -> None:
    desk.leads.records[PLATE, STATE] = answer
    alert_id = await desk.alert()
    check = await desk.ask(alert_id)
    decided = {
        CONFIRMED,
        notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED,
        notice_pb2.VERIFICATION_STATE_STALE,
        notice_pb2.VERIFICATION_STATE_WRONG_STATE,
    }

    for other in decided - {state}:
        async with refused() as caught:
            await desk.verify(alert_id, other, check_id=check.check_id)
        assert reason(caught[0]) == kind(WrongStateError)
    alert = await desk.verify(alert_id, state, check_id=check.check_id)

    assert alert.notice.verification_state == state


async def test_the_connector_learns_the_record_and_who_asks_and_nothing_of_the_read(desk: Desk) -> None:
    (alert_id,) = await desk.rig.raise_hits(hit_message(plate="READ777"))

    await desk.ask(alert_id)
    (asked,) = desk.leads.asked

    assert (asked.plate, asked.state, asked.record_number) == (PLATE, STATE, "L26-0001")
    assert (asked.requester_account_id, asked.requester_agency_ori) == ("account-officer", OWN)
    assert "READ777" not in str(asked)
    assert alert_id not in str(asked)


async def test_asking_is_in_the_log_before_and_its_outcome_after(desk: Desk) -> None:
    alert_id = await desk.alert()
    await desk.ask(alert_id)
    neighbour = desk.audit.neighbour
    await eventually(lambda: len(neighbour.settled()) == 2)

    (intent,) = [one for one in neighbour.intents if one.action == "alert.ask"]
    assert (intent.resource, intent.resource_agency_ori) == (alert_id, OWN)


async def test_the_same_request_asks_once_and_another_alert_is_refused_under_it(desk: Desk) -> None:
    alert_id, other, request_id = await desk.alert(), await desk.alert(), str(uuid4())

    first = await desk.ask(alert_id, request_id=request_id)
    again = await desk.ask(alert_id, request_id=request_id)
    async with refused() as caught:
        await desk.ask(other, request_id=request_id)

    assert first == again
    assert len(desk.leads.asked) == 1
    assert reason(caught[0]) == kind(RequestIdReusedError)


@pytest.mark.clause("IV.D.4")
async def test_while_the_connector_is_away_people_verify_by_hand(desk: Desk) -> None:
    alert_id = await desk.alert()
    desk.leads.away = True

    async with refused() as caught:
        await desk.ask(alert_id)
    alert = await desk.verify(alert_id, CONFIRMED, system="LEADS", response_id="typed-1")

    assert reason(caught[0]) == kind(DependencyUnavailableError)
    assert "by hand" in caught[0].message
    assert alert.notice.verification_state == CONFIRMED


async def test_without_a_connector_the_answer_says_so_and_the_manual_road_stays(
    database, audit, tls, folder
) -> None:
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls)
    desk = Desk(rig, audit, LeadsRecords(), MovingClock())
    alert_id = await desk.alert()

    async with refused() as caught:
        await desk.ask(alert_id)
    await desk.verify(alert_id, CONFIRMED, system="LEADS", response_id="typed-1")
    await rig.stop()

    assert reason(caught[0]) == kind(WrongStateError)
    assert caught[0].metadata["state"] == "NO_CONNECTOR"


@pytest.mark.parametrize("system", ["", "L" * 201, "LE\nADS"])
async def test_an_answer_that_cannot_be_found_at_its_source_again_counts_as_none(
    desk: Desk, system: str
) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    desk.leads.system = system
    alert_id = await desk.alert()

    async with refused() as caught:
        await desk.ask(alert_id)

    assert reason(caught[0]) == kind(DependencyUnavailableError)


async def test_an_answer_that_is_no_answer_of_the_contract_counts_as_none(desk: Desk) -> None:
    desk.leads.records[PLATE, STATE] = connector_pb.RECORD_ANSWER_UNSPECIFIED
    alert_id = await desk.alert()

    async with refused() as caught:
        await desk.ask(alert_id)

    assert reason(caught[0]) == kind(DependencyUnavailableError)


@pytest.mark.clause("III.D.4")
async def test_an_old_answer_confirms_nothing_any_more(desk: Desk) -> None:
    desk.audit.neighbour.lease = timedelta(hours=2)
    desk.leads.records[PLATE, STATE] = IN_FORCE
    alert_id = await desk.alert()
    check = await desk.ask(alert_id)
    request_id = str(uuid4())
    desk.clock.ahead = timedelta(minutes=9)
    await desk.verify(alert_id, CONFIRMED, check_id=check.check_id, request_id=request_id)
    await desk.verify(alert_id, VERIFYING)
    desk.clock.ahead = timedelta(minutes=11)

    async with refused() as caught:
        await desk.verify(alert_id, CONFIRMED, check_id=check.check_id)
    again = await desk.verify(alert_id, CONFIRMED, check_id=check.check_id, request_id=request_id)

    assert (reason(caught[0]), caught[0].metadata["state"]) == (kind(WrongStateError), "OLD")
    assert again.alert_id == alert_id


@pytest.mark.clause("III.D.4")
async def test_an_answer_that_the_connector_kept_from_before_is_as_old_as_it_says(desk: Desk) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    desk.leads.answered_ago = timedelta(minutes=11)
    alert_id = await desk.alert()
    check = await desk.ask(alert_id)

    async with refused() as caught:
        await desk.verify(alert_id, CONFIRMED, check_id=check.check_id)

    assert (reason(caught[0]), caught[0].metadata["state"]) == (kind(WrongStateError), "OLD")


async def test_an_answer_about_another_alert_or_of_another_agency_is_not_found(desk: Desk) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    alert_id = await desk.alert()
    (shared,) = await desk.rig.raise_hits(hit_message(entry_message(), entry_message(agency=OTHER)))
    await desk.verify(shared, VERIFYING)
    about_another = await desk.ask(await desk.alert())
    of_another = await desk.ask(shared, token="neighbour")  # noqa: S106

    for target, check in ((alert_id, about_another), (shared, of_another)):
        async with refused() as caught:
            await desk.verify(target, CONFIRMED, check_id=check.check_id)
        assert reason(caught[0]) == kind(NotFoundError)


async def test_strangers_can_ask_about_nothing_and_the_connector_hears_nothing(desk: Desk) -> None:
    alert_id = await desk.alert()

    async with refused() as caught:
        await desk.ask(alert_id, token="stranger")  # noqa: S106
    async with refused() as more:
        await desk.ask(alert_id, entry_id=str(uuid4()))

    assert reason(caught[0]) == reason(more[0]) == kind(NotFoundError)
    assert desk.leads.asked == []


async def test_an_answer_and_typed_words_at_once_are_refused(desk: Desk) -> None:
    desk.leads.records[PLATE, STATE] = IN_FORCE
    alert_id = await desk.alert()
    check = await desk.ask(alert_id)

    async with refused() as caught:
        await desk.verify(alert_id, CONFIRMED, check_id=check.check_id, system="NCIC", response_id="x")

    assert reason(caught[0]) == kind(InvalidFieldError)


@pytest.mark.clause("III.D.4")
async def test_the_database_lets_no_step_rest_on_an_answer_that_says_otherwise(desk: Desk, database) -> None:
    desk.leads.records[PLATE, STATE] = connector_pb.RECORD_ANSWER_NO_RECORD
    alert_id = await desk.alert()
    check = await desk.ask(alert_id)
    await desk.verify(alert_id, CONFIRMED, system="LEADS", response_id=check.response_id)

    async with admin_connection(database.url("alerts_app")) as app:
        with pytest.raises(asyncpg.CheckViolationError, match="bear out"):
            await app.execute(
                "INSERT INTO alerts.step_check (alert_id, step_number, check_id) "
                "SELECT alert_id, max(step_number), $2::uuid FROM alerts.alert_step "
                "WHERE alert_id = $1::uuid GROUP BY alert_id",
                alert_id,
                check.check_id,
            )
