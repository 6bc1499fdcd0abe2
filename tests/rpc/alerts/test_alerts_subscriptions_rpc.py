"""What people choose to hear of, over real gRPC and a real database, on more than one replica."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as rpc
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.type.v1 import hit_pb2, sensor_pb2
from services.alerts.store_subscriptions import MOST_SUBSCRIPTIONS
from services.common.client import bearer, user_channel
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
    AlertsRig,
    entry_message,
    eventually,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)

AMBER = hit_pb2.HOT_LIST_CATEGORY_AMBER
WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED
EXPIRED = hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION
FLOOR = [1, 2, 3, 6, 7]
MOTOR_CARRIER = sensor_pb2.PARTITION_MOTOR_CARRIER
NOWHERE = filter_pb.MapArea()


def circle(latitude: float, longitude: float, meters: float) -> filter_pb.MapArea:
    center = filter_pb.MapPoint(latitude=latitude, longitude=longitude)
    return filter_pb.MapArea(circle=filter_pb.MapCircle(center=center, radius_meters=meters))


def polygon(*corners: tuple[float, float]) -> filter_pb.MapArea:
    points = [filter_pb.MapPoint(latitude=north, longitude=east) for north, east in corners]
    return filter_pb.MapArea(polygon=filter_pb.MapPolygon(corners=points))


def always(**changes: object) -> filter_pb.WeeklyHours:
    return filter_pb.WeeklyHours(
        **{"begin": "00:00", "end": "00:00", "time_zone": "America/Chicago", **changes}
    )


def another_day() -> filter_pb.WeeklyHours:
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    return always(days=[in_two_days.isoweekday()], time_zone="UTC")


# What somebody would choose who wanted to hear of nothing at all.
HOSTILE = {
    "certainty": lambda: filter_pb.AlertFilter(min_match_percent=100),
    "nowhere": lambda: filter_pb.AlertFilter(areas=[NOWHERE]),
    "tiny polygon": lambda: filter_pb.AlertFilter(areas=[polygon((0, 0), (0, 1e-9), (1e-9, 0))]),
    "another list": lambda: filter_pb.AlertFilter(hot_list_ids=[str(uuid4())]),
    "another agency": lambda: filter_pb.AlertFilter(agency_oris=["XX0000000"]),
    "another group": lambda: filter_pb.AlertFilter(sensor_groups=["none"]),
    "another sensor": lambda: filter_pb.AlertFilter(sensor_ids=["none"]),
    "another unit": lambda: filter_pb.AlertFilter(units=["none"]),
    "another category": lambda: filter_pb.AlertFilter(categories=[hit_pb2.HOT_LIST_CATEGORY_OTHER]),
    "another day": lambda: filter_pb.AlertFilter(hours=[another_day()]),
    "the loudest, and never in sound": lambda: filter_pb.AlertFilter(
        min_severity=alert_pb.SEVERITY_URGENT, quiet_hours=[always()]
    ),
}


class Chooser:
    """One person's calls."""

    def __init__(self, rig: AlertsRig, token: str) -> None:
        channel = user_channel(f"127.0.0.1:{rig.server.user_port}", rig.settings.tls_ca)
        rig.channels.append(channel)
        self._stub = rpc.SubscriptionServiceStub(channel)
        self._with = {"metadata": (bearer(token),), "timeout": 10}

    async def create(self, wanted: filter_pb.AlertFilter, **fields: object) -> pb.Subscription:
        values = {"request_id": str(uuid4()), "name": "mine", "filter": wanted, **fields}
        answer = await self._stub.CreateSubscription(pb.CreateSubscriptionRequest(**values), **self._with)
        return answer.subscription

    async def update(
        self, subscription_id: str, wanted: filter_pb.AlertFilter, **fields: object
    ) -> pb.Subscription:
        request = pb.UpdateSubscriptionRequest(
            **{
                "request_id": str(uuid4()),
                "subscription_id": subscription_id,
                "name": "mine",
                "filter": wanted,
                **fields,
            }
        )
        return (await self._stub.UpdateSubscription(request, **self._with)).subscription

    async def end(self, subscription_id: str, **fields: object) -> None:
        values = {"request_id": str(uuid4()), "subscription_id": subscription_id, **fields}
        await self._stub.EndSubscription(pb.EndSubscriptionRequest(**values), **self._with)

    async def all(self, **fields: object) -> list[pb.Subscription]:
        answer = await self._stub.ListSubscriptions(pb.ListSubscriptionsRequest(**fields), **self._with)
        assert list(answer.floor) == FLOOR
        return list(answer.subscriptions)

    async def end_all(self) -> None:
        for one in await self.all():
            await self.end(one.subscription_id)


@pytest_asyncio.fixture(loop_scope="session")
async def officer(rig: AlertsRig) -> AsyncIterator[Chooser]:
    chooser = Chooser(rig, "officer")
    yield chooser
    await chooser.end_all()


@pytest_asyncio.fixture(loop_scope="session")
async def other_replica(database, audit, tls, folder) -> AsyncIterator[AlertsRig]:
    running = await start_rig(settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3), tls)
    yield running
    await running.stop()


def wants(*categories: int, **fields: object) -> filter_pb.AlertFilter:
    return filter_pb.AlertFilter(categories=categories, **fields)


@pytest.mark.clause("IV.D.2")
@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_no_subscription_narrows_the_floor_and_the_answer_says_so(
    rig: AlertsRig, officer: Chooser, name: str
) -> None:
    chosen = HOSTILE[name]()
    stream = await rig.subscribe("officer").live()

    made = await officer.create(chosen)
    withheld, floor = await rig.raise_hits(
        hit_message(entry_message(EXPIRED)), hit_message(entry_message(EXPIRED), entry_message(AMBER))
    )
    await stream.until(lambda s: bool(s.alerts))

    assert [alert.alert_id for alert in stream.alerts] == [floor]
    assert withheld not in {alert.alert_id for alert in stream.alerts}
    assert not any(message.quiet for message in stream.messages)
    assert made.filter == chosen
    assert list(made.floor) == FLOOR
    assert set(made.widened) == {field.name for field, _ in chosen.ListFields()}
    await stream.close()


@pytest.mark.clause("IV.D.1")
async def test_a_person_without_a_subscription_hears_of_everything_and_the_last_end_brings_that_back(
    rig: AlertsRig, officer: Chooser
) -> None:
    stream = await rig.subscribe("officer").live()

    (before,) = await rig.raise_hits(hit_message(entry_message(EXPIRED)))
    made = await officer.create(wants(WANTED))
    _, wanted = await rig.raise_hits(hit_message(entry_message(EXPIRED)), hit_message(entry_message(WANTED)))
    await officer.end(made.subscription_id)
    (after,) = await rig.raise_hits(hit_message(entry_message(EXPIRED)))
    await stream.until(lambda s: len(s.alerts) >= 3)

    assert [alert.alert_id for alert in stream.alerts] == [before, wanted, after]
    assert await officer.all() == []
    await stream.close()


@pytest.mark.clause("IV.D.1")
async def test_every_alert_is_judged_by_the_changes_before_it_on_every_replica_and_when_it_is_sent_again(
    rig: AlertsRig, other_replica: AlertsRig, officer: Chooser
) -> None:
    elsewhere = Chooser(other_replica, "officer")
    streams = [await one.subscribe("officer").live() for one in (rig, other_replica)]
    begin = streams[0].token
    made = await officer.create(wants(WANTED))
    expected = []
    for number in range(30):
        chooser, raiser = (officer, other_replica) if number % 2 else (elsewhere, rig)
        category = EXPIRED if number % 3 else WANTED
        await chooser.update(made.subscription_id, wants(category))
        both = await raiser.raise_hits(*(hit_message(entry_message(one)) for one in (EXPIRED, WANTED)))
        expected.append(both[0 if category == EXPIRED else 1])

    for stream in streams:
        await stream.until(lambda s: len(s.alerts) >= len(expected))
        assert [alert.alert_id for alert in stream.alerts] == expected
        await stream.close()
    again = other_replica.subscribe("officer", resume_token=begin)
    await again.until(lambda s: len(s.alerts) >= len(expected))
    assert [alert.alert_id for alert in again.alerts] == expected
    await again.close()
    stored = (await officer.all())[0]
    assert (stored.version, stored.subscription_id) == (31, made.subscription_id)


@pytest.mark.clause("IV.D.1")
async def test_quiet_hours_bring_an_alert_without_sound(rig: AlertsRig, officer: Chooser) -> None:
    stream = await rig.subscribe("officer").live()

    await officer.create(filter_pb.AlertFilter(quiet_hours=[always()]))
    await rig.raise_hits(hit_message(entry_message(WANTED)), hit_message(entry_message(AMBER)))
    await stream.until(lambda s: len(s.alerts) >= 2)

    assert [message.quiet for message in stream.messages if message.HasField("raised")] == [True, False]
    await stream.close()


@pytest.mark.clause("IV.D.1")
async def test_who_was_told_of_an_alert_is_told_when_the_car_leaves_the_area_and_when_it_is_cleared(
    rig: AlertsRig, officer: Chooser
) -> None:
    stream = await rig.subscribe("officer").live()
    await officer.create(filter_pb.AlertFilter(areas=[circle(41.88, -87.63, 100)], min_match_percent=90))
    entry = entry_message(WANTED)
    here, outside = hit_message(entry), hit_message(entry)
    outside.captured_read.read.plate = here.captured_read.read.plate
    outside.captured_read.read.place.latitude = 42.5
    outside.matches[0].match_probability = 0.3

    (alert_id,) = await rig.raise_hits(here)
    assert await rig.raise_hits(outside) == [alert_id]
    await rig.person.AcknowledgeAlert(
        alert_pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=alert_id),
        metadata=(bearer("officer"),),
        timeout=10,
    )
    await stream.until(lambda s: len(s.alerts) >= 3)

    assert {alert.alert_id for alert in stream.alerts} == {alert_id}
    assert stream.alerts[1].place.latitude == 42.5
    assert stream.alerts[2].acknowledged
    await stream.close()


@pytest.mark.clause("IV.D.1")
async def test_a_unit_is_chosen_by_its_name_and_only_by_people_of_its_agency(
    rig: AlertsRig, officer: Chooser
) -> None:
    neighbour = Chooser(rig, "neighbour")
    streams = [await rig.subscribe(one).live() for one in ("officer", "neighbour")]
    made = await officer.create(filter_pb.AlertFilter(units=[" District 15 "]))
    theirs = await neighbour.create(filter_pb.AlertFilter(units=["District 15"]))
    of_both = [entry_message(EXPIRED), entry_message(EXPIRED, agency=OTHER)]
    wanted, of_none, of_another = (hit_message(*of_both) for _ in range(3))
    of_none.sensor_unit, of_another.sensor_unit = "", "District 3"

    expected, *_ = await rig.raise_hits(wanted, of_none, of_another)
    await neighbour.end(theirs.subscription_id)
    (last,) = await rig.raise_hits(hit_message(*of_both))
    for stream in streams:
        await stream.until(lambda s: last in {alert.alert_id for alert in s.alerts})

    assert [[alert.alert_id for alert in stream.alerts] for stream in streams] == [[expected, last], [last]]
    assert list(made.widened) == ["units"]
    for stream in streams:
        await stream.close()


async def test_one_persons_choice_is_nobody_elses(rig: AlertsRig, officer: Chooser) -> None:
    theirs = await rig.subscribe("colleague").live()

    await officer.create(wants(WANTED))
    (alert_id,) = await rig.raise_hits(hit_message(entry_message(EXPIRED)))
    await theirs.until(lambda s: bool(s.alerts))

    assert theirs.alerts[0].alert_id == alert_id
    assert await Chooser(rig, "colleague").all() == []
    await theirs.close()


async def test_a_subscription_outlives_the_process(rig: AlertsRig, tls, officer: Chooser) -> None:
    made = await officer.create(wants(WANTED), name="night shift")
    later = await start_rig(rig.settings, tls)

    stream = await later.subscribe("officer").live()
    _, wanted = await rig.raise_hits(hit_message(entry_message(EXPIRED)), hit_message(entry_message(WANTED)))
    await stream.until(lambda s: bool(s.alerts))

    assert [alert.alert_id for alert in stream.alerts] == [wanted]
    assert await Chooser(later, "officer").all() == [made]
    await stream.close()
    await later.stop()


async def test_a_request_that_is_sent_again_begins_and_changes_nothing_anew(
    rig: AlertsRig, officer: Chooser
) -> None:
    request_id, change_id, end_id = (str(uuid4()) for _ in range(3))

    first = await officer.create(wants(WANTED), request_id=request_id)
    assert await officer.create(wants(WANTED), request_id=request_id) == first
    async with refused() as caught:
        await officer.create(wants(EXPIRED), request_id=request_id)
    changed = await officer.update(first.subscription_id, wants(EXPIRED), request_id=change_id)
    assert await officer.update(first.subscription_id, wants(EXPIRED), request_id=change_id) == changed
    await officer.end(first.subscription_id, request_id=end_id)
    await officer.end(first.subscription_id, request_id=end_id)

    assert reason(caught[0]) == kind(RequestIdReusedError)
    assert (first.version, changed.version) == (1, 2)
    assert changed.create_time == first.create_time
    assert await officer.all() == []


async def test_an_ended_or_unknown_subscription_is_not_found(officer: Chooser) -> None:
    made = await officer.create(wants(WANTED))
    await officer.end(made.subscription_id)

    for call in (
        officer.update(made.subscription_id, wants(WANTED)),
        officer.end(made.subscription_id),
        officer.end(str(uuid4())),
        officer.update(str(uuid4()), wants(WANTED)),
    ):
        async with refused() as caught:
            await call
        assert reason(caught[0]) == kind(NotFoundError)


@pytest.mark.clause("IV.D.1")
async def test_another_persons_subscription_is_not_found_and_the_attempt_is_in_the_log(
    rig: AlertsRig, audit, officer: Chooser
) -> None:
    made = await officer.create(wants(WANTED))
    colleague = Chooser(rig, "colleague")

    for call in (
        colleague.update(made.subscription_id, filter_pb.AlertFilter()),
        colleague.end(made.subscription_id),
    ):
        async with refused() as caught:
            await call
        assert reason(caught[0]) == kind(NotFoundError)

    assert audit.neighbour.refused == [made.subscription_id] * 2
    assert await officer.all() == [made]


@pytest.mark.clause("III.B.3.d")
async def test_every_change_has_its_intent_before_and_its_outcome_after(audit, officer: Chooser) -> None:
    made = await officer.create(filter_pb.AlertFilter(min_match_percent=100), name="a name of my own")
    await officer.update(made.subscription_id, wants(WANTED))
    await officer.end(made.subscription_id)
    async with refused():
        await officer.create(filter_pb.AlertFilter(min_match_percent=101))

    intents = audit.neighbour.intents
    assert [intent.action for intent in intents] == [
        "subscription.create",
        "subscription.change",
        "subscription.end",
    ]
    assert {(one.resource, one.resource_account_id, one.resource_agency_ori) for one in intents} == {
        (made.subscription_id, "account-officer", OWN)
    }
    assert intents[0].details["filter"] == '{"min_match_percent": 100}'
    assert intents[0].details["widened"] == "min_match_percent"
    assert "a name of my own" not in str(intents)
    await eventually(lambda: len(audit.neighbour.settled()) == 3)
    assert all(one.result == audit_pb.OUTCOME_RESULT_DONE for one in audit.neighbour.settled())


async def test_there_are_so_many_subscriptions_and_no_more(audit, officer: Chooser) -> None:
    for _ in range(MOST_SUBSCRIPTIONS):
        await officer.create(wants(WANTED))

    async with refused() as caught:
        await officer.create(wants(WANTED))

    assert reason(caught[0]) == kind(WrongStateError)
    assert len(await officer.all()) == MOST_SUBSCRIPTIONS
    failed = audit_pb.OUTCOME_RESULT_FAILED
    await eventually(lambda: [one.result for one in audit.neighbour.settled()].count(failed) == 1)


async def test_nothing_is_chosen_while_audit_is_away(audit, officer: Chooser) -> None:
    made = await officer.create(wants(WANTED))
    await audit.stop()

    for call in (officer.create(wants(EXPIRED)), officer.end(made.subscription_id), officer.all()):
        async with refused() as caught:
            await call
        assert reason(caught[0]) == kind(AuditUnavailableError)

    await audit.start()
    await eventually_all(officer, [made])


async def eventually_all(officer: Chooser, expected: list[pb.Subscription]) -> None:
    for _ in range(50):
        try:
            assert await officer.all() == expected
        except Exception as error:
            last = error
        else:
            return
    raise last


async def test_what_is_wrong_with_a_filter_is_named_by_path_and_never_repeated(officer: Chooser) -> None:
    wrong = filter_pb.AlertFilter(
        categories=[99],
        hot_list_ids=["x"],
        agency_oris=["secret"],
        sensor_groups=["Secret Group"],
        units=["", "Secret\nUnit", "secret" * 34],
        areas=[
            circle(91, 0, 10),
            circle(0, 0, float("nan")),
            polygon((0, 0), (1, 1)),
            polygon((0, -179), (0, 179), (1, 0)),
            filter_pb.MapArea(circle=filter_pb.MapCircle(radius_meters=10)),
        ],
        min_severity=9,
        min_match_percent=-1,
        hours=[always(days=[0]), always(begin="24:00"), always(time_zone="../../secret"), always(end="7:00")],
    )

    async with refused() as caught:
        await officer.create(wrong, name="", partition=7, request_id="x")

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert {violation.field for violation in caught[0].violations} == {
        "request_id",
        "partition",
        "name",
        "filter.categories[0]",
        "filter.hot_list_ids[0]",
        "filter.agency_oris[0]",
        "filter.sensor_groups[0]",
        "filter.units[0]",
        "filter.units[1]",
        "filter.units[2]",
        "filter.areas[0].circle.center.latitude",
        "filter.areas[1].circle.radius_meters",
        "filter.areas[2].polygon.corners",
        "filter.areas[3].polygon.corners",
        "filter.areas[4].circle.center",
        "filter.min_severity",
        "filter.min_match_percent",
        "filter.hours[0].days",
        "filter.hours[1].begin",
        "filter.hours[2].time_zone",
        "filter.hours[3].end",
    }
    assert "secret" not in str(caught[0].violations).lower() + caught[0].message


async def test_too_many_of_anything_is_refused(officer: Chooser) -> None:
    wrong = filter_pb.AlertFilter(
        hot_list_ids=[str(uuid4()) for _ in range(101)],
        sensor_ids=["a"] * 101,
        units=["a"] * 101,
        areas=[NOWHERE] * 21,
        quiet_hours=[always()] * 21,
    )

    async with refused() as caught:
        await officer.create(wrong)

    assert {violation.field for violation in caught[0].violations} == {
        "filter.hot_list_ids",
        "filter.sensor_ids",
        "filter.units",
        "filter.areas",
        "filter.quiet_hours",
    }


@pytest.mark.clause("II.H")
async def test_subscriptions_of_the_two_data_sets_know_nothing_of_each_other(rig: AlertsRig) -> None:
    both = Chooser(rig, "both")

    general = await both.create(wants(WANTED))
    theirs = await both.create(wants(EXPIRED), partition=MOTOR_CARRIER)

    assert await both.all() == [general]
    assert await both.all(partition=MOTOR_CARRIER) == [theirs]
    async with refused() as caught:
        await both.end(general.subscription_id, partition=MOTOR_CARRIER)
    assert reason(caught[0]) == kind(NotFoundError)
    for token, partition in (("officer", MOTOR_CARRIER), ("cveo", sensor_pb2.PARTITION_GENERAL)):
        async with refused() as caught:
            await Chooser(rig, token).create(wants(WANTED), partition=partition)
        assert reason(caught[0]) == kind(NotPermittedError)
    await both.end(general.subscription_id)
    await both.end(theirs.subscription_id, partition=MOTOR_CARRIER)
