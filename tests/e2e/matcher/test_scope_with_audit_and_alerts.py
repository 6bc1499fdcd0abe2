"""Two agencies, with the real audit and alerts services: from an agreement to a hit that shows both."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.governance_service_pb2_grpc import GovernanceServiceStub
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.matcher.v1 import scope_service_pb2 as pb
from alpr.type.v1 import hit_pb2, read_pb2
from alpr.type.v1 import sensor_pb2 as sensors
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import Matcher, Person, a_matcher, a_read, a_world, batch, csv_of, new_id, submit
from tests.support import alerts_rig, audit_kit
from tests.support.alerts_rig import AlertsRig, Subscriber
from tests.support.audit_kit import COORDINATOR, ORI, OTHER_ORI, Officer, RunningAudit, last_entry
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer

pytestmark = pytest.mark.timeout(300)

GROUP, SENSOR, SCALE = "expressway", "i90-mile12-east", "i80-scale-house-1"
SHARED, SAFETY, WANTED, STOLEN = "AB12345", "TRK4711", "CD67890", "EF24680"
OF_UNIT, UNIT = "us20-mile3-west", "District 15"
MANAGER, USER = audit_pb.ROLE_HOT_LIST_MANAGER, audit_pb.ROLE_USER


@dataclass
class House:
    """Audit, alerts and matcher; the head of another agency, who also keeps its lists and sees its alerts."""

    audit: RunningAudit
    alerts: AlertsRig
    matcher: Matcher
    other: Officer
    held: AsyncExitStack

    async def at_matcher(self, officer: Officer) -> Person:
        return await self.held.enter_async_context(self.matcher.person(officer.token()))

    async def alerts_of(self, officer: Officer, **fields: Any) -> Subscriber:
        stream = self.alerts.subscribe(officer.token(), **fields)
        self.held.push_async_callback(stream.close)
        return await stream.live()

    async def read(self, plate: str, sensor_id: str = SENSOR) -> None:
        """Returns when a read of this plate is answered as stored."""
        async with self.matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(1, a_read(plate, sensor_id=sensor_id)))
        assert [one.status for one in answer.results] == [read_pb2.READ_STATUS_STORED]

    async def read_once_known(self, plate: str, sensor_id: str) -> None:
        """As `read`, of a sensor that was approved just now, once the matcher has heard of that."""
        async with self.matcher.reads_of("ocr") as stub, asyncio.timeout(60):
            while True:
                read = a_read(plate, sensor_id=sensor_id, age=timedelta(0))
                (answer,) = await submit(stub, batch(1, read))
                if [one.status for one in answer.results] == [read_pb2.READ_STATUS_STORED]:
                    return
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts", "matcher")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as held:
        audit = await held.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        port = int(audit.target.rpartition(":")[2])
        rig = await alerts_rig.start_rig(alerts_rig.settings_for(tmp_path, tls, database, port), tls)
        held.push_async_callback(rig.stop)
        other = await audit.head_of(OTHER_ORI, MANAGER, USER)
        await a_sensor(audit, SENSOR)
        supervisor = await audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)
        apart = sensors.PARTITION_MOTOR_CARRIER
        await a_sensor(audit, SCALE, by=supervisor.subject, partition=apart)
        world = await held.enter_async_context(a_world(tls, database, tmp_path))
        world.targets.update(audit=audit.target, alerts=f"127.0.0.1:{rig.server.port}")
        matcher = await held.enter_async_context(a_matcher(world))
        yield House(audit, rig, matcher, other, held)


async def a_sensor(audit: RunningAudit, sensor_id: str, by: str = COORDINATOR, **changes: Any) -> None:
    """Registers a sensor of the founding agency and approves where it stands."""
    sensor = sensors.Sensor(
        sensor_id=sensor_id,
        agency_ori=ORI,
        sensor_group=GROUP,
        deployment_type=sensors.DEPLOYMENT_TYPE_FIXED,
        provenance=sensors.PROVENANCE_OWN,
        place=read_pb2.Place(latitude=41.9, longitude=-87.9, description="I-90 at mile 12"),
        **changes,
    )
    stub, metadata = audit.people(SensorServiceStub), audit.bearer(by)
    await stub.RegisterSensor(
        sensor_pb.RegisterSensorRequest(request_id=new_id(), sensor=sensor), metadata=metadata
    )
    approval = sensor_pb.ApproveDeploymentRequest(
        request_id=new_id(),
        sensor_id=sensor_id,
        status=sensors.DEPLOYMENT_STATUS_APPROVED,
        approved_from=to_timestamp(datetime.now(UTC) - timedelta(hours=1)),
    )
    await stub.ApproveDeployment(approval, metadata=metadata)


def an_agreement() -> agency_pb.Agreement:
    now = datetime.now(UTC)
    return agency_pb.Agreement(
        provider_ori=ORI,
        recipient_ori=OTHER_ORI,
        data_classes=[agency_pb.DATA_CLASS_HOT_LIST_HITS],
        document_sha256=bytes(32),
        start_time=to_timestamp(now - timedelta(minutes=1)),
        end_time=to_timestamp(now + timedelta(days=1)),
    )


async def compared(person: Person, until: int) -> Sequence[pb.ComparedList]:
    """What the group is compared with, once that is so many lists."""
    request = pb.ListComparedListsRequest(sensor_group=GROUP)
    async with asyncio.timeout(60):
        while True:
            found = await person.scope.ListComparedLists(request, metadata=person.metadata)
            if len(found.lists) == until:
                return found.lists
            await asyncio.sleep(0.1)


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


@pytest.mark.clause("III.B.1", "II.D", "IV.C.1", "IV.B.2")
async def test_a_hit_across_agencies_needs_both_their_heads_and_is_shown_to_both(house: House) -> None:
    coordinator = await house.held.enter_async_context(house.matcher.person(house.audit.token(COORDINATOR)))
    governance: Any = house.audit.people(GovernanceServiceStub)
    ours, theirs = house.audit.bearer(COORDINATOR), house.other.metadata
    officer = await house.audit.person(USER)
    feeds = [await house.alerts_of(officer), await house.alerts_of(house.other)]
    await (await house.at_matcher(house.other)).active_list(SHARED)

    proposal = agency_pb.ProposeAgreementRequest(request_id=new_id(), agreement=an_agreement())
    proposed = (await governance.ProposeAgreement(proposal, metadata=ours)).agreement
    await house.read(SHARED)
    accepting = agency_pb.AcceptAgreementRequest(request_id=new_id(), agreement_id=proposed.agreement_id)
    await governance.AcceptAgreement(accepting, metadata=theirs)
    (shown,) = await compared(coordinator, until=1)
    assert [feed.alerts for feed in feeds] == [[], []]
    await house.read(SHARED)
    for feed in feeds:
        await feed.until(lambda one: bool(one.alerts), 30)

    ending = agency_pb.EndAgreementRequest(
        request_id=new_id(), agreement_id=proposed.agreement_id, reason="the detail is over"
    )
    await governance.EndAgreement(ending, metadata=theirs)
    await compared(coordinator, until=0)
    await house.read(SHARED)

    assert list(shown.agreement_ids) == [proposed.agreement_id]
    for feed in feeds:
        (alert,) = feed.alerts
        assert alert.sensor_agency_ori == ORI
        assert [entry.list_agency_ori for entry in alert.entries] == [OTHER_ORI]


@pytest.mark.clause("II.H")
async def test_motor_carrier_safety_stays_apart_from_registration_to_alert(house: House) -> None:
    manager = await house.at_matcher(await house.audit.person(MANAGER))
    feed = await house.alerts_of(await house.audit.person(USER))
    officer = await house.audit.person(audit_pb.ROLE_CVEO)
    theirs = await house.alerts_of(officer, partition=sensors.PARTITION_MOTOR_CARRIER)
    await manager.active_list(SHARED, source=hit_pb2.HOT_LIST_SOURCE_LEADS)
    made = await manager.create(source=hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT)
    await manager.upload(made.hot_list_id, csv_of(SAFETY, category="OTHER"))
    await manager.activate(made.hot_list_id, 1)

    await house.read(SHARED, SCALE)
    await house.read(SAFETY, SENSOR)
    await house.read(SAFETY, SCALE)
    await house.read(SHARED, SENSOR)
    await feed.until(lambda one: bool(one.alerts), 30)
    await theirs.until(lambda one: bool(one.alerts), 30)

    assert [(alert.plate, alert.sensor_id) for alert in feed.alerts] == [(SHARED, SENSOR)]
    assert [(alert.plate, alert.sensor_id) for alert in theirs.alerts] == [(SAFETY, SCALE)]
    safety: alerts_pb.Alert = theirs.alerts[0]
    assert [entry.source for entry in safety.entries] == [hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT]


@pytest.mark.clause("III.B.3.l", "III.B.3.d")
async def test_the_matrix_is_the_statewide_coordinators_and_its_change_is_in_the_log(house: House) -> None:
    manager = await house.at_matcher(await house.audit.person(MANAGER))
    coordinator = await house.held.enter_async_context(house.matcher.person(house.audit.token(COORDINATOR)))
    listed = await manager.active_list(SHARED)
    wanted = pb.SetSensorGroupRequest(
        request_id=new_id(), sensor_group=GROUP, mode=pb.GROUP_MODE_ONLY, hot_list_ids=[listed.hot_list_id]
    )

    error = await refusal(manager.scope.SetSensorGroup(wanted, metadata=manager.metadata))
    await coordinator.scope.SetSensorGroup(wanted, metadata=coordinator.metadata)
    entry = await last_entry(house.audit)

    assert error.metadata["clauses"] == "III.B.3.l"
    assert (entry["kind"], entry["action"], entry["resource"], entry["result"]) == (
        "outcome",
        "scope.set",
        GROUP,
        "DONE",
    )
    shown = await manager.scope.ListSensorGroups(pb.ListSensorGroupsRequest(), metadata=manager.metadata)
    assert [list(one.hot_list_ids) for one in shown.sensor_groups] == [[listed.hot_list_id]]


# The commands that stand in its input, one after another in one interpreter: most of a command is its start.
COMMANDS = """
import json, sys
from services.cli.main import app
for arguments in json.load(sys.stdin):
    app([*arguments, "--json"], standalone_mode=False)
    print("end", flush=True)
"""


async def platewarden(house: House, token: str, *commands: Sequence[str]) -> list[list[dict[str, Any]]]:
    """What each command of the person with `token` prints."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMMANDS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "PW_AUDIT_TARGET": house.audit.user_target,
            "PW_MATCHER_TARGET": f"127.0.0.1:{house.matcher.user_port}",
            "PW_ALERTS_TARGET": f"127.0.0.1:{house.alerts.server.user_port}",
            "PW_CA_FILE": str(house.matcher.world.tls.ca_file),
            "PW_TOKEN": token,
        },
    )
    said, _ = await running.communicate(json.dumps(commands).encode())
    assert running.returncode == 0
    parts = said.decode().split("end\n")[: len(commands)]
    return [[json.loads(line) for line in part.splitlines()] for part in parts]


@pytest.mark.clause("III.B.1")
async def test_the_command_line_makes_an_agreement_and_shows_what_it_lets_in(
    house: House, tmp_path: Path
) -> None:
    ours, theirs = house.audit.token(COORDINATOR), house.other.token()
    coordinator = await house.held.enter_async_context(house.matcher.person(ours))
    listed = await (await house.at_matcher(house.other)).active_list(SHARED)
    (tmp_path / "signed.pdf").write_bytes(b"signed")
    terms = ("--provider", ORI, "--recipient", OTHER_ORI, "--gives", "hot-list-hits")
    until = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
    more = ("--document", str(tmp_path / "signed.pdf"), "--from", "2026-01-01T00:00Z", "--until", until)

    ((proposed,),) = await platewarden(house, ours, ("agreement", "propose", *terms, *more))
    agreement_id = proposed["agreement_id"]
    ((accepted,),) = await platewarden(house, theirs, ("agreement", "accept", agreement_id))
    await compared(coordinator, until=1)
    shown, _, rows, admitted, (ended,), agreements = await platewarden(
        house,
        ours,
        ("scope", "show", GROUP),
        ("scope", "set", GROUP, "--mode", "all-but", "--list", listed.hot_list_id),
        ("scope", "list"),
        ("scope", "show", GROUP),
        ("agreement", "end", agreement_id, "--reason", "over"),
        ("agreement", "list"),
    )

    assert accepted["state"] == "AGREEMENT_STATE_ACCEPTED"
    assert [(one["hot_list_id"], one["agreement_ids"]) for one in shown] == [
        (listed.hot_list_id, [agreement_id])
    ]
    assert [one["hot_list_ids"] for one in rows] == [[listed.hot_list_id]]
    assert not admitted
    assert agreements == [ended]
    assert ended["state"] == "AGREEMENT_STATE_ENDED"


@pytest.mark.clause("IV.D.1", "IV.D.2")
async def test_a_person_hears_of_what_the_sensors_of_a_unit_saw_and_always_of_the_floor(
    house: House,
) -> None:
    officer = await house.audit.person(USER)
    manager = await house.at_matcher(await house.audit.person(MANAGER))
    made = await manager.create()
    rows = csv_of(WANTED, category="WANTED") + b"\n" + csv_of(STOLEN).partition(b"\n")[2]
    await manager.upload(made.hot_list_id, rows)
    await manager.activate(made.hot_list_id, 1)
    place = ("--latitude", "41.7", "--longitude", "-87.6", "--agency", ORI, "--group", GROUP)

    (registered,), (approved,), listed = await platewarden(
        house,
        house.audit.token(COORDINATOR),
        ("sensor", "register", OF_UNIT, *place, "--unit", UNIT),
        ("sensor", "approve", OF_UNIT),
        ("sensor", "list"),
    )
    ((chosen,),) = await platewarden(
        house, officer.token(), ("subscription", "create", "my unit", "--unit", UNIT)
    )
    feed = await house.alerts_of(officer)
    await house.read(WANTED, SENSOR)
    await house.read(STOLEN, SENSOR)
    await house.read_once_known(WANTED, OF_UNIT)
    await feed.until(lambda one: len(one.alerts) >= 2, 30)

    assert registered["unit"] == approved["unit"] == UNIT
    assert {one["sensor_id"]: one.get("unit", "") for one in listed} == {OF_UNIT: UNIT, SENSOR: "", SCALE: ""}
    assert chosen["filter"] == {"units": [UNIT]}
    assert chosen["widened"] == ["units"]
    assert [(alert.plate, alert.sensor_id) for alert in feed.alerts] == [(STOLEN, SENSOR), (WANTED, OF_UNIT)]
