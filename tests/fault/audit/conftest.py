"""A log with something in it, and its witness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as pb
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import begin, log_size, settings_for
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.witness_kit import Place, ask, running_witness, witness_settings


@pytest_asyncio.fixture
async def place(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[Place]:
    database = await migrated_database("audit")
    settings = settings_for(database, tls, issuer, tmp_path)
    await begin(settings, database, issuer)
    watched = witness_settings(tmp_path / "witness", tls, settings.signer().public)
    async with running_witness(watched, tls) as witness:
        made = Place(database, settings, tls, issuer, witness, tmp_path)
        async with made.audit() as audit:
            made.officer = await audit.person(pb.ROLE_USER)
            made.auditor = await audit.person(pb.ROLE_AUDITOR)
            for _ in range(5):
                await ask(audit, made.officer)
            assert await witness.turn(audit) == await log_size(audit)
        yield made
