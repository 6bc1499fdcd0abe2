"""FindCorridor over gRPC."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import MapPoint
from services.common.errors import from_rpc_error
from services.common.wire import to_timestamp
from tests.support.search_analysis import asked, at, camera_name, camera_point, drive, passage, store
from tests.support.search_kit import OTHER_ORI


def corridor(road: int, *, hours: float = 4, **changes: Any) -> pb.FindCorridorRequest:
    """Along a road from camera 0 to 5, from noon of three days ago."""
    request = asked(
        pb.FindCorridorRequest, **{"line": [camera_point(road, 0), camera_point(road, 5)], **changes}
    )
    getattr(request, "from").CopyFrom(to_timestamp(at(3, 12)))
    request.to.CopyFrom(to_timestamp(at(3, 12) + timedelta(hours=hours)))
    return request


@pytest.mark.clause("IV.C.3", "IV.C.5")
async def test_a_corridor_tells_who_drove_along_it_which_way_and_how_fast(
    world, analysis, plate, road
) -> None:
    back = f"B{plate[1:]}"
    await store(world.archive, drive(plate, at(3, 13), road, range(6)))
    await store(world.archive, drive(back, at(3, 14), road, (4, 3, 2)))
    await store(world.archive, [passage(f"S{plate[1:]}", at(3, 13), road, 2)])

    answer = await analysis.FindCorridor(corridor(road), metadata=world.metadata)

    assert [one.plate for one in answer.journeys] == [plate, back]
    there, return_way = answer.journeys
    assert there.direction == pb.CORRIDOR_DIRECTION_FORWARD
    assert return_way.direction == pb.CORRIDOR_DIRECTION_BACKWARD
    assert [one.sensor_id for one in there.passages] == [camera_name(road, camera) for camera in range(6)]
    assert there.passages[0].time.ToDatetime() == at(3, 13).replace(tzinfo=None)
    assert there.distance_meters == pytest.approx(5 * 5_559.75, rel=1e-3)
    assert answer.line_meters == pytest.approx(there.distance_meters, rel=1e-6)
    assert there.mean_kilometers_per_hour == pytest.approx(5.55975 / (240 / 3600), rel=1e-3)
    assert there.passages[2].along_meters == pytest.approx(2 * 5_559.75, rel=1e-3)
    assert max(one.beside_meters for one in there.passages) < 1
    assert world.audit.outcomes[-1].row_count == 2
    assert world.audit.asked[-1].question.archive.arguments[0].name == "line"


@pytest.mark.parametrize(
    ("direction", "wanted"),
    [(pb.CORRIDOR_DIRECTION_FORWARD, "R"), (pb.CORRIDOR_DIRECTION_BACKWARD, "B")],
)
async def test_one_direction_may_be_asked_for(world, analysis, plate, direction, wanted) -> None:
    back, road = f"B{plate[1:]}", 210 + direction
    await store(world.archive, drive(plate, at(3, 13), road, (1, 2)))
    await store(world.archive, drive(back, at(3, 13), road, (2, 1)))

    answer = await analysis.FindCorridor(corridor(road, direction=direction), metadata=world.metadata)

    assert [one.plate[0] for one in answer.journeys] == [wanted]


async def test_there_and_back_are_two_journeys_and_a_long_pause_parts_them(
    world, analysis, plate, road
) -> None:
    await store(world.archive, drive(plate, at(3, 12, 30), road, (0, 1, 2, 1, 0)))
    await store(world.archive, drive(plate, at(3, 15), road, (1, 2)))

    answer = await analysis.FindCorridor(corridor(road), metadata=world.metadata)

    found = [[one.sensor_id[-1] for one in journey.passages] for journey in answer.journeys]
    assert found == [["0", "1", "2"], ["1", "0"], ["1", "2"]]


async def test_only_reads_near_the_line_in_the_window_and_of_enough_cameras_count(
    world, analysis, plate, road
) -> None:
    near, late, foreign = (f"{letter}{plate[1:]}" for letter in "NLF")
    beside = list(drive(near, at(3, 13), road, (0, 1, 2)))
    for read in beside:
        read.read.place.longitude += 0.002  # 170 m to the east
    await store(world.archive, beside)
    await store(world.archive, drive(late, at(3, 17), road, (0, 1, 2)))
    await store(world.archive, [passage(foreign, at(3, 13, n), road, n, agency=OTHER_ORI) for n in (0, 1, 2)])

    wide = await analysis.FindCorridor(
        corridor(road, within_meters=200, min_cameras=3), metadata=world.metadata
    )
    narrow = await analysis.FindCorridor(corridor(road, min_cameras=3), metadata=world.metadata)
    many = await analysis.FindCorridor(
        corridor(road, within_meters=200, min_cameras=4), metadata=world.metadata
    )

    assert [one.plate for one in wide.journeys] == [near]
    assert wide.journeys[0].passages[0].beside_meters == pytest.approx(168, abs=3)
    assert (len(narrow.journeys), len(many.journeys)) == (0, 0)


async def test_what_lies_beside_a_slanting_line_is_not_on_it(world, analysis, plate, road) -> None:
    """The box round the line holds the whole road; the line crosses it at the first camera."""
    await store(world.archive, drive(plate, at(3, 13), road, range(5)))
    start = camera_point(road, 0)
    slanting = [start, MapPoint(latitude=start.latitude + 0.25, longitude=start.longitude + 0.3)]

    answer = await analysis.FindCorridor(
        corridor(road, line=slanting, within_meters=1_000), metadata=world.metadata
    )

    assert list(answer.journeys) == []
    assert answer.line_meters == pytest.approx(37_300, rel=0.01)


async def test_what_is_left_out_is_the_latest_and_is_said(world, analysis, plate, road) -> None:
    plates = [f"{letter}{plate[1:]}" for letter in "KLM"]
    for minute, one in enumerate(plates):
        await store(world.archive, drive(one, at(3, 13, minute), road, (0, 1)))

    answer = await analysis.FindCorridor(corridor(road, page_size=2), metadata=world.metadata)

    assert ([one.plate for one in answer.journeys], answer.has_more) == (plates[:2], True)
    assert world.audit.outcomes[-1].row_count == 2


WRONG = {
    "no window": (
        asked(pb.FindCorridorRequest, line=[camera_point(1, 0), camera_point(1, 1)]),
        {"from", "to"},
    ),
    "a window of eight days": (corridor(1, hours=8 * 24), {"to"}),
    "one point": (corridor(1, line=[camera_point(1, 0)]), {"line"}),
    "a point twice": (corridor(1, line=[camera_point(1, 0)] * 2), {"line"}),
    "over the antimeridian": (
        corridor(1, line=[MapPoint(latitude=1, longitude=179), MapPoint(latitude=1, longitude=-179)]),
        {"line"},
    ),
    "off the earth": (
        corridor(1, line=[MapPoint(latitude=91), MapPoint(longitude=181)]),
        {
            "line[0].latitude",
            "line[1].longitude",
        },
    ),
    "numbers": (
        corridor(1, min_cameras=1, max_gap_minutes=1441, within_meters=-1, direction=9),
        {"min_cameras", "max_gap_minutes", "within_meters", "direction"},
    ),
}


@pytest.mark.parametrize(("request_", "fields"), WRONG.values(), ids=WRONG.keys())
async def test_a_malformed_corridor_names_its_fields_and_is_not_asked(
    world, analysis, request_, fields
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await analysis.FindCorridor(request_, metadata=world.metadata)

    assert {one.field for one in from_rpc_error(error.value).violations} == fields
    assert world.audit.asked == []
