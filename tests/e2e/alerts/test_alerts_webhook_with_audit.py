"""Webhooks with the real audit service: who may, who must approve, and what ends a post."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import webhook_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from services.common.errors import NotPermittedError
from tests.support import audit_kit
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message, kind, reason, refused, start_rig
from tests.support.audit_kit import COORDINATOR, ORI, Officer, RunningAudit
from tests.support.databases import MigratedDatabase, fetch
from tests.support.webhook_receiver import Receiver, receiving
from tests.support.webhook_rig import Keeper, webhook_settings

ENTRIES = """
SELECT a.value AS action, k.value AS kind, c.value AS actor FROM audit.log_field a
JOIN audit.log_field k ON k.log_index = a.log_index AND k.name = 'kind'
LEFT JOIN audit.log_field c ON c.log_index = a.log_index AND c.name = 'actor'
WHERE a.name = 'action' AND (a.value LIKE 'webhook.%' OR a.value = 'alerts.subscribe') ORDER BY a.log_index
"""


@dataclass
class House:
    audit: RunningAudit
    alerts: AlertsRig
    database: MigratedDatabase
    receiver: Receiver

    def keeper(self, officer: Officer) -> Keeper:
        return Keeper(self.alerts, officer.token())

    @property
    def head(self) -> Keeper:
        return Keeper(self.alerts, self.audit.token(COORDINATOR))

    async def hit(self, plate: str) -> None:
        await self.alerts.raise_hits(hit_message(entry_message(agency=ORI), agency=ORI, plate=plate))


@pytest_asyncio.fixture
async def house(migrated_database, tls, issuer, tmp_path) -> AsyncIterator[House]:
    database = await migrated_database("audit", "alerts")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        receiver = await stack.enter_async_context(receiving(tls))
        port = int(audit.target.rpartition(":")[2])
        rig = await start_rig(webhook_settings(tmp_path, tls, database, port), tls)
        stack.push_async_callback(rig.stop)
        yield House(audit, rig, database, receiver)


@pytest.mark.clause("IV.D.3", "IV.A.4", "III.B.3.m")
async def test_a_centres_webhook_posts_until_its_owner_is_suspended_and_all_of_it_is_in_the_log(
    house: House,
) -> None:
    owner = await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    made = await house.keeper(owner).create(house.receiver.url)
    await house.head.approve(made.webhook.webhook_id)
    await house.hit("POSTED1")
    await house.receiver.until(lambda r: r.taken)

    suspend = account_pb.SuspendAccountRequest(
        request_id=str(uuid4()), account_id=owner.account_id, reason="left the unit"
    )
    stub = house.audit.people(AccountServiceStub)
    await stub.SuspendAccount(suspend, metadata=house.audit.bearer(COORDINATOR))
    (hook,) = await halted(house)
    await house.hit("HELD001")
    await asyncio.sleep(1.5)
    enable = account_pb.EnableAccountRequest(request_id=str(uuid4()), account_id=owner.account_id)
    meanwhile = [got.plate for got in house.receiver.taken]
    await stub.EnableAccount(enable, metadata=house.audit.bearer(COORDINATOR))
    await house.receiver.until(lambda r: len(r.taken) == 2)
    logged = await log_of(house, "webhook.resumed")

    assert meanwhile == ["POSTED1"]
    assert hook.health.HasField("halt_time")
    assert [got.plate for got in house.receiver.taken] == ["POSTED1", "HELD001"]
    kinds = [(entry["action"], entry["kind"]) for entry in logged]
    assert kinds.index(("webhook.create", "intent")) < kinds.index(("webhook.approve", "intent"))
    assert kinds.index(("webhook.approve", "intent")) < kinds.index(("webhook.delivered", "event"))
    assert kinds.index(("alerts.subscribe", "refusal")) < kinds.index(("webhook.resumed", "event"))
    (ended,) = [entry for entry in logged if entry["kind"] == "refusal"]
    assert ended["actor"] == owner.account_id


@pytest.mark.clause("III.B.3.l", "III.B.3.g")
async def test_officers_cannot_keep_webhooks_and_centres_cannot_approve_them(house: House) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    owner = await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    colleague = await house.audit.person(audit_pb.ROLE_TELECOM_CENTER)
    made = await house.keeper(owner).create(house.receiver.url)

    async with refused() as by_officer:
        await house.keeper(officer).create(house.receiver.url)
    async with refused() as by_colleague:
        await house.keeper(colleague).approve(made.webhook.webhook_id)
    async with refused() as by_head:
        await house.head.create(house.receiver.url)

    refusals = [by_officer[0], by_colleague[0], by_head[0]]
    assert [reason(error) for error in refusals] == [kind(NotPermittedError)] * 3
    (kept,) = await house.head.list()
    assert kept.state == pb.WEBHOOK_STATE_PROPOSED


async def halted(house: House) -> list[pb.Webhook]:
    """The webhooks, when the first one has halted."""
    async with asyncio.timeout(60):
        while True:
            hooks = await house.head.list()
            if hooks[0].health.HasField("halt_time"):
                return hooks
            await asyncio.sleep(0.1)


async def log_of(house: House, last: str) -> list[dict[str, str]]:
    """Entries about webhooks, when the log has one of the action `last`."""
    async with asyncio.timeout(60):
        while True:
            rows = [dict(row) for row in await fetch(house.database.admin_url, ENTRIES)]
            if any(row["action"] == last for row in rows):
                return rows
            await asyncio.sleep(0.1)
