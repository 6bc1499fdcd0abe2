"""Dispatch with the real audit service: who may do what, and the record of all of it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import NotPermittedError
from tests.support import audit_kit
from tests.support.alerts_rig import (
    AlertsRig,
    entry_message,
    hit_message,
    kind,
    reason,
    refused,
    settings_for,
    start_rig,
)
from tests.support.audit_kit import ORI, RunningAudit
from tests.support.cutting_proxy import cutting_proxy
from tests.support.databases import MigratedDatabase, fetch
from tests.support.dispatch_rig import HERE, Caller, kinds

UNIT = "D1"
ENTRIES = """
SELECT k.value AS kind, a.value AS action, s.value AS said
FROM audit.log_field a JOIN audit.log_field k USING (log_index)
LEFT JOIN audit.log_field s ON s.log_index = a.log_index AND s.name = 'result'
WHERE a.name = 'action' AND k.name = 'kind' ORDER BY a.log_index
"""


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    database: MigratedDatabase

    async def entries(self, action: str) -> list[str]:
        """Kinds of the log's entries of that action, outcomes with how it ended."""
        rows = await fetch(self.database.admin_url, ENTRIES)
        return [
            f"{row['kind']} {row['said']}" if row["kind"] == "outcome" else row["kind"]
            for row in rows
            if row["action"] == action
        ]


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        await audit.set("alert_acknowledge_seconds", 1, before=120)
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(
            settings_for(tmp_path, tls, database, port, acknowledge_seconds=1, heartbeat_seconds=0.3), tls
        )
        stack.push_async_callback(rig.stop)
        yield House(audit, rig, database)


async def raised(house: House) -> str:
    hit = hit_message(entry_message(agency=ORI), agency=ORI)
    return (await house.alerts.raise_hits(hit))[0]


@pytest.mark.clause("IV.D.3", "III.B.3.l")
async def test_from_the_centre_to_the_car_everything_is_in_the_log(house: House) -> None:
    dispatcher = await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    member = await house.audit.person(audit_pb.ROLE_USER)
    centre, officer = (Caller(house.alerts, one.token()) for one in (dispatcher, member))
    alert_id = await raised(house)
    asset = await centre.register(UNIT)
    await officer.board(asset.asset_id)
    await officer.report(*HERE)
    stream = officer.messages()

    (proposed,) = await centre.propose(alert_id)
    await centre.broadcast(alert_id, proposed.asset_id)
    (message,) = await stream.until(1)
    await officer.received(message.delivery_id)
    await officer.seen(message.delivery_id)
    await centre.cancel(alert_id)
    await stream.until(2)
    (record, _) = await centre.records(alert_id)
    await officer.leave()
    await centre.retire(asset.asset_id)

    assert proposed.proposed
    assert kinds(stream.got) == ["ALERT", "CANCELLED"]
    assert record.seen_account_id == member.account_id
    for action in (
        "asset.register",
        "asset.board",
        "dispatch.propose",
        "dispatch.broadcast",
        "dispatch.acknowledge",
        "dispatch.cancel",
        "dispatch.show",
        "asset.leave",
        "asset.retire",
    ):
        await settled(house, action, ["intent", "outcome DONE"])
    await settled(house, "dispatch.received", ["event"])
    await stream.close()


async def settled(house: House, action: str, expected: list[str]) -> None:
    for _ in range(600):
        if await house.entries(action) == expected:
            return
        await asyncio.sleep(0.05)
    assert await house.entries(action) == expected


@pytest.mark.clause("III.B.3.l", "IV.D.3")
async def test_a_member_dispatches_nobody_and_a_dispatcher_rides_in_no_car(house: House) -> None:
    centre = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)).token())
    officer = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_USER)).token())
    alert_id, asset = await raised(house), await centre.register(UNIT)

    for attempt in (
        officer.register(UNIT),
        officer.retire(asset.asset_id),
        officer.all_assets(),
        officer.propose(alert_id),
        officer.broadcast(alert_id, asset.asset_id),
        officer.cancel(alert_id),
        officer.records(alert_id),
        centre.board(asset.asset_id),
        centre.report(*HERE),
        centre.seen(str(uuid4())),
    ):
        async with refused() as caught:
            await attempt
        assert reason(caught[0]) == kind(NotPermittedError)
        assert caught[0].metadata["clauses"] == "III.B.3.l"
    for stream in (officer.escalations(), centre.messages()):
        error = await stream.ended()
        assert reason(error) == kind(NotPermittedError)
    assert "refusal" in await house.entries("dispatch.broadcast")


@pytest.mark.clause("IV.D.3")
async def test_nobody_goes_aboard_of_another_units_car(house: House) -> None:
    centre = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)).token())
    officer = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_USER)).token())
    asset = await centre.register("Somebody else's unit")

    async with refused() as caught:
        await officer.board(asset.asset_id)

    assert reason(caught[0]) == kind(NotPermittedError)
    assert caught[0].metadata["clauses"] == "IV.D.3"


@pytest.mark.clause("IV.A.4", "III.D.1", "III.B.3.a", "III.B.3.b")
@pytest.mark.parametrize("role", [audit_pb.ROLE_USER, audit_pb.ROLE_SENSOR_OPERATOR])
async def test_whose_certification_has_lapsed_does_not_sign_on_to_a_mobile_unit(
    house: House, role: audit_pb.Role.ValueType
) -> None:
    centre = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)).token())
    member = await house.audit.person(role)
    officer, asset = Caller(house.alerts, member.token()), await centre.register(UNIT)
    await officer.board(asset.asset_id)
    await officer.leave()
    gates = {"LEADS": "IV.A.4", "ALPR_TRAINING": "III.D.1", "BACKGROUND_CHECK": "III.B.3.a"}

    for kind_of, clause in gates.items():
        await lapses(house, member.account_id, kind_of)
        async with refused() as caught:
            await officer.board(asset.asset_id)
        assert clause in caught[0].metadata["clauses"].split(",")


async def lapses(house: House, account_id: str, kind_of: str) -> None:
    """The certification ends now; the service is told, as it is of every change."""
    url = house.database.admin_url
    statement = "UPDATE audit.certification SET valid_until = now() WHERE account_id = $1 AND kind = $2"
    await fetch(url, statement, account_id, kind_of)
    await fetch(url, "UPDATE audit.registry_head SET account_revision = account_revision + 1")


@pytest.mark.clause("IV.D.3")
async def test_a_coordinator_hears_what_the_centre_left_unanswered(house: House) -> None:
    person = await house.audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    coordinator = Caller(house.alerts, person.token())
    stream = coordinator.escalations()

    alert_id = await raised(house)
    (escalated,) = await stream.until(1)

    assert escalated.alert.alert_id == alert_id
    assert escalated.escalation.kind == alert_pb.ESCALATION_KIND_NOT_ACKNOWLEDGED
    await settled(house, "alert.escalated", ["event"])
    await stream.close()


@pytest.mark.clause("IV.A.4")
async def test_a_cars_stream_ends_with_its_members_account(house: House) -> None:
    centre = Caller(house.alerts, (await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)).token())
    member = await house.audit.person(audit_pb.ROLE_USER)
    officer = Caller(house.alerts, member.token())
    await officer.board((await centre.register(UNIT)).asset_id)
    stream = officer.messages()
    await stream.live()

    request = account_pb.SuspendAccountRequest(
        request_id=str(uuid4()), account_id=member.account_id, reason="left the unit"
    )
    stub = house.audit.people(AccountServiceStub)
    await stub.SuspendAccount(request, metadata=house.audit.bearer(audit_kit.COORDINATOR))

    error = await stream.ended()
    assert ErrorReason.Name(error.reason) == "ERROR_REASON_ENTITLEMENT_ENDED"
    assert pb.DELIVERY_KIND_ALERT not in [one.kind for one in stream.got]


@dataclass
class Typed:
    """`platewarden ...` as somebody types it."""

    environment: dict[str, str]

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()


def typed(house: House, officer: audit_kit.Officer, target: str = "") -> Typed:
    alerts = target or f"127.0.0.1:{house.alerts.server.user_port}"
    audit = house.audit.user_target
    services = {f"PW_{one}_TARGET": audit for one in ("AUDIT", "SEARCH", "MATCHER", "OCR")}
    mine = {"PW_ALERTS_TARGET": alerts, "PW_CA_FILE": str(house.alerts.settings.tls_ca)}
    token = {"PW_TOKEN": officer.token(), "COLUMNS": "200"}
    return Typed({**os.environ, **services, **mine, **token})


@pytest.mark.clause("IV.D.3")
@pytest.mark.timeout(300)
async def test_a_dispatcher_and_a_crew_do_all_of_it_on_the_command_line_over_a_link_that_drops(
    house: House,
) -> None:
    dispatcher = await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    member = await house.audit.person(audit_pb.ROLE_USER)
    alert_id = await raised(house)
    centre = typed(house, dispatcher)
    async with cutting_proxy(house.alerts.server.user_port) as link:
        crew = typed(house, member, link.target)
        for command in (
            centre.run("dispatch", "register", "P-14", "--unit", UNIT),
            crew.run("patrol", "board", "P-14"),
            crew.run("patrol", "position", "41.88", "-87.63"),
        ):
            code, output, errors = await command
            assert code == 0, output + errors
        receiving = await crew.start("patrol", "receive", "--count", "2", "--json")
        told = await centre.run("dispatch", "broadcast", alert_id)
        assert receiving.stdout is not None
        first = json.loads(await receiving.stdout.readline())
        link.cut()
        down = await centre.run("dispatch", "cancel", alert_id)
        second = json.loads(await receiving.stdout.readline())
        seen = await crew.run("patrol", "seen", first["delivery_id"])
        assert await receiving.wait() == 0
    listed = await centre.run("dispatch", "deliveries", alert_id, "--json")

    assert told[:2] == (0, "Told: P-14\n")
    assert down[:2] == (0, "Told to stand down: P-14\n")
    assert seen[0] == 0
    assert [one["kind"] for one in (first, second)] == ["DELIVERY_KIND_ALERT", "DELIVERY_KIND_CANCELLED"]
    records = [json.loads(line) for line in listed[1].splitlines()]
    assert ["seen_time" in one for one in records] == [True, False]
    assert all("receive_time" in one for one in records)
