"""Analyses that are refused before audit is asked."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import Area, MapPoint, Polygon
from services.common.errors import from_rpc_error
from services.common.wire import to_timestamp
from tests.support.search_analysis import asked, at, circle, passage, scene, store
from tests.support.search_kit import now


async def refused(call: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


def moment_of(message: Any, name: str, value: Any) -> Any:
    getattr(message, name).CopyFrom(to_timestamp(value))
    return message


WRONG = {
    "no plate": ("FindConvoy", asked(pb.FindConvoyRequest), {"plate"}),
    "a wildcard": ("FindConvoy", asked(pb.FindConvoyRequest, plate="AB?1"), {"plate"}),
    "a Cyrillic plate": ("GetPattern", asked(pb.GetPatternRequest, plate="\u0410\u0412123"), {"plate"}),
    "SQL for a plate": ("GetPattern", asked(pb.GetPatternRequest, plate="A' OR '1'='1"), {"plate"}),
    "SQL for a time zone": (
        "GetPattern",
        asked(pb.GetPatternRequest, plate="AB12", time_zone="UTC'; DROP TABLE archive.read; --"),
        {"time_zone"},
    ),
    "many wrong numbers": (
        "FindConvoy",
        asked(pb.FindConvoyRequest, plate="AB12", within_seconds=601, min_cameras=-1, page_size=501),
        {"within_seconds", "min_cameras", "page_size"},
    ),
    "no request id": ("GetPattern", pb.GetPatternRequest(plate="AB12"), {"request_id"}),
    "a window of no time": (
        "GetPattern",
        moment_of(moment_of(asked(pb.GetPatternRequest, plate="AB12"), "from", at(3, 1)), "to", at(3, 1)),
        {"to"},
    ),
    "a window from the year 1900": (
        "GetPattern",
        moment_of(asked(pb.GetPatternRequest, plate="AB12"), "from", now() - timedelta(days=365 * 100)),
        {"from"},
    ),
    "one scene": (
        "FindStakeout",
        asked(pb.FindStakeoutRequest, scenes=[scene(at(3, 1), circle(1, 1))]),
        {"scenes"},
    ),
    "a scene of no place, one of a month, and more than all": (
        "FindStakeout",
        asked(
            pb.FindStakeoutRequest,
            scenes=[scene(at(3, 1), Area()), scene(at(30, 1), circle(1, 1), minutes=30 * 1440)],
            min_scenes=3,
        ),
        {"scenes[0].area", "scenes[1].to", "min_scenes"},
    ),
    "a polygon that crosses itself": (
        "Summarize",
        asked(
            pb.SummarizeRequest,
            area=Area(
                polygon=Polygon(
                    corners=[
                        MapPoint(latitude=latitude, longitude=longitude)
                        for latitude, longitude in ((41, -88), (42, -87), (41, -87), (42, -88))
                    ]
                )
            ),
        ),
        {"area.polygon.corners"},
    ),
    "a dimension twice": (
        "Summarize",
        asked(pb.SummarizeRequest, dimensions=[pb.SUMMARY_DIMENSION_DAY, pb.SUMMARY_DIMENSION_DAY]),
        {"dimensions"},
    ),
    "a dimension that does not exist": (
        "Summarize",
        asked(pb.SummarizeRequest, dimensions=[77]),
        {"dimensions"},
    ),
}


@pytest.mark.parametrize(("name", "request_", "fields"), WRONG.values(), ids=WRONG.keys())
async def test_a_malformed_request_names_its_fields_and_is_not_asked(
    world, analysis, name, request_, fields
) -> None:
    error = await refused(getattr(analysis, name)(request_, metadata=world.metadata))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == fields
    assert world.audit.asked == []


async def test_a_name_of_sensors_with_sql_in_it_is_a_name_that_no_sensor_has(world, analysis, plate) -> None:
    await store(world.archive, [passage(plate, at(2, 1), 3, 0)])
    request = asked(pb.SummarizeRequest, area=Area(sensor_group="x' OR true --"))

    error = await refused(analysis.Summarize(request, metadata=world.metadata))

    assert {one.field for one in error.violations} == {"area.sensor_group"}


@pytest.mark.clause("IV.C.5", "IV.E.2")
async def test_a_question_that_takes_too_long_is_given_up_recorded_and_says_what_to_change(
    world, analysis, plate
) -> None:
    admin = await asyncpg.connect(world.database.admin_url)
    try:
        async with admin.transaction():
            await admin.execute("LOCK TABLE archive.read IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.ensure_future(
                analysis.FindConvoy(asked(pb.FindConvoyRequest, plate=plate), metadata=world.metadata)
            )
            await give_up(world)
            error = await refused(asking)
    finally:
        await admin.close()

    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "shorter window" in error.message
    # The officer does not wait for it.
    async with asyncio.timeout(60):
        while not world.audit.outcomes:  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.05)
    assert [one.result for one in world.audit.outcomes] == [audit_pb.OUTCOME_RESULT_FAILED]


async def give_up(world: Any) -> None:
    """Cancels the waiting statement, as the server does when its time is over."""
    for _ in range(200):
        cancelled = await world.admin(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = 'search_question' AND wait_event_type = 'Lock'"
        )
        if cancelled:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no question is waiting")
