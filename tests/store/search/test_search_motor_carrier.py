"""Reads of the Motor Carrier Safety system in the archive: kept, and found by no question about plates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from alpr.search.v1 import archive_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.common.errors import InvalidFieldError
from services.search.wire_append import parse_append
from tests.support.search_kit import Image, LookBack, Plate, archived_read, permit_for

SCALE = "i80-scale-house-1"
Connect = Callable[[str], Awaitable[asyncpg.Connection]]


def scale_read(plate: str, sensor_id: str = SCALE) -> pb.ArchivedRead:
    read = archived_read(plate=plate)
    read.read.sensor_id, read.partition = sensor_id, sensor_pb2.PARTITION_MOTOR_CARRIER
    return read


async def found(login: asyncpg.Connection, plate: str, **changes: Any) -> list[str]:
    """Ids of the reads that a question about the plate finds."""
    question = Plate(plate, **changes)
    permit = permit_for(question)
    await login.execute(
        "SELECT archive.find_reads($1, $2, $3, $4, $5, $6, $7)", permit, *question.arguments()
    )
    rows = await login.fetch("SELECT * FROM archive.general_reads($1, 'reads')", permit)
    return [str(row["read_id"]) for row in rows]


@pytest.mark.clause("II.H")
async def test_a_question_about_a_plate_does_not_see_motor_carrier_safety_reads(
    append, connect: Connect, plate
) -> None:
    general = archived_read(plate=plate)

    results = await append([scale_read(plate), general, scale_read(plate, "i55-scale-house-2")])

    assert [result.status for result in results] == ["STORED"] * 3
    assert await found(await connect("search_question"), plate) == [general.read.read_id]


@pytest.mark.clause("II.H")
async def test_pages_are_full_whatever_is_set_apart_between_their_reads(
    append, connect: Connect, plate
) -> None:
    reads = [archived_read(plate=plate) for _ in range(3)]
    for read in reads:
        await append([read, scale_read(plate), scale_read(plate)])
    login = await connect("search_question")

    assert len(await found(login, plate, page_size=2)) == 2
    assert set(await found(login, plate, page_size=3)) == {read.read.read_id for read in reads}


@pytest.mark.clause("II.H")
async def test_a_question_about_a_picture_does_not_see_motor_carrier_safety_reads(
    append, connect: Connect, plate
) -> None:
    apart, general = scale_read(plate), archived_read(plate=plate)
    await append([apart, general])
    login = await connect("search_question")
    keys = []
    for read in (apart, general):
        read_id = UUID(read.read.read_id)
        permit = permit_for(Image(read_id))
        await login.execute("SELECT archive.find_image($1, $2)", permit, read_id)
        keys.append(len(await login.fetch("SELECT * FROM archive.image_key($1, $2)", permit, read_id)))

    assert keys == [0, 1]


@pytest.mark.clause("II.H", "II.D")
async def test_the_matcher_looks_back_into_both_data_sets(append, connect: Connect, plate) -> None:
    apart, general = scale_read(plate), archived_read(plate=plate)
    await append([apart, general])
    login, question = await connect("search_question"), LookBack((plate,))
    permit = permit_for(question)

    await login.execute(
        "SELECT archive.find_for_look_back($1, $2, $3, $4, $5, $6, $7, $8, $9)", permit, *question.arguments()
    )
    rows = await login.fetch("SELECT * FROM archive.look_back_reads($1)", permit)

    assert {str(row["read_id"]) for row in rows} == {apart.read.read_id, general.read.read_id}


@pytest.mark.clause("II.H")
async def test_a_sensor_stays_set_apart_whatever_a_later_read_of_it_says(
    append, connect: Connect, plate
) -> None:
    await append([scale_read(plate)])
    later = archived_read(plate=plate)
    later.read.sensor_id = SCALE

    await append([later])

    assert await found(await connect("search_question"), plate) == []


def test_a_read_of_a_data_set_that_nobody_knows_is_refused() -> None:
    read = archived_read()
    read.partition = 9  # type: ignore[assignment]

    with pytest.raises(InvalidFieldError) as error:
        parse_append(pb.AppendReadsRequest(reads=[read]))

    assert [one.field for one in error.value.violations] == ["reads[0].partition"]
