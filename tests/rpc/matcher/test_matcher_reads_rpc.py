"""The read road over gRPC: who may send, what is refused, what becomes a hit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.type.v1 import hit_pb2, read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    CROP,
    ORI,
    OTHER_SENSOR,
    OVERVIEW,
    SENSOR,
    SUSPENDED_SENSOR,
    Matcher,
    a_matcher,
    a_read,
    a_world,
    batch,
    submit,
)
from tests.support.databases import MigratedDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTED, SHARED, LOCAL = "AB12345", "CD67890", "EF24680"
STORED, DUPLICATE = read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE
QUARANTINED, TOO_OLD = read_pb2.READ_STATUS_QUARANTINED, read_pb2.READ_STATUS_OUT_OF_RETENTION


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matcher(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matcher]:
    database = await migrated_database("matcher")
    folder = tmp_path_factory.mktemp("spool")
    async with a_world(tls, database, folder) as world, a_matcher(world) as made:
        async with made.person() as person:
            await person.active_list(LISTED, SHARED)
            await person.active_list(SHARED, source=4)
        yield made


async def refused(matcher: Matcher, name: str, *reads: read_pb2.CapturedRead) -> AlprError:
    async with matcher.reads_of(name) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await submit(stub, batch(1, *reads))
    return from_rpc_error(caught.value)


async def statuses(matcher: Matcher, *reads: read_pb2.CapturedRead) -> list[int]:
    async with matcher.reads_of("ocr") as stub:
        (answer,) = await submit(stub, batch(1, *reads))
    assert [one.read_id for one in answer.results] == [one.read.read_id for one in reads]
    return [one.status for one in answer.results]


def hits(matcher: Matcher, read: read_pb2.CapturedRead) -> list[Any]:
    return [match for key, match in matcher.world.alerts.hits.items() if key[0] == read.read.read_id]


@pytest.mark.clause("IV.C.1", "II.A")
async def test_a_read_of_a_listed_plate_is_archived_and_raised_with_its_pictures(matcher: Matcher) -> None:
    read = a_read(LISTED)

    async with matcher.reads_of("ocr") as stub:
        (answer,) = await submit(stub, batch(7, read))

    assert answer.batch_number == 7
    assert [one.status for one in answer.results] == [STORED]
    (match,) = hits(matcher, read)
    assert match.entry.plate == LISTED
    assert match.entry.list_agency_ori == ORI
    assert match.entry.category == hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE
    assert list(match.warnings) == []
    assert 0.8 < match.match_probability <= 1
    hit = matcher.world.alerts.reads[read.read.read_id]
    assert (hit.captured_read.crop_image, hit.captured_read.overview_image) == (CROP, OVERVIEW)
    assert (hit.sensor_agency_ori, hit.sensor_group, hit.sensor_unit) == (ORI, "expressway", "District 15")
    kept = matcher.world.archive.reads[read.read.read_id]
    assert (kept.agency_ori, kept.match_revision) == (ORI, answer.results[0].match_revision)


async def test_the_key_of_the_stored_image_goes_to_the_archive_alone(matcher: Matcher) -> None:
    read = a_read(LISTED)

    await statuses(matcher, read)

    assert matcher.world.archive.reads[read.read.read_id].read.image.image_key == bytes(32)
    assert matcher.world.alerts.reads[read.read.read_id].captured_read.read.image.image_key == b""


@pytest.mark.clause("IV.C.1")
async def test_one_read_on_two_lists_is_one_hit_with_two_matches(matcher: Matcher) -> None:
    read = a_read(SHARED)

    await statuses(matcher, read)

    assert len(hits(matcher, read)) == 2
    assert len(matcher.world.alerts.reads[read.read.read_id].matches) == 2


async def test_a_list_does_not_match_the_sensors_of_another_agency(matcher: Matcher) -> None:
    read = a_read(LISTED, sensor_id=OTHER_SENSOR)

    assert await statuses(matcher, read) == [STORED]
    assert hits(matcher, read) == []


async def test_a_repeated_batch_gives_duplicates_and_no_second_alert(matcher: Matcher) -> None:
    reads = [a_read(LISTED), a_read("ZZ99999")]
    before = matcher.world.alerts.raised

    first = await statuses(matcher, *reads)
    again = await statuses(matcher, *reads)

    assert (first, again) == ([STORED] * 2, [DUPLICATE] * 2)
    assert matcher.world.alerts.raised == before + 1


@pytest.mark.clause("II.J")
@pytest.mark.parametrize("missing", ["place", "image", "capture_time"])
async def test_an_incomplete_read_is_quarantined_and_raises_nothing(matcher: Matcher, missing: str) -> None:
    read = a_read(LISTED, **{missing: None})

    assert await statuses(matcher, read) == [QUARANTINED]
    assert hits(matcher, read) == []


async def test_a_read_from_the_future_is_quarantined_and_raises_nothing(matcher: Matcher) -> None:
    read = a_read(LISTED, age=timedelta(minutes=-6))

    assert await statuses(matcher, read) == [QUARANTINED]
    assert hits(matcher, read) == []


@pytest.mark.clause("IV.E.1")
async def test_a_read_older_than_the_retention_period_raises_nothing(matcher: Matcher) -> None:
    read = a_read(LISTED, age=timedelta(days=91))

    assert await statuses(matcher, read) == [TOO_OLD]
    assert hits(matcher, read) == []


@pytest.mark.parametrize("age", [timedelta(minutes=20), timedelta(hours=5)])
async def test_a_late_read_is_a_hit_that_says_so(matcher: Matcher, age: timedelta) -> None:
    read = a_read(LISTED, age=age)

    assert await statuses(matcher, read) == [STORED]
    (match,) = hits(matcher, read)
    assert list(match.warnings) == [hit_pb2.HIT_WARNING_LATE_CAPTURE]


@pytest.mark.clause("III.B.3.e")
@pytest.mark.parametrize("sensor_id", [SUSPENDED_SENSOR, "nobody-knows-it"])
async def test_nothing_of_a_batch_with_an_unapproved_sensor_is_taken(
    matcher: Matcher, sensor_id: str
) -> None:
    good, bad = a_read(LISTED), a_read(LISTED, sensor_id=sensor_id)
    bad.read.plate = "not looked at"

    error = await refused(matcher, "ocr", good, bad)

    assert error.reason == ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED
    assert good.read.read_id not in matcher.world.archive.reads
    assert hits(matcher, good) == []


@pytest.mark.clause("III.B.3.e")
async def test_a_read_captured_before_the_approval_is_refused(matcher: Matcher) -> None:
    early = a_read(LISTED, age=datetime.now(UTC) - datetime(2019, 6, 1, tzinfo=UTC))

    error = await refused(matcher, "ocr", early)

    assert error.reason == ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED


@pytest.mark.clause("III.B.3.h")
async def test_a_sensor_may_send_its_own_reads_and_nobody_elses(matcher: Matcher) -> None:
    own, other = a_read(LISTED), a_read(LISTED, sensor_id=OTHER_SENSOR)

    async with matcher.reads_of(SENSOR) as stub:
        (answer,) = await submit(stub, batch(1, own))
    error = await refused(matcher, SENSOR, other)

    assert [one.status for one in answer.results] == [STORED]
    assert error.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED


async def test_the_receive_time_of_a_sensors_read_is_ours(matcher: Matcher) -> None:
    read = a_read("GH13579", receive_time=None)

    async with matcher.reads_of(SENSOR) as stub:
        await submit(stub, batch(1, read))

    received = matcher.world.archive.reads[read.read.read_id].read.receive_time.ToDatetime(UTC)
    assert abs(datetime.now(UTC) - received) < timedelta(seconds=10)


async def test_other_services_and_people_may_not_send_reads(matcher: Matcher) -> None:
    service = await refused(matcher, "service/alerts", a_read(LISTED))
    async with matcher.person() as person:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            stream = person.matching.SubmitReads(iter([batch(1, a_read(LISTED))]), metadata=person.metadata)
            [answer async for answer in stream]

    assert service.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def changed(**changes: Any) -> read_pb2.CapturedRead:
    return a_read("AB1", **changes)


def character(text: str, probability: float) -> read_pb2.Position:
    return read_pb2.Position(
        characters=[read_pb2.CharacterProbability(character=text, probability=probability)]
    )


def lattice(*positions: read_pb2.Position) -> read_pb2.Lattice:
    return read_pb2.Lattice(positions=positions)


WRONG = {
    "read.read_id": changed(read_id="not-a-uuid"),
    "read.plate": changed(plate="ab1", lattice=None),
    "read.lattice.positions": changed(lattice=lattice(character("A", 1))),
    "read.lattice.positions.characters": changed(lattice=lattice(*[character("a", 1)] * 3)),
    "read.states": changed(states=[read_pb2.StateProbability(state="IL", probability=1.5)]),
    "read.place": changed(place=read_pb2.Place(latitude=91)),
    "read.plate_box": changed(plate_box=read_pb2.Box(width=float("nan"))),
    "read.image.sha256": changed(image=read_pb2.ImageRef(sha256=b"short")),
    "read.sender_read_id": changed(sender_read_id="x" * 129),
    "read.receive_time": changed(receive_time=None),
    "read.vehicle.make": changed(vehicle=read_pb2.SeenVehicle(make="x" * 41)),
    "read.vehicle.color": changed(vehicle=read_pb2.SeenVehicle(color="a\nb")),
}


@pytest.mark.parametrize("field", WRONG)
async def test_a_read_that_breaks_the_contract_ends_the_stream_by_field(matcher: Matcher, field: str) -> None:
    error = await refused(matcher, "ocr", a_read("ZZ1"), WRONG[field])

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert f"reads[1].{field}" in [one.field for one in error.violations]
    assert "AB1" not in str(error.violations) + str(error)


async def test_pictures_have_their_limits(matcher: Matcher) -> None:
    read = a_read("ZZ1")
    read.crop_image = bytes(129 << 10)
    read.overview_image = bytes(385 << 10)

    error = await refused(matcher, "ocr", read)

    assert [one.field for one in error.violations] == ["reads[0].crop_image", "reads[0].overview_image"]


async def test_an_empty_batch_is_refused(matcher: Matcher) -> None:
    error = await refused(matcher, "ocr")

    assert [one.field for one in error.violations] == ["reads"]


async def test_batches_of_one_stream_overlap_and_are_answered_in_order(matcher: Matcher) -> None:
    archive = matcher.world.archive.door
    archive.open.clear()
    before = archive.calls
    # Of more reads than those that wait for one another and share a call.
    batches = [batch(n, *(a_read(f"QQ{n}") for _ in range(21))) for n in range(20)]

    try:
        async with matcher.reads_of("ocr") as stub:
            stream = stub.SubmitReads(iter(batches), timeout=30)
            await archive.called(before + 8)
            await asyncio.sleep(0.2)
            under_way = archive.calls - before
            archive.open.set()
            numbers = [answer.batch_number async for answer in stream]
    finally:
        archive.open.set()

    assert under_way == 8
    assert numbers == list(range(20))


async def test_a_full_batch_of_hits_with_large_pictures_is_raised_in_parts(matcher: Matcher) -> None:
    reads = [a_read(LISTED) for _ in range(10)]
    for read in reads:
        read.overview_image = bytes(384 << 10)
    before = matcher.world.alerts.door.calls

    assert await statuses(matcher, *reads) == [STORED] * 10
    assert all(len(hits(matcher, read)) == 1 for read in reads)
    assert matcher.world.alerts.door.calls == before + 2


async def test_five_hundred_reads_are_answered_each(matcher: Matcher) -> None:
    reads = [a_read(LISTED if n % 4 == 0 else f"NO{n}") for n in range(500)]

    assert await statuses(matcher, *reads) == [STORED] * 500
    assert sum(len(hits(matcher, read)) for read in reads) == 125


async def test_the_warnings_of_a_doubtful_match_reach_alerts(matcher: Matcher) -> None:
    read = a_read("AB1234S")
    characters = read.read.lattice.positions[-1].characters
    characters[0].probability = 0.6
    characters.append(read_pb2.CharacterProbability(character="5", probability=0.4))
    read.read.ClearField("states")

    await statuses(matcher, read)

    (match,) = hits(matcher, read)
    assert list(match.warnings) == [
        hit_pb2.HIT_WARNING_LOOK_ALIKE,
        hit_pb2.HIT_WARNING_STATE_UNKNOWN,
    ]


async def test_no_plate_is_written_to_the_log(matcher: Matcher, capfd: pytest.CaptureFixture[str]) -> None:
    await statuses(matcher, a_read(LISTED))
    await refused(matcher, "ocr", a_read(LISTED, sensor_id="unknown-sensor"))

    out, err = capfd.readouterr()
    assert LISTED not in out + err
