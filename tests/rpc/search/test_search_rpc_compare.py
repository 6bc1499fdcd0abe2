"""CompareDataSet over gRPC."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import AlprError, from_rpc_error
from tests.support.search_analysis import asked, at, camera_name, camera_point, drive, passage, store
from tests.support.search_kit import OTHER_ORI


def plates_header(**changes: Any) -> pb.CompareDataSetHeader:
    return asked(pb.CompareDataSetHeader, kind=pb.DATA_SET_KIND_PLATES, **changes)


def incidents_header(**changes: Any) -> pb.CompareDataSetHeader:
    return asked(pb.CompareDataSetHeader, kind=pb.DATA_SET_KIND_INCIDENTS, **changes)


def upload(header: Any, file: str | bytes, piece: int = 7) -> Iterator[pb.CompareDataSetRequest]:
    """Header, then the file in small pieces."""
    content = file.encode() if isinstance(file, str) else file
    yield pb.CompareDataSetRequest(header=header)
    for start in range(0, len(content), piece):
        yield pb.CompareDataSetRequest(chunk=content[start : start + piece])


async def refused(call: Any) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


@pytest.mark.clause("IV.C.3", "IV.C.5", "IV.E.2")
async def test_plates_of_a_file_that_were_read_are_found_and_all_of_them_are_in_the_question(
    world, analysis, plate, road
) -> None:
    never, foreign = f"N{plate[1:]}", f"F{plate[1:]}"
    await store(world.archive, drive(plate, at(4, 9), road, (0, 1, 0)))
    await store(world.archive, [passage(foreign, at(4, 9), road, 0, agency=OTHER_ORI)])
    file = f"label;plate\nred car;{plate[:3]}-{plate[3:].lower()}\n;{never}\n\nblue;{foreign}\n"

    answer = await analysis.CompareDataSet(upload(plates_header(), file), metadata=world.metadata)

    assert [(one.plate, one.label, one.read_count) for one in answer.plates] == [(plate, "red car", 3)]
    assert list(answer.plates[0].sensor_ids) == [camera_name(road, 0), camera_name(road, 1)]
    assert answer.plates[0].first_time.ToDatetime() == at(4, 9).replace(tzinfo=None)
    assert answer.plates[0].last_time.ToDatetime() == at(4, 9, 8).replace(tzinfo=None)
    assert answer.compared_rows == 3
    assert answer.file_sha256 == hashlib.sha256(file.encode()).digest()
    recorded = {one.name: one.value for one in world.audit.asked[-1].question.archive.arguments}
    assert recorded["rows_1"] == f"{plate};{never};{foreign}"
    assert recorded["file_sha256"] == answer.file_sha256.hex()
    assert "red car" not in str(world.audit.asked[-1])
    assert world.audit.outcomes[-1].row_count == 1


@pytest.mark.clause("IV.C.3")
async def test_who_was_near_several_incidents_is_found_and_who_is_always_there_ranks_last(
    world, analysis, plate, road
) -> None:
    resident = f"X{plate[1:]}"
    moments = [at(6, 2), at(13, 23), at(27, 11)]
    rows = ["time,latitude,longitude,label"]
    for camera, moment in enumerate(moments):
        point = camera_point(road, camera)
        rows.append(f"{moment.isoformat()},{point.latitude + 0.001},{point.longitude},burglary {camera}")
        await store(world.archive, [passage(plate, moment + timedelta(minutes=9), road, camera)])
        days = [moment - timedelta(days=n) for n in range(-5, 50)]
        await store(world.archive, (passage(resident, day, road, camera) for day in days))

    answer = await analysis.CompareDataSet(
        upload(incidents_header(time_zone="UTC", min_incidents=3), "\n".join(rows)), metadata=world.metadata
    )

    assert [one.plate for one in answer.plates] == [plate, resident]
    suspect = answer.plates[0]
    assert [(visit.line, visit.label) for visit in suspect.visits] == [
        (2, "burglary 0"),
        (3, "burglary 1"),
        (4, "burglary 2"),
    ]
    assert suspect.visits[0].first_time.ToDatetime() == at(6, 2, 9).replace(tzinfo=None)
    assert suspect.expected_by_chance < 0.001
    assert answer.plates[1].chance > 0.1
    assert (answer.compared_rows, answer.plates_considered, suspect.read_count) == (3, 2, 3)
    recorded = {one.name: one.value for one in world.audit.asked[-1].question.archive.arguments}
    assert recorded["rows_1"].startswith(f"{moments[0].isoformat()} ")
    assert (recorded["within_meters"], recorded["within_minutes"]) == ("500", "30")


async def test_nearness_in_metres_and_minutes_is_the_callers(world, analysis, plate, road) -> None:
    point = camera_point(road, 0)
    await store(world.archive, [passage(plate, at(6, 2), road, 0)])
    file = f"time,latitude,longitude\n{at(6, 2, 40).isoformat()},{point.latitude + 0.01},{point.longitude}\n"

    async def found(**near: int) -> int:
        header = incidents_header(min_incidents=1, **near)
        return len((await analysis.CompareDataSet(upload(header, file), metadata=world.metadata)).plates)

    assert await found(within_meters=1_200, within_minutes=41) == 1
    assert await found(within_meters=1_000, within_minutes=41) == 0
    assert await found(within_meters=1_200, within_minutes=39) == 0


@pytest.mark.clause("IV.E.2")
async def test_every_row_of_the_largest_file_stands_in_the_recorded_question(world, analysis) -> None:
    plates = [f"{n:06d}ABCDEF" for n in range(3_000)]

    answer = await analysis.CompareDataSet(
        upload(plates_header(), "plate\n" + "\n".join(plates), piece=200_000), metadata=world.metadata
    )

    arguments = world.audit.asked[-1].question.archive.arguments
    assert len(arguments) <= 32
    rows = [one.value for one in arguments if one.name.startswith("rows_")]
    assert all(len(row) <= 2_000 for row in rows)
    assert ";".join(rows).split(";") == plates
    assert answer.compared_rows == 3_000


@pytest.mark.clause("IV.E.1")
async def test_the_upload_is_nowhere_in_the_database_afterwards(world, analysis, plate) -> None:
    await analysis.CompareDataSet(upload(plates_header(), f"plate\n{plate}\n"), metadata=world.metadata)

    tables = await world.admin(
        "SELECT format('%I.%I', schemaname, relname) AS name FROM pg_stat_user_tables "
        "WHERE schemaname IN ('archive', 'motor_carrier')"
    )
    for table in tables:
        hits = await world.admin(
            f"SELECT count(*) FROM {table['name']} AS t WHERE t::text LIKE $1",  # noqa: S608
            f"%{plate}%",
        )
        assert hits[0]["count"] == 0, table["name"]


WRONG = {
    "nothing after the header": (plates_header(), "", "line 1"),
    "only a heading": (plates_header(), "plate\n", "there is no row"),
    "no such column": (plates_header(), "number\nAB123\n", "line 1"),
    "a wildcard": (plates_header(), "plate\nAB123\nAB?1\n", "line 3: plate"),
    "a Cyrillic plate": (plates_header(), "plate\n\u0410\u0412123\n", "line 2: plate"),
    "bytes": (plates_header(), b"plate\n\xff\xfe", "UTF-8"),
    "a zero": (plates_header(), b"plate\nAB\x00123\n", "no text"),
    "an open quotation mark": (plates_header(), 'plate\n"AB123\n', "quotation mark"),
    "too many": (plates_header(), "plate\n" + "".join(f"AB{n}\n" for n in range(3_001)), "at most 3,000"),
    "a column more": (plates_header(), "plate\nAB123,x\n", "must have 1 columns"),
    "off the earth": (incidents_header(), "time,latitude,longitude\n2026-11-01,91,0\n", "line 2: latitude"),
    "no number": (incidents_header(), "time,latitude,longitude\n2026-11-01,x,0\n", "line 2: latitude"),
    "not a number": (incidents_header(), "time,latitude,longitude\n2026-11-01,nan,0\n", "line 2: latitude"),
    "no time": (incidents_header(), "time,latitude,longitude\nyesterday,1,0\n", "line 2: time"),
    "long ago": (incidents_header(), "time,latitude,longitude\n1926-11-01,1,0\n", "line 2: time"),
    "SQL": (
        incidents_header(),
        'time,latitude,longitude,label\n2026-11-01,"1\'); DROP TABLE archive.read; --",0,x\n',
        "line 2: latitude",
    ),
}


@pytest.mark.parametrize(("header", "file", "text"), WRONG.values(), ids=WRONG.keys())
async def test_a_file_that_cannot_be_read_is_refused_with_line_and_column(
    world, analysis, header, file, text
) -> None:
    error = await refused(
        analysis.CompareDataSet(upload(header, file, piece=100_000), metadata=world.metadata)
    )

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert any(text in one.description for one in error.violations), error.violations
    assert {one.field for one in error.violations} == {"chunk"}
    assert world.audit.asked == []


@pytest.mark.parametrize(
    ("messages", "field", "text"),
    [
        ([], "header", "must be set"),
        ([pb.CompareDataSetRequest(chunk=b"plate\n")], "part", "the header first"),
        ([pb.CompareDataSetRequest(header=plates_header())] * 2, "part", "the header first"),
        ([pb.CompareDataSetRequest(header=asked(pb.CompareDataSetHeader))], "kind", "PLATES or INCIDENTS"),
        (list(upload(plates_header(), b"x" * 300_000, piece=300_000)), "chunk", "256 KiB"),
        (list(upload(plates_header(), b"x\n" * 600_000, piece=200_000)), "chunk", "1 MiB"),
    ],
    ids=["nothing", "no header", "two headers", "no kind", "a long piece", "a long file"],
)
async def test_an_upload_in_the_wrong_parts_is_refused(world, analysis, messages, field, text) -> None:
    error = await refused(analysis.CompareDataSet(iter(messages), metadata=world.metadata))

    assert [one.field for one in error.violations] == [field]
    assert text in error.violations[0].description
    assert world.audit.asked == []


@pytest.mark.clause("I")
async def test_without_a_token_no_file_is_even_read(world, analysis) -> None:
    error = await refused(analysis.CompareDataSet(upload(plates_header(), "plate\nAB123\n")))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert world.audit.asked == []
