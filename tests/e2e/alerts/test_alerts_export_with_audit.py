"""The agency's alerts, hits and steps, exported with the real audit service and verified offline."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import export_service_pb2 as pb
from alpr.alerts.v1.export_service_pb2_grpc import AlertExportServiceStub
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit import verify_department
from services.audit.verifier import VerificationError
from services.cli.export_folder import write_tables
from services.cli.export_pages import receive_page
from services.common.errors import AlprError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, settings_for, start_rig
from tests.support.audit_kit import ORI, OTHER_ORI, Officer, RunningAudit, justification
from tests.support.databases import MigratedDatabase
from tests.support.export_pages import CHANGES, changed, export_pages, key_of, rows_below, write_manifest
from tests.support.issuer import RunningIssuer

HEAD = audit_pb.ROLE_STATEWIDE_COORDINATOR


@dataclass
class Office:
    """Audit and alerts, the head of the agency, and the ids of its alerts in their order."""

    audit: RunningAudit
    alerts: AlertsRig
    database: MigratedDatabase
    head: Officer
    own: list[str]
    partners: str

    def ask(self, person: Officer) -> Callable[[pb.ExportAlertsRequest], Any]:
        stub = AlertExportServiceStub(self.alerts.channels[1])
        return lambda request: stub.ExportAlerts(request, metadata=person.metadata, timeout=30)


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
        office = Office(audit, rig, database, await audit.person(HEAD), [], "")
        await seed(office)
        yield office


async def seed(office: Office) -> None:
    """Four alerts of the own cameras, one of a partner's camera, and one that is no business of ours."""
    officer = await office.audit.person(audit_pb.ROLE_USER)
    for number in range(4):
        entry = entry_message(agency=OTHER_ORI if number == 3 else ORI)
        pictures = (b"\xff\xd8\xffcrop%d" % number, b"\xff\xd8\xffoverview%d" % number)
        office.own += await office.alerts.raise_hits(hit_message(entry, agency=ORI, pictures=pictures))
    (office.partners,) = await office.alerts.raise_hits(
        hit_message(entry_message(agency=ORI), agency=OTHER_ORI, pictures=(b"theirs", b"theirs too"))
    )
    await office.alerts.raise_hits(hit_message(entry_message(agency=OTHER_ORI), agency=OTHER_ORI))
    request = alert_pb.AcknowledgeAlertRequest(request_id=str(uuid4()), alert_id=office.own[0])
    person: Any = office.alerts.person
    await person.AcknowledgeAlert(request, metadata=officer.metadata, timeout=60)
    centre = await office.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    reported = alert_pb.DisposeAlertRequest(
        request_id=str(uuid4()),
        alert_id=office.own[0],
        disposition=alert_pb.DISPOSITION_NOT_LOCATED,
        reported_by="Unit 12",
    )
    await person.DisposeAlert(reported, metadata=centre.metadata, timeout=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exported(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "all"
    request = pb.ExportAlertsRequest(page_size=2, with_pictures=True)
    await export_pages(office.ask(office.head), request, out, "alerts")
    write_tables(out)
    write_manifest(out, [])
    return out


@pytest.mark.clause("IV.A.3")
async def test_all_alerts_of_the_agency_leave_once_with_hits_steps_and_pictures(
    office: Office, exported: Path
) -> None:
    found = verify_department.verify(exported, key_of(office.audit))

    alerts = list(rows_below(exported / "alerts"))
    assert [alert["alert_id"] for alert in alerts] == [*office.own, office.partners]
    assert (found.alerts, found.pictures, found.without_picture) == (5, 8, 0)
    assert [len(alert["hits"]) for alert in alerts] == [1] * 5
    steps = [(step["kind"], step["by_centre"], step["reported_by"]) for step in alerts[0]["steps"]]
    assert steps == [("ACKNOWLEDGE", False, ""), ("DISPOSE", True, "Unit 12")]
    assert alerts[0]["hits"][0]["entry"]["category"] == "HOT_LIST_CATEGORY_STOLEN_VEHICLE"
    assert (exported / "pictures").exists()


@pytest.mark.clause("IV.A.3", "III.B.3.f")
async def test_nothing_of_another_agencys_camera_or_list_is_in_it(office: Office, exported: Path) -> None:
    *_, foreign_entry, foreign_read = rows_below(exported / "alerts")

    assert "plate" not in foreign_read
    assert set(foreign_read["hits"][0]["read"]) == {"read_id", "capture_time", "sensor_agency_ori"}
    assert foreign_read["hits"][0]["entry"]["listed_plate"] == "AB12345"
    assert "plate" in foreign_entry["hits"][0]["read"]
    assert set(foreign_entry["hits"][0]["entry"]) == {
        "entry_id",
        "list_version",
        "hot_list_id",
        "list_agency_ori",
        "source",
        "category",
    }


@pytest.mark.clause("IV.A.3", "III.B.3.d")
async def test_what_leaves_stands_in_the_log_with_its_hash_reason_and_person(
    office: Office, tmp_path: Path
) -> None:
    (page,) = await export_pages(office.ask(office.head), pb.ExportAlertsRequest(), tmp_path, "alerts")

    left = {field.name: field.value for field in page.leaving_receipt.fields}
    assert left["action"] == "alert.leave"
    assert left["detail.sha256"] == page.sha256.hex()
    assert left["actor"] == office.head.account_id
    assert left["case_number"] == justification().case_number
    looked = {field.name: field.value for field in page.look_receipt.fields}
    assert looked["action"] == "alert.export"
    assert left["detail.look_entry"] == page.look_receipt.entry_id


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize("change", CHANGES)
async def test_an_export_that_was_changed_does_not_verify(
    office: Office, exported: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = changed(exported, tmp_path / "changed", "alerts", change)

    with pytest.raises(VerificationError):
        verify_department.verify(folder, key_of(office.audit))


@pytest.mark.clause("IV.A.3")
async def test_a_table_has_a_row_for_each_hit_and_one_that_says_other_things_is_noticed(
    office: Office, exported: Path, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(io.StringIO((exported / "alerts" / "000001.csv").read_text())))
    assert [row["alert_id"] for row in rows] == office.own[:2]
    assert rows[0]["hits.entry.category"] == "HOT_LIST_CATEGORY_STOLEN_VEHICLE"
    assert rows[0]["notice"].startswith("A lead only")

    def other_word(pages: Path) -> None:
        path = pages / "000001.csv"
        path.write_bytes(path.read_bytes().replace(b"STOLEN_VEHICLE", b"STOLEN_PLATE", 1))

    folder = changed(exported, tmp_path / "changed", "alerts", other_word)
    with pytest.raises(VerificationError, match="does not say what"):
        verify_department.verify(folder, key_of(office.audit))


@pytest.mark.clause("IV.A.3")
async def test_a_picture_of_a_hit_that_is_another_one_or_not_there_is_noticed(
    office: Office, exported: Path, tmp_path: Path
) -> None:
    def other(pictures: Path) -> None:
        next(pictures.rglob("*.jpg")).write_bytes(b"x")

    def missing(pictures: Path) -> None:
        next(pictures.rglob("*.jpg")).unlink()

    key = key_of(office.audit)
    with pytest.raises(VerificationError, match="another one"):
        verify_department.verify(changed(exported, tmp_path / "other", "pictures", other), key)
    folder = changed(exported, tmp_path / "missing", "pictures", missing)
    assert verify_department.verify(folder, key).without_picture == 1
    with pytest.raises(VerificationError, match="pictures of 1"):
        verify_department.verify(folder, key, complete=True)


@pytest.mark.clause("IV.A.3")
async def test_a_page_that_was_lost_is_the_same_when_it_is_asked_for_again(
    office: Office, tmp_path: Path
) -> None:
    request = pb.ExportAlertsRequest(
        request_id=str(uuid4()), justification=justification(), page_size=2, until="5"
    )
    lost = office.ask(office.head)(request)
    first = (await lost.read()).page
    lost.cancel()

    again = await receive_page(office.ask(office.head)(request), tmp_path, "alerts", 1)

    assert again.sha256 == first.sha256
    assert again.leaving_receipt.entry_id == first.leaving_receipt.entry_id
    assert again.look_receipt.entry_id == first.look_receipt.entry_id


@pytest.mark.clause("IV.A.3")
async def test_what_is_raised_after_the_export_began_is_not_in_it(office: Office, tmp_path: Path) -> None:
    request = pb.ExportAlertsRequest(
        request_id=str(uuid4()), justification=justification(), page_size=1000, until="2"
    )
    page = await receive_page(office.ask(office.head)(request), tmp_path, "alerts", 1)

    assert (page.row_count, page.until, page.has_more) == (2, "2", False)


@pytest.mark.clause("IV.A.3", "III.B.3.l")
@pytest.mark.parametrize(
    "role",
    [
        audit_pb.ROLE_USER,
        audit_pb.ROLE_TELECOM_CENTER,
        audit_pb.ROLE_AUDITOR,
        audit_pb.ROLE_HOT_LIST_MANAGER,
        audit_pb.ROLE_WORK_UNIT_COORDINATOR,
        audit_pb.ROLE_SYSTEM_ADMINISTRATOR,
    ],
)
async def test_only_the_head_of_the_agency_exports_alerts(
    office: Office, tmp_path: Path, role: audit_pb.Role.ValueType
) -> None:
    person = await office.audit.person(role)

    error = await refusal(export_pages(office.ask(person), pb.ExportAlertsRequest(), tmp_path, "alerts"))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert not list(rows_below(tmp_path / "alerts"))


@pytest.mark.clause("IV.C.5")
async def test_an_export_without_case_number_is_refused(office: Office, tmp_path: Path) -> None:
    request = pb.ExportAlertsRequest(justification=justification(case_number=""))

    error = await refusal(export_pages(office.ask(office.head), request, tmp_path, "alerts"))

    assert ErrorReason.Name(error.reason) == "ERROR_REASON_CASE_NUMBER_REQUIRED"


@pytest.mark.clause("IV.A.3", "III.B.3.f")
async def test_the_head_of_another_agency_gets_that_agencys_alerts_only(
    office: Office, tmp_path: Path
) -> None:
    other = await office.audit.head_of("IL0000077")

    (page,) = await export_pages(office.ask(other), pb.ExportAlertsRequest(), tmp_path, "alerts")

    assert page.row_count == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"page_size": 1001}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"after": "x"}, "after"),
        ({"until": "-1"}, "until"),
        ({"request_id": "x"}, "request_id"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(
    office: Office, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    usual = {"request_id": str(uuid4()), "justification": justification()}
    request = pb.ExportAlertsRequest(**{**usual, **changes})

    error = await refusal(receive_page(office.ask(office.head)(request), tmp_path, "alerts", 1))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == {field}


@pytest.mark.clause("III.B.3.d")
async def test_nothing_leaves_while_audit_is_away(
    office: Office, tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    rig = await start_rig(settings_for(tmp_path, tls, office.database, 1), tls)
    try:
        alone = replace(office, alerts=rig)
        error = await refusal(
            export_pages(alone.ask(office.head), pb.ExportAlertsRequest(), tmp_path, "alerts")
        )
    finally:
        await rig.stop()

    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert not list(rows_below(tmp_path / "alerts"))


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
