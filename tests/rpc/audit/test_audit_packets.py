"""A unit's week is looked at and signed by its coordinator; what is not, is said once (III.C.2.d, AU-6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import packet_service_pb2 as pb
from alpr.audit.v1.packet_service_pb2_grpc import PacketServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.app_log import Log
from services.audit.app_packets import PacketsDue
from services.audit.config import read_signer
from services.audit.core.review import week_of
from services.audit.store_log import LogStore
from services.audit.store_packets import PacketStore
from services.common.database import admin_connection
from services.common.pg import open_pool
from tests.support.audit_kit import (
    ORI,
    Officer,
    RunningAudit,
    authorizations,
    justification,
    last_entry,
    plate_request,
    refused,
    request_id,
)
from tests.support.clock import ManualClock
from tests.support.databases import fetch

pytestmark = pytest.mark.asyncio(loop_scope="session")
LAST_WEEK = week_of(datetime.now(UTC)) - timedelta(days=7)


async def packet(audit: RunningAudit, by: Officer, week: date = LAST_WEEK, unit: str = "") -> pb.WeeklyPacket:
    request = pb.GetWeeklyPacketRequest(unit=unit, week=week.isoformat())
    answer = await audit.people(PacketServiceStub).GetWeeklyPacket(request, metadata=by.metadata)
    found: pb.WeeklyPacket = answer.packet
    return found


def signs(audit: RunningAudit, by: Officer, sha256: bytes, **fields: Any) -> Any:
    request = pb.SignWeeklyPacketRequest(
        **{"request_id": request_id(), "week": LAST_WEEK.isoformat(), "sha256": sha256, **fields}
    )
    return audit.people(PacketServiceStub).SignWeeklyPacket(request, metadata=by.metadata)


async def moved_to_last_week(audit: RunningAudit, who: Officer) -> None:
    """Puts the person's entries into the week before; only a superuser can do that."""
    noon = datetime(LAST_WEEK.year, LAST_WEEK.month, LAST_WEEK.day, 12, tzinfo=UTC)
    async with admin_connection(audit.database.admin_url) as admin:
        await admin.execute("ALTER TABLE audit.log_leaf DISABLE TRIGGER keep")
        await admin.execute(
            "UPDATE audit.log_leaf SET record_time = $2 WHERE log_index IN"
            " (SELECT log_index FROM audit.log_field WHERE name = 'actor' AND value = $1)",
            who.account_id,
            noon,
        )
        await admin.execute("ALTER TABLE audit.log_leaf ENABLE ALWAYS TRIGGER keep")


@pytest.mark.clause("III.C.2.d")
async def test_a_packet_says_what_each_person_did_and_is_signed_once_as_it_was_seen(
    audit: RunningAudit,
) -> None:
    unit = "D7"
    coordinator = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR, unit=unit)
    officer = await audit.person(audit_pb.ROLE_USER, unit=unit)
    for case in ("2026-004711", "2026-004711", "2026-004712"):
        asked = plate_request(officer.token(), justification=justification(case_number=case))
        await authorizations(audit).Authorize(asked)
    without = plate_request(officer.token(), justification=justification(purpose=""))
    await refused(authorizations(audit).Authorize(without))
    await moved_to_last_week(audit, officer)

    seen = await packet(audit, coordinator)
    other_content = await refused(signs(audit, coordinator, bytes(32)))
    signed = (await signs(audit, coordinator, seen.sha256)).packet
    entry = await last_entry(audit)
    again = await refused(signs(audit, coordinator, seen.sha256))

    line = next(one for one in seen.lines if one.account_id == officer.account_id)
    assert (line.questions, line.cases, line.refused) == (3, 2, 1)
    assert not seen.HasField("sign_time")
    assert [one.field for one in other_content.violations] == ["sha256"]
    assert signed.signer_account_id == coordinator.account_id
    assert (entry["action"], entry["kind"], entry["result"]) == ("packet.sign", "outcome", "DONE")
    assert again.reason == ErrorReason.ERROR_REASON_WRONG_STATE


@pytest.mark.clause("III.C.2.d", "III.C.2.a")
async def test_a_packet_is_for_the_units_coordinator_and_of_a_week_that_is_over(audit: RunningAudit) -> None:
    coordinator = await audit.person(audit_pb.ROLE_WORK_UNIT_COORDINATOR)
    officer = await audit.person(audit_pb.ROLE_USER)

    elsewhere = await refused(packet(audit, coordinator, unit="HQ"))
    by_user = await refused(packet(audit, officer))
    not_over = await refused(packet(audit, coordinator, week=week_of(datetime.now(UTC))))
    no_monday = await refused(packet(audit, coordinator, week=LAST_WEEK + timedelta(days=1)))

    assert elsewhere.metadata["clauses"] == "III.C.2.a"
    assert by_user.reason == ErrorReason.ERROR_REASON_NOT_PERMITTED
    assert [one.violations[0].field for one in (not_over, no_monday)] == ["week"] * 2


@pytest.mark.clause("III.C.2.d")
async def test_a_packet_that_nobody_signs_in_time_is_an_event_once_whoever_looks(audit: RunningAudit) -> None:
    await audit.person(audit_pb.ROLE_USER, unit="D8")
    pool = await open_pool(audit.settings.database_url.get_secret_value(), application_name="test")
    ahead = ManualClock(datetime.now(UTC) + timedelta(days=15))
    signer = read_signer(audit.settings.log_origin, audit.settings.log_signing_key_file)
    try:
        for _ in range(2):
            journal = Log(LogStore(pool), signer, ahead)
            await journal.open()
            await PacketsDue(journal, PacketStore(pool), ahead).look()
            await journal.close()
        rows = await fetch(
            audit.database.admin_url,
            "SELECT count(*) AS n FROM audit.log_leaf WHERE request_key LIKE $1",
            f"packet-overdue/{ORI}/D8/%",
        )
    finally:
        await pool.close()

    assert rows[0]["n"] == 1
