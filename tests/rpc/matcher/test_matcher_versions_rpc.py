"""The life of a hot list over gRPC: quarantine, approval, increments, differences, expiry, file N."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    COLLEAGUE,
    OFFICER,
    STRANGER,
    Matcher,
    Person,
    a_matcher,
    a_read,
    a_world,
    batch,
    csv_of,
    new_id,
    submit,
    upload_header,
    upload_parts,
)
from tests.support.databases import MigratedDatabase, fetch

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOLDEN = Path(__file__).parents[2] / "golden" / "matcher"
DONE, FAILED = audit_pb.OUTCOME_RESULT_DONE, audit_pb.OUTCOME_RESULT_FAILED
FORGED = "bm9uc2Vuc2U="
TEN = [f"AB1234{n}" for n in range(10)]
ADD, REMOVE = pb.UPLOAD_KIND_ADD, pb.UPLOAD_KIND_REMOVE
REASON = "Ordered by the state's attorney, order 26-17."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matcher(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matcher]:
    database = await migrated_database("matcher")
    folder = tmp_path_factory.mktemp("spool")
    async with a_world(tls, database, folder) as world, a_matcher(world) as made:
        yield made


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def approve(person: Person, hot_list: pb.HotList, version: int, request_id: str = "") -> Any:
    request = pb.ApproveHotListVersionRequest(
        request_id=request_id or new_id(), hot_list_id=hot_list.hot_list_id, version=version
    )
    return await person.lists.ApproveHotListVersion(request, metadata=person.metadata, timeout=60)


async def deactivate(person: Person, hot_list: pb.HotList, request_id: str = "") -> Any:
    request = pb.DeactivateHotListRequest(
        request_id=request_id or new_id(), hot_list_id=hot_list.hot_list_id, reason=REASON
    )
    return await person.lists.DeactivateHotList(request, metadata=person.metadata, timeout=60)


async def versions_of(person: Person, hot_list: pb.HotList, **page: Any) -> Any:
    request = pb.ListHotListVersionsRequest(hot_list_id=hot_list.hot_list_id, **page)
    return await person.lists.ListHotListVersions(request, metadata=person.metadata, timeout=60)


async def difference(person: Person, hot_list: pb.HotList, before: int, after: int, **page: Any) -> Any:
    request = pb.DiffHotListVersionsRequest(
        hot_list_id=hot_list.hot_list_id, from_version=before, to_version=after, **page
    )
    return await person.lists.DiffHotListVersions(request, metadata=person.metadata, timeout=60)


async def report(person: Person, upload_id: str, **page: Any) -> Any:
    request = pb.GetQuarantinedUploadRequest(upload_id=upload_id, **page)
    return await person.lists.GetQuarantinedUpload(request, metadata=person.metadata, timeout=60)


async def quarantined(person: Person, hot_list: pb.HotList, **page: Any) -> Any:
    request = pb.ListQuarantinedUploadsRequest(hot_list_id=hot_list.hot_list_id, **page)
    return await person.lists.ListQuarantinedUploads(request, metadata=person.metadata, timeout=60)


async def allow_file_n(person: Person, hot_list: pb.HotList, *, allowed: bool, request_id: str = "") -> Any:
    request = pb.SetImmigrationFileRequest(
        request_id=request_id or new_id(), hot_list_id=hot_list.hot_list_id, allowed=allowed, reason=REASON
    )
    return await person.lists.SetImmigrationFile(request, metadata=person.metadata, timeout=60)


async def hits(matcher: Matcher, *plates: str) -> list[str]:
    """Those of `plates` that raise a hit when they are read now."""
    reads = [a_read(plate) for plate in plates]
    async with matcher.reads_of("ocr") as stub:
        await submit(stub, batch(1, *reads))
    raised = matcher.world.alerts.reads
    return [one.read.plate for one in reads if one.read.read_id in raised]


async def three_versions(person: Person, hot_list: pb.HotList) -> None:
    """Ten plates, then one more, then half of them."""
    for plates in (TEN, [*TEN, "CD99999"], TEN[:5]):
        await person.upload(hot_list.hot_list_id, csv_of(*plates))


@pytest.mark.clause("III.B.3.h")
async def test_a_wrong_file_is_quarantined_with_a_report_that_can_be_fetched(matcher: Matcher) -> None:
    content, upload = (GOLDEN / "leads.txt").read_bytes(), new_id()
    layout = pb.HOT_LIST_FORMAT_IL_LEADS

    async with matcher.person() as person:
        made = await person.create()
        error = await refusal(person.upload(made.hot_list_id, content, request_id=upload, format=layout))
        first = await report(person, upload, page_size=5)
        rest = await report(person, upload, page_size=5, page_token=first.next_page_token)
        listed = await quarantined(person, made)
        versions = await versions_of(person, made)

    assert error.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST
    assert error.metadata["upload_id"] == upload
    errors = [*first.errors, *rest.errors]
    assert [f"row {one.row}, column {one.column}" for one in errors] == [v.field for v in error.violations]
    assert [one.problem for one in errors] == [v.description for v in error.violations]
    assert not rest.next_page_token
    assert listed.uploads == [first.upload]
    assert (first.upload.upload_id, first.upload.account_id) == (upload, "manager")
    assert (first.upload.row_count, first.upload.error_count) == (6, len(errors))
    assert first.upload.sha256 == upload_header("", content).sha256
    assert not versions.versions
    assert matcher.world.audit.results(upload) == [FAILED]
    for table in ("quarantined_upload", "row_finding"):
        rows = await fetch(matcher.world.database.admin_url, f"TABLE matcher.{table}")
        assert rows
        assert not [row for row in rows if {"DOE", "ROE", "JOHN"} & set(re.findall(r"[A-Z]+", repr(row)))]


async def test_an_upload_in_quarantine_is_refused_again_without_its_file(matcher: Matcher) -> None:
    content, upload = b"plate,category\nAB12345,NONSENSE\n", new_id()

    async with matcher.person() as person:
        made = await person.create()
        first = await refusal(person.upload(made.hot_list_id, content, request_id=upload))
        header = upload_header(made.hot_list_id, content, request_id=upload)
        call = person.lists.UploadHotListVersion(
            upload_parts(header, b""), metadata=person.metadata, timeout=20
        )
        again = await refusal(call)
        listed = await quarantined(person, made)

    assert (first.reason, first.violations, first.metadata) == (
        again.reason,
        again.violations,
        again.metadata,
    )
    assert len(listed.uploads) == 1


@pytest.mark.clause("III.B.3.d", "IV.A.5")
async def test_an_upload_is_quarantined_though_its_outcome_is_recorded_only_later(matcher: Matcher) -> None:
    content, upload, audit = b"plate,category\nAB12345,NONSENSE\n", new_id(), matcher.world.audit

    async with matcher.person() as person:
        made = await person.create()
        audit.outcomes.down = True
        try:
            first = await refusal(person.upload(made.hot_list_id, content, request_id=upload))
            results = audit.results(upload)
        finally:
            audit.outcomes.down = False
        again = await refusal(person.upload(made.hot_list_id, content, request_id=upload))
        listed = await quarantined(person, made)

    assert first.reason == again.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST
    assert (results, audit.results(upload)) == ([], [FAILED])
    assert len(listed.uploads) == 1


@pytest.mark.clause("IV.A.5")
async def test_nothing_is_changed_or_shown_while_audit_is_away(matcher: Matcher) -> None:
    audit, upload = matcher.world.audit, new_id()
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(*TEN)
        await person.upload(made.hot_list_id, csv_of(TEN[0]))
        await refusal(person.upload(made.hot_list_id, b"nonsense", request_id=upload))
        audit.intents.down = True
        try:
            errors = [
                await refusal(call)
                for call in (
                    approve(colleague, made, 2),
                    deactivate(person, made),
                    allow_file_n(person, made, allowed=True),
                    versions_of(person, made),
                    difference(person, made, 1, 2),
                    quarantined(person, made),
                    report(person, upload),
                )
            ]
        finally:
            audit.intents.down = False
        versions = (await versions_of(person, made)).versions

    assert {one.reason for one in errors} == {ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE}
    assert [(one.active, len(one.approvals)) for one in versions] == [(False, 0), (True, 0)]


async def test_refused_uploads_come_newest_first_in_pages(matcher: Matcher) -> None:
    uploads = [new_id() for _ in range(5)]
    seen: list[str] = []

    async with matcher.person() as person:
        made = await person.create()
        for upload in uploads:
            await refusal(person.upload(made.hot_list_id, b"nonsense", request_id=upload))
        token = ""
        while True:
            page = await quarantined(person, made, page_size=2, page_token=token)
            seen += [one.upload_id for one in page.uploads]
            if not (token := page.next_page_token):
                break

    assert seen == uploads[::-1]


@pytest.mark.clause("III.B.3.h", "III.B.3.f")
async def test_history_is_shown_to_the_own_agency_only_and_every_look_is_recorded(matcher: Matcher) -> None:
    upload, audit = new_id(), matcher.world.audit
    async with matcher.person() as person:
        made = await person.create()
        await refusal(person.upload(made.hot_list_id, b"nonsense", request_id=upload))
        await person.upload(made.hot_list_id, csv_of("AB12345"))
        before = len(audit.intent_requests)
        await versions_of(person, made)
        await quarantined(person, made)
        await report(person, upload)
        await difference(person, made, 1, 1)
    looks = list(audit.intent_requests.values())[before:]

    for token in (STRANGER, OFFICER):
        async with matcher.person(token) as other:
            calls = [
                versions_of(other, made),
                quarantined(other, made),
                report(other, upload),
                difference(other, made, 1, 1),
                approve(other, made, 1),
                deactivate(other, made),
                allow_file_n(other, made, allowed=True),
            ]
            for call in calls:
                assert (await refusal(call)).code is grpc.StatusCode.PERMISSION_DENIED

    assert [one.action for one in looks] == ["hot_list.list"] * 3 + ["hot_list.diff"]
    assert all(one.resource == made.hot_list_id for one in looks)
    assert all(audit.results(one.request_id) == [DONE] for one in looks)


@pytest.mark.clause("III.B.3.h")
async def test_a_version_that_shrinks_its_list_waits_for_a_second_person(matcher: Matcher) -> None:
    first_try = new_id()
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(*TEN)
        stored = await person.upload(made.hot_list_id, csv_of(*TEN[:5]))
        waiting = await refusal(person.activate(made.hot_list_id, 2, first_try))
        own = await refusal(approve(person, made, 2))
        approved = await approve(colleague, made, 2)
        alone = await refusal(colleague.activate(made.hot_list_id, 2))
        active = await person.activate(made.hot_list_id, 2)
        versions = (await versions_of(person, made)).versions

    assert (stored.approval_needed, stored.removed_count, stored.entry_count) == (True, 5, 5)
    assert waiting.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert waiting.metadata["state"] == "APPROVAL_NEEDED"
    assert matcher.world.audit.results(first_try) == [FAILED]
    assert own.code is grpc.StatusCode.PERMISSION_DENIED
    assert (approved.compared_version, approved.removed_count) == (1, 5)
    # Who approved cannot carry it out alone either: two people stand for what goes.
    assert alone.metadata["state"] == "APPROVAL_NEEDED"
    assert active.hot_list.active_version == 2
    assert [(one.account_id, one.compared_version) for one in versions[0].approvals] == [("colleague", 1)]
    assert [one.approval_needed for one in versions] == [True, False]


@pytest.mark.clause("III.B.3.h")
async def test_a_file_of_another_list_needs_approval_though_it_is_longer(matcher: Matcher) -> None:
    async with matcher.person() as person:
        made = await person.active_list(*TEN)
        stored = await person.upload(made.hot_list_id, csv_of(*(f"XY{n:05}" for n in range(50))))
        error = await refusal(person.activate(made.hot_list_id, 2))

    assert (stored.added_count, stored.removed_count) == (50, 10)
    assert stored.approval_needed
    assert error.metadata["state"] == "APPROVAL_NEEDED"


async def test_a_version_within_the_share_needs_no_approval(matcher: Matcher) -> None:
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(*TEN)
        stored = await person.upload(made.hot_list_id, csv_of(*TEN[:8]))
        needless = await refusal(approve(colleague, made, 2))
        active = await person.activate(made.hot_list_id, 2)

    assert not stored.approval_needed
    assert needless.metadata["state"] == "NO_APPROVAL_NEEDED"
    assert active.hot_list.entry_count == 8


@pytest.mark.clause("III.B.3.h")
async def test_neither_rolling_back_nor_a_pause_gets_round_the_second_person(matcher: Matcher) -> None:
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(TEN[0])
        await person.upload(made.hot_list_id, csv_of(*TEN))
        await person.activate(made.hot_list_id, 2)
        back = await refusal(person.activate(made.hot_list_id, 1))
        await deactivate(person, made)
        after_pause = await refusal(person.activate(made.hot_list_id, 1))
        await approve(colleague, made, 1)
        active = await person.activate(made.hot_list_id, 1)

    assert back.metadata["state"] == after_pause.metadata["state"] == "APPROVAL_NEEDED"
    assert active.hot_list.active_version == 1


@pytest.mark.clause("III.B.3.h")
async def test_an_approval_holds_against_the_version_it_was_given_for_only(matcher: Matcher) -> None:
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(*TEN)
        await person.upload(made.hot_list_id, csv_of(*TEN[:5]))
        await approve(colleague, made, 2)
        await person.upload(made.hot_list_id, csv_of(*TEN, *(f"XY{n:05}" for n in range(90))))
        await person.activate(made.hot_list_id, 3)
        error = await refusal(person.activate(made.hot_list_id, 2))

    assert error.metadata["state"] == "APPROVAL_NEEDED"


async def test_increments_add_change_and_remove_and_leave_the_rest(matcher: Matcher) -> None:
    async with matcher.person() as person:
        made = await person.active_list(*(f"IN1234{n}" for n in range(10)))
        row = b"plate,state,category,record_number,vehicle_color\n"
        changed = row + b"IN12340,IL,STOLEN_VEHICLE,V26A0000,RED\nZZ10001,IL,AMBER,A26A1,\n"
        added = await person.upload(made.hot_list_id, changed, kind=ADD, base_version=1)
        gone = row + b"IN12341,IL,STOLEN_VEHICLE,V26A0001,\n"
        removed = await person.upload(made.hot_list_id, gone, kind=REMOVE, base_version=2)
        await person.activate(made.hot_list_id, 3)
        newest = (await versions_of(person, made)).versions[0]

    assert (added.version, added.entry_count, added.added_count, added.removed_count) == (2, 11, 1, 0)
    assert (removed.version, removed.entry_count, removed.removed_count) == (3, 10, 1)
    assert (newest.kind, newest.base_version, newest.active) == (REMOVE, 2, True)
    counts = {one.category: one.count for one in newest.categories}
    assert counts == {hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE: 9, hit_pb2.HOT_LIST_CATEGORY_AMBER: 1}
    assert await hits(matcher, "ZZ10001", "IN12341", "IN12342") == ["ZZ10001", "IN12342"]


async def test_an_increment_of_a_version_that_is_not_the_newest_is_refused(matcher: Matcher) -> None:
    upload = new_id()
    async with matcher.person() as person:
        made = await person.create()
        await three_versions(person, made)
        error = await refusal(
            person.upload(made.hot_list_id, csv_of("ZZ1"), request_id=upload, kind=ADD, base_version=2)
        )

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert (error.metadata["state"], error.metadata["latest_version"]) == ("BASE_NOT_NEWEST", "3")
    assert matcher.world.audit.results(upload) == [FAILED]


async def test_removing_what_is_not_there_is_quarantined_whole(matcher: Matcher) -> None:
    upload = new_id()
    async with matcher.person() as person:
        made = await person.active_list(*TEN)
        absent = csv_of("AB12340", "QQ1", "QQ2")
        error = await refusal(
            person.upload(made.hot_list_id, absent, request_id=upload, kind=REMOVE, base_version=1)
        )
        shown = await report(person, upload)
        versions = (await versions_of(person, made)).versions

    assert error.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST
    assert shown.errors[0].problem == "2 of its entries are not in version 1"
    assert [one.version for one in versions] == [1]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": ADD}, "header.base_version"),
        ({"base_version": 1}, "header.base_version"),
        ({"kind": 9}, "header.kind"),
        ({"source_time": to_timestamp(datetime(2099, 1, 1, tzinfo=UTC))}, "header.source_time"),
        ({"source_time": to_timestamp(datetime(1999, 1, 1, tzinfo=UTC))}, "header.source_time"),
        ({"expire_time": to_timestamp(datetime(2026, 1, 1, tzinfo=UTC))}, "header.expire_time"),
        ({"expire_time": to_timestamp(datetime(2099, 1, 1, tzinfo=UTC))}, "header.expire_time"),
    ],
)
async def test_a_header_that_cannot_be_is_refused_by_its_field(
    matcher: Matcher, changes: dict[str, Any], field: str
) -> None:
    async with matcher.person() as person:
        made = await person.create()
        error = await refusal(person.upload(made.hot_list_id, csv_of("AB12345"), **changes))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == [field]


async def test_what_two_versions_differ_by_is_shown_entry_by_entry_both_ways(matcher: Matcher) -> None:
    head = b"plate,state,category,record_number,vehicle_color\n"
    old = head + b"AA1,IL,WANTED,W1,RED\nBB2,IL,WANTED,W2,RED\nCC3,IL,WANTED,W3,RED\n"
    new = head + b"AA1,IL,WANTED,W1,BLU\nBB2,IL,WANTED,W2,RED\nDD4,IL,WANTED,W4,RED\n"

    async with matcher.person() as person:
        made = await person.create()
        for content in (old, new, old):
            await person.upload(made.hot_list_id, content)
        forth, back = await difference(person, made, 1, 2), await difference(person, made, 2, 1)
        same = await difference(person, made, 1, 3)
        missing = await refusal(difference(person, made, 1, 9))
        looks = [one for one in matcher.world.audit.intent_requests.values() if one.action == "hot_list.diff"]

    def told(answer: Any) -> set[tuple[str, str, str, str]]:
        return {
            (one.before.plate, one.before.vehicle.color, one.after.plate, one.after.vehicle.color)
            for one in answer.changes
        }

    wanted = {("AA1", "RED", "AA1", "BLU"), ("CC3", "RED", "", ""), ("", "", "DD4", "RED")}
    assert told(forth) == wanted
    assert told(back) == {(*one[2:], *one[:2]) for one in wanted}
    assert (forth.added_count, forth.removed_count, forth.changed_count) == (1, 1, 1)
    assert forth.notice.lead_only
    assert not same.changes
    assert missing.code is grpc.StatusCode.NOT_FOUND
    counts = [
        one.row_count
        for one in matcher.world.audit.outcome_requests.values()
        if one.subject_id == matcher.world.audit.intent_id(looks[-3].request_id)
    ]
    assert counts == [3]


async def test_differences_and_versions_come_in_pages(matcher: Matcher) -> None:
    async with matcher.person() as person:
        made = await person.create()
        await three_versions(person, made)
        changes, versions = [], []
        token = ""
        while True:
            page = await difference(person, made, 2, 3, page_size=2, page_token=token)
            changes += [one.before.plate for one in page.changes]
            if not (token := page.next_page_token):
                break
        while True:
            page = await versions_of(person, made, page_size=2, page_token=token)
            versions += [one.version for one in page.versions]
            if not (token := page.next_page_token):
                break
        forged = await refusal(versions_of(person, made, page_token=FORGED))

    assert sorted(changes) == [*TEN[5:], "CD99999"]
    assert versions == [3, 2, 1]
    assert [one.field for one in forged.violations] == ["page_token"]


async def test_a_list_out_of_use_matches_nothing_until_a_version_is_activated(matcher: Matcher) -> None:
    stop = new_id()
    async with matcher.person() as person:
        made = await person.active_list("OFF1234")
        before = await hits(matcher, "OFF1234")
        idle, again = await deactivate(person, made, stop), await deactivate(person, made, stop)
        meanwhile = await hits(matcher, "OFF1234")
        twice = await refusal(deactivate(person, made))
        await person.activate(made.hot_list_id, 1)
        after = await hits(matcher, "OFF1234")

    assert (before, meanwhile, after) == (["OFF1234"], [], ["OFF1234"])
    assert idle == again
    assert (idle.hot_list.active_version, idle.hot_list.entry_count) == (0, 0)
    assert twice.metadata["state"] == "NOT_ACTIVE"
    assert matcher.world.audit.intent_requests[stop].details["reason"] == REASON


async def test_a_version_expires_to_the_second_and_cannot_be_activated_after(matcher: Matcher) -> None:
    end = datetime.now(UTC) + timedelta(seconds=6)
    async with matcher.person() as person:
        made = await person.create()
        content = csv_of("EXP1234")
        await person.upload(made.hot_list_id, content, expire_time=to_timestamp(end))
        active = await person.activate(made.hot_list_id, 1)
        before = await hits(matcher, "EXP1234")
        await asyncio.sleep((end - datetime.now(UTC)).total_seconds())
        after = await hits(matcher, "EXP1234")
        error = await refusal(person.activate(made.hot_list_id, 1))

    assert active.hot_list.expire_time == to_timestamp(end)
    assert (before, after) == (["EXP1234"], [])
    assert error.metadata["state"] == "EXPIRED"


@pytest.mark.clause("II.D")
async def test_every_hit_says_how_old_list_and_entry_are(matcher: Matcher) -> None:
    written = datetime.now(UTC) - timedelta(days=3)
    read = a_read("AGE1234")
    async with matcher.person() as person:
        made = await person.create(source=1)
        head = b"plate,state,category,record_number,plate_type,entry_date\n"
        content = head + b"AGE1234,IL,STOLEN_VEHICLE,V26A1,PC,2024-11-01\n"
        await person.upload(made.hot_list_id, content, source_time=to_timestamp(written))
        active = await person.activate(made.hot_list_id, 1)
        async with matcher.reads_of("ocr") as stub:
            await submit(stub, batch(1, read))

    assert active.hot_list.source_time == to_timestamp(written)
    hit = matcher.world.alerts.reads[read.read.read_id]
    entry, warnings = hit.matches[0].entry, hit.matches[0].warnings
    assert entry.list_time == to_timestamp(written)
    assert (entry.entry_date, entry.plate_type) == ("2024-11-01", "PC")
    assert (entry.match_label, entry.match_grade) == (
        hit_pb2.MATCH_LABEL_EXACT,
        hit_pb2.MATCH_GRADE_SOUND,
    )
    assert {hit_pb2.HIT_WARNING_OLD_LIST, hit_pb2.HIT_WARNING_OLD_ENTRY} <= set(warnings)


@pytest.mark.clause("II.E")
async def test_file_n_is_left_out_until_a_recorded_choice_lets_it_in_and_goes_with_it(
    matcher: Matcher,
) -> None:
    lines = (GOLDEN / "ncic.txt").read_bytes().split(b"\n")
    content = b"\n".join([lines[0], *(line for line in lines[1:9] if line[:1] in b"VN")])
    choice, layout = new_id(), pb.HOT_LIST_FORMAT_NCIC

    async with matcher.person() as person:
        made = await person.create(source=1)
        without = await person.upload(made.hot_list_id, content, format=layout)
        allowed = await allow_file_n(person, made, allowed=True, request_id=choice)
        with_n = await person.upload(made.hot_list_id, content, format=layout)
        await person.activate(made.hot_list_id, 2)
        during = await hits(matcher, "1MM1GR")
        forbidden = await allow_file_n(person, made, allowed=False)
        after = await hits(matcher, "1MM1GR")
        error = await refusal(person.activate(made.hot_list_id, 2))
        base = await person.upload(made.hot_list_id, csv_of("AB12345"), kind=ADD, base_version=2)
        inherited = await refusal(person.activate(made.hot_list_id, base.version))
        await person.upload(made.hot_list_id, content, format=layout)
        versions = (await versions_of(person, made)).versions

    assert without.note_count == len(without.notes) > 0
    assert with_n.entry_count == without.entry_count + 1
    assert allowed.hot_list.immigration_file
    intent = matcher.world.audit.intent_requests[choice]
    assert (intent.action, dict(intent.details)) == (
        "hot_list.immigration_file",
        {"allowed": "true", "reason": REASON},
    )
    assert (during, after) == (["1MM1GR"], [])
    assert (forbidden.hot_list.active_version, forbidden.hot_list.immigration_file) == (0, False)
    assert error.metadata["state"] == inherited.metadata["state"] == "IMMIGRATION_FILE"
    assert [one.immigration_file for one in versions] == [False, True, True, False]


async def test_every_change_sent_again_gives_the_same_answer(matcher: Matcher) -> None:
    ids = [new_id() for _ in range(3)]
    async with matcher.person() as person, matcher.person(COLLEAGUE) as colleague:
        made = await person.active_list(*TEN)
        await person.upload(made.hot_list_id, csv_of(*TEN[:5]))
        approvals = [await approve(colleague, made, 2, ids[0]) for _ in range(2)]
        await person.activate(made.hot_list_id, 2)
        approvals.append(await approve(colleague, made, 2, ids[0]))
        stopped = [await deactivate(person, made, ids[1]) for _ in range(2)]
        choices = [await allow_file_n(person, made, allowed=True, request_id=ids[2]) for _ in range(2)]

    assert approvals[0] == approvals[1] == approvals[2]
    assert stopped[0] == stopped[1]
    assert choices[0] == choices[1]
    assert [matcher.world.audit.results(one) for one in ids] == [[DONE]] * 3
