from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import World, world


@pytest_asyncio.fixture(loop_scope="session")
async def ocr(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[World]:
    async with world(tls, tmp_path) as running:
        yield running
