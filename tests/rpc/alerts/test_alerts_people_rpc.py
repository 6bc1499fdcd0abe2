"""What people do about alerts, and how the log hears of it, over real gRPC and a real database."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.type.v1 import justification_pb2, notice_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.alerts.errors import NotConfirmedError
from services.common.client import bearer
from services.common.errors import (
    AuditUnavailableError,
    InvalidFieldError,
    NotFoundError,
    NotPermittedError,
    RequestIdReusedError,
    WrongStateError,
)
from tests.support.alerts_kit import OTHER, OWN
from tests.support.alerts_rig import (
    entry_message,
    eventually,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)

CROP, OVERVIEW = b"crop" * 1000, b"overview" * 10_000
VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED


class Person:
    """One person's calls."""

    def __init__(self, rig, token: str = "officer") -> None:  # noqa: S107
        self._stub = rig.person
        self._with = {"metadata": (bearer(token),), "timeout": 10}

    async def get(self, alert_id: str, **fields) -> pb.GetAlertResponse:
        request = pb.GetAlertRequest(**{"request_id": str(uuid4()), "alert_id": alert_id, **fields})
        return await self._stub.GetAlert(request, **self._with)

    async def acknowledge(self, alert_id: str, **fields) -> pb.Alert:
        request = pb.AcknowledgeAlertRequest(**{"request_id": str(uuid4()), "alert_id": alert_id, **fields})
        return (await self._stub.AcknowledgeAlert(request, **self._with)).alert

    async def verify(self, alert_id: str, state: int, **fields) -> pb.Alert:
        request = pb.VerifyAlertRequest(
            **{"request_id": str(uuid4()), "alert_id": alert_id, "state": state, **fields}
        )
        return (await self._stub.VerifyAlert(request, **self._with)).alert

    async def confirm(self, alert_id: str) -> pb.Alert:
        await self.verify(alert_id, VERIFYING)
        return await self.verify(alert_id, CONFIRMED, system="LEADS", response_id="R-778")

    async def dispose(self, alert_id: str, disposition: int, **fields) -> pb.Alert:
        request = pb.DisposeAlertRequest(
            **{"request_id": str(uuid4()), "alert_id": alert_id, "disposition": disposition, **fields}
        )
        return (await self._stub.DisposeAlert(request, **self._with)).alert


@pytest.fixture
def officer(rig) -> Person:
    return Person(rig)


@pytest_asyncio.fixture(loop_scope="session")
async def alert_id(rig) -> str:
    return (await rig.raise_hits(hit_message(pictures=(CROP, OVERVIEW))))[0]


@pytest.mark.clause("IV.E.2", "III.B.3.r")
async def test_an_alert_comes_with_its_pictures_its_notice_and_a_receipt(
    officer: Person, audit, alert_id: str
) -> None:
    found = await officer.get(alert_id)

    assert (found.crop_image, found.overview_image) == (CROP, OVERVIEW)
    assert found.alert.alert_id == alert_id
    assert found.alert.notice.lead_only
    assert found.alert.notice.text == "UNVERIFIED: confirm with LEADS/NCIC before any action"
    assert list(found.history) == []
    intent = audit.neighbour.intents[-1]
    assert (intent.action, intent.resource, intent.resource_agency_ori) == ("alert.get", alert_id, OWN)
    outcome = audit.neighbour.settled()[-1]
    assert outcome.result == audit_pb.OUTCOME_RESULT_DONE
    assert found.receipt.entry_id == outcome.subject_id


async def test_pictures_lie_sealed_under_this_services_own_prefix(folder, alert_id: str) -> None:
    stored = [path for path in (folder / "images").rglob("*") if path.is_file()]

    assert stored
    assert {path.relative_to(folder / "images").parts[0] for path in stored} == {"alerts"}
    assert not any(CROP[:64] in path.read_bytes() for path in stored)


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_an_old_alert_needs_a_case_number_and_a_purpose(database, audit, tls, folder) -> None:
    clock = MovingClock()
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls, clock)
    hit = hit_message(at=clock.now())
    (alert_id,) = await rig.raise_hits(hit)
    clock.ahead = timedelta(hours=25)

    async with refused() as caught:
        await Person(rig).get(alert_id)
    why = justification_pb2.Justification(case_number="2026-000123", purpose="homicide investigation")
    found = await Person(rig).get(alert_id, justification=why)

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_CASE_NUMBER_REQUIRED"
    assert found.alert.alert_id == alert_id
    question = audit.neighbour.questions[-1]
    assert question.justification == why
    assert question.question.alerts.alert_id == alert_id
    outcome = audit.neighbour.settled()[-1]
    read_id = UUID(hit.captured_read.read.read_id)
    assert (outcome.row_count, outcome.rows_digest) == (1, hashlib.sha256(read_id.bytes).digest())
    await rig.stop()


class MovingClock:
    """The machine's clock, ahead by what the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.clause("III.D.4", "IV.D.4", "II.A")
async def test_the_whole_way_from_raised_to_arrest(rig, officer: Person, alert_id: str) -> None:
    stream = await rig.subscribe("officer").live()

    seen = await officer.acknowledge(alert_id)
    asking = await officer.verify(alert_id, VERIFYING)
    confirmed = await officer.verify(alert_id, CONFIRMED, system="NCIC", response_id="N-1")
    stopped = await officer.dispose(alert_id, pb.DISPOSITION_STOPPED, report_number="26-1")
    arrested = await officer.dispose(alert_id, pb.DISPOSITION_ARREST, report_number="26-1")

    assert seen.acknowledged
    assert asking.notice.text.startswith("UNVERIFIED")
    assert confirmed.notice.verification_state == CONFIRMED
    assert confirmed.notice.lead_only
    assert "UNVERIFIED" not in confirmed.notice.text
    assert (stopped.disposition, arrested.disposition) == (pb.DISPOSITION_STOPPED, pb.DISPOSITION_ARREST)
    await stream.until(lambda s: len(s.alerts) >= 5)
    assert all(message.WhichOneof("event") in {"updated", "heartbeat"} for message in stream.messages)
    history = (await officer.get(alert_id)).history
    assert [step.verification_state for step in history] == [1, VERIFYING, CONFIRMED, CONFIRMED, CONFIRMED]
    assert {step.account_id for step in history} == {"account-officer"}
    assert (history[2].system, history[2].response_id) == ("NCIC", "N-1")
    await stream.close()


@pytest.mark.clause("III.D.4", "IV.D.4")
@pytest.mark.parametrize(
    "disposition", [pb.DISPOSITION_STOPPED, pb.DISPOSITION_ARREST, pb.DISPOSITION_RECOVERED]
)
async def test_no_enforcement_before_a_confirmation(
    officer: Person, audit, alert_id: str, disposition: int
) -> None:
    async with refused() as caught:
        await officer.dispose(alert_id, disposition)

    assert reason(caught[0]) == kind(NotConfirmedError)
    assert caught[0].metadata["clauses"] == "III.D.4,IV.D.4"
    await eventually(lambda: len(audit.neighbour.settled()) == 1)
    assert audit.neighbour.settled()[0].result == audit_pb.OUTCOME_RESULT_FAILED
    assert (await officer.get(alert_id)).alert.disposition == pb.DISPOSITION_UNSPECIFIED


@pytest.mark.clause("IV.D.3", "III.D.4")
async def test_what_a_patrol_reported_is_recorded_by_the_centre_once_it_is_confirmed(
    rig, officer: Person, audit, alert_id: str
) -> None:
    centre = Person(rig, "dispatch")
    async with refused() as caught:
        await centre.dispose(alert_id, pb.DISPOSITION_STOPPED, reported_by="Unit 12")
    await officer.confirm(alert_id)

    closed = await centre.dispose(
        alert_id, pb.DISPOSITION_STOPPED, report_number="26-7", reported_by=" Unit 12 "
    )

    assert reason(caught[0]) == kind(NotConfirmedError)
    assert closed.disposition == pb.DISPOSITION_STOPPED
    asked = [dict(one.details) for one in audit.neighbour.intents if one.action == "alert.dispose"]
    assert asked[-1] == {"disposition": "STOPPED", "report_number": "26-7", "reported_by": "Unit 12"}
    *before, last = (await officer.get(alert_id)).history
    assert (last.account_id, last.by_telecom_center) == ("account-dispatch", True)
    assert (last.reported_by, last.report_number) == ("Unit 12", "26-7")
    assert [(one.by_telecom_center, one.reported_by) for one in before] == [(False, "")] * 2


@pytest.mark.parametrize("text", ["x" * 65, "a\x00b"])
async def test_who_reported_it_is_a_short_text(officer: Person, alert_id: str, text: str) -> None:
    async with refused() as caught:
        await officer.dispose(alert_id, pb.DISPOSITION_NOT_LOCATED, reported_by=text)

    assert [violation.field for violation in caught[0].violations] == ["reported_by"]


async def test_a_disposition_is_not_sent_again_as_reported_by_another(officer: Person, alert_id: str) -> None:
    sent = {"request_id": str(uuid4())}
    await officer.dispose(alert_id, pb.DISPOSITION_NOT_LOCATED, reported_by="Unit 12", **sent)

    again = await officer.dispose(alert_id, pb.DISPOSITION_NOT_LOCATED, reported_by="Unit 12", **sent)
    async with refused() as caught:
        await officer.dispose(alert_id, pb.DISPOSITION_NOT_LOCATED, reported_by="Unit 13", **sent)

    assert again.disposition == pb.DISPOSITION_NOT_LOCATED
    assert reason(caught[0]) == kind(RequestIdReusedError)


async def test_a_confirmation_names_system_and_response(officer: Person, alert_id: str) -> None:
    await officer.verify(alert_id, VERIFYING)

    async with refused() as caught:
        await officer.verify(alert_id, CONFIRMED, system="LEADS")

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert [violation.field for violation in caught[0].violations] == ["response_id"]


async def test_a_step_that_does_not_follow_says_in_which_state_the_alert_is(
    officer: Person, alert_id: str
) -> None:
    async with refused() as caught:
        await officer.verify(alert_id, CONFIRMED, system="LEADS", response_id="R")

    assert reason(caught[0]) == kind(WrongStateError)
    assert caught[0].metadata["state"] == "NEW"


async def test_a_repeated_request_changes_nothing_and_gives_the_same_answer(
    officer: Person, audit, alert_id: str
) -> None:
    request_id = str(uuid4())
    first = await officer.verify(alert_id, VERIFYING, request_id=request_id)

    again = await officer.verify(alert_id, VERIFYING, request_id=request_id)

    assert again == first
    assert len((await officer.get(alert_id)).history) == 1


async def test_a_request_id_is_good_for_one_content_only(officer: Person, alert_id: str) -> None:
    request_id = str(uuid4())
    await officer.verify(alert_id, VERIFYING, request_id=request_id)

    async with refused() as caught:
        await officer.acknowledge(alert_id, request_id=request_id)

    assert reason(caught[0]) == kind(RequestIdReusedError)


async def test_every_act_has_its_intent_before_and_its_outcome_after(
    officer: Person, audit, alert_id: str
) -> None:
    await officer.acknowledge(alert_id)
    await officer.confirm(alert_id)
    await officer.dispose(alert_id, pb.DISPOSITION_NOT_LOCATED)

    intents = audit.neighbour.intents
    assert [intent.action for intent in intents] == [
        "alert.acknowledge",
        "alert.verify",
        "alert.verify",
        "alert.dispose",
    ]
    assert dict(intents[2].details) == {"state": "CONFIRMED", "system": "LEADS", "response_id": "R-778"}
    await eventually(lambda: len(audit.neighbour.settled()) == 4)
    assert all(one.result == audit_pb.OUTCOME_RESULT_DONE for one in audit.neighbour.settled())
    assert len({one.subject_id for one in audit.neighbour.settled()}) == 4


async def test_another_agencys_alert_is_not_found_and_the_attempt_is_in_the_log(
    rig, audit, alert_id: str
) -> None:
    stranger = Person(rig, "stranger")

    for call in (
        stranger.get(alert_id),
        stranger.acknowledge(alert_id),
        stranger.verify(alert_id, VERIFYING),
    ):
        async with refused() as caught:
            await call
        assert reason(caught[0]) == kind(NotFoundError)

    assert audit.neighbour.refused == [alert_id] * 3
    assert audit.neighbour.intents == []


async def test_the_lists_agency_works_the_alert_too_and_sees_its_own_entry(rig) -> None:
    hit = hit_message(entry_message(agency=OWN), entry_message(agency=OTHER))
    (alert_id,) = await rig.raise_hits(hit)

    alert = await Person(rig, "neighbour").acknowledge(alert_id)

    assert alert.acknowledged
    assert [entry.list_agency_ori for entry in alert.entries] == [OTHER]


async def test_audits_refusal_of_an_act_reaches_the_person_unchanged(
    officer: Person, audit, alert_id: str
) -> None:
    audit.neighbour.end("officer")

    async with refused() as caught:
        await officer.acknowledge(alert_id)

    assert reason(caught[0]) == kind(NotPermittedError)
    assert caught[0].metadata["clauses"] == "IV.A.4"


@pytest.mark.clause("IV.A.1")
async def test_nothing_is_done_or_shown_while_audit_is_away(
    rig, officer: Person, audit, alert_id: str
) -> None:
    await audit.stop()

    for call in (officer.get(alert_id), officer.acknowledge(alert_id), officer.verify(alert_id, VERIFYING)):
        async with refused() as caught:
            await call
        assert reason(caught[0]) == kind(AuditUnavailableError)

    await audit.start()
    found = await until_answered(lambda: officer.get(alert_id))
    assert (found.alert.acknowledged, list(found.history)) == (False, [])


async def test_alerts_go_on_while_audit_is_away_and_the_log_hears_of_them_in_order(rig, audit) -> None:
    await audit.stop()
    raised = [(await rig.raise_hits(hit_message()))[0] for _ in range(5)]

    await audit.start()

    def mine() -> list[str]:
        return [event.resource for event in audit.neighbour.events if event.resource in raised]

    await eventually(lambda: len(mine()) == 5)
    assert mine() == raised
    event = audit.neighbour.events[-1]
    assert (event.action, event.agency_ori) == ("hit.raised", OWN)
    assert set(event.details) == {"read_id", "sensor_id", "entries", "entry_count", "hits_sha256"}


async def until_answered(call):
    """The answer once audit was found again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
