"""Tokens that are refused: told together, and slowed down where they come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from services.audit.app_log import Log
from services.audit.refused_tokens import CALLER, RefusedTokens, address_of
from services.audit.store_log import LogStore
from services.common.client import bearer
from services.common.errors import AlprError, UnauthenticatedError
from services.common.pg import open_pool
from tests.support.audit_kit import (
    COORDINATOR,
    RunningAudit,
    authorizations,
    last_entry,
    log_size,
    plate_request,
    refused,
    running_audit,
)

pytestmark = pytest.mark.clause("III.B.3.k")


class Ahead:
    """A clock that can be put ahead."""

    by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest_asyncio.fixture
async def replica(audit: RunningAudit) -> AsyncIterator[RunningAudit]:
    """A replica at which nobody has tried anything yet."""
    async with running_audit(audit.settings, audit.database, audit.tls, audit.issuer) as running:
        yield running


async def look(audit: RunningAudit, token: str) -> pb.GetAccountResponse:
    call = audit.people(AccountServiceStub).GetAccount(pb.GetAccountRequest(), metadata=(bearer(token),))
    answer: pb.GetAccountResponse = await call
    return answer


async def test_who_sends_wrong_tokens_without_end_has_to_wait_and_who_is_known_goes_on(
    replica: RunningAudit,
) -> None:
    known, new = replica.token(COORDINATOR), replica.token(COORDINATOR)
    await look(replica, known)

    errors: list[AlprError] = [await refused(look(replica, f"wrong.{number}.token")) for number in range(31)]

    assert "were refused; wait" not in errors[29].message
    assert "were refused; wait" in errors[30].message
    assert errors[30].code is grpc.StatusCode.UNAUTHENTICATED
    assert 0 < errors[30].retry_after_ms <= 60_000
    assert await look(replica, known)
    assert "wait" in (await refused(look(replica, new))).message


async def test_wrong_tokens_that_a_service_passes_on_do_not_shut_out_its_other_callers(
    replica: RunningAudit,
) -> None:
    for _ in range(40):
        await refused(authorizations(replica).Authorize(plate_request("wrong.token.here")))

    officer = await replica.person(audit_pb.ROLE_USER)
    assert await authorizations(replica).Authorize(plate_request(officer.token()))


def test_a_caller_is_known_by_the_address_without_its_port() -> None:
    assert address_of("ipv4:10.0.0.1:53211") == address_of("ipv4:10.0.0.1:53212") == "ipv4:10.0.0.1"
    assert address_of("ipv6:%5B::1%5D:53211") == "ipv6:%5B::1%5D"


async def test_refused_tokens_are_told_in_one_entry_and_without_any_of_them(audit: RunningAudit) -> None:
    clock = Ahead()
    pool = await open_pool(audit.settings.database_url.get_secret_value(), application_name="x", max_size=2)
    journal = Log(LogStore(pool), audit.settings.signer(), clock)
    await journal.open()
    tokens, before = RefusedTokens(journal, clock), await log_size(audit)

    await tokens.tell()
    unchanged = await log_size(audit)
    for service in ("", "search", "search", "alerts"):
        tokens.note(service)
    await tokens.tell()
    await tokens.tell()
    await journal.close()
    await pool.close()

    assert unchanged == before
    assert await log_size(audit) == before + 1
    entry = await last_entry(audit)
    assert (entry["kind"], entry["action"], entry["detail.count"]) == ("event", "sign_in.refused", "4")
    assert entry["detail.through"] == "alerts:1,audit:1,search:2"


async def test_after_a_minute_an_address_may_try_again(audit: RunningAudit) -> None:
    clock = Ahead()
    tokens = RefusedTokens(None, clock)  # type: ignore[arg-type]
    CALLER.set("ipv4:10.0.0.9")
    for _ in range(30):
        tokens.check()
        tokens.note("")
    with pytest.raises(UnauthenticatedError):
        tokens.check()

    clock.by = timedelta(seconds=61)

    tokens.check()
    CALLER.set("")
