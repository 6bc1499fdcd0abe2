"""Whose list meets whose sensor, over gRPC: agreements, the matrix, and Motor Carrier Safety apart."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import scope_service_pb2 as pb
from alpr.type.v1 import hit_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.matcher import app_agreements
from tests.matcher_kit import (
    OFFICER,
    ORI,
    OTHER_ORI,
    OTHER_SCALE_SENSOR,
    OTHER_SENSOR,
    SCALE_SENSOR,
    SENSOR,
    STRANGER,
    Matcher,
    Person,
    a_matcher,
    a_read,
    a_world,
    batch,
    csv_of,
    new_id,
    submit,
)
from tests.support.databases import MigratedDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROUP = "expressway"
LEADS, AGENCY = hit_pb2.HOT_LIST_SOURCE_LEADS, hit_pb2.HOT_LIST_SOURCE_AGENCY
DOT, ICC = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT, hit_pb2.HOT_LIST_SOURCE_ICC
HITS, SAFETY_HITS = agency_pb.DATA_CLASS_HOT_LIST_HITS, agency_pb.DATA_CLASS_MOTOR_CARRIER_HITS
ALL_BUT, ONLY = pb.GROUP_MODE_ALL_BUT, pb.GROUP_MODE_ONLY


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matcher(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matcher]:
    database = await migrated_database("matcher")
    folder = tmp_path_factory.mktemp("spool")
    async with a_world(tls, database, folder) as world, a_matcher(world) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def ours(matcher: Matcher) -> AsyncIterator[Person]:
    """A person of the sensor's agency; the group's row is as if there were none afterwards."""
    async with matcher.person() as person:
        yield person
        await set_group(person, ALL_BUT)


@pytest_asyncio.fixture(loop_scope="module")
async def theirs(matcher: Matcher) -> AsyncIterator[Person]:
    async with matcher.person(STRANGER) as person:
        yield person


def a_plate() -> str:
    return f"P{uuid.uuid4().int % 1_000_000:06d}"


async def a_listed(person: Person, plate: str, source: int = LEADS) -> str:
    """The id of a new active list with this plate of Illinois."""
    made = await person.create(source=source)
    category = "OTHER" if source in (DOT, ICC) else "STOLEN_VEHICLE"
    await person.upload(made.hot_list_id, csv_of(plate, category=category))
    return (await person.activate(made.hot_list_id, 1)).hot_list.hot_list_id


async def set_group(person: Person, mode: int, /, *lists: str, **changes: Any) -> pb.SetSensorGroupResponse:
    fields = {"request_id": new_id(), "sensor_group": GROUP, "mode": mode, "hot_list_ids": lists, **changes}
    return await person.scope.SetSensorGroup(
        pb.SetSensorGroupRequest(**fields), metadata=person.metadata, timeout=20
    )


async def hit_by(matcher: Matcher, plate: str, sensor_id: str = SENSOR) -> Sequence[hit_pb2.MatchedEntry]:
    """The entries that a read of this plate by the sensor is raised with."""
    read = a_read(plate, sensor_id=sensor_id)
    async with matcher.reads_of("ocr") as stub:
        await submit(stub, batch(1, read))
    found = matcher.world.alerts.hits.items()
    return [match.entry for key, match in found if key[0] == read.read.read_id]


def an_agreement(
    *classes: agency_pb.DataClass.ValueType, provider: str = ORI, recipient: str = OTHER_ORI, **changes: Any
) -> agency_pb.Agreement:
    now = datetime.now(UTC)
    usual = {
        "agreement_id": new_id(),
        "provider_ori": provider,
        "recipient_ori": recipient,
        "data_classes": classes or (HITS,),
        "document_sha256": bytes(32),
        "start_time": to_timestamp(now - timedelta(days=1)),
        "end_time": to_timestamp(now + timedelta(days=1)),
        "state": agency_pb.AGREEMENT_STATE_ACCEPTED,
        "proposed_by_ori": provider,
    }
    return agency_pb.Agreement(**{**usual, **changes})


async def tell(matcher: Matcher, agreement: agency_pb.Agreement) -> None:
    """Returns when the matcher compares reads by it."""
    before = await revision(matcher)
    await matcher.world.audit.governance.tell(agreement)
    async with asyncio.timeout(60):
        while await revision(matcher) == before:  # noqa: ASYNC110 - the state is another process's
            await asyncio.sleep(0.05)


async def end(matcher: Matcher, agreement: agency_pb.Agreement) -> None:
    ended = agency_pb.Agreement()
    ended.CopyFrom(agreement)
    ended.state = agency_pb.AGREEMENT_STATE_ENDED
    await tell(matcher, ended)


async def revision(matcher: Matcher) -> int:
    async with matcher.person() as person:
        found = await person.scope.ListComparedLists(
            pb.ListComparedListsRequest(sensor_group=GROUP), metadata=person.metadata
        )
    return found.match_revision


async def refused(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


@pytest.mark.clause("III.B.1", "II.D")
async def test_another_agencys_list_meets_a_sensor_only_while_an_agreement_lets_it(
    matcher: Matcher, theirs: Person
) -> None:
    plate, agreement = a_plate(), an_agreement()
    await a_listed(theirs, plate)

    before = await hit_by(matcher, plate)
    await tell(matcher, agreement)
    during = await hit_by(matcher, plate)
    await end(matcher, agreement)
    after = await hit_by(matcher, plate)

    assert (len(before), len(during), len(after)) == (0, 1, 0)


@pytest.mark.clause("III.B.1", "IV.C.1")
async def test_a_hit_across_agencies_shows_both(matcher: Matcher, ours: Person, theirs: Person) -> None:
    plate, agreement = a_plate(), an_agreement()
    await a_listed(ours, plate)
    await a_listed(theirs, plate)
    await tell(matcher, agreement)

    entries = await hit_by(matcher, plate)
    await end(matcher, agreement)

    (hit,) = [one for one in matcher.world.alerts.reads.values() if one.captured_read.read.plate == plate]
    assert hit.sensor_agency_ori == ORI
    assert {one.list_agency_ori for one in entries} == {ORI, OTHER_ORI}


@pytest.mark.clause("III.B.1")
async def test_an_agreement_lets_lists_in_one_way_only(matcher: Matcher, ours: Person) -> None:
    plate, agreement = a_plate(), an_agreement(provider=ORI, recipient=OTHER_ORI)
    await a_listed(ours, plate)
    await tell(matcher, agreement)

    assert not await hit_by(matcher, plate, OTHER_SENSOR)
    await end(matcher, agreement)


@pytest.mark.clause("III.B.1")
async def test_an_accepted_agreement_counts_within_its_period_only(matcher: Matcher, theirs: Person) -> None:
    plate, now, hour = a_plate(), datetime.now(UTC), timedelta(hours=1)
    await a_listed(theirs, plate)
    seen = []
    for start, end_ in ((now - 2 * hour, now - hour), (now + hour, now + 2 * hour), (now - hour, now + hour)):
        agreement = an_agreement(start_time=to_timestamp(start), end_time=to_timestamp(end_))
        await tell(matcher, agreement)
        seen.append(len(await hit_by(matcher, plate)))
        await end(matcher, agreement)

    assert seen == [0, 0, 1]


@pytest.mark.clause("II.H")
@pytest.mark.parametrize("source", [DOT, ICC])
async def test_a_motor_carrier_safety_list_meets_its_own_sensors_only(
    matcher: Matcher, ours: Person, source: int
) -> None:
    plate = a_plate()
    await a_listed(ours, plate, source)

    (entry,) = await hit_by(matcher, plate, SCALE_SENSOR)

    assert entry.source == source
    assert not await hit_by(matcher, plate, SENSOR)
    assert not await hit_by(matcher, plate, OTHER_SENSOR)
    assert not await hit_by(matcher, plate, OTHER_SCALE_SENSOR)


@pytest.mark.clause("II.H")
@pytest.mark.parametrize("source", [1, LEADS, 3, AGENCY])
async def test_a_motor_carrier_safety_sensor_meets_no_other_list(
    matcher: Matcher, ours: Person, source: int
) -> None:
    plate = a_plate()
    await a_listed(ours, plate, source)

    assert len(await hit_by(matcher, plate, SENSOR)) == 1
    assert not await hit_by(matcher, plate, SCALE_SENSOR)
    archived = {one.read.sensor_id: one for one in matcher.world.archive.reads.values()}
    assert archived[SENSOR].partition != sensor_pb2.PARTITION_MOTOR_CARRIER
    assert archived[SCALE_SENSOR].partition == sensor_pb2.PARTITION_MOTOR_CARRIER


@pytest.mark.clause("II.H", "III.B.3.h")
@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (csv_of("AB12345", category="STOLEN_VEHICLE"), {}),
        (csv_of("AB12345", category="WANTED"), {}),
        (b"15386VDE ILFMREVOKED DOT/032910 EXP/0721\n", {"format": lists_pb.HOT_LIST_FORMAT_IL_SOS}),
    ],
)
async def test_crime_and_registration_files_do_not_get_into_motor_carrier_safety_lists(
    ours: Person, content: bytes, changes: dict[str, Any]
) -> None:
    made = await ours.create(source=DOT)

    error = await refused(ours.upload(made.hot_list_id, content, **changes))

    assert error.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST
    missing = await refused(ours.activate(made.hot_list_id, 1))
    assert missing.reason == ErrorReason.ERROR_REASON_NOT_FOUND


@pytest.mark.clause("II.H", "III.B.1")
async def test_an_agreement_on_hits_gives_nothing_of_motor_carrier_safety_nor_the_other_way_round(
    matcher: Matcher, theirs: Person
) -> None:
    crime, safety = a_plate(), a_plate()
    await a_listed(theirs, crime)
    await a_listed(theirs, safety, DOT)
    seen = []
    for agreement in (an_agreement(HITS), an_agreement(SAFETY_HITS)):
        await tell(matcher, agreement)
        seen.append(
            [len(await hit_by(matcher, crime, SENSOR)), len(await hit_by(matcher, safety, SCALE_SENSOR))]
        )
        assert not await hit_by(matcher, crime, SCALE_SENSOR)
        assert not await hit_by(matcher, safety, SENSOR)
        await end(matcher, agreement)

    assert seen == [[1, 0], [0, 1]]


async def test_a_group_that_admits_named_lists_only_is_met_by_no_other(
    matcher: Matcher, ours: Person
) -> None:
    named, other = a_plate(), a_plate()
    list_id = await a_listed(ours, named)
    answer = await set_group(ours, ONLY, list_id)
    await a_listed(ours, other)

    assert list(answer.sensor_group.hot_list_ids) == [list_id]
    assert len(await hit_by(matcher, named)) == 1
    assert not await hit_by(matcher, other)

    await set_group(ours, ALL_BUT, list_id)
    assert not await hit_by(matcher, named)
    assert len(await hit_by(matcher, other)) == 1


@pytest.mark.clause("III.B.3.d")
async def test_a_row_is_in_the_log_before_it_counts_and_once(matcher: Matcher, ours: Person) -> None:
    list_id, request_id = await a_listed(ours, a_plate()), new_id()

    first = await set_group(ours, ONLY, list_id, request_id=request_id)
    again = await set_group(ours, ONLY, list_id, request_id=request_id)

    assert first == again
    intent = matcher.world.audit.intent_requests[request_id]
    assert (intent.action, intent.resource) == ("scope.set", GROUP)
    assert dict(intent.details) == {"mode": "ONLY", "hot_lists.0": list_id}
    assert set(matcher.world.audit.results(request_id)) == {audit_pb.OUTCOME_RESULT_DONE}


async def test_who_may_not_set_a_row_changes_nothing(matcher: Matcher, ours: Person) -> None:
    plate = a_plate()
    await a_listed(ours, plate)
    async with matcher.person(OFFICER) as officer, matcher.person("") as nobody:
        not_permitted = await refused(set_group(officer, ONLY))
        unknown = await refused(set_group(nobody, ONLY))

    assert not_permitted.code is grpc.StatusCode.PERMISSION_DENIED
    assert unknown.code is grpc.StatusCode.UNAUTHENTICATED
    assert len(await hit_by(matcher, plate)) == 1


@pytest.mark.clause("III.B.3.f")
async def test_another_agencys_row_of_a_group_of_that_name_is_its_own(
    matcher: Matcher, ours: Person, theirs: Person
) -> None:
    plate = a_plate()
    await a_listed(ours, plate)
    await set_group(theirs, ONLY)

    assert len(await hit_by(matcher, plate)) == 1
    await set_group(theirs, ALL_BUT)


@pytest.mark.clause("III.B.3.f")
async def test_a_list_that_the_agency_may_not_know_of_is_not_found(
    matcher: Matcher, ours: Person, theirs: Person
) -> None:
    foreign, request_id = await a_listed(theirs, a_plate()), new_id()

    error = await refused(set_group(ours, ONLY, foreign, request_id=request_id))

    assert (error.reason, error.resource) == (ErrorReason.ERROR_REASON_NOT_FOUND, foreign)
    assert set(matcher.world.audit.results(request_id)) == {audit_pb.OUTCOME_RESULT_FAILED}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": "1"}, "request_id"),
        ({"sensor_group": "Expressway North"}, "sensor_group"),
        ({"sensor_group": ""}, "sensor_group"),
        ({"mode": 0}, "mode"),
        ({"mode": 7}, "mode"),
        ({"hot_list_ids": ["x"]}, "hot_list_ids[0]"),
        ({"hot_list_ids": [str(uuid.uuid4())] * 501}, "hot_list_ids"),
    ],
)
async def test_a_row_that_says_nothing_clear_is_refused(
    matcher: Matcher, ours: Person, changes: dict[str, Any], field: str
) -> None:
    actions = len(matcher.world.audit.intent_requests)

    error = await refused(set_group(ours, ONLY, **changes))

    assert [one.field for one in error.violations] == [field]
    assert len(matcher.world.audit.intent_requests) == actions


async def test_people_see_what_a_group_is_compared_with_and_why(
    matcher: Matcher, ours: Person, theirs: Person
) -> None:
    own, foreign = await a_listed(ours, a_plate()), await a_listed(theirs, a_plate())
    excluded, safety = await a_listed(ours, a_plate()), await a_listed(ours, a_plate(), DOT)
    agreement = an_agreement()
    await tell(matcher, agreement)
    await set_group(ours, ALL_BUT, excluded)

    async def compared(**changes: Any) -> dict[str, pb.ComparedList]:
        request = pb.ListComparedListsRequest(sensor_group=GROUP, **changes)
        found = await ours.scope.ListComparedLists(request, metadata=ours.metadata)
        return {one.hot_list_id: one for one in found.lists}

    general = await compared()
    apart = await compared(partition=sensor_pb2.PARTITION_MOTOR_CARRIER)
    await end(matcher, agreement)

    assert {own, foreign} <= general.keys()
    assert not {excluded, safety} & general.keys()
    assert list(general[own].agreement_ids) == []
    assert general[foreign].list_agency_ori == OTHER_ORI
    assert list(general[foreign].agreement_ids) == [agreement.agreement_id]
    assert safety in apart
    assert not general.keys() & apart.keys()
    assert foreign not in await compared()


async def test_rows_are_listed_page_by_page(matcher: Matcher, ours: Person) -> None:
    for name in ("zone-1", "zone-2", "zone-3"):
        await set_group(ours, ALL_BUT, sensor_group=name)
    seen: list[str] = []
    request = pb.ListSensorGroupsRequest(page_size=2)
    while True:
        page = await ours.scope.ListSensorGroups(request, metadata=ours.metadata)
        seen += [one.sensor_group for one in page.sensor_groups]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert seen == sorted(set(seen))
    assert {"zone-1", "zone-2", "zone-3"} <= set(seen)


@pytest.mark.clause("III.B.1")
async def test_reads_that_an_agreement_concerns_wait_while_nobody_can_say_that_it_still_counts(
    matcher: Matcher, ours: Person, theirs: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    plate, own, agreement = a_plate(), a_plate(), an_agreement()
    await a_listed(theirs, plate)
    await a_listed(ours, own)
    await tell(matcher, agreement)

    monkeypatch.setattr(app_agreements, "TRUSTED_S", -1.0)
    silent = await refused(hit_by(matcher, plate))
    elsewhere = await hit_by(matcher, plate, OTHER_SENSOR)
    monkeypatch.setattr(app_agreements, "TRUSTED_S", 3600.0)

    assert silent.reason == ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE
    assert len(elsewhere) == 1
    assert len(await hit_by(matcher, own)) == 1
    await end(matcher, agreement)


@pytest.mark.clause("II.D", "III.B.1")
async def test_a_look_back_reaches_no_read_of_before_the_agreement(matcher: Matcher, theirs: Person) -> None:
    plate, world = a_plate(), matcher.world
    start = datetime.now(UTC) - timedelta(hours=1)
    agreement = an_agreement(start_time=to_timestamp(start))
    before, within = a_read(plate, age=timedelta(hours=2)), a_read(plate, age=timedelta(minutes=10))
    async with matcher.reads_of("ocr") as stub:
        await submit(stub, batch(1, before, within))
    await tell(matcher, agreement)

    await a_listed(theirs, plate)
    async with asyncio.timeout(60):
        while within.read.read_id not in world.alerts.reads:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    # Both were answered by one question, so the other one would have been raised with it.
    await end(matcher, agreement)

    assert before.read.read_id in world.archive.reads
    assert before.read.read_id not in world.alerts.reads
