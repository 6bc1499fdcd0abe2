"""The analyses on the command line, against search and the real audit service."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_analysis import at, camera_point, drive
from tests.support.search_command import CommandLine
from tests.support.search_house import running_house

TARGET, FRIEND, ROAD = "CLI1001", "CLI2002", 4
TRAVELS = ((5, 9), (12, 20), (26, 4))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def command(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[CommandLine]:
    database = await migrated_database("audit", "search")
    folder = tmp_path_factory.mktemp("analyses")
    async with running_house(database, tls, issuer, folder) as house:
        for day, hour in TRAVELS:
            await house.store(*drive(TARGET, at(day, hour), ROAD, range(4), agency=ORI))
            await house.store(*drive(FRIEND, at(day, hour, 0, 15), ROAD, range(4), agency=ORI))
        officer = await house.audit.person(audit_pb.ROLE_USER)
        environment = {
            **os.environ,
            "PW_SEARCH_TARGET": house.user_target,
            "PW_CA_FILE": str(tls.ca_file),
            "PW_TOKEN": officer.token(),
            "COLUMNS": "200",
        }
        yield CommandLine(environment, folder)


def scene(day: int, hour: int) -> str:
    point = camera_point(ROAD, 0)
    start, end = at(day, hour - 1), at(day, hour + 1)
    return f"{point.latitude},{point.longitude},400;{start.isoformat()};{end.isoformat()};day {day}"


@pytest.mark.clause("IV.C.3", "III.B.3.r")
async def test_a_convoy_is_a_table_with_the_notice_first(command: CommandLine) -> None:
    code, output, errors = await command.search("convoy", TARGET.lower())

    assert code == 0, errors
    assert output.startswith("UNVERIFIED")
    assert FRIEND in output
    assert "1 plate(s) of 1 that were met on 3 journey(s), 12 passage(s)" in errors
    assert "recorded as log entries" in errors


async def test_a_convoy_as_json_keeps_its_receipts(command: CommandLine) -> None:
    folder = command.folder / "receipts"

    code, output, _ = await command.search("convoy", TARGET, "--json", "--receipts", str(folder))

    assert code == 0
    assert json.loads(output)["companions"][0]["plate"] == FRIEND
    assert len(list(folder.glob("question-*.json"))) == len(list(folder.glob("outcome-*.json"))) == 1


async def test_a_stakeout_names_the_scenes(command: CommandLine) -> None:
    scenes = [argument for day, hour in TRAVELS for argument in ("--scene", scene(day, hour))]

    code, output, errors = await command.search("stakeout", *scenes, "--at-least", "3")

    assert code == 0, errors
    for plate in (TARGET, FRIEND):
        row = next(line for line in output.splitlines() if line.startswith(plate))
        assert "day 5, day 12, day 26" in row
        assert row.count("1 of ") == 3


async def test_a_pattern_is_two_tables_and_a_file(command: CommandLine) -> None:
    file = command.folder / "pattern.geojson"

    code, output, errors = await command.search(
        "pattern", TARGET, "--geojson", str(file), "--time-zone", "UTC"
    )

    assert code == 0, errors
    assert "road-4-camera-3" in output
    week = [line.split() for line in output.splitlines() if line[:3] in ("Mon", "Tue", "Wed", "Thu", "Fri")]
    assert len(week) == 5
    assert all(len(row) == 25 for row in week)
    assert len(json.loads(file.read_text())["features"]) == 7


async def test_counts_are_a_table_by_what_was_asked(command: CommandLine) -> None:
    code, output, errors = await command.search(
        "summary", "--by", "sensor,hour", "--plates", "--time-zone", "UTC"
    )

    assert code == 0, errors
    rows = [line.split() for line in output.splitlines()]
    for hour in ("04", "09", "20"):
        assert ["road-4-camera-0", hour, "2", "2"] in rows
    assert "24 read(s)" in errors


async def test_a_corridor_shows_way_and_speed(command: CommandLine) -> None:
    day, hour = TRAVELS[0]
    points = (camera_point(ROAD, camera) for camera in (0, 3))
    line = " ".join(f"{point.latitude},{point.longitude}" for point in points)
    start, end = at(day, hour - 1), at(day, hour + 2)

    code, output, errors = await command.search(
        "corridor",
        *("--line", line, "--from", f"{start:%Y-%m-%dT%H:%M:%S}", "--to", f"{end:%Y-%m-%dT%H:%M:%S}"),
        *("--direction", "forward"),
    )

    assert code == 0, errors
    row = next(line for line in output.splitlines() if line.startswith(TARGET))
    assert row.split()[-4:] == ["4", "forward", "16.7", "83"]
    assert "2 journey(s) along 16.7 km" in errors


@pytest.mark.parametrize("rows", ["plates", "incidents"])
async def test_a_file_is_compared(command: CommandLine, rows: str) -> None:
    file, point = command.folder / f"{rows}.csv", camera_point(ROAD, 0)
    lines = ["plate,label", f"{TARGET},the car"]
    if rows == "incidents":
        incidents = (
            f"{at(day, hour).isoformat()},{point.latitude},{point.longitude},day {day}"
            for day, hour in TRAVELS[:2]
        )
        lines = ["time,latitude,longitude,label", *incidents]
    file.write_text("\n".join(lines))

    code, output, errors = await command.search("compare", str(file), "--rows", rows)

    assert code == 0, errors
    row = next(line for line in output.splitlines() if line.startswith(TARGET))
    assert {"plates": "the car", "incidents": "day 5, day 12"}[rows] in row
    assert {"plates": "1 row(s)", "incidents": "2 row(s)"}[rows] in errors


@pytest.mark.clause("IV.C.5")
async def test_without_case_number_and_purpose_the_command_is_refused_in_words(command: CommandLine) -> None:
    code, output, errors = await command.search("convoy", TARGET, why=())

    assert (code, output) == (1, "")
    assert "case number" in errors


async def test_what_is_wrong_with_a_file_is_told_by_line(command: CommandLine) -> None:
    file = command.folder / "wrong.csv"
    file.write_text("plate\nAB123\nAB?9\n")

    code, _, errors = await command.search("compare", str(file))

    assert code == 1
    assert "line 3: plate must be" in errors
    assert "AB?9" not in errors
