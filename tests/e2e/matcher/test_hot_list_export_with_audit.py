"""The agency's hot lists and local lists, exported with the real audit service and verified offline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import export_service_pb2 as pb
from alpr.matcher.v1.export_service_pb2_grpc import HotListExportServiceStub
from alpr.type.v1 import hit_pb2, notice_pb2
from services.audit import verify_department
from services.audit.verifier import VerificationError
from services.cli.export_pages import receive_page
from services.common.client import user_channel
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import Matcher, World, a_matcher, a_world, csv_of
from tests.support.audit_kit import (
    Officer,
    RunningAudit,
    begin,
    justification,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.export_pages import CHANGES, changed, export_pages, key_of, rows_below, write_manifest
from tests.support.issuer import RunningIssuer

LISTS, ENTRIES, LOCAL = (
    pb.HOT_LIST_PART_LISTS,
    pb.HOT_LIST_PART_ENTRIES,
    pb.HOT_LIST_PART_LOCAL_ENTRIES,
)
REFUSED, FINDINGS, TUNING = (
    pb.HOT_LIST_PART_QUARANTINED_UPLOADS,
    pb.HOT_LIST_PART_FINDINGS,
    pb.HOT_LIST_PART_TUNING,
)
WRONG = b"plate,state,category\n!!!,IL,STOLEN_VEHICLE\nAB1,ZZ,NO_SUCH\n"
FIRST = [f"AB1234{n}" for n in range(5)]
SECOND = [*FIRST[1:], "AB12345X"]


@dataclass
class Office:
    """Audit and matcher, the head of the agency, and its hot list."""

    audit: RunningAudit
    matcher: Matcher
    stub: Any
    head: Officer
    hot_list_id: str = ""
    others_list_id: str = ""

    def ask(self, person: Officer) -> Callable[[pb.ExportHotListsRequest], Any]:
        return lambda request: self.stub.ExportHotLists(request, metadata=person.metadata, timeout=30)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    database = await migrated_database("audit", "matcher")
    folder = tmp_path_factory.mktemp("lists")
    settings = settings_for(database, tls, issuer, folder)
    await begin(settings, database, issuer)
    async with AsyncExitStack() as held:
        audit = await held.enter_async_context(running_audit(settings, database, tls, issuer))
        world = await held.enter_async_context(a_world(tls, database, folder))
        world.targets["audit"] = audit.target
        head = await audit.person(audit_pb.ROLE_STATEWIDE_COORDINATOR)
        async with a_matcher(world) as first:
            office = Office(audit, first, None, head)
            await seed(office)
        wrong_alarms(world, office)
        # What people found is heard when a matcher starts, and then every half minute.
        matcher = await held.enter_async_context(a_matcher(world))
        target = f"127.0.0.1:{matcher.user_port}"
        channel = await held.enter_async_context(user_channel(target, tls.ca_file))
        office = replace(office, matcher=matcher, stub=HotListExportServiceStub(channel))
        await tuned(office)
        yield office


async def seed(office: Office) -> None:
    """Lists with and without versions, local entries, refused uploads; and as much of another agency."""
    manager = await office.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)
    user = await office.audit.person(audit_pb.ROLE_USER)
    other = await office.audit.head_of("IL0000088", audit_pb.ROLE_HOT_LIST_MANAGER, audit_pb.ROLE_USER)
    async with office.matcher.person(manager.token()) as person:
        office.hot_list_id = (await person.active_list(*FIRST)).hot_list_id
        await person.upload(office.hot_list_id, csv_of(*SECOND))
        await person.create()
        for _ in range(2):
            await refusal(person.upload(office.hot_list_id, WRONG))
    async with office.matcher.person(user.token()) as person:
        await person.watch_for("AB?234")
        await person.watch_for("CD1234")
        await person.watch_for("EF1234")
    async with office.matcher.person(other.token()) as person:
        office.others_list_id = (await person.active_list("ZZ99999")).hot_list_id
        await person.watch_for("ZZ88888")
        await refusal(person.upload(office.others_list_id, WRONG))


def wrong_alarms(world: World, office: Office) -> None:
    """Lets people have found three wrong alarms of each agency's list."""
    for list_id in (office.hot_list_id, office.others_list_id):
        match = alerts_pb.JudgedMatch(
            hot_list_id=list_id, entry_id=str(uuid4()), match_grade=hit_pb2.MATCH_GRADE_SOUND
        )
        world.alerts.judged += [
            alerts_pb.JudgedAlert(
                alert_id=str(uuid4()),
                raise_time=to_timestamp(datetime.now(UTC)),
                verification_state=notice_pb2.VERIFICATION_STATE_MISREAD,
                matches=[match],
            )
            for _ in range(3)
        ]


async def tuned(office: Office) -> None:
    """Returns when both lists' budgets have been changed; gives up after 15 seconds."""
    manager = await office.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)
    async with asyncio.timeout(60), office.matcher.person(manager.token()) as person:
        while not (await person.tuning_of(office.hot_list_id)).changes:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


async def export(office: Office, person: Officer, out: Path) -> None:
    """All parts in small pages."""

    async def pages(part: pb.HotListPart.ValueType, folder: str, size: int, list_id: str = "") -> None:
        request = pb.ExportHotListsRequest(part=part, page_size=size, hot_list_id=list_id)
        await export_pages(office.ask(person), request, out, f"hot_lists/{folder}")

    await pages(LISTS, "lists", 1)
    for one in rows_below(out / "hot_lists" / "lists"):
        if one["latest_version"]:
            await pages(ENTRIES, one["hot_list_id"], 2, one["hot_list_id"])
    await pages(LOCAL, "local", 1)
    await pages(REFUSED, "quarantined", 1)
    await pages(FINDINGS, "findings", 2)
    await pages(TUNING, "tuning", 1)
    write_manifest(out, [])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exported(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "all"
    await export(office, office.head, out)
    return out


@pytest.mark.clause("IV.A.3")
async def test_lists_versions_entries_and_local_entries_of_the_agency_leave_once(
    office: Office, exported: Path
) -> None:
    found = verify_department.verify(exported, key_of(office.audit))

    lists = {one["hot_list_id"]: one for one in rows_below(exported / "hot_lists" / "lists")}
    assert [version["version"] for version in lists[office.hot_list_id]["versions"]] == [1, 2]
    assert len(lists[office.hot_list_id]["activations"]) == 1
    entries = list(rows_below(exported / "hot_lists" / office.hot_list_id))
    assert {(entry["plate"], entry["first_version"], entry.get("last_version")) for entry in entries} == {
        *((plate, 1, 1) for plate in FIRST),
        *((plate, 2, None) for plate in SECOND),
    }
    local = list(rows_below(exported / "hot_lists" / "local"))
    assert [entry["pattern"] for entry in local] == ["AB?234", "CD1234", "EF1234"]
    assert local[0]["case_number"]
    # 10 of the list, 3 local ones, 2 uploads with their findings, a change.
    findings = list(rows_below(exported / "hot_lists" / "findings"))
    assert (found.hot_lists, found.listed) == (2, 16 + len(findings))


@pytest.mark.clause("IV.A.3", "III.B.3.o")
async def test_uploads_that_were_refused_leave_with_what_was_wrong_and_budgets_with_their_history(
    office: Office, exported: Path
) -> None:
    refused = list(rows_below(exported / "hot_lists" / "quarantined"))
    findings = list(rows_below(exported / "hot_lists" / "findings"))
    changes = list(rows_below(exported / "hot_lists" / "tuning"))

    assert [one["hot_list_id"] for one in refused] == [office.hot_list_id] * 2
    assert all(one["sha256"] == sha256(WRONG).hexdigest() and one["error_count"] for one in refused)
    assert {one["intent_id"] for one in findings} == {one["intent_id"] for one in refused}
    assert {one["upload"] for one in findings} == {"REFUSED"}
    assert {(one["row_number"], one["column_name"]) for one in findings} >= {(2, "plate"), (3, "category")}
    (change,) = changes
    assert (change["hot_list_id"], change["budget"]) == (office.hot_list_id, "BUDGET_KIND_SOUNDING")
    assert (change["factor_before"], change["factor"], change["wrong_count"]) == (1.0, 0.5, 3)


@pytest.mark.clause("IV.A.3", "III.B.3.f")
async def test_no_list_of_another_agency_is_in_it_or_can_be_asked_for(
    office: Office, exported: Path, tmp_path: Path
) -> None:
    rows = list(rows_below(exported / "hot_lists"))
    assert rows
    assert not {"ZZ99999", "ZZ88888", office.others_list_id} & set(json.dumps(rows).split('"'))

    request = pb.ExportHotListsRequest(part=ENTRIES, hot_list_id=office.others_list_id)
    error = await refusal(export_pages(office.ask(office.head), request, tmp_path, "x"))

    assert error.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.clause("IV.A.3", "III.B.3.d")
async def test_what_leaves_stands_in_the_log_with_its_hash_and_reason(office: Office, tmp_path: Path) -> None:
    request = pb.ExportHotListsRequest(part=ENTRIES, hot_list_id=office.hot_list_id)
    (page,) = await export_pages(office.ask(office.head), request, tmp_path, "x")

    left = {field.name: field.value for field in page.leaving_receipt.fields}
    assert (left["action"], left["detail.of"]) == ("hot_list.leave", office.hot_list_id)
    assert left["detail.sha256"] == page.sha256.hex()
    assert left["case_number"] == justification().case_number


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize("part", ["lists", "local", "entries", "quarantined", "findings"])
@pytest.mark.parametrize("change", CHANGES)
async def test_an_export_that_was_changed_does_not_verify(
    office: Office, exported: Path, tmp_path: Path, part: str, change: Callable[[Path], None]
) -> None:
    name = f"hot_lists/{office.hot_list_id if part == 'entries' else part}"
    folder = changed(exported, tmp_path / "changed", name, change)

    with pytest.raises(VerificationError):
        verify_department.verify(folder, key_of(office.audit))


@pytest.mark.clause("IV.A.3")
async def test_a_list_whose_entries_are_not_there_is_noticed(
    office: Office, exported: Path, tmp_path: Path
) -> None:
    def without_all(pages: Path) -> None:
        for path in list(pages.iterdir()):
            path.unlink()

    name = f"hot_lists/{office.hot_list_id}"
    folder = changed(exported, tmp_path / "changed", name, without_all)

    with pytest.raises(VerificationError, match="are missing"):
        verify_department.verify(folder, key_of(office.audit))


@pytest.mark.clause("IV.A.3")
async def test_an_export_that_lacks_a_part_is_not_complete_whatever_its_manifest_says(
    office: Office, exported: Path
) -> None:
    with pytest.raises(VerificationError, match="the export is not complete"):
        verify_department.verify(exported, key_of(office.audit), complete=True)


@pytest.mark.clause("IV.A.3")
async def test_a_page_that_was_lost_is_the_same_when_it_is_asked_for_again_after_a_new_version(
    office: Office, tmp_path: Path
) -> None:
    manager = await office.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)
    async with office.matcher.person(manager.token()) as person:
        made = await person.active_list("GH11111", "GH22222", "GH33333")
        request = pb.ExportHotListsRequest(
            request_id=str(uuid4()),
            justification=justification(),
            part=ENTRIES,
            hot_list_id=made.hot_list_id,
            page_size=2,
            until="1",
        )
        lost = office.ask(office.head)(request)
        first = (await lost.read()).page
        lost.cancel()
        await person.upload(made.hot_list_id, csv_of("GH44444", "GH22222", "GH33333"))

    again = await receive_page(office.ask(office.head)(request), tmp_path, "x", 1)

    assert again.sha256 == first.sha256
    assert again.leaving_receipt.entry_id == first.leaving_receipt.entry_id


@pytest.mark.clause("IV.A.3", "III.B.3.l")
@pytest.mark.parametrize(
    "role",
    [
        audit_pb.ROLE_USER,
        audit_pb.ROLE_HOT_LIST_MANAGER,
        audit_pb.ROLE_AUDITOR,
        audit_pb.ROLE_WORK_UNIT_COORDINATOR,
        audit_pb.ROLE_SYSTEM_ADMINISTRATOR,
    ],
)
async def test_only_the_head_of_the_agency_exports_hot_lists(
    office: Office, tmp_path: Path, role: audit_pb.Role.ValueType
) -> None:
    person = await office.audit.person(role)

    error = await refusal(export(office, person, tmp_path))

    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert not list(rows_below(tmp_path / "hot_lists" / "lists"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"part": pb.HOT_LIST_PART_UNSPECIFIED}, "part"),
        ({"part": ENTRIES, "hot_list_id": "x"}, "hot_list_id"),
        ({"page_size": 5001}, "page_size"),
        ({"after": "x"}, "after"),
        ({"until": "x"}, "until"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(
    office: Office, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    usual = {"request_id": str(uuid4()), "justification": justification(), "part": LOCAL}
    request = pb.ExportHotListsRequest(**{**usual, **changes})

    error = await refusal(receive_page(office.ask(office.head)(request), tmp_path, "x", 1))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == {field}


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
