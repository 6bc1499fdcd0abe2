"""Following the system-wide settings while audit comes, goes, and falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
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
from services.common.settings import SystemSettings

NAME = "alert_acknowledge_seconds"


@dataclass
class Audit(SettingsServiceServicer):
    """Says the value that it has when it is called, then what it is told to, falls silent or hangs up."""

    value: int = 120
    hang_up: bool = False
    calls: int = 0
    changes: asyncio.Queue[pb.WatchSettingsResponse] = field(default_factory=asyncio.Queue)

    async def WatchSettings(self, _: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.calls += 1
        yield self.message(NAME, self.value)
        if self.hang_up:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
        while True:
            yield await self.changes.get()

    @staticmethod
    def message(name: str, value: int, unit: int = pb.SETTING_UNIT_SECONDS) -> pb.WatchSettingsResponse:
        one = pb.Setting(name=name, value=value, unit=pb.SettingUnit.ValueType(unit))
        return pb.WatchSettingsResponse(settings=[one])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - a number has no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def following(audit: Audit) -> AsyncIterator[SystemSettings]:
    server = grpc.aio.server()
    add_SettingsServiceServicer_to_server(audit, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    told = SystemSettings(SettingsServiceStub(channel))
    try:
        yield told
    finally:
        await told.stop()
        await channel.close()
        await server.stop(None)


async def test_what_was_never_heard_is_as_the_own_configuration_says() -> None:
    async with following(Audit()) as told:
        assert told.value(NAME, 7) == 7
        assert told.period(NAME, timedelta(seconds=7)) == timedelta(seconds=7)

        told.start()
        await until(lambda: told.value(NAME, 7) == 120)

        assert told.period(NAME, timedelta(seconds=7)) == timedelta(minutes=2)
        assert told.value("of_a_newer_audit", 3) == 3


@pytest.mark.clause("IV.E.1.b")
async def test_a_change_counts_as_soon_as_it_is_told_and_touches_nothing_else() -> None:
    audit = Audit()
    async with following(audit) as told:
        told.start()
        await until(lambda: told.value(NAME, 0) == 120)

        audit.changes.put_nowait(audit.message("look_back_hours", 48, pb.SETTING_UNIT_HOURS))
        await until(lambda: told.value("look_back_hours", 24) == 48)

        assert told.period("look_back_hours", timedelta()) == timedelta(days=2)
        assert told.value(NAME, 0) == 120


async def test_the_last_word_counts_while_audit_is_away_and_the_next_one_after_it() -> None:
    audit = Audit(hang_up=True)
    async with following(audit) as told:
        told.start()
        await until(lambda: audit.calls >= 2)
        before = told.value(NAME, 0)
        audit.value = 60
        await until(lambda: told.value(NAME, 0) == 60)

    assert before == 120


async def test_a_stream_that_falls_silent_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_stream, "_SILENCE_SECONDS", 0.3)
    audit = Audit()
    async with following(audit) as told:
        told.start()
        await until(lambda: audit.calls >= 2)

        assert told.value(NAME, 0) == 120
