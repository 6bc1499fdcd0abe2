"""The life of a list with the real audit service: who may, who else must, what is logged; and the command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.matcher.v1 import hot_list_service_pb2 as pb
from services.common.errors import AlprError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.matcher_kit import ATTESTATION, Matcher, Person, a_matcher, a_world, csv_of, new_id
from tests.support.audit_kit import (
    ADMINISTRATOR,
    RunningAudit,
    begin,
    last_entry,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer

REASON = "The state's attorney has ordered it in writing."
TEN = [f"AB1234{n}" for n in range(10)]
MANAGER = audit_pb.ROLE_HOT_LIST_MANAGER


@dataclass
class Office:
    """Audit and matcher, running, and the people at them."""

    audit: RunningAudit
    matcher: Matcher
    held: AsyncExitStack

    async def person(self, *roles: audit_pb.Role.ValueType) -> tuple[Person, str]:
        """A new person at the matcher, and the token."""
        token = (await self.audit.person(*roles)).token()
        return await self.held.enter_async_context(self.matcher.person(token)), token

    async def hotlist(self, token: str, *arguments: str) -> list[dict[str, Any]]:
        """The documents that `platewarden hotlist ... --json` prints for who has the token."""
        running = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *("hotlist", *arguments, "--json"),
            stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "PW_MATCHER_TARGET": f"127.0.0.1:{self.matcher.user_port}",
                "PW_CA_FILE": str(self.matcher.world.tls.ca_file),
                "PW_TOKEN": token,
            },
        )
        said, _ = await running.communicate()
        return [json.loads(line) for line in said.splitlines()]


@pytest_asyncio.fixture
async def office(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Office]:
    database = await migrated_database("audit", "matcher")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    async with AsyncExitStack() as held:
        audit = await held.enter_async_context(running_audit(settings, database, tls, issuer))
        world = await held.enter_async_context(a_world(tls, database, tmp_path))
        world.targets["audit"] = audit.target
        yield Office(audit, await held.enter_async_context(a_matcher(world)), held)


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


def approve(person: Person, hot_list_id: str, version: int) -> Awaitable[Any]:
    request = pb.ApproveHotListVersionRequest(request_id=new_id(), hot_list_id=hot_list_id, version=version)
    return person.lists.ApproveHotListVersion(request, metadata=person.metadata, timeout=30)


def choose_file_n(person: Person, hot_list_id: str, *, allowed: bool) -> Awaitable[Any]:
    request = pb.SetImmigrationFileRequest(
        request_id=new_id(), hot_list_id=hot_list_id, allowed=allowed, reason=REASON
    )
    return person.lists.SetImmigrationFile(request, metadata=person.metadata, timeout=30)


@pytest.mark.clause("III.B.3.d", "III.B.3.h")
@pytest.mark.timeout(180)
async def test_two_managers_are_needed_to_shrink_a_list_and_the_log_says_who(office: Office) -> None:
    manager, _ = await office.person(MANAGER)
    second, _ = await office.person(MANAGER)
    user, _ = await office.person(audit_pb.ROLE_USER)
    hot_list_id = (await manager.active_list(*TEN)).hot_list_id

    shrunk = await manager.upload(hot_list_id, csv_of(*TEN[:4]))
    waiting = await refusal(manager.activate(hot_list_id, 2))
    refused = await last_entry(office.audit)
    own = await refusal(approve(manager, hot_list_id, 2))
    users = await refusal(approve(user, hot_list_id, 2))
    approved = await approve(second, hot_list_id, 2)
    recorded = await last_entry(office.audit)
    active = await manager.activate(hot_list_id, 2)

    assert shrunk.approval_needed
    assert waiting.metadata["state"] == "APPROVAL_NEEDED"
    assert (refused["action"], refused["result"]) == ("hot_list.activate", "FAILED")
    assert own.metadata["clauses"] == "III.B.3.h"
    assert users.code is grpc.StatusCode.PERMISSION_DENIED
    assert (approved.compared_version, approved.removed_count) == (1, 6)
    assert (recorded["action"], recorded["result"]) == ("hot_list.approve", "DONE")
    assert active.hot_list.active_version == 2


@pytest.mark.clause("IV.E.1.b", "II.E")
@pytest.mark.timeout(180)
async def test_file_n_is_a_system_administrators_recorded_choice_and_nobody_elses(office: Office) -> None:
    manager, _ = await office.person(MANAGER)
    coordinator, _ = await office.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    made = await manager.create(source=1)

    refused = [
        await refusal(choose_file_n(one, made.hot_list_id, allowed=True)) for one in (manager, coordinator)
    ]
    async with office.matcher.person(office.audit.issuer.token(ADMINISTRATOR)) as administrator:
        allowed = await choose_file_n(administrator, made.hot_list_id, allowed=True)
        recorded = await last_entry(office.audit)
        forbidden = await choose_file_n(administrator, made.hot_list_id, allowed=False)
        keeping_lists = await refusal(administrator.activate(made.hot_list_id, 1))

    for error in (*refused, keeping_lists):
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert allowed.hot_list.immigration_file
    assert (recorded["action"], recorded["result"]) == ("hot_list.immigration_file", "DONE")
    assert not forbidden.hot_list.immigration_file


@pytest.mark.clause("III.B.3.h")
@pytest.mark.timeout(180)
async def test_the_command_tells_of_a_refused_upload_by_row_and_column(
    office: Office, tmp_path: Path
) -> None:
    manager, token = await office.person(MANAGER)
    hot_list_id = (await manager.create()).hot_list_id
    wrong = tmp_path / "list.csv"
    wrong.write_bytes(b"plate,category\nAB12345,WANTED\nAB1234?,WANTED\nAB12347,THEFT\n")

    (answer,) = await office.hotlist(token, "upload", hot_list_id, str(wrong), "--attest", ATTESTATION)
    (refused,) = await office.hotlist(token, "refused", hot_list_id)
    report = await office.hotlist(token, "report", refused["upload_id"])

    assert answer["error"]["reason"] == "ERROR_REASON_BAD_HOT_LIST"
    assert answer["error"]["metadata"]["upload_id"] == refused["upload_id"]
    assert [(one["row"], one["column"]) for one in report] == [("3", "plate"), ("4", "category")]


@pytest.mark.clause("II.D")
@pytest.mark.timeout(180)
async def test_the_command_shows_versions_and_differences_and_rolls_back(office: Office) -> None:
    manager, token = await office.person(MANAGER)
    hot_list_id = (await manager.active_list(*TEN)).hot_list_id
    await manager.upload(hot_list_id, csv_of(*TEN, "CD12345"))
    await manager.activate(hot_list_id, 2)

    (change,) = await office.hotlist(token, "diff", hot_list_id, "1", "2")
    (back,) = await office.hotlist(token, "roll-back", hot_list_id)
    versions = await office.hotlist(token, "versions", hot_list_id)

    assert change["after"]["plate"] == "CD12345"
    assert back["hot_list"]["active_version"] == "1"
    assert [(one["version"], one.get("active", False)) for one in versions] == [("2", False), ("1", True)]
