"""The hot list service over gRPC, with audit beside it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.type.v1 import hit_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import (
    ATTESTATION,
    OFFICER,
    ORI,
    STRANGER,
    Matcher,
    a_matcher,
    a_world,
    csv_of,
    new_id,
    upload_header,
    upload_parts,
)
from tests.support.databases import MigratedDatabase, fetch

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOLDEN = Path(__file__).parents[2] / "golden" / "matcher" / "leads.txt"
DONE, FAILED = audit_pb.OUTCOME_RESULT_DONE, audit_pb.OUTCOME_RESULT_FAILED


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


@pytest.mark.clause("III.B.3.d", "III.B.3.h")
async def test_a_list_is_created_uploaded_and_activated_with_intent_and_outcome_of_each(
    matcher: Matcher,
) -> None:
    audit, content = matcher.world.audit, csv_of("AB12345", "CD67890")
    create, upload, activate = new_id(), new_id(), new_id()

    async with matcher.person() as person:
        made = await person.create("stolen vehicles", create)
        stored = await person.upload(made.hot_list_id, content, request_id=upload)
        active = await person.activate(made.hot_list_id, 1, activate)

    assert (made.agency_ori, made.source, made.active_version) == (ORI, hit_pb2.HOT_LIST_SOURCE_LEADS, 0)
    assert (stored.version, stored.row_count, stored.added_count, stored.removed_count) == (1, 2, 2, 0)
    assert (active.hot_list.active_version, active.hot_list.entry_count) == (1, 2)
    intent = audit.intent_requests[upload]
    assert intent.action == "hot_list.upload"
    assert (intent.resource, intent.resource_agency_ori) == (made.hot_list_id, ORI)
    assert intent.details["attestation"] == ATTESTATION
    assert intent.details["sha256"] == upload_header("", content).sha256.hex()
    assert [audit.results(one) for one in (create, upload, activate)] == [[DONE]] * 3
    rows = await fetch(
        matcher.world.database.admin_url,
        "SELECT action FROM matcher.act WHERE request_id = ANY($1::uuid[]) AND outcome_time IS NOT NULL",
        [create, upload, activate],
    )
    assert len(rows) == 3


async def test_every_call_sent_again_gives_the_same_answer(matcher: Matcher) -> None:
    create, upload, activate, name, content = new_id(), new_id(), new_id(), new_id(), csv_of("AB12345")

    async with matcher.person() as person:
        made = [await person.create(name, create) for _ in range(2)]
        stored = [await person.upload(made[0].hot_list_id, content, request_id=upload) for _ in range(2)]
        active = [await person.activate(made[0].hot_list_id, 1, activate) for _ in range(2)]

    for first, again in (made, stored, active):
        assert first == again


@pytest.mark.clause("III.B.3.h")
async def test_a_leads_file_with_wrong_rows_is_refused_whole_by_row_and_column(matcher: Matcher) -> None:
    content, upload = GOLDEN.read_bytes(), new_id()

    async with matcher.person() as person:
        made = await person.create()
        error = await refusal(
            person.upload(
                made.hot_list_id, content, request_id=upload, format=lists_pb.HOT_LIST_FORMAT_IL_LEADS
            )
        )
        missing = await refusal(person.activate(made.hot_list_id, 1))

    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST
    assert [one.field for one in error.violations][:2] == ["row 7, column 1", "row 8, column 9"]
    assert len(error.violations) == 7
    assert "DOE" not in str(error) + repr(error.violations)
    assert matcher.world.audit.results(upload) == [FAILED]
    assert missing.code is grpc.StatusCode.NOT_FOUND


async def test_the_good_rows_of_a_leads_file_are_stored_without_a_persons_data(matcher: Matcher) -> None:
    content = b"\n".join(GOLDEN.read_bytes().split(b"\n")[:6])

    async with matcher.person() as person:
        made = await person.create()
        stored = await person.upload(made.hot_list_id, content, format=lists_pb.HOT_LIST_FORMAT_IL_LEADS)

    counts = {one.category: one.count for one in stored.categories}
    assert counts == {
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE: 2,
        hit_pb2.HOT_LIST_CATEGORY_STOLEN_PLATE: 1,
        hit_pb2.HOT_LIST_CATEGORY_WANTED: 1,
        hit_pb2.HOT_LIST_CATEGORY_MISSING: 2,
    }
    for table in ("hot_list_entry", "hot_list_version", "act"):
        rows = await fetch(matcher.world.database.admin_url, f"TABLE matcher.{table}")
        assert not [row for row in rows if {"DOE", "ROE", "JOHN"} & set(re.findall(r"[A-Z]+", repr(row)))]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sha256": bytes(32)}, "header.sha256"),
        ({"size_bytes": 5}, "header.size_bytes"),
        ({"size_bytes": 5000}, "header.size_bytes"),
        ({"attestation": "ok"}, "header.attestation"),
        ({"format": 0}, "header.format"),
        ({"size_bytes": 3 << 30}, "header.size_bytes"),
        ({"hot_list_id": "x"}, "header.hot_list_id"),
    ],
)
async def test_a_file_that_is_not_what_its_header_says_is_refused(
    matcher: Matcher, changes: dict[str, Any], field: str
) -> None:
    async with matcher.person() as person:
        made = await person.create()
        changes = {"hot_list_id": made.hot_list_id, **changes}
        error = await refusal(person.upload(changes.pop("hot_list_id"), csv_of("AB12345"), **changes))

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == [field]


async def test_an_upload_refused_for_its_bytes_succeeds_when_sent_again(matcher: Matcher) -> None:
    content, upload = csv_of("AB12345"), new_id()

    async with matcher.person() as person:
        made = await person.create()
        header = upload_header(made.hot_list_id, content, request_id=upload)
        call = person.lists.UploadHotListVersion(
            upload_parts(header, content[:-1]), metadata=person.metadata, timeout=20
        )
        error = await refusal(call)
        stored = await person.upload(made.hot_list_id, content, request_id=upload)

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert stored.version == 1
    assert matcher.world.audit.results(upload) == [DONE]


async def test_a_file_without_entries_is_refused(matcher: Matcher) -> None:
    async with matcher.person() as person:
        made = await person.create()
        error = await refusal(person.upload(made.hot_list_id, b"plate,category\n"))

    assert error.reason == ErrorReason.ERROR_REASON_BAD_HOT_LIST


@pytest.mark.clause("III.B.3.h")
async def test_a_person_of_another_agency_or_without_the_role_changes_nothing(matcher: Matcher) -> None:
    async with matcher.person() as person:
        made = await person.create()
    for token in (STRANGER, OFFICER, "forged", ""):
        async with matcher.person(token) as other:
            errors = [
                await refusal(other.upload(made.hot_list_id, csv_of("AB12345"))),
                await refusal(other.activate(made.hot_list_id, 1)),
            ]

        wanted = grpc.StatusCode.PERMISSION_DENIED if token in (STRANGER, OFFICER) else None
        for error in errors:
            assert error.code is (wanted or grpc.StatusCode.UNAUTHENTICATED)
            if wanted:
                assert error.metadata["clauses"] == "III.B.3.f"
    rows = await fetch(
        matcher.world.database.admin_url,
        "SELECT latest_version FROM matcher.hot_list WHERE hot_list_id = $1",
        made.hot_list_id,
    )
    assert [row[0] for row in rows] == [0]


@pytest.mark.clause("IV.A.5")
async def test_nothing_is_done_while_audit_is_away(matcher: Matcher) -> None:
    audit, name = matcher.world.audit, new_id()

    async with matcher.person() as person:
        audit.intents.down = True
        try:
            create = await refusal(person.create(name))
            listing = await refusal(
                person.lists.ListHotLists(
                    lists_pb.ListHotListsRequest(), metadata=person.metadata, timeout=20
                )
            )
        finally:
            audit.intents.down = False
        rows = await fetch(
            matcher.world.database.admin_url, "SELECT 1 FROM matcher.hot_list WHERE name = $1", name
        )

    for error in (create, listing):
        assert error.reason == ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE
    assert rows == []


async def test_a_name_that_is_taken_is_refused_and_recorded_as_failed(matcher: Matcher) -> None:
    name, second = new_id(), new_id()

    async with matcher.person() as person:
        await person.create(name)
        error = await refusal(person.create(name, second))

    assert error.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS
    assert matcher.world.audit.results(second) == [FAILED]


async def test_lists_of_the_own_agency_come_in_pages_and_the_look_is_recorded(matcher: Matcher) -> None:
    names = [f"page {n}" for n in range(5)]
    seen: list[str] = []

    async with matcher.person(STRANGER) as person:
        for name in names:
            await person.create(name)
        token = ""
        while True:
            request = lists_pb.ListHotListsRequest(page_size=2, page_token=token)
            page = await person.lists.ListHotLists(request, metadata=person.metadata, timeout=60)
            seen += [one.name for one in page.hot_lists]
            if not (token := page.next_page_token):
                break

    assert seen == names
    looks = [
        request_id
        for request_id, one in matcher.world.audit.intent_requests.items()
        if one.action == "hot_list.list"
    ]
    assert all(matcher.world.audit.results(request_id) == [DONE] for request_id in looks[-3:])


async def test_the_state_of_the_matcher_is_for_services_and_people(matcher: Matcher) -> None:
    async with matcher.person() as person:
        await person.active_list("AB02345", "ABO2345")
        of_person = await person.matching.GetMatcherState(
            match_pb.GetMatcherStateRequest(), metadata=person.metadata, timeout=20
        )
        nobody = await refusal(person.matching.GetMatcherState(match_pb.GetMatcherStateRequest(), timeout=60))
    async with matcher.reads_of("service/alerts") as stub:
        of_service = await stub.GetMatcherState(match_pb.GetMatcherStateRequest(), timeout=60)

    assert of_person == of_service
    assert of_person.match_revision > 0
    assert of_person.entry_count > of_person.plate_count > 0
    assert nobody.code is grpc.StatusCode.UNAUTHENTICATED


async def test_another_replica_follows_an_activation_within_a_second_or_two(matcher: Matcher) -> None:
    async with a_matcher(matcher.world) as other, matcher.person() as person:
        made = await person.create()
        await person.upload(made.hot_list_id, csv_of("AB12345"))
        active = await person.activate(made.hot_list_id, 1)
        async with other.reads_of("service/alerts") as stub, asyncio.timeout(3):
            while True:
                state = await stub.GetMatcherState(match_pb.GetMatcherStateRequest(), timeout=60)
                if state.match_revision >= active.match_revision:
                    break
                await asyncio.sleep(0.05)


async def test_activating_an_older_version_rolls_back(matcher: Matcher) -> None:
    plates = [f"AB1234{n}" for n in range(9)]
    async with matcher.person() as person:
        made = await person.create()
        await person.upload(made.hot_list_id, csv_of(*plates))
        await person.upload(made.hot_list_id, csv_of(*plates, "EF12345"))
        newer = await person.activate(made.hot_list_id, 2)
        older = await person.activate(made.hot_list_id, 1)

    assert (newer.hot_list.entry_count, older.hot_list.entry_count) == (10, 9)
    assert older.hot_list.latest_version == 2
    assert older.match_revision > newer.match_revision
