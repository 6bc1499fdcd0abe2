"""Which alerts were there? Over real gRPC and a real database."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_search_service_pb2 as pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as rpc
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.type.v1 import hit_pb2, justification_pb2, notice_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.alerts.errors import BadTokenError
from services.common.client import bearer, user_channel
from services.common.errors import AuditUnavailableError, InvalidFieldError, NotPermittedError
from services.common.wire import to_timestamp
from tests.support.alerts_kit import OTHER, OWN
from tests.support.alerts_rig import (
    AlertsRig,
    entry_message,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)

WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED
AMBER = hit_pb2.HOT_LIST_CATEGORY_AMBER
EXPIRED = hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION
WHY = justification_pb2.Justification(case_number="2026-000123", purpose="homicide investigation")


class MovingClock:
    """The machine's clock, ahead by what the test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Asker:
    """One person's questions."""

    def __init__(self, rig: AlertsRig, token: str = "officer") -> None:  # noqa: S107
        channel = user_channel(f"127.0.0.1:{rig.server.user_port}", rig.settings.tls_ca)
        rig.channels.append(channel)
        self._stub = rpc.AlertSearchServiceStub(channel)
        self._with = {"metadata": (bearer(token),), "timeout": 10}

    async def page(self, **fields: object) -> pb.ListAlertsResponse:
        request = pb.ListAlertsRequest(**{"request_id": str(uuid4()), **fields})
        return await self._stub.ListAlerts(request, **self._with)

    async def ids(self, **fields: object) -> list[str]:
        return [alert.alert_id for alert in (await self.page(**fields)).alerts]


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest_asyncio.fixture(loop_scope="session")
async def moved(database, audit, tls, folder, clock: MovingClock):
    """A service whose clock the test moves."""
    running = await start_rig(settings_for(folder, tls, database, audit.port), tls, clock)
    yield running
    await running.stop()


def back(hours: float) -> dict[str, object]:
    return {"from": to_timestamp(datetime.now(UTC) - timedelta(hours=hours))}


@pytest.mark.clause("III.B.3.r", "III.B.3.d")
async def test_ones_own_feed_of_24_hours_is_listed_newest_first_and_recorded(rig: AlertsRig, audit) -> None:
    raised = [(await rig.raise_hits(hit_message()))[0] for _ in range(3)]

    page = await Asker(rig).page(page_size=3)

    assert [alert.alert_id for alert in page.alerts] == raised[::-1]
    assert page.notice.lead_only
    assert all(alert.notice.text.startswith("UNVERIFIED") for alert in page.alerts)
    intent = audit.neighbour.intents[-1]
    assert (intent.action, intent.resource_agency_ori) == ("alert.list", OWN)
    outcome = audit.neighbour.settled()[-1]
    reads = b"".join(UUID(alert.read_id).bytes for alert in page.alerts)
    assert (outcome.row_count, outcome.rows_digest) == (3, hashlib.sha256(reads).digest())
    assert page.receipt.entry_id == outcome.subject_id
    assert audit.neighbour.questions == []


async def test_a_page_that_is_asked_for_again_is_the_same_request_in_the_log(rig: AlertsRig, audit) -> None:
    await rig.raise_hits(hit_message(), hit_message())
    asker, first_id, next_id = Asker(rig), str(uuid4()), str(uuid4())

    first = [await asker.page(page_size=1, request_id=first_id) for _ in range(2)]
    more = {"page_size": 1, "page_token": first[0].next_page_token}
    second = [await asker.page(request_id=next_id, **more) for _ in range(2)]

    assert first[0].alerts == first[1].alerts
    assert second[0].alerts == second[1].alerts
    assert audit.neighbour.intents[0] == audit.neighbour.intents[1]
    assert audit.neighbour.intents[2] == audit.neighbour.intents[3]


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_what_is_older_than_24_hours_needs_case_number_and_purpose(
    moved: AlertsRig, clock: MovingClock, audit
) -> None:
    (old,) = await moved.raise_hits(hit_message())
    clock.ahead = timedelta(hours=25)
    start = to_timestamp(clock.now() - timedelta(hours=26))
    asker = Asker(moved)

    async with refused() as caught:
        await asker.page(**{"from": start})
    recent = await asker.ids(page_size=200)
    found = await asker.page(**{"from": start}, justification=WHY, categories=[2, 1], page_size=200)

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_CASE_NUMBER_REQUIRED"
    assert old not in recent
    assert old in {alert.alert_id for alert in found.alerts}
    question = audit.neighbour.questions[-1]
    assert question.justification == WHY
    asked = question.question.alerts
    assert (asked.alert_id, asked.page_size) == ("", 200)
    assert getattr(asked, "from") == start
    assert {one.name: one.value for one in asked.arguments} == {"categories": "STOLEN_VEHICLE,STOLEN_PLATE"}


async def test_pages_are_of_one_moment_and_miss_and_repeat_nothing(rig: AlertsRig) -> None:
    expected = [(await rig.raise_hits(hit_message(entry_message(WANTED))))[0] for _ in range(7)]
    asker, fields = Asker(rig), {"categories": [WANTED], **back(1)}

    pages = [await asker.page(page_size=3, **fields)]
    while pages[-1].next_page_token:
        await rig.raise_hits(hit_message(entry_message(WANTED)))
        pages.append(await asker.page(page_size=3, page_token=pages[-1].next_page_token, **fields))

    found = [alert.alert_id for page in pages for alert in page.alerts]
    assert found[:7] == expected[::-1]
    assert len(set(found)) == len(found)


@pytest.mark.clause("III.B.3.d")
async def test_every_page_of_a_question_is_a_question_that_cites_the_first(rig: AlertsRig, audit) -> None:
    for _ in range(3):
        await rig.raise_hits(hit_message())
    asker, fields = Asker(rig), {"justification": WHY, **back(1)}

    first = await asker.page(page_size=1, **fields)
    second = await asker.page(page_size=1, page_token=first.next_page_token, **fields)
    await asker.page(page_size=1, page_token=second.next_page_token, **fields)

    one, two, three = audit.neighbour.questions
    assert one.first_authorization_id == ""
    assert two.first_authorization_id == first.receipt.entry_id
    assert three.first_authorization_id == first.receipt.entry_id
    assert [list(one.question.alerts.arguments) == [] for one in audit.neighbour.questions] == [
        True,
        False,
        False,
    ]
    results = [outcome.result for outcome in audit.neighbour.settled()]
    assert results == [audit_pb.OUTCOME_RESULT_DONE] * 3


async def test_a_page_token_is_good_for_one_person_and_one_question(rig: AlertsRig) -> None:
    await rig.raise_hits(hit_message(), hit_message())
    token = (await Asker(rig).page(page_size=1)).next_page_token

    for asker, fields in (
        (Asker(rig, "colleague"), {}),
        (Asker(rig), {"categories": [AMBER]}),
        (Asker(rig), {"plate": "AB1"}),
        (Asker(rig), back(23)),
    ):
        async with refused() as caught:
            await asker.page(page_token=token, **fields)
        assert reason(caught[0]) == kind(BadTokenError)
    for other in ("x", token[:-8] + "AAAAAAA=", (await rig.subscribe("officer").live()).token):
        async with refused() as caught:
            await Asker(rig).page(page_token=other)
        assert reason(caught[0]) == kind(BadTokenError)


@pytest.mark.clause("IV.C.5")
async def test_pages_of_ones_own_feed_cannot_be_turned_for_days(moved: AlertsRig, clock: MovingClock) -> None:
    await moved.raise_hits(hit_message(), hit_message())
    asker = Asker(moved)
    token = (await asker.page(page_size=1)).next_page_token

    clock.ahead = timedelta(minutes=2)
    await asker.page(page_size=1, page_token=token)
    clock.ahead = timedelta(hours=1)
    async with refused() as caught:
        await asker.page(page_size=1, page_token=token)

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_CASE_NUMBER_REQUIRED"


async def test_an_agency_lists_what_it_may_know_and_no_filter_tells_what_else_there_is(
    rig: AlertsRig,
) -> None:
    both = hit_message(entry_message(AMBER, agency=OWN), entry_message(EXPIRED, agency=OTHER))
    (alert_id,) = await rig.raise_hits(both)

    theirs = await Asker(rig, "neighbour").page(page_size=1)

    assert [alert.alert_id for alert in theirs.alerts] == [alert_id]
    assert [entry.category for entry in theirs.alerts[0].entries] == [EXPIRED]
    assert alert_id in await Asker(rig, "neighbour").ids(categories=[EXPIRED])
    assert alert_id not in await Asker(rig, "neighbour").ids(categories=[AMBER])
    assert alert_id in await Asker(rig).ids(categories=[AMBER], page_size=200)
    assert alert_id not in await Asker(rig, "stranger").ids(page_size=200)


async def test_a_list_is_narrowed_by_state_acknowledgement_and_plate(rig: AlertsRig) -> None:
    hit = hit_message()
    plate = hit.captured_read.read.plate
    seen, unseen = await rig.raise_hits(hit, hit_message())
    request = alert_pb.VerifyAlertRequest(
        request_id=str(uuid4()), alert_id=seen, state=notice_pb2.VERIFICATION_STATE_VERIFYING
    )
    await rig.person.VerifyAlert(request, metadata=(bearer("officer"),), timeout=60)
    asker = Asker(rig)

    assert await asker.ids(plate=plate) == [seen]
    verifying = [notice_pb2.VERIFICATION_STATE_VERIFYING]
    assert seen in await asker.ids(verification_states=verifying, page_size=200)
    assert unseen not in await asker.ids(verification_states=verifying, page_size=200)
    open_ones = await asker.ids(only_unacknowledged=True, page_size=200)
    assert unseen in open_ones
    assert seen not in open_ones


async def test_what_is_wrong_with_a_list_is_named_by_field(rig: AlertsRig) -> None:
    now = to_timestamp(datetime.now(UTC))

    async with refused() as caught:
        await Asker(rig).page(
            request_id="x", page_size=201, categories=[0], verification_states=[99], plate="ab 1", partition=9
        )
    async with refused() as empty:
        await Asker(rig).page(**{"from": now, "to": now})

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert {violation.field for violation in caught[0].violations} == {
        "request_id",
        "page_size",
        "categories[0]",
        "verification_states[0]",
        "plate",
        "partition",
    }
    assert [violation.field for violation in empty[0].violations] == ["from"]


@pytest.mark.clause("IV.A.1")
async def test_nothing_is_listed_while_audit_is_away(rig: AlertsRig, audit) -> None:
    await rig.raise_hits(hit_message())
    await audit.stop()

    async with refused() as caught:
        await Asker(rig).page()

    assert reason(caught[0]) == kind(AuditUnavailableError)
    await audit.start()


@pytest.mark.clause("II.H")
async def test_a_list_of_one_data_set_is_for_its_own_roles(rig: AlertsRig) -> None:
    for token, partition in (
        ("officer", sensor_pb2.PARTITION_MOTOR_CARRIER),
        ("cveo", sensor_pb2.PARTITION_GENERAL),
    ):
        async with refused() as caught:
            await Asker(rig, token).page(partition=partition)
        assert reason(caught[0]) == kind(NotPermittedError)
