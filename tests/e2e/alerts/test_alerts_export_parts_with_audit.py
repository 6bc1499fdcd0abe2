"""What belongs to alerts, and alerts of Motor Carrier Safety, in the full export with the real audit."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import export_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2 as subscription_pb
from alpr.alerts.v1 import webhook_service_pb2 as webhook_pb
from alpr.alerts.v1.export_service_pb2_grpc import AlertExportServiceStub
from alpr.alerts.v1.subscription_service_pb2_grpc import SubscriptionServiceStub
from alpr.alerts.v1.webhook_service_pb2_grpc import WebhookServiceStub
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.type.v1 import hit_pb2
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from services.audit import verify_department
from services.audit.department_pages import (
    ALERT_PARTS,
    APART_ALERT_PARTS,
    DEPARTMENT,
    MOTOR_CARRIER_HOUSE,
)
from services.audit.verifier import VerificationError
from services.cli.export_folder import write_tables
from services.common.errors import from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, settings_for, start_rig
from tests.support.audit_kit import ORI, OTHER_ORI, Officer, RunningAudit
from tests.support.databases import MigratedDatabase
from tests.support.dispatch_rig import Caller, car
from tests.support.export_pages import another_word, export_pages, key_of, rows_below, write_manifest
from tests.support.issuer import RunningIssuer


@dataclass
class Office:
    """Audit and alerts, and the two who export."""

    audit: RunningAudit
    alerts: AlertsRig
    head: Officer
    supervisor: Officer
    apart_alert: str = ""

    def ask(self, person: Officer) -> Callable[[pb.ExportAlertsRequest], Any]:
        stub = AlertExportServiceStub(self.alerts.channels[1])
        return lambda request: stub.ExportAlerts(request, metadata=person.metadata, timeout=30)

    async def export(self, out: Path) -> Path:
        """Both data sets, each by its own people."""
        for folder, person, names, partition, house in (
            (out, self.head, ALERT_PARTS, PARTITION_GENERAL, DEPARTMENT),
            (
                out / "motor_carrier",
                self.supervisor,
                APART_ALERT_PARTS,
                PARTITION_MOTOR_CARRIER,
                MOTOR_CARRIER_HOUSE,
            ),
        ):
            for name in names:
                request = pb.ExportAlertsRequest(
                    page_size=1,
                    part=pb.AlertPart.Value(f"ALERT_PART_{name.upper()}"),
                    partition=partition,
                )
                below = "alerts" if name == "alerts" else f"alerts/{name}"
                await export_pages(self.ask(person), request, folder, below)
            write_tables(folder)
            write_manifest(folder, [], house)
        return out


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    database = await migrated_database("audit", "alerts")
    folder = tmp_path_factory.mktemp("alerts")
    settings = audit_kit.settings_for(database, tls, issuer, folder)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        rig = await start_rig(settings_for(folder, tls, database, int(audit.target.rpartition(":")[2])), tls)
        stack.push_async_callback(rig.stop)
        people = [
            await audit.person(role)
            for role in (audit_pb.ROLE_STATEWIDE_COORDINATOR, audit_pb.ROLE_CVEO_SUPERVISOR)
        ]
        office = Office(audit, rig, *people)
        await seed(office)
        yield office


async def seed(office: Office) -> None:
    """An alert with a broadcast, subscriptions, a webhook; the same of Motor Carrier Safety and others.

    There are more subscriptions and cars than a page has, in both data sets.
    """
    centre = await office.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    officer = await office.audit.person(audit_pb.ROLE_USER)
    other = await office.audit.head_of("IL0000099", audit_pb.ROLE_TELECOM_CENTER)
    dispatcher, member = Caller(office.alerts, centre.token()), Caller(office.alerts, officer.token())
    await Caller(office.alerts, other.token()).register("HQ", "OTHER-1")
    (alert_id,) = await office.alerts.raise_hits(hit_message(entry_message(agency=ORI), agency=ORI))
    asset_id = await car(dispatcher, member, "D1", north=2)
    await dispatcher.register("D1", "EMPTY-1")
    assert await dispatcher.broadcast(alert_id, asset_id) == [asset_id]
    (sent,) = await dispatcher.records(alert_id)
    await member.goes(sent.delivery_id)
    channel = office.alerts.channels[1]
    for person, partition in 2 * (
        (officer, PARTITION_GENERAL),
        (office.supervisor, PARTITION_MOTOR_CARRIER),
    ):
        made = subscription_pb.CreateSubscriptionRequest(
            request_id=str(uuid4()), name=f"of {partition}", partition=partition
        )
        await SubscriptionServiceStub(channel).CreateSubscription(made, metadata=person.metadata, timeout=60)
    hook = webhook_pb.CreateWebhookRequest(
        request_id=str(uuid4()),
        name="CAD",
        url="https://cad.example.gov/alerts",
        format=webhook_pb.WEBHOOK_FORMAT_CLOUD_EVENTS,
    )
    await WebhookServiceStub(channel).CreateWebhook(hook, metadata=centre.metadata, timeout=60)
    listed = entry_message(hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION, agency=ORI)
    listed.source = hit_pb2.HOT_LIST_SOURCE_ICC
    (office.apart_alert,) = await office.alerts.raise_hits(hit_message(listed, agency=ORI))
    await office.alerts.raise_hits(hit_message(entry_message(agency=OTHER_ORI), agency=OTHER_ORI))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exported(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await office.export(tmp_path_factory.mktemp("export") / "all")


@pytest.mark.clause("IV.A.3", "IV.D.3")
async def test_assets_messages_subscriptions_and_webhooks_of_the_agency_leave_and_are_proven(
    office: Office, exported: Path
) -> None:
    found = verify_department.verify(exported, key_of(office.audit))

    def rows(name: str) -> list[dict[str, Any]]:
        return list(rows_below(exported / "alerts" / name))

    (message,), (hook,) = rows("deliveries"), rows("webhooks")
    crews = {one["asset_id"]: len(one["crew"]) for one in rows("assets")}
    assert sorted(crews.values()) == [0, 1]
    assert crews[message["asset_id"]] == 1
    assert isinstance(message["proposed"], bool)
    assert [step["stage"] for step in message["steps"]] == [1, 2, 3]
    assert (hook["name"], hook["url"]) == ("CAD", "https://cad.example.gov/alerts")
    assert "secret" not in str(hook).lower()
    assert [one["name"] for one in rows("subscriptions")] == [f"of {PARTITION_GENERAL}"] * 2
    assert (found.alerts, found.about_alerts) == (1, 6)


@pytest.mark.clause("II.H", "III.E.5", "IV.A.3")
async def test_alerts_of_motor_carrier_safety_are_in_its_own_export_and_nowhere_else(
    office: Office, exported: Path
) -> None:
    found = verify_department.verify(exported, key_of(office.audit))

    apart = list(rows_below(exported / "motor_carrier" / "alerts"))
    assert found.motor_carrier is not None
    assert (found.motor_carrier.alerts, found.motor_carrier.about_alerts) == (1, 2)
    assert [one["alert_id"] for one in apart if "alert_id" in one] == [office.apart_alert]
    assert [one["name"] for one in apart if "name" in one] == [f"of {PARTITION_MOTOR_CARRIER}"] * 2
    assert office.apart_alert not in str(list(rows_below(exported / "alerts")))


@pytest.mark.clause("II.H", "III.E.5", "III.B.3.l")
@pytest.mark.parametrize("part", ALERT_PARTS)
async def test_neither_data_set_is_exported_by_the_other_ones_people(
    office: Office, tmp_path: Path, part: str
) -> None:
    for person, partition in (
        (office.head, PARTITION_MOTOR_CARRIER),
        (office.supervisor, PARTITION_GENERAL),
    ):
        request = pb.ExportAlertsRequest(
            part=pb.AlertPart.Value(f"ALERT_PART_{part.upper()}"), partition=partition
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export_pages(office.ask(person), request, tmp_path, "x")
        assert from_rpc_error(caught.value).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize("part", ["assets", "deliveries", "subscriptions", "webhooks"])
async def test_a_record_that_says_something_else_is_found(office: Office, tmp_path: Path, part: str) -> None:
    out = await office.export(tmp_path / "all")
    another_word(out / "alerts" / part)
    for table in (out / "alerts" / part).glob("*.csv"):
        table.unlink()
    write_tables(out)
    write_manifest(out, [])

    with pytest.raises(VerificationError, match="is not the page that is in the log"):
        verify_department.verify(out, key_of(office.audit))


@pytest.mark.clause("IV.A.3")
async def test_a_part_that_is_not_there_makes_the_export_incomplete(office: Office, tmp_path: Path) -> None:
    out = await office.export(tmp_path / "all")
    shutil.rmtree(out / "alerts" / "assets")
    write_manifest(out, [])

    with pytest.raises(VerificationError, match=r"alerts/assets/000001\.jsonl"):
        verify_department.verify(out, key_of(office.audit), complete=True)


@pytest.mark.parametrize(
    ("part", "after"),
    [
        (pb.ALERT_PART_ASSETS, "7"),
        (pb.ALERT_PART_DELIVERIES, "x"),
        (pb.ALERT_PART_SUBSCRIPTIONS, "no position"),
    ],
)
async def test_a_position_that_is_none_is_named(
    office: Office, tmp_path: Path, part: pb.AlertPart.ValueType, after: str
) -> None:
    request = pb.ExportAlertsRequest(part=part, after=after)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export_pages(office.ask(office.head), request, tmp_path, "x")

    error = from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == {"after"}
