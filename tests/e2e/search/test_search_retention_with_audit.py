"""How reads end, with the real audit service: the setting, the purge, holds, and what the log says."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1.archive_service_pb2 import AppendReadsRequest, ArchivedRead
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.search.v1.retention_service_pb2_grpc import RetentionServiceStub
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from services.common.client import service_channel, user_channel
from services.common.objects import FileObjectStore
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search import app_retention
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    RunningAudit,
    begin,
    justification,
    refused,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.search_kit import archived_read
from tests.support.search_retention import day_ago, noon, plant_image
from tests.support.search_world import client_tls, environment, question

pytestmark = pytest.mark.timeout(180)
OLD, PLATE, OTHER = 40, "HELD123", "FREE123"
DOCUMENT = hashlib.sha256(b"the preservation letter").digest()


@dataclass
class House:
    """Audit and search running, with reads of 40 days ago and of an hour ago."""

    audit: RunningAudit
    database: MigratedDatabase
    retention: Any
    search: Any
    officer: tuple[tuple[str, str]]
    reads: list[ArchivedRead]
    images: Path

    def by(self, subject: str) -> tuple[tuple[str, str]]:
        return self.audit.bearer(subject)

    async def keep_days(self, days: int, before: int) -> None:
        """Sets the retention period, and waits until search follows."""
        request = settings_pb.SetRetentionRequest(
            request_id=str(uuid4()), days=days, days_before=before, reason="a test", confirm_days=days
        )
        stub = self.audit.people(SettingsServiceStub)
        await stub.SetRetention(request, metadata=self.by(ADMINISTRATOR))
        async with asyncio.timeout(60):
            while await self.days_followed() != days:  # noqa: ASYNC110 - a database has no event
                await asyncio.sleep(0.1)

    async def days_followed(self) -> int:
        return int(await self.value("SELECT retention_days FROM archive.setting"))

    async def value(self, statement: str) -> Any:
        return (await fetch(self.database.admin_url, statement))[0][0]

    async def found(self, plate: str) -> int:
        answer = await self.search.SearchReads(question(plate), metadata=self.officer)
        return len(answer.reads)

    async def purge(self) -> None:
        """Returns when what is over is purged; the daily run may be at it already."""
        under_way = True
        while under_way:
            answer = await self.retention.RunPurge(
                pb.RunPurgeRequest(request_id=str(uuid4())), metadata=self.by(ADMINISTRATOR)
            )
            under_way = answer.under_way

    async def check(self) -> dict[str, str]:
        """What the doctor finds, by place."""
        answer = await self.retention.CheckRetention(
            pb.CheckRetentionRequest(request_id=str(uuid4())), metadata=self.by(ADMINISTRATOR)
        )
        return {
            one.place: pb.OlderReason.Name(one.reason).removeprefix("OLDER_REASON_") for one in answer.found
        }

    async def hold(self, **changes: Any) -> pb.PlaceHoldResponse:
        answer: pb.PlaceHoldResponse = await self.retention.PlaceHold(
            hold_request(**changes), metadata=self.by(COORDINATOR)
        )
        return answer

    async def held_reads(self, hold_id: str, who: Any = None) -> pb.ListHeldReadsResponse:
        request = pb.ListHeldReadsRequest(
            request_id=str(uuid4()), justification=justification(), hold_id=hold_id
        )
        answer: pb.ListHeldReadsResponse = await self.retention.ListHeldReads(
            request, metadata=who or self.officer
        )
        return answer

    async def held_image(self, hold_id: str, read_id: str) -> pb.GetHeldReadImageResponse:
        request = pb.GetHeldReadImageRequest(
            request_id=str(uuid4()), justification=justification(), hold_id=hold_id, read_id=read_id
        )
        answer: pb.GetHeldReadImageResponse = await self.retention.GetHeldReadImage(
            request, metadata=self.officer
        )
        return answer


def hold_request(**changes: Any) -> pb.PlaceHoldRequest:
    usual: dict[str, Any] = {
        "request_id": str(uuid4()),
        "justification": justification(),
        "plates": [PLATE],
        "from": to_timestamp(datetime.now(UTC) - timedelta(days=60)),
        "to": to_timestamp(datetime.now(UTC)),
        "document_sha256": DOCUMENT,
        "reason": "preservation letter of the state's attorney",
    }
    return pb.PlaceHoldRequest(**{**usual, **changes})


@pytest_asyncio.fixture
async def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[House]:
    database = await migrated_database("audit", "search")
    audit_settings = settings_for(database, tls, issuer, tmp_path)
    await begin(audit_settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(running_audit(audit_settings, database, tls, issuer))
        values = environment(tls, database, tmp_path, int(audit.target.rpartition(":")[2]))
        settings = {name.removeprefix("PW_").lower(): value for name, value in values.items()}
        server = (await assemble(SearchSettings.model_validate(settings))).build()
        await server.start()
        stack.push_async_callback(server.stop)
        matcher = service_channel(
            f"127.0.0.1:{server.port}", client_tls(tls, "matcher"), server_name="search"
        )
        people = user_channel(f"127.0.0.1:{server.user_port}", tls.ca_file)
        stack.push_async_callback(matcher.close)
        stack.push_async_callback(people.close)
        images = tmp_path / "images"
        reads = [
            archived_read(noon(day_ago(OLD)), plate=PLATE, agency=ORI),
            archived_read(noon(day_ago(OLD)) + timedelta(hours=1), plate=OTHER, agency=ORI),
            archived_read(plate=OTHER, agency=ORI),
        ]
        for read in reads:
            await plant_image(FileObjectStore(images), read)
        await ArchiveServiceStub(matcher).AppendReads(AppendReadsRequest(reads=reads))
        officer = await audit.person(audit_pb.ROLE_USER)
        stubs = (RetentionServiceStub(people), SearchServiceStub(people))
        yield House(audit, database, *stubs, officer.metadata, reads, images)


@pytest.mark.clause("IV.E.1", "IV.E.1.a", "IV.E.3", "III.B.3.n")
async def test_a_shorter_period_counts_at_once_and_the_purge_proves_what_is_gone(house: House) -> None:
    before = await house.found(OTHER)
    await house.keep_days(30, before=90)
    hidden, due = await house.found(OTHER), await house.check()
    await house.purge()

    request = pb.ListPurgesRequest(page_size=500)
    answer = await house.retention.ListPurges(request, metadata=house.by(ADMINISTRATOR))

    assert (before, hidden) == (2, 1)
    # Each day that is over has its certificate, also one without a read.
    assert len(answer.purges) == 60
    day = day_ago(OLD)
    assert {f"archive.read_{day:%Y%m%d}", "archive.plate_seen", f"images days/{day}"} <= set(due)
    assert set(due.values()) == {"OVERDUE"}
    assert await house.check() == {}
    (purge,) = (one for one in answer.purges if one.day == str(day))
    assert purge.done
    assert (purge.certificate["reads"], purge.certificate["images"]) == ("2", "2")
    logged = {field.name: field.value for field in purge.outcome_receipt.fields}
    assert {f"detail.{name}": value for name, value in purge.certificate.items()}.items() <= logged.items()
    assert purge.outcome_receipt.proof.startswith("c2sp.org/tlog-proof@v1")
    assert not (house.images / "days" / str(day)).exists()


@pytest.mark.clause("IV.E.1")
async def test_a_purge_that_takes_long_goes_on_without_its_caller(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_retention, "_PATIENCE_SECONDS", 0.0)
    await house.keep_days(30, before=90)

    answer = await house.retention.RunPurge(
        pb.RunPurgeRequest(request_id=str(uuid4())), metadata=house.by(ADMINISTRATOR)
    )

    assert answer.under_way
    async with asyncio.timeout(60):
        while await house.check():  # noqa: ASYNC110 - a purge has no event
            await asyncio.sleep(0.2)


@pytest.mark.clause("IV.E.3", "IV.E.1")
async def test_what_is_held_outlives_its_day_and_ends_with_the_hold(house: House) -> None:
    placed = await house.hold()
    hold_id = placed.hold.hold_id
    await house.keep_days(30, before=90)
    await house.purge()

    searched, held = await house.found(PLATE), await house.held_reads(hold_id)
    (read,) = held.reads
    picture = await house.held_image(hold_id, read.read.read_id)
    exceptions = await house.check()
    released = await house.retention.ReleaseHold(
        pb.ReleaseHoldRequest(request_id=str(uuid4()), hold_id=hold_id, reason="the case is closed"),
        metadata=house.by(COORDINATOR),
    )

    wanted = house.reads[0].read
    assert placed.hold.matching_reads == 1
    assert searched == 0
    assert (read.read.read_id, read.read.plate) == (wanted.read_id, PLATE)
    assert not read.read.image.image_key
    assert held.notice.lead_only
    assert picture.image == wanted.read_id.encode()
    assert exceptions == {"archive.held_read": "HOLD", f"images holds/{hold_id}": "HOLD"}
    assert released.released_reads == 1
    assert (await house.held_reads(hold_id)).reads == []
    assert await house.check() == {}
    assert not list((house.images / "holds").iterdir())


@pytest.mark.clause("IV.E.3", "III.B.3.d")
async def test_a_hold_names_its_case_and_approver_and_shows_no_plate(house: House) -> None:
    placed = await house.hold()

    answer = await house.retention.ListHolds(pb.ListHoldsRequest(), metadata=house.by(ADMINISTRATOR))

    assert list(answer.holds) == [placed.hold]
    assert placed.hold.case_number == "2026-004711"
    assert placed.hold.approver_id
    assert (placed.hold.plate_count, placed.hold.document_sha256) == (1, DOCUMENT)
    assert PLATE not in str(answer)
    fields = {field.name: field.value for field in placed.intent_receipt.fields}
    assert fields["case_number"] == "2026-004711"
    assert fields["actor"] == placed.hold.approver_id
    assert fields["detail.plates"] == PLATE


@pytest.mark.clause("IV.E.3", "III.B.3.l")
async def test_only_a_coordinator_places_a_hold_and_a_user_sees_what_it_keeps(house: House) -> None:
    placed = await house.hold()

    for who in (house.officer, house.by(ADMINISTRATOR)):
        error = await refused(house.retention.PlaceHold(hold_request(), metadata=who))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
        release = pb.ReleaseHoldRequest(
            request_id=str(uuid4()), hold_id=placed.hold.hold_id, reason="no longer needed"
        )
        error = await refused(house.retention.ReleaseHold(release, metadata=who))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
    error = await refused(house.held_reads(placed.hold.hold_id, house.by(ADMINISTRATOR)))
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    run = pb.RunPurgeRequest(request_id=str(uuid4()))
    for who in (house.officer, house.by(COORDINATOR)):
        assert (await refused(house.retention.RunPurge(run, metadata=who))).code.name == "PERMISSION_DENIED"


WRONG_HOLDS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"plates": []}, "plates"),
    ({"plates": ["A'; DROP TABLE archive.hold; --"]}, "plates[0]"),
    ({"plates": [f"P{n}" for n in range(101)]}, "plates"),
    ({"sensor_ids": ["../days"]}, "sensor_ids"),
    ({"document_sha256": b"short"}, "document_sha256"),
    ({"to": to_timestamp(datetime(2099, 1, 1, tzinfo=UTC))}, "to"),
    ({"to": to_timestamp(datetime(2001, 1, 1, tzinfo=UTC))}, "to"),
    ({"reason": ""}, "reason"),
    ({"request_id": "x"}, "request_id"),
    ({"justification": justification(case_number="")}, "justification.case_number"),
    ({"justification": justification(purpose="investigation")}, "justification.purpose"),
)


@pytest.mark.clause("IV.E.3", "IV.C.5", "IV.C.6")
async def test_a_hold_that_says_too_little_or_too_much_is_refused(house: House) -> None:
    for changes, field in WRONG_HOLDS:
        error = await refused(house.hold(**changes))

        assert error.code is grpc.StatusCode.INVALID_ARGUMENT, field
        assert field in [violation.field for violation in error.violations]
    assert await house.value("SELECT count(*) FROM archive.hold") == 0


async def test_placing_and_releasing_again_with_the_same_request_changes_nothing(house: House) -> None:
    request = hold_request()
    coordinator = house.by(COORDINATOR)
    first = await house.retention.PlaceHold(request, metadata=coordinator)
    again = await house.retention.PlaceHold(request, metadata=coordinator)
    release = pb.ReleaseHoldRequest(request_id=str(uuid4()), hold_id=first.hold.hold_id, reason="closed")
    released = [await house.retention.ReleaseHold(release, metadata=coordinator) for _ in range(2)]

    other = pb.ReleaseHoldRequest(request_id=str(uuid4()), hold_id=first.hold.hold_id, reason="closed")
    error = await refused(house.retention.ReleaseHold(other, metadata=coordinator))

    assert again.hold == first.hold
    assert released[0] == released[1]
    assert error.code is grpc.StatusCode.NOT_FOUND
