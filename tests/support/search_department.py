"""A department with reads, held reads and evidence in both data sets; its export as the command makes it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1.settings_service_pb2_grpc import SettingsServiceStub
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1.archive_service_pb2 import ArchivedRead
from alpr.search.v1.report_service_pb2_grpc import ReportServiceStub
from alpr.search.v1.retention_service_pb2_grpc import RetentionServiceStub
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from services.audit.department_pages import DEPARTMENT, MOTOR_CARRIER_HOUSE, House
from services.cli.export_folder import Where, seal, write_tables
from services.cli.export_lists import items_of, list_named
from services.cli.export_reads import Wanted, export_evidence, export_held, export_reads
from services.cli.locate import Connection
from services.cli.output import message_to_dict
from services.cli.session import Session
from services.common.objects import FileObjectStore
from services.common.wire import to_timestamp
from services.search.core.houses import ARCHIVE, MOTOR_CARRIER
from tests.support.audit_kit import ADMINISTRATOR, ORI, Officer, justification
from tests.support.databases import fetch
from tests.support.search_house import House as Running
from tests.support.search_kit import archived_read
from tests.support.search_motor_carrier import scale_read
from tests.support.search_retention import day_ago, noon, plant_image

HELD, PLATE, SCALE_HELD, SCALE_PLATE = "HELD123", "OWNS123", "SCALEH1", "SCALE12"
_LISTS = ("evidence", "holds", "register", "recipient_notices")


@dataclass
class Department:
    """What there is: for each data set the person who exports, and the hold that keeps a read."""

    running: Running
    head: Officer
    supervisor: Officer
    holds: dict[Where, str]

    def person(self, partition: Where) -> Officer:
        """Who exports the data set."""
        return self.supervisor if partition == PARTITION_MOTOR_CARRIER else self.head

    @asynccontextmanager
    async def session(self, person: Officer, kind: type[Session] = Session) -> AsyncIterator[Session]:
        """Calls as the command makes them."""
        targets = {"search": self.running.user_target, "audit": self.running.audit.user_target}
        connection = Connection(targets, self.running.audit.tls.ca_file, None)

        async def token() -> str:
            return person.token()

        async with kind(connection, token, on_wait=lambda _: None) as session:
            yield session

    async def export(
        self,
        out: Path,
        partition: Where = PARTITION_GENERAL,
        person: Officer | None = None,
        kind: type[Session] = Session,
    ) -> None:
        """What search has of the data set, with its lists, tables, and seal."""
        house = MOTOR_CARRIER_HOUSE if partition == PARTITION_MOTOR_CARRIER else DEPARTMENT
        out.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test
        async with self.session(person or self.person(partition), kind) as session:
            wanted = Wanted(session, justification(), out, partition, pictures=True)
            await export_reads(wanted, 2)
            for name in _LISTS:
                items = [item async for item in items_of(session, list_named(name), partition)]
                write_list(out / f"{name}.jsonl", items)
            await export_held(wanted, self.holds[partition])
            assert (await export_evidence(wanted))[1] == []
            write_tables(out)
            await seal(session, justification(), out, [], (house, partition))


def write_list(path: Path, items: list[Any]) -> None:
    """The list as the command writes it."""
    lines = (json.dumps(message_to_dict(one), ensure_ascii=False, sort_keys=True) + "\n" for one in items)
    path.write_text("".join(lines))


def house_of(partition: Where) -> House:
    """What an export of the data set has."""
    return MOTOR_CARRIER_HOUSE if partition == PARTITION_MOTOR_CARRIER else DEPARTMENT


async def department(running: Running, images: Path) -> Department:
    """In each data set three reads of now, one with evidence, and a held one of 40 days ago."""
    objects = FileObjectStore(images)
    head = await running.audit.person(audit_pb.ROLE_STATEWIDE_COORDINATOR)
    supervisor = await running.audit.person(audit_pb.ROLE_CVEO_SUPERVISOR)
    officer = await running.audit.person(audit_pb.ROLE_USER)
    old = noon(day_ago(40))
    general = [archived_read(plate=PLATE, agency=ORI, seed=str(n)) for n in range(3)]
    general.append(archived_read(old, plate=HELD, agency=ORI))
    apart = [scale_read(SCALE_PLATE, agency=ORI, seed=str(n)) for n in range(3)]
    apart.append(scale_read(SCALE_HELD, captured=old, agency=ORI))
    for reads, names in ((general, ARCHIVE), (apart, MOTOR_CARRIER)):
        for read in reads:
            await plant_image(objects, read, names)
    assert set(await running.store(*general, *apart)) == {"STORED"}
    made = Department(running, head, supervisor, {})
    for partition, plate, who, read in (
        (PARTITION_GENERAL, HELD, officer, general[0]),
        (PARTITION_MOTOR_CARRIER, SCALE_HELD, supervisor, apart[0]),
    ):
        made.holds[partition] = await _hold(made, partition, plate)
        await _evidence(made, partition, who, read)
    await _purge_old(running)
    return made


async def _hold(made: Department, partition: Where, plate: str) -> str:
    request = pb.PlaceHoldRequest(
        request_id=str(uuid4()),
        justification=justification(),
        plates=[plate],
        to=to_timestamp(datetime.now(UTC)),
        document_sha256=hashlib.sha256(b"the preservation letter").digest(),
        reason="preservation letter of the state's attorney",
        partition=partition,
    )
    getattr(request, "from").CopyFrom(to_timestamp(datetime.now(UTC) - timedelta(days=60)))
    stub = made.running.person(RetentionServiceStub)
    answer = await stub.PlaceHold(request, metadata=made.person(partition).metadata)
    return str(answer.hold.hold_id)


async def _evidence(made: Department, partition: Where, who: Officer, read: ArchivedRead) -> None:
    request = report_pb.ExportEvidenceRequest(
        request_id=str(uuid4()),
        justification=justification(),
        read_id=read.read.read_id,
        report_number="RPT-26-1",
        evidence_system="Evidence.com",
        partition=partition,
    )
    stub = made.running.person(ReportServiceStub)
    async for _ in stub.ExportEvidence(request, metadata=who.metadata, timeout=30):
        pass


async def _purge_old(running: Running) -> None:
    """Keeps reads for 30 days from now on, and ends what is older."""
    administrator = running.audit.bearer(ADMINISTRATOR)
    request = settings_pb.SetRetentionRequest(
        request_id=str(uuid4()), days=30, days_before=90, reason="a test", confirm_days=30
    )
    await running.audit.people(SettingsServiceStub).SetRetention(request, metadata=administrator)
    url = running.database.admin_url
    async with asyncio.timeout(60):
        while (await fetch(url, "SELECT retention_days FROM archive.setting"))[0][0] != 30:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    stub, under_way = running.person(RetentionServiceStub), True
    while under_way:
        run = pb.RunPurgeRequest(request_id=str(uuid4()))
        under_way = (await stub.RunPurge(run, metadata=administrator, timeout=60)).under_way
