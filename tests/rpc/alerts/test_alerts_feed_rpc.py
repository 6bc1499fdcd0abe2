"""Raising and subscribing, over real gRPC and a real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.alerts.errors import (
    BadTokenError,
    EpochChangedError,
    SlowSubscriberError,
)
from services.common.database import admin_connection
from services.common.errors import (
    InvalidFieldError,
    NotPermittedError,
    StoppingError,
    UnauthenticatedError,
)
from services.common.wire import to_timestamp
from tests.support.alerts_kit import OTHER, OWN, STRANGER
from tests.support.alerts_rig import (
    entry_message,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
    stubs,
)
from tests.support.databases import fetch

FELONY = hit_pb2.HOT_LIST_CATEGORY_FELONY
WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED
EXPIRED = hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION


async def test_only_the_matcher_raises_alerts(rig, tls) -> None:
    search, person, channels = stubs(tls, rig.server.port, rig.server.user_port, peer="search")
    request = pb.RaiseAlertsRequest(hits=[hit_message()])

    async with refused() as by_service:
        await search.RaiseAlerts(request, timeout=10)
    async with refused() as by_person:
        await person.RaiseAlerts(request, timeout=10, metadata=(("authorization", "Bearer officer"),))

    assert reason(by_service[0]) == kind(NotPermittedError)
    assert reason(by_person[0]) == kind(UnauthenticatedError)
    for channel in channels:
        await channel.close()


async def test_what_a_hit_lacks_is_named_by_path_and_never_repeated(rig) -> None:
    hit = hit_message(plate="AB12345")
    hit.captured_read.read.plate = "secret plate"
    hit.captured_read.read.ClearField("place")
    hit.captured_read.crop_image = bytes(513 * 1024)
    hit.matches[0].entry.entry_id = "x"

    async with refused() as caught:
        await rig.raise_hits(hit_message(), hit)

    assert reason(caught[0]) == kind(InvalidFieldError)
    assert {violation.field for violation in caught[0].violations} == {
        "hits[1].captured_read",
        "hits[1].captured_read.read.plate",
        "hits[1].captured_read.read.place",
        "hits[1].matches[0].entry.entry_id",
    }
    assert "secret" not in str(caught[0].violations) + caught[0].message


@pytest.mark.clause("II.A", "IV.C.1", "III.B.3.r")
async def test_a_subscriber_gets_the_alert_unverified_with_its_severity(rig) -> None:
    stream = await rig.subscribe("officer").live()
    hit = hit_message(entry_message(EXPIRED), entry_message(FELONY))

    (alert_id,) = await rig.raise_hits(hit)
    await stream.until(lambda s: bool(s.alerts))

    alert = stream.alerts[0]
    assert alert.alert_id == alert_id
    assert alert.severity == pb.SEVERITY_URGENT
    assert [entry.category for entry in alert.entries] == [FELONY, EXPIRED]
    assert alert.notice.lead_only
    assert alert.notice.verification_state == notice_pb2.VERIFICATION_STATE_NEW
    assert alert.notice.text == "UNVERIFIED: confirm with LEADS/NCIC before any action"
    assert alert.place == hit.captured_read.read.place
    assert alert.plate == hit.captured_read.read.plate
    assert alert.capture_time == hit.captured_read.read.capture_time
    await stream.close()


@pytest.mark.clause("II.D", "III.B.3.o")
async def test_an_alert_shows_ages_and_label_and_what_is_for_a_check_only_never_sounds(rig) -> None:
    stream = await rig.subscribe("officer").live()
    entry = entry_message(FELONY)
    entry.list_time.FromJsonString("2026-11-24T06:00:00Z")
    entry.entry_date, entry.plate_type, entry.vehicle.make = "2026-11-01", "TK", "DODG"
    entry.match_label = hit_pb2.MATCH_LABEL_LATTICE
    entry.match_grade = hit_pb2.MATCH_GRADE_CHECK
    wrong = entry_message(FELONY)
    wrong.entry_date = "yesterday"

    (alert_id,) = await rig.raise_hits(hit_message(entry))
    async with refused() as caught:
        await rig.raise_hits(hit_message(wrong))
    await stream.until(lambda s: bool(s.alerts))

    assert stream.alerts[0].alert_id == alert_id
    assert stream.alerts[0].severity == pb.SEVERITY_NOTICE
    assert list(stream.alerts[0].entries) == [entry]
    assert [one.field for one in caught[0].violations] == ["hits[0].matches[0].entry.entry_date"]
    await stream.close()


@pytest.mark.clause("III.B.3.o")
async def test_what_sounded_once_is_no_mere_check_when_a_further_camera_reads_it_worse(rig) -> None:
    stream = await rig.subscribe("officer").live()
    sounding, worse = entry_message(FELONY), hit_pb2.MatchedEntry()
    sounding.match_grade = hit_pb2.MATCH_GRADE_SOUND
    worse.CopyFrom(sounding)
    worse.match_grade = hit_pb2.MATCH_GRADE_CHECK
    first, second = hit_message(sounding), hit_message(worse)
    second.captured_read.read.plate = first.captured_read.read.plate

    alerts = [*await rig.raise_hits(first), *await rig.raise_hits(second)]
    await stream.until(lambda s: bool(s.alerts))

    assert alerts[0] == alerts[1]
    assert {one.severity for one in stream.alerts} == {pb.SEVERITY_URGENT}
    await stream.close()


async def test_the_same_hit_again_gives_the_same_alert_and_no_message(rig) -> None:
    stream = await rig.subscribe("officer").live()
    hit = hit_message()
    first = await rig.raise_hits(hit)

    assert await rig.raise_hits(hit, hit) == [first[0], first[0]]

    await rig.raise_hits(marker := hit_message())
    await stream.until(lambda s: any(a.plate == marker.captured_read.read.plate for a in s.alerts))
    assert [alert.alert_id for alert in stream.alerts].count(first[0]) == 1
    await stream.close()


async def test_a_late_capture_says_so(rig) -> None:
    stream = await rig.subscribe("officer").live()

    await rig.raise_hits(hit_message(at=datetime.now(UTC) - timedelta(minutes=16)))
    await stream.until(lambda s: bool(s.alerts))

    assert list(stream.alerts[0].warnings) == [hit_pb2.HIT_WARNING_LATE_CAPTURE]
    await stream.close()


@pytest.mark.clause("IV.D.2", "IV.D.1")
async def test_a_filter_widens_to_the_floor_and_keeps_the_rest_out(rig) -> None:
    stream = await rig.subscribe("officer", categories=[EXPIRED]).live()

    wanted, expired, felony = await rig.raise_hits(
        hit_message(entry_message(WANTED)),
        hit_message(entry_message(EXPIRED)),
        hit_message(entry_message(FELONY)),
    )
    await stream.until(lambda s: len(s.alerts) >= 2)
    await asyncio.sleep(0.2)

    assert {alert.alert_id for alert in stream.alerts} == {expired, felony}
    assert wanted not in {alert.alert_id for alert in stream.alerts}
    await stream.close()


async def test_a_filter_of_unknown_categories_is_refused(rig) -> None:
    stream = rig.subscribe("officer", categories=[0])

    assert reason(await stream.ended()) == kind(InvalidFieldError)


async def test_an_alert_reaches_the_sensors_and_the_lists_agency_and_nobody_else(rig) -> None:
    streams = [await rig.subscribe(token).live() for token in ("officer", "neighbour", "stranger")]
    hit = hit_message(entry_message(FELONY, agency=OTHER), entry_message(EXPIRED, agency=OWN), agency=OWN)

    await rig.raise_hits(hit)
    await rig.raise_hits(hit_message(entry_message(agency=STRANGER), agency=STRANGER))
    own, other, stranger = streams
    await asyncio.gather(*(stream.until(lambda s: bool(s.alerts)) for stream in streams))

    assert len(own.alerts[0].entries) == 2
    assert [entry.list_agency_ori for entry in other.alerts[0].entries] == [OTHER]
    assert [alert.sensor_agency_ori for alert in stranger.alerts] == [STRANGER]
    for stream in streams:
        await stream.close()


@pytest.mark.clause("IV.D.3")
async def test_a_stream_resumes_after_its_token_on_another_replica(rig, tls, database, audit, folder) -> None:
    other = await start_rig(settings_for(folder, tls, database, audit.port, heartbeat_seconds=0.3), tls)
    stream = await rig.subscribe("officer").live()
    first = await rig.raise_hits(hit_message())
    await stream.until(lambda s: bool(s.alerts))
    await stream.close()
    missed = [*(await rig.raise_hits(hit_message())), *(await other.raise_hits(hit_message()))]

    resumed = other.subscribe("officer", resume_token=stream.token)
    await resumed.until(lambda s: len(s.alerts) >= 2)

    assert [alert.alert_id for alert in resumed.alerts] == missed
    assert first[0] not in missed
    await resumed.close()
    await other.stop()


async def test_since_begins_with_the_alerts_of_that_moment(rig) -> None:
    await rig.raise_hits(hit_message())
    await asyncio.sleep(0.01)
    since = datetime.now(UTC)
    expected = await rig.raise_hits(hit_message(), hit_message())

    stream = rig.subscribe("officer", since=to_timestamp(since))
    await stream.until(lambda s: len(s.alerts) >= 2)

    assert {alert.alert_id for alert in stream.alerts} == set(expected)
    await stream.close()


async def test_an_alert_that_is_sent_again_has_the_same_position(rig) -> None:
    stream = await rig.subscribe("officer").live()
    begin = stream.token
    await rig.raise_hits(hit_message(), hit_message())
    await stream.until(lambda s: len(s.alerts) >= 2)

    again = rig.subscribe("officer", resume_token=begin)
    await again.until(lambda s: len(s.alerts) >= 2)

    first, second = (
        [(m.epoch, m.position) for m in one.messages if m.HasField("raised")] for one in (stream, again)
    )
    assert first == second
    assert first[0] < first[1]
    assert first[0][0] > 0
    await stream.close()
    await again.close()


async def test_neither_marks_nor_heartbeats_tell_what_others_got(rig) -> None:
    stream = await rig.subscribe("officer").live()
    await rig.raise_hits(hit_message())
    await stream.until(lambda s: len(s.alerts) >= 1)
    for _ in range(30):
        await rig.raise_hits(hit_message(entry_message(agency=STRANGER), agency=STRANGER))
    heard = len(stream.messages)
    await stream.until(lambda s: len(s.messages) > heard)
    await rig.raise_hits(hit_message())
    await stream.until(lambda s: len(s.alerts) >= 2)

    marks = [m.position for m in stream.messages if m.HasField("raised")]
    raised = [alert.raise_time.ToMicroseconds() for alert in stream.alerts]
    assert {m.position for m in stream.messages if m.HasField("heartbeat")} == {0}
    # What lies between two marks is the time between them, which the alerts themselves say.
    assert marks[1] - marks[0] == pytest.approx(raised[1] - raised[0], abs=1_000)
    await stream.close()


async def test_since_reaches_back_24_hours_and_no_further(rig) -> None:
    stream = rig.subscribe("officer", since=to_timestamp(datetime.now(UTC) - timedelta(hours=25)))

    error = await stream.ended()

    assert reason(error) == kind(InvalidFieldError)
    assert [violation.field for violation in error.violations] == ["since"]


async def test_a_heartbeat_comes_at_least_every_five_seconds_with_a_token(rig) -> None:
    stream = rig.subscribe("officer")

    await stream.until(lambda s: len(s.messages) >= 3, seconds=15)

    assert all(message.WhichOneof("event") == "heartbeat" for message in stream.messages)
    assert all(message.resume_token for message in stream.messages)
    age = datetime.now(UTC) - stream.messages[-1].heartbeat.server_time.ToDatetime(UTC)
    assert abs(age) < timedelta(seconds=5)
    await stream.close()


@pytest.mark.parametrize("forged", ["x", "AAAA", "not base64 at all", "A" * 80])
async def test_a_forged_token_is_refused(rig, forged: str) -> None:
    assert reason(await rig.subscribe("officer", resume_token=forged).ended()) == kind(BadTokenError)


async def test_a_token_is_the_persons_own_and_cannot_be_changed(rig) -> None:
    stream = await rig.subscribe("officer").live()
    token = stream.token
    await stream.close()
    changed = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]

    of_another = await rig.subscribe("colleague", resume_token=token).ended()
    of_a_forger = await rig.subscribe("officer", resume_token=changed).ended()

    assert reason(of_another) == reason(of_a_forger) == kind(BadTokenError)


async def test_a_new_epoch_ends_streams_and_refuses_old_tokens(rig, database) -> None:
    stream = await rig.subscribe("officer").live()
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SELECT alerts.begin_epoch(now() - interval '1 hour')")

    ended = await stream.ended()
    resumed = await rig.subscribe("officer", resume_token=stream.token).ended()

    assert reason(ended) == reason(resumed) == kind(EpochChangedError)
    resync_from = datetime.fromisoformat(resumed.metadata["resync_from"])
    assert timedelta(minutes=59) < datetime.now(UTC) - resync_from < timedelta(minutes=61)
    fresh = rig.subscribe("officer", since=to_timestamp(resync_from))
    await fresh.live()
    await fresh.close()


async def test_a_stream_begun_before_the_service_has_heard_of_the_new_epoch_goes_on(rig, database) -> None:
    async with admin_connection(database.admin_url) as admin:
        await admin.execute("SELECT alerts.begin_epoch(now() - interval '1 hour')")

    stream = await rig.subscribe("officer", since=to_timestamp(datetime.now(UTC))).live()
    (alert_id,) = await rig.raise_hits(hit_message())

    await stream.until(lambda s: bool(s.alerts))

    assert [one.alert_id for one in stream.alerts] == [alert_id]
    await stream.close()


async def test_a_call_without_a_token_is_refused(rig) -> None:
    call = rig.person.SubscribeAlerts(pb.SubscribeAlertsRequest())

    async with refused() as caught:
        await call.read()

    assert reason(caught[0]) == kind(UnauthenticatedError)


@pytest.mark.timeout(180)
async def test_a_subscriber_that_does_not_read_is_ended_and_loses_nothing(
    database, audit, tls, folder
) -> None:
    settings = settings_for(
        folder,
        tls,
        database,
        audit.port,
        subscriber_backlog=50,
        subscriber_stall_seconds=1,
        feed_ring_size=64,
    )
    rig = await start_rig(settings, tls)
    request = pb.SubscribeAlertsRequest()
    call = rig.person.SubscribeAlerts(request, metadata=(("authorization", "Bearer officer"),))
    got = [await call.read()]
    raised: list[str] = []

    for _ in range(15):
        entries = [entry_message() for _ in range(10)]
        raised += await rig.raise_hits(*(hit_message(*entries) for _ in range(100)))
    await asyncio.sleep(2)
    async with refused() as caught:
        while True:
            got.append(await call.read())

    assert reason(caught[0]) == kind(SlowSubscriberError)
    assert len(got) < len(raised)
    first = [message.raised.alert_id for message in got if message.HasField("raised")]
    resumed = rig.subscribe("officer", resume_token=got[-1].resume_token)
    await resumed.until(lambda s: len(first) + len(s.alerts) >= len(raised))
    assert first + [alert.alert_id for alert in resumed.alerts] == raised
    await resumed.close()
    await rig.stop()


async def test_streams_end_with_a_typed_error_when_the_service_stops(database, audit, tls, folder) -> None:
    rig = await start_rig(settings_for(folder, tls, database, audit.port), tls)
    stream = await rig.subscribe("officer").live()

    await rig.server.stop()

    assert reason(await stream.ended()) == kind(StoppingError)
    await rig.stop()


@pytest.mark.clause("IV.D.3")
async def test_eight_matchers_and_a_tailing_subscriber_lose_nothing_and_keep_the_order(
    rig, tls, database
) -> None:
    stream = await rig.subscribe("officer").live()
    sent: list[str] = []

    async def write() -> None:
        matcher, _, channels = stubs(tls, rig.server.port, rig.server.user_port)
        for _ in range(12):
            request = pb.RaiseAlertsRequest(hits=[hit_message() for _ in range(5)])
            sent.extend((await matcher.RaiseAlerts(request, timeout=60)).alert_ids)
        for channel in channels:
            await channel.close()

    await asyncio.gather(*(write() for _ in range(8)))

    def of_these() -> list[str]:
        # Alerts of other tests may escalate meanwhile.
        return [alert.alert_id for alert in stream.alerts if alert.alert_id in set(sent)]

    await stream.until(lambda _: len(of_these()) >= len(sent))

    got = of_these()
    rows = await fetch(database.admin_url, "SELECT position, alert_id FROM alerts.feed ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert got == [str(row["alert_id"]) for row in rows if str(row["alert_id"]) in set(sent)]
    assert len(got) == 8 * 12 * 5
    await stream.close()


async def test_an_unknown_alert_is_not_found_before_anything_is_recorded(rig, audit) -> None:
    async with refused() as caught:
        request = pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=str(uuid4()))
        await rig.person.AcknowledgeAlert(
            request, metadata=(("authorization", "Bearer officer"),), timeout=10
        )

    assert ErrorReason.Name(caught[0].reason) == "ERROR_REASON_NOT_FOUND"
    assert audit.neighbour.intents == []


async def test_a_feed_that_went_back_ends_streams_and_refuses_tokens_past_its_end(rig, database) -> None:
    await rig.raise_hits(hit_message(), hit_message())
    stream = await rig.subscribe("officer").live()
    async with admin_connection(database.admin_url) as admin, admin.transaction():
        await admin.execute("ALTER TABLE alerts.feed DISABLE TRIGGER permanent")
        await admin.execute(
            "DELETE FROM alerts.feed WHERE position = (SELECT max(position) FROM alerts.feed)"
        )
        await admin.execute("UPDATE alerts.feed_head SET next_position = next_position - 1")
        await admin.execute("ALTER TABLE alerts.feed ENABLE ALWAYS TRIGGER permanent")

    ended = await stream.ended()
    resumed = await rig.subscribe("officer", resume_token=stream.token).ended()

    assert reason(ended) == reason(resumed) == kind(EpochChangedError)
