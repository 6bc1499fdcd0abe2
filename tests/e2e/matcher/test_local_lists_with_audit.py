"""Local lists with the real audit service: its policies, its rules for case numbers and purposes, its log."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.clock import SystemClock
from services.common.errors import AlprError, from_rpc_error
from services.common.pg import open_pool
from services.dev.pki import DevelopmentAuthority
from services.matcher.app_acts import Acts
from services.matcher.app_tally import LocalTally
from services.matcher.core.entry import Source
from services.matcher.core.index import ListHeader
from services.matcher.core.match import Match
from services.matcher.neighbours import AuditClient
from services.matcher.store_acts import ActStore
from services.matcher.store_local import LocalStore
from services.matcher.store_local_index import read_local_lists
from tests.matcher_kit import Matcher, Person, a_matcher, a_world
from tests.support.audit_kit import (
    RunningAudit,
    begin,
    justification,
    last_entry,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer

UNIT_LIST = pb.LOCAL_LIST_OWNER_KIND_UNIT


@dataclass
class Stack:
    """Audit and matcher, and people of the agency at the matcher."""

    audit: RunningAudit
    matcher: Matcher
    database: MigratedDatabase
    held: AsyncExitStack

    async def person(self, *roles: audit_pb.Role.ValueType, unit: str = "D1") -> tuple[Person, str]:
        """A new person at the matcher, and the account's id."""
        officer = await self.audit.person(*roles, unit=unit)
        return await self.held.enter_async_context(self.matcher.person(officer.token())), officer.account_id


@pytest_asyncio.fixture
async def stack(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Stack]:
    database = await migrated_database("audit", "matcher")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    async with AsyncExitStack() as held:
        audit = await held.enter_async_context(running_audit(settings, database, tls, issuer))
        world = await held.enter_async_context(a_world(tls, database, tmp_path))
        world.targets["audit"] = audit.target
        matcher = await held.enter_async_context(a_matcher(world))
        yield Stack(audit, matcher, database, held)


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


@pytest.mark.clause("II.D", "III.B.3.d", "IV.C.5", "IV.C.6", "IV.A.1")
async def test_an_officer_watches_for_a_plate_with_case_number_and_purpose_and_never_without(
    stack: Stack,
) -> None:
    officer, account_id = await stack.person(audit_pb.ROLE_USER)

    added = await officer.watch_for("ABC?23", justification=justification())
    recorded = await last_entry(stack.audit)
    unnumbered = await refusal(officer.watch_for("ABC?24", justification=justification(case_number="")))
    vague = await refusal(officer.watch_for("ABC?24", justification=justification(purpose="investigation")))
    forbidden = await refusal(
        officer.watch_for("ABC?24", justification=justification(purpose="immigration enforcement sweep"))
    )

    assert (added.entry.owner, added.entry.account_id) == (account_id, account_id)
    assert (recorded["kind"], recorded["action"], recorded["result"]) == (
        "outcome",
        "local_list.add",
        "DONE",
    )
    assert unnumbered.reason == ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED
    assert vague.reason == ErrorReason.ERROR_REASON_PURPOSE_REQUIRED
    assert forbidden.metadata["clauses"] == "IV.A.1"
    assert [one.pattern for one in (await officer.watched(with_ended=True)).entries] == ["ABC?23"]


@pytest.mark.clause("II.D", "III.C.2.a", "III.C.2.d")
async def test_a_units_entry_is_the_units_and_its_coordinator_may_take_off_what_its_people_watch_for(
    stack: Stack,
) -> None:
    officer, _ = await stack.person(audit_pb.ROLE_USER)
    outsider, _ = await stack.person(audit_pb.ROLE_USER, unit="D2")
    coordinator, _ = await stack.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    foreign, _ = await stack.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit="D2")
    own = (await officer.watch_for("OWN1234")).entry
    units = (await officer.watch_for("UNIT123", owner_kind=UNIT_LIST)).entry

    refused = [
        await refusal(outsider.watch_no_more(units.entry_id)),
        await refusal(foreign.watch_no_more(own.entry_id)),
    ]
    seen = {one.entry_id for one in (await coordinator.watched()).entries}
    unseen = (await foreign.watched()).entries
    removed = await coordinator.watch_no_more(own.entry_id)
    adding = await refusal(coordinator.watch_for("NEW1234"))

    assert ["II.D" in one.metadata["clauses"] for one in refused] == [True, True]
    assert seen == {own.entry_id, units.entry_id}
    assert not unseen
    assert removed.entry.entry_state == pb.LOCAL_ENTRY_STATE_REMOVED
    assert adding.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.timeout(240)  # starts the command four times
@pytest.mark.clause("II.D", "IV.C.5")
async def test_the_command_watches_shows_and_stops_watching(stack: Stack) -> None:
    officer = await stack.audit.person(audit_pb.ROLE_USER)

    async def platewarden(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        running = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *("local", *arguments, "--json"),
            stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "PW_MATCHER_TARGET": f"127.0.0.1:{stack.matcher.user_port}",
                "PW_CA_FILE": str(stack.matcher.world.tls.ca_file),
                "PW_TOKEN": officer.token(),
            },
        )
        said, _ = await running.communicate()
        return running.returncode or 0, [json.loads(line) for line in said.splitlines()]

    why = ("--case-kind", "cad", "--case", "2026-004711", "--offence", "HOMICIDE")
    words = ("--purpose", "homicide investigation, victim's car seen leaving")
    refused, (error,) = await platewarden("add", "abc-?23", "--category", "felony", *why)
    done, (added,) = await platewarden("add", "abc-?23", "--category", "felony", "--unit", *why, *words)
    _, (removed,) = await platewarden("remove", added["entry"]["entry_id"])
    _, listed = await platewarden("list", "--all")

    assert (refused, error["error"]["reason"]) == (1, "ERROR_REASON_PURPOSE_REQUIRED")
    assert (done, added["entry"]["pattern"]) == (0, "ABC?23")
    assert removed["entry"]["entry_state"] == "LOCAL_ENTRY_STATE_REMOVED"
    assert listed == [removed["entry"]]


@pytest.mark.clause("II.D")
async def test_the_matcher_suspends_an_entry_in_its_own_name_and_the_log_says_so(stack: Stack) -> None:
    officer, _ = await stack.person(audit_pb.ROLE_USER)
    entry = (await officer.watch_for("WIDE???")).entry
    pool = await open_pool(stack.database.url("matcher_app"), application_name="test-suspend", min_size=1)
    clock = SystemClock()
    acts = Acts(stack.audit.service(AuditClient, "matcher"), ActStore(pool), clock)
    tallies = [LocalTally(acts, LocalStore(pool), clock) for _ in range(2)]
    async with pool.acquire() as held:
        ((header, (listed,)),) = await read_local_lists(held)
    assert isinstance(header, ListHeader)
    assert header.source is Source.AGENCY

    for tally in tallies:
        match = a_match(header, listed)
        plates = [f"WIDE{n:03d}" for n in range(12)]
        tally.note_compared([header], [frozenset({0})] * 12, plates, [(match,)] * 6 + [()] * 6)
    suspended = [await tally.settle() for tally in tallies]

    recorded = await last_entry(stack.audit)
    (told,) = (await officer.watched()).suspended
    await pool.close()
    assert suspended == [0, 1]
    assert (recorded["kind"], recorded["action"], recorded["actor"]) == (
        "outcome",
        "local_list.suspend",
        "matcher",
    )
    assert recorded["resource"] == entry.entry_id
    assert (told.entry_id, told.match_count, told.read_count) == (entry.entry_id, 12, 24)
    assert uuid.UUID(told.hot_list_id) == header.hot_list_id


def a_match(header: ListHeader, entry: Any) -> Match:
    """A match of that entry; nothing is counted but that there is one."""
    blank: Any = None
    return Match(header, entry, 1.0, blank, blank, ())
