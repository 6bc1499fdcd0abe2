"""Following the retention period while audit comes, goes, and falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from alpr.audit.v1 import settings_service_pb2 as pb
from alpr.audit.v1.settings_service_pb2_grpc import (
    SettingsServiceServicer,
    SettingsServiceStub,
    add_SettingsServiceServicer_to_server,
)
from services.common import settings_stream
from services.common.errors import AuditUnavailableError
from services.common.retention import Retention, RetentionFollower


@dataclass
class Audit(SettingsServiceServicer):
    """Says what it is told to, and then falls silent or hangs up."""

    days: int = 90
    hang_up: bool = False
    calls: int = 0

    async def WatchSettings(self, _: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.calls += 1
        yield pb.WatchSettingsResponse(
            retention=pb.Retention(days=self.days, revision=self.calls), retention_statement="s"
        )
        if self.hang_up:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        await asyncio.sleep(3600)


@dataclass
class Heard:
    """What the follower was told, and how often it fails first."""

    failures: int = 0
    days: list[int] = field(default_factory=list)

    async def take(self, told: Retention) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        self.days.append(told.days)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.02)


class Following:
    """A follower and the audit that it follows, in one process."""

    def __init__(self, audit: Audit, heard: Heard) -> None:
        self.audit, self.heard = audit, heard

    async def __aenter__(self) -> RetentionFollower:
        self.server = grpc.aio.server()
        add_SettingsServiceServicer_to_server(self.audit, self.server)
        port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.follower = RetentionFollower(SettingsServiceStub(self.channel), self.heard.take)
        return self.follower

    async def __aexit__(self, *_: object) -> None:
        await self.follower.stop()
        await self.channel.close()
        await self.server.stop(None)


@pytest.mark.clause("IV.E.1.a")
async def test_nothing_is_known_before_audit_was_heard() -> None:
    async with Following(Audit(), Heard()) as follower:
        with pytest.raises(AuditUnavailableError):
            _ = follower.current
        assert not follower.is_known


@pytest.mark.clause("IV.E.1.a")
async def test_a_connection_that_breaks_is_made_again_and_the_new_period_heard() -> None:
    audit, heard = Audit(hang_up=True), Heard()
    async with Following(audit, heard) as follower:
        follower.start()
        await until(lambda: len(heard.days) > 1)

        audit.days = 30
        await until(lambda: heard.days[-1] == 30)

        assert follower.current.days == 30


async def test_a_silent_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_stream, "_SILENCE_SECONDS", 0.2)
    audit, heard = Audit(), Heard()
    async with Following(audit, heard) as follower:
        follower.start()
        await until(lambda: audit.calls > 1)
        audit.days = 30
        await until(lambda: heard.days[-1:] == [30])

        assert follower.current.days == 30


async def test_a_period_that_could_not_be_taken_is_told_again() -> None:
    audit, heard = Audit(), Heard(failures=2)
    async with Following(audit, heard) as follower:
        follower.start()
        await until(lambda: bool(heard.days))

        assert audit.calls == 3
        await until(lambda: follower.is_known)
