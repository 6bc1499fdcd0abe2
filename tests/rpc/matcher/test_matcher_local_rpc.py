"""Local lists over gRPC: from an officer's word to a hit, on every replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    COLLEAGUE,
    OFFICER,
    ORI,
    OTHER_SENSOR,
    SCALE_SENSOR,
    SENSOR,
    STRANGER,
    SUSPENDED_SENSOR,
    Matcher,
    World,
    a_matcher,
    a_read,
    a_world,
    batch,
    new_id,
    submit,
    watch_request,
)
from tests.support.databases import MigratedDatabase

pytestmark = pytest.mark.asyncio(loop_scope="module")
DONE, FAILED = audit_pb.OUTCOME_RESULT_DONE, audit_pb.OUTCOME_RESULT_FAILED
UNIT_LIST, SENSOR_LIST = pb.LOCAL_LIST_OWNER_KIND_UNIT, pb.LOCAL_LIST_OWNER_KIND_SENSOR


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    database = await migrated_database("matcher")
    async with a_world(tls, database, tmp_path_factory.mktemp("spool")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matcher(world: World) -> AsyncIterator[Matcher]:
    async with a_matcher(world) as made:
        yield made


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def hits_of(matcher: Matcher, *reads: Any, sender: str = "ocr") -> list[alerts_pb.Hit]:
    """The hits of `reads`, once those are answered."""
    async with matcher.reads_of(sender) as stub:
        await submit(stub, batch(1, *reads))
    raised = matcher.world.alerts.reads
    return [raised[one.read.read_id] for one in reads if one.read.read_id in raised]


@pytest.mark.clause("II.D", "III.B.3.d", "IV.C.5", "IV.C.6")
async def test_an_officers_entry_is_on_record_with_its_reason_and_hits_the_next_read(
    matcher: Matcher,
) -> None:
    request = watch_request("LOC 1001")

    async with matcher.person() as person:
        answer = await person.local.AddLocalEntry(request, metadata=person.metadata)
    (hit,) = await hits_of(matcher, a_read("LOC1001"))

    entry, intent = answer.entry, matcher.world.audit.intent_requests[request.request_id]
    assert (intent.action, intent.resource) == ("local_list.add", entry.entry_id)
    assert intent.justification == request.justification
    assert intent.details["pattern"] == "LOC1001"
    assert matcher.world.audit.results(request.request_id) == [DONE]
    assert (entry.owner, entry.account_id, entry.entry_state) == (
        "manager",
        "manager",
        pb.LOCAL_ENTRY_STATE_LIVE,
    )
    (match,) = hit.matches
    assert (match.entry.entry_id, match.entry.hot_list_id) == (entry.entry_id, entry.hot_list_id)
    assert match.entry.hot_list_name == "local list of user manager"
    assert (match.entry.record_number, match.entry.list_agency_ori) == ("2026-004711", ORI)
    assert match.entry.category == hit_pb2.HOT_LIST_CATEGORY_FELONY


@pytest.mark.clause("II.D")
async def test_an_entry_with_wildcards_hits_every_plate_that_fits_in_any_state(matcher: Matcher) -> None:
    async with matcher.person() as person:
        await person.watch_for("WLD?2?4", state="", owner_kind=UNIT_LIST)
    reads = [a_read(plate) for plate in ("WLD1234", "WLDX2Y4", "WLD1254", "WLD12345", "WLX1234")]

    hits = await hits_of(matcher, *reads)

    assert [hit.captured_read.read.plate for hit in hits] == ["WLD1234", "WLDX2Y4", "WLD1254"]
    assert {match.entry.plate for hit in hits for match in hit.matches} == {"WLD?2?4"}


@pytest.mark.clause("II.D")
async def test_an_entry_taken_off_hits_no_more_on_any_replica_within_seconds(
    world: World, matcher: Matcher
) -> None:
    async with a_matcher(world) as other:
        async with matcher.person() as person:
            entry = (await person.watch_for("GONE123")).entry
        added = await _until(lambda: hits_of(other, a_read("GONE123")), bool)
        async with other.person() as person:
            removed = await person.watch_no_more(entry.entry_id)
        here = await hits_of(other, a_read("GONE123"))
        there = await _until(lambda: hits_of(matcher, a_read("GONE123")), lambda hits: not hits)

    assert len(added) == 1
    assert removed.entry.entry_state == pb.LOCAL_ENTRY_STATE_REMOVED
    assert removed.match_revision > 0
    assert (here, there) == ([], [])


async def _until(ask: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> Any:
    """The answer that is so; an urgent change is live within 5 seconds on every replica."""
    async with asyncio.timeout(60):
        while True:
            answer = await ask()
            if is_so(answer):
                return answer
            await asyncio.sleep(0.1)


@pytest.mark.clause("II.D")
async def test_an_entry_hits_until_the_second_in_which_its_time_is_over(matcher: Matcher) -> None:
    async with matcher.person() as person:
        entry = (await person.watch_for("BRIEF12", lives=timedelta(seconds=4))).entry

        before = await hits_of(matcher, a_read("BRIEF12"))
        await asyncio.sleep(4)
        after = await hits_of(matcher, a_read("BRIEF12"))
        shown = {one.entry_id: one for one in (await person.watched(with_ended=True)).entries}
        live = {one.entry_id for one in (await person.watched()).entries}

    assert (len(before), after) == (1, [])
    assert shown[entry.entry_id].entry_state == pb.LOCAL_ENTRY_STATE_EXPIRED
    assert entry.entry_id not in live


@pytest.mark.clause("II.D")
async def test_a_sensors_list_meets_that_sensors_reads_and_no_others(matcher: Matcher) -> None:
    async with matcher.person() as person, matcher.person(STRANGER) as stranger:
        await person.watch_for("SENS123", owner_kind=SENSOR_LIST, sensor_id=SENSOR)
        foreign = await refusal(stranger.watch_for("SENS999", owner_kind=SENSOR_LIST, sensor_id=SENSOR))
        suspended = await refusal(
            person.watch_for("SENS888", owner_kind=SENSOR_LIST, sensor_id=SUSPENDED_SENSOR)
        )

    (hit,) = await hits_of(
        matcher, a_read("SENS123"), a_read("SENS123", sensor_id=OTHER_SENSOR), a_read("SENS999")
    )

    assert hit.captured_read.read.sensor_id == SENSOR
    assert foreign.metadata["clauses"] == "III.B.3.f"
    assert suspended.reason == ErrorReason.ERROR_REASON_SENSOR_NOT_APPROVED


@pytest.mark.clause("II.H")
async def test_no_local_list_meets_a_motor_carrier_safety_sensor(matcher: Matcher) -> None:
    async with matcher.person() as person:
        refused = await refusal(person.watch_for("TRUCK12", owner_kind=SENSOR_LIST, sensor_id=SCALE_SENSOR))
        await person.watch_for("TRUCK12", owner_kind=UNIT_LIST)

    hits = await hits_of(matcher, a_read("TRUCK12", sensor_id=SCALE_SENSOR), a_read("TRUCK12"))

    assert refused.metadata["clauses"] == "II.H"
    assert [hit.captured_read.read.sensor_id for hit in hits] == [SENSOR]


@pytest.mark.clause("II.D")
async def test_local_lists_of_one_agency_meet_no_read_of_anothers_sensors(matcher: Matcher) -> None:
    async with matcher.person(STRANGER) as stranger:
        await stranger.watch_for("STRAY12")

    hits = await hits_of(matcher, a_read("STRAY12"), a_read("STRAY12", sensor_id=OTHER_SENSOR))

    assert [hit.captured_read.read.sensor_id for hit in hits] == [OTHER_SENSOR]


@pytest.mark.clause("II.D")
async def test_who_may_not_use_the_system_watches_for_nothing(matcher: Matcher) -> None:
    async with matcher.person(OFFICER) as officer, matcher.person("") as nobody:
        refused = await refusal(officer.watch_for("NONE123"))
        unknown = await refusal(nobody.watch_for("NONE123"))
        unseen = await refusal(officer.watched())

    assert refused.code is grpc.StatusCode.PERMISSION_DENIED
    assert unknown.code is grpc.StatusCode.UNAUTHENTICATED
    assert unseen.code is grpc.StatusCode.PERMISSION_DENIED
    assert await hits_of(matcher, a_read("NONE123")) == []


@pytest.mark.clause("II.D")
async def test_colleagues_share_the_units_list_and_see_nothing_of_each_others_own(matcher: Matcher) -> None:
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        own = (await person.watch_for("OWN1234")).entry
        units = (await person.watch_for("UNIT123", owner_kind=UNIT_LIST)).entry

        seen = {one.entry_id for one in (await colleague.watched(page_size=200)).entries}
        refused = await refusal(colleague.watch_no_more(own.entry_id))
        removed = await colleague.watch_no_more(units.entry_id)

    assert units.entry_id in seen
    assert own.entry_id not in seen
    assert refused.metadata["clauses"] == "II.D"
    assert removed.entry.entry_state == pb.LOCAL_ENTRY_STATE_REMOVED
    assert len(await hits_of(matcher, a_read("OWN1234"), a_read("UNIT123"))) == 1


async def test_every_call_sent_again_gives_the_same_answer(matcher: Matcher) -> None:
    request, remove = watch_request("AGAIN12"), new_id()

    async with matcher.person() as person:
        added = [await person.local.AddLocalEntry(request, metadata=person.metadata) for _ in range(2)]
        removed = [await person.watch_no_more(added[0].entry.entry_id, remove) for _ in range(2)]
        late = await person.watch_no_more(added[0].entry.entry_id)

    for answer in added:
        # Reads of other tests may be counted between the two.
        answer.entry.ClearField("read_count")
        answer.ClearField("suspended")
    assert added[0] == added[1]
    assert removed[0] == removed[1]
    assert (late.entry, late.match_revision) == (removed[0].entry, 0)


@pytest.mark.clause("II.D")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pattern": "AB????"}, "pattern"),
        ({"pattern": "AB12??", "state": ""}, "pattern"),
        ({"pattern": ""}, "pattern"),
        ({"state": "Il"}, "state"),
        ({"category": 0}, "category"),
        ({"owner_kind": 0}, "owner_kind"),
        ({"owner_kind": SENSOR_LIST}, "sensor_id"),
        ({"sensor_id": SENSOR}, "sensor_id"),
        ({"plate_type": "P"}, "plate_type"),
        ({"vehicle": hit_pb2.ListedVehicle(make="FORD MUSTANG OF J DOE")}, "vehicle.make"),
        ({"lives": timedelta(days=31)}, "expire_time"),
        ({"lives": timedelta(seconds=-5)}, "expire_time"),
        ({"expire_time": None}, "expire_time"),
        ({"request_id": "1"}, "request_id"),
    ],
)
async def test_what_is_outside_of_the_limits_is_refused_by_field(
    matcher: Matcher, changes: dict[str, Any], field: str
) -> None:
    changes = dict(changes)
    async with matcher.person() as person:
        error = await refusal(person.watch_for(changes.pop("pattern", "ABC?23"), **changes))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == [field]


@pytest.mark.clause("II.D")
async def test_an_entry_that_matches_too_much_suspends_itself_and_says_so(matcher: Matcher) -> None:
    """Ten plates of twenty in one second: nobody's suspect."""
    async with matcher.person() as person:
        entry = (await person.watch_for("WIDE???", owner_kind=UNIT_LIST)).entry
        first = await hits_of(
            matcher,
            *[a_read(f"WIDE1{n:02d}") for n in range(10)],
            *[a_read(f"FREE1{n:02d}") for n in range(10)],
        )

        async def suspended() -> list[pb.LocalEntry]:
            shown = await person.watched()
            return [one for one in shown.suspended if one.entry_id == entry.entry_id]

        (told,) = await _until(suspended, bool)
        again = (await person.watch_for("WIDE12?", owner_kind=UNIT_LIST)).suspended
        after = await hits_of(matcher, a_read("WIDE999"))

    assert len(first) == 10
    assert told.entry_state == pb.LOCAL_ENTRY_STATE_SUSPENDED
    assert told.match_count == 10
    assert told.read_count >= 20
    assert [one.entry_id for one in again] == [entry.entry_id]
    assert after == []
    (intent,) = [
        one
        for one in matcher.world.audit.intent_requests.values()
        if one.action == "local_list.suspend" and one.resource == entry.entry_id
    ]
    assert (intent.access_token, intent.resource_agency_ori) == ("", ORI)
    assert matcher.world.audit.results(intent.request_id) == [DONE]


@pytest.mark.clause("II.D")
async def test_a_look_at_local_lists_is_on_record_before_they_leave(matcher: Matcher) -> None:
    audit = matcher.world.audit
    async with matcher.person() as person:
        await person.watch_for("LOOK012")
        await person.watch_for("LOOK123")
        shown = await person.watched(page_size=1)
        rest = await person.watched(page_size=200, page_token=shown.next_page_token)
        looks = [one for one in audit.intent_requests.values() if one.action == "local_list.show"]
        audit.outcomes.down = True
        try:
            error = await refusal(person.watched())
        finally:
            audit.outcomes.down = False

    assert shown.entries[0].pattern == "LOOK123"
    assert shown.next_page_token
    assert shown.entries[0] not in rest.entries
    assert audit.results(looks[-1].request_id) == [DONE]
    assert error.reason == ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE


@pytest.mark.clause("II.D")
async def test_nothing_is_watched_for_when_audit_is_away(matcher: Matcher) -> None:
    audit = matcher.world.audit
    audit.intents.down = True
    try:
        async with matcher.person() as person:
            error = await refusal(person.watch_for("AWAY123"))
    finally:
        audit.intents.down = False

    assert error.reason == ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE
    assert await hits_of(matcher, a_read("AWAY123")) == []
