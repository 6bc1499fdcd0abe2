"""AnalysisService over gRPC: stakeout, convoy, pattern and counts."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import Area, MapPoint, Polygon
from alpr.type.v1 import sensor_pb2
from services.common.errors import StorageUnavailableError, from_rpc_error
from tests.support.search_analysis import (
    asked,
    at,
    camera_name,
    camera_point,
    circle,
    drive,
    passage,
    scene,
    store,
)
from tests.support.search_kit import OTHER_ORI
from tests.support.search_world import OFFICER


async def refused(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


@pytest.mark.clause("IV.C.3", "IV.C.5", "IV.C.6", "IV.E.2")
async def test_a_convoy_names_the_companion_with_its_meetings_and_is_recorded(
    world, analysis, plate, road
) -> None:
    friend = f"F{plate[1:]}"
    for day, hour in ((3, 5), (20, 11), (41, 16)):
        await store(world.archive, drive(plate, at(day, hour), road, range(4)))
        await store(world.archive, drive(friend, at(day, hour, 0, 20), road, range(4)))

    answer = await analysis.FindConvoy(asked(pb.FindConvoyRequest, plate=plate), metadata=world.metadata)

    assert [one.plate for one in answer.companions] == [friend]
    companion = answer.companions[0]
    assert (companion.camera_count, companion.journey_count, len(companion.meetings)) == (4, 3, 12)
    assert (answer.sighting_count, answer.journey_count, answer.plates_met) == (12, 3, 1)
    assert companion.meetings[0].sensor_id == camera_name(road, 0)
    assert companion.meetings[0].offset_seconds == 20
    assert companion.meetings[0].point == camera_point(road, 0)
    assert companion.meetings[0].time.ToDatetime() == at(41, 16).replace(tzinfo=None)
    assert 0 < companion.expected_journeys < 0.5
    assert companion.expected_by_chance < 0.02
    outcome = world.audit.outcomes[-1]
    assert (outcome.result, outcome.row_count) == (audit_pb.OUTCOME_RESULT_DONE, 1)
    assert answer.question_receipt.entry_id == outcome.subject_id


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_audit_gets_what_is_asked_in_readable_arguments(world, analysis, plate) -> None:
    request = asked(
        pb.FindConvoyRequest, plate=plate.lower(), within_seconds=30, min_cameras=2, time_zone="Europe/Berlin"
    )

    await analysis.FindConvoy(request, metadata=world.metadata)

    sent = world.audit.asked[-1]
    assert (sent.access_token, sent.justification) == (OFFICER, request.justification)
    question = sent.question.archive
    assert (question.kind, question.page_size) == ("convoy", 100)
    assert [(one.name, one.value) for one in question.arguments] == [
        ("plate", plate),
        ("within_seconds", "30"),
        ("min_cameras", "2"),
        ("time_zone", "Europe/Berlin"),
    ]


@pytest.mark.clause("III.B.3.f", "II.F")
@pytest.mark.parametrize("own_agency_only", [False, True])
async def test_an_officer_may_leave_out_what_other_agencies_share(
    world, analysis, plate, own_agency_only
) -> None:
    request = asked(pb.GetPatternRequest, plate=plate, own_agency_only=own_agency_only)

    await analysis.GetPattern(request, metadata=world.metadata)

    assert world.audit.asked[-1].question.archive.own_agency_only is own_agency_only


@pytest.mark.clause("IV.C.3", "IV.C.5")
async def test_a_stakeout_names_who_was_at_the_scenes_and_not_who_is_there_every_day(
    world, analysis, plate, road
) -> None:
    moments = [at(8, 14), at(15, 3), at(30, 21)]
    neighbour = f"N{plate[1:]}"
    for camera, moment in enumerate(moments):
        await store(world.archive, [passage(plate, moment, road, camera * 3)])
        days = [moment.replace(second=7) - timedelta(days=n) for n in range(-5, 50)]
        await store(world.archive, (passage(neighbour, day, road, camera * 3) for day in days))
    request = asked(
        pb.FindStakeoutRequest,
        scenes=[scene(moment, circle(road, n * 3), label=f"scene {n}") for n, moment in enumerate(moments)],
        min_scenes=3,
        time_zone="UTC",
    )

    answer = await analysis.FindStakeout(request, metadata=world.metadata)

    assert [one.plate for one in answer.plates] == [plate, neighbour]
    suspect, other = answer.plates
    assert [(visit.scene_index, visit.label) for visit in suspect.visits] == [
        (0, "scene 0"),
        (1, "scene 1"),
        (2, "scene 2"),
    ]
    assert suspect.visits[1].first_time == suspect.visits[1].last_time
    assert suspect.visits[1].first_time.ToDatetime() == moments[1].replace(tzinfo=None)
    assert list(suspect.visits[1].sensor_ids) == [camera_name(road, 3)]
    assert {visit.usual_days for visit in suspect.visits} == {1}
    assert min(visit.usual_days for visit in other.visits) >= 50
    assert suspect.expected_by_chance < 1e-4
    assert other.chance > 0.1
    assert answer.plates_considered == 2
    assert world.audit.outcomes[-1].row_count == 2


async def test_a_stakeout_at_two_of_three_scenes_and_in_a_polygon(world, analysis, plate, road) -> None:
    first, second = at(8, 14), at(15, 3)
    await store(world.archive, [passage(plate, first, road, 0), passage(plate, second, road, 3)])
    for number, minutes in enumerate(
        (-21, 20)
    ):  # the window is from 20 minutes before to just before 20 after
        aside = [first + timedelta(minutes=minutes), second + timedelta(minutes=minutes)]
        missed = f"M{number}{plate[2:]}"
        await store(world.archive, [passage(missed, aside[0], road, 0), passage(missed, aside[1], road, 3)])
    corner = camera_point(road, 3)
    square = Area(
        polygon=Polygon(
            corners=[
                MapPoint(latitude=corner.latitude + up, longitude=corner.longitude + aside)
                for up, aside in ((-0.01, -0.01), (-0.01, 0.01), (0.01, 0.01), (0.01, -0.01))
            ]
        )
    )
    request = asked(
        pb.FindStakeoutRequest,
        scenes=[scene(first, circle(road, 0)), scene(second, square), scene(at(20, 9), circle(road, 6))],
    )

    answer = await analysis.FindStakeout(request, metadata=world.metadata)

    assert [(one.plate, [visit.scene_index for visit in one.visits]) for one in answer.plates] == [
        (plate, [0, 1])
    ]


@pytest.mark.clause("IV.C.3")
async def test_a_pattern_is_a_week_of_hours_in_the_time_zone_and_a_map(world, analysis, plate, road) -> None:
    mornings = [at(day, 13, 5) for day in (7, 14, 21, 28)]  # one day of the week
    for morning in mornings:
        await store(world.archive, drive(plate, morning, road, (0, 1)))
    await store(world.archive, [passage(plate, at(3, 20), road, 5)])

    answer = await analysis.GetPattern(
        asked(pb.GetPatternRequest, plate=plate, time_zone="Asia/Tokyo"), metadata=world.metadata
    )

    assert (answer.read_count, answer.day_count, answer.time_zone) == (9, 5, "Asia/Tokyo")
    assert [row.weekday for row in answer.weekdays] == [1, 2, 3, 4, 5, 6, 7]
    assert all(len(row.hour_counts) == 24 for row in answer.weekdays)
    assert answer.weekdays[mornings[0].weekday()].hour_counts[22] == 8  # 13 h UTC in Tokyo
    assert sum(sum(row.hour_counts) for row in answer.weekdays) == 9
    assert {(one.sensor_id, one.read_count) for one in answer.places} == {
        (camera_name(road, 0), 4),
        (camera_name(road, 1), 4),
        (camera_name(road, 5), 1),
    }
    assert answer.places[-1].point == camera_point(road, 5)
    assert [(leg.from_sensor_id, leg.to_sensor_id, leg.leg_count) for leg in answer.legs] == [
        (camera_name(road, 0), camera_name(road, 1), 4)
    ]
    assert answer.legs[0].median_seconds == 240
    assert world.audit.outcomes[-1].row_count == 3


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_the_map_data_of_a_pattern_are_geojson_with_the_notice_in_them(
    world, analysis, plate, road
) -> None:
    await store(world.archive, drive(plate, at(9, 12), road, (0, 1)))

    answer = await analysis.GetPattern(asked(pb.GetPatternRequest, plate=plate), metadata=world.metadata)

    document = json.loads(answer.geojson)
    assert document["type"] == "FeatureCollection"
    assert document["notice"]["lead_only"] is True
    assert document["notice"]["text"] == answer.notice.text
    points = [one for one in document["features"] if one["geometry"]["type"] == "Point"]
    lines = [one for one in document["features"] if one["geometry"]["type"] == "LineString"]
    place = camera_point(road, 0)
    assert [place.longitude, place.latitude] in [one["geometry"]["coordinates"] for one in points]
    assert (len(points), len(lines)) == (2, 1)


@pytest.mark.clause("IV.C.3")
async def test_counts_by_sensor_and_day_are_in_the_order_of_their_values(
    world, analysis, plate, road
) -> None:
    await store(world.archive, (passage(plate, at(day, 12), road, day % 2) for day in (10, 11, 11, 12)))
    request = asked(
        pb.SummarizeRequest,
        area=circle(road, 0, 20_000),
        dimensions=[pb.SUMMARY_DIMENSION_SENSOR, pb.SUMMARY_DIMENSION_DAY],
        time_zone="UTC",
        count_plates=True,
    )

    answer = await analysis.Summarize(request, metadata=world.metadata)

    assert [(tuple(row.values), row.read_count, row.plate_count) for row in answer.rows] == [
        ((camera_name(road, 0), f"{at(12, 12):%Y-%m-%d}"), 1, 1),
        ((camera_name(road, 0), f"{at(10, 12):%Y-%m-%d}"), 1, 1),
        ((camera_name(road, 1), f"{at(11, 12):%Y-%m-%d}"), 2, 1),
    ]
    assert answer.read_count == 4
    arguments = {one.name: one.value for one in world.audit.asked[-1].question.archive.arguments}
    assert arguments["by"] == "sensor,day"
    assert arguments["area"].startswith('{"circle":[')


async def test_counts_without_dimension_are_one_row_and_show_no_plate(world, analysis, plate, road) -> None:
    await store(world.archive, [passage(plate, at(2, 1), road, 0)])

    answer = await analysis.Summarize(
        asked(pb.SummarizeRequest, area=circle(road, 0)), metadata=world.metadata
    )

    assert [(tuple(row.values), row.read_count, row.plate_count) for row in answer.rows] == [((), 1, 0)]
    assert plate not in str(answer)


@pytest.mark.clause("II.F")
async def test_reads_outside_the_permits_agencies_are_in_no_analysis(world, analysis, plate, road) -> None:
    foreign = [passage(plate, at(8, 14), road, camera, agency=OTHER_ORI) for camera in (0, 3)]
    own = [passage(f"W{plate[1:]}", at(8, 14, 0, 10), road, camera) for camera in (0, 3)]
    await store(world.archive, [*foreign, *own])
    scenes = [scene(at(8, 14), circle(road, camera)) for camera in (0, 3)]
    ask = {"metadata": world.metadata}

    stakeout = await analysis.FindStakeout(asked(pb.FindStakeoutRequest, scenes=scenes), **ask)
    convoy = await analysis.FindConvoy(asked(pb.FindConvoyRequest, plate=own[0].read.plate), **ask)
    pattern = await analysis.GetPattern(asked(pb.GetPatternRequest, plate=plate), **ask)
    counts = await analysis.Summarize(asked(pb.SummarizeRequest, area=circle(road, 0, 30_000)), **ask)

    assert [one.plate for one in stakeout.plates] == [own[0].read.plate]
    assert (len(convoy.companions), convoy.plates_met) == (0, 0)
    assert (pattern.read_count, len(pattern.places)) == (0, 0)
    assert counts.read_count == 2


REQUESTS = {
    "FindStakeout": lambda plate: asked(
        pb.FindStakeoutRequest, scenes=[scene(at(8, 14), circle(1, 1)), scene(at(9, 14), circle(1, 2))]
    ),
    "FindConvoy": lambda plate: asked(pb.FindConvoyRequest, plate=plate),
    "GetPattern": lambda plate: asked(pb.GetPatternRequest, plate=plate),
    "Summarize": lambda plate: asked(pb.SummarizeRequest, area=circle(1, 1)),
}


@pytest.mark.clause("III.B.3.r", "IV.C.5", "IV.C.6")
@pytest.mark.parametrize("name", REQUESTS)
async def test_every_answer_has_notice_receipts_and_window(world, analysis, plate, name) -> None:
    answer = await getattr(analysis, name)(REQUESTS[name](plate), metadata=world.metadata)

    assert answer.notice.lead_only
    assert answer.notice.text.startswith("UNVERIFIED")
    assert answer.HasField("question_receipt")
    assert answer.HasField("outcome_receipt")
    assert answer.searched_to.ToDatetime() - answer.searched_from.ToDatetime() > timedelta(days=89)
    outcome = world.audit.outcomes[-1]
    assert outcome.result == audit_pb.OUTCOME_RESULT_DONE
    assert len(outcome.rows_digest) == hashlib.sha256().digest_size


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_retry_gets_the_same_answer_and_is_recorded_again(world, analysis, plate, name) -> None:
    request = REQUESTS[name](plate)
    first = await getattr(analysis, name)(request, metadata=world.metadata)
    await store(world.archive, drive(plate, at(1, 2), 1, (1, 2)))

    again = await getattr(analysis, name)(request, metadata=world.metadata)

    for answer in (first, again):
        answer.ClearField("outcome_receipt")
    assert again == first
    assert [one.rows_digest for one in world.audit.outcomes] == [world.audit.outcomes[0].rows_digest] * 2


@pytest.mark.clause("I")
@pytest.mark.parametrize("name", REQUESTS)
async def test_without_a_token_audit_is_not_even_asked(world, analysis, plate, name) -> None:
    error = await refused(getattr(analysis, name)(REQUESTS[name](plate)))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert world.audit.asked == []


@pytest.mark.clause("IV.C.5", "IV.E.2")
@pytest.mark.parametrize("name", REQUESTS)
async def test_nothing_is_shown_when_the_outcome_cannot_be_recorded(world, analysis, plate, name) -> None:
    await store(world.archive, drive(plate, at(1, 2), 1, (1, 2)))
    world.audit.outcome_error = StorageUnavailableError("the log cannot be written")

    error = await refused(getattr(analysis, name)(REQUESTS[name](plate), metadata=world.metadata))

    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert plate not in error.message


@pytest.mark.clause("II.F")
async def test_the_places_of_a_pattern_say_whose_reads_they_are(world, analysis, plate, road) -> None:
    read = passage(plate, at(2, 1), road, 0)
    read.provenance = sensor_pb2.PROVENANCE_COMMERCIAL
    await store(world.archive, [read])

    answer = await analysis.GetPattern(asked(pb.GetPatternRequest, plate=plate), metadata=world.metadata)

    assert answer.places[0].provenance == sensor_pb2.PROVENANCE_COMMERCIAL
