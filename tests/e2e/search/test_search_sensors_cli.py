"""`platewarden mcs` and `platewarden sensor ...`, with search and the real audit service."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import COORDINATOR, ORI, Officer
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_command import PURPOSE, WHY
from tests.support.search_house import House, running_house
from tests.support.search_kit import now
from tests.support.search_motor_carrier import SCALE, scale_read

CAMERA = "i90-mile-12-east"


@dataclass
class Desk:
    """The command line of several people, before a running house."""

    house: House
    tls: DevelopmentAuthority
    cveo: Officer
    user: Officer

    async def run(self, token: str, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *arguments,
            env={
                **os.environ,
                "PW_SEARCH_TARGET": self.house.user_target,
                "PW_CA_FILE": str(self.tls.ca_file),
                "PW_TOKEN": token,
                "COLUMNS": "200",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def coordinator(self, *arguments: str) -> tuple[int, str, str]:
        return await self.run(self.house.audit.token(COORDINATOR), *arguments)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Desk]:
    database = await migrated_database("audit", "search")
    folder = tmp_path_factory.mktemp("desk")
    async with running_house(database, tls, issuer, folder, PW_HEALTH_SECONDS="0.5") as house:
        people = [await house.audit.person(role) for role in (audit_pb.ROLE_CVEO, audit_pb.ROLE_USER)]
        supervisor = await house.audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)
        await house.sensor(CAMERA)
        await house.sensor(SCALE, by=supervisor.subject, partition=sensor_pb2.PARTITION_MOTOR_CARRIER)
        reads = [scale_read(f"TRK{n}", agency=ORI, captured=now() - timedelta(hours=n)) for n in (1, 2, 3)]
        await house.store(*reads)
        status = sensor_pb2.SensorStatus(
            sensor_id=CAMERA, sensor_time=to_timestamp(now() + timedelta(minutes=2)), storage_used=0.99
        )
        await house.archive.RecordSensorStatus(
            archive_pb.RecordSensorStatusRequest(status=status, receive_time=to_timestamp(now()))
        )
        yield Desk(house, tls, *people)


@pytest.mark.clause("II.H", "III.B.3.r")
async def test_an_officer_of_motor_carrier_safety_searches_page_by_page(desk: Desk) -> None:
    asked = ("mcs", "search", "--sensor", SCALE, "--limit", "2", *WHY, *PURPOSE)

    code, output, errors = await desk.run(desk.cveo.token(), *asked)
    token = errors.partition("--page ")[2].split()[0]
    _, rest, _ = await desk.run(desk.cveo.token(), *asked, "--page", token, "--json")

    assert code == 0, errors
    assert output.startswith("UNVERIFIED")
    assert ["TRK1" in output, "TRK2" in output, "TRK3" in output] == [True, True, False]
    assert [found["read"]["plate"] for found in json.loads(rest)["reads"]] == ["TRK3"]


@pytest.mark.clause("II.H", "III.B.3.l")
@pytest.mark.parametrize(
    "arguments",
    [
        ("mcs", "search", "TRK1", *WHY, *PURPOSE),
        ("mcs", "image", "01a215ab-2f0f-7d55-931a-a252667b6419", "--out", "nowhere", *WHY, *PURPOSE),
        ("sensor", "health"),
        ("sensor", "active"),
        ("sensor", "maintenance"),
        ("sensor", "maintenance", "--watch"),
    ],
)
async def test_a_user_gets_through_none_of_these_doors_and_hears_which_clause_refuses(
    desk: Desk, arguments: tuple[str, ...]
) -> None:
    code, output, errors = await desk.run(desk.user.token(), *arguments)

    assert (code, output) == (1, ""), errors
    assert "III.B.3.l" in errors


@pytest.mark.clause("III.B.2.c")
async def test_a_coordinator_hears_what_needs_a_hand_and_sees_it(desk: Desk) -> None:
    code, heard, errors = await desk.coordinator("sensor", "maintenance", "--watch", "--count", "3", "--json")
    _, shown, _ = await desk.coordinator("sensor", "maintenance")

    assert code == 0, errors
    kinds = {json.loads(line)["kind"] for line in heard.splitlines()}
    # It was approved a year ago, and nobody has seen a read of it.
    assert kinds == {f"MAINTENANCE_KIND_{kind}" for kind in ("SILENT", "STORAGE_FULL", "CLOCK_WRONG")}
    assert "Its clock is" in shown and "99% of its storage is used." in shown


@pytest.mark.clause("III.B.2.c", "II.H")
async def test_a_coordinator_sees_how_sensors_do_but_none_of_motor_carrier_safety(desk: Desk) -> None:
    code, table, errors = await desk.coordinator("sensor", "health")
    _, _, counted = await desk.coordinator("sensor", "active")

    assert code == 0, errors
    assert CAMERA in table and SCALE not in table
    assert "0 of 1 approved sensors active" in counted
