"""The system-wide settings as audit tells them, for tests whose audit is their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from alpr.audit.v1 import settings_service_pb2 as pb
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceServicer
from services.common.permit import signed
from tests.support.databases import PERMIT_KEY

RECORDS_SERIES = "ALPR reads of the tests"


@dataclass
class SystemSettings(SettingsServiceServicer):
    """Says how long reads are kept; a test changes `days`."""

    days: int = 90

    async def WatchSettings(  # noqa: N802 - the contract's name
        self, _: pb.WatchSettingsRequest, __: Any
    ) -> AsyncIterator[pb.WatchSettingsResponse]:
        told, revision = 0, 0
        while True:
            if told == self.days:
                yield pb.WatchSettingsResponse(revision=revision)
            else:
                told, revision = self.days, revision + 1
                pack = pb.RetentionPack(records_series=RECORDS_SERIES)
                yield pb.WatchSettingsResponse(
                    retention=pb.Retention(days=told, revision=revision, pack=pack),
                    retention_statement=signed(f"retention/v1|{revision}|{told}", PERMIT_KEY),
                    revision=revision,
                )
            await asyncio.sleep(0.1)
