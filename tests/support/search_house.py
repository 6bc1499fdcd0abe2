"""Search with the real audit service: sensors registered, people with roles, reads stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc

from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceStub
from alpr.type.v1 import read_pb2
from alpr.type.v1 import sensor_pb2 as sensors
from services.common.client import service_channel
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    RunningAudit,
    begin,
    request_id,
    running_audit,
    settings_for,
)
from tests.support.databases import MigratedDatabase
from tests.support.issuer import RunningIssuer
from tests.support.search_world import client_tls, environment
from tests.support.serving import until_serving

_Stub = TypeVar("_Stub")
PLACE = (41.978, -87.904)


@dataclass
class House:
    """Audit and search, running in this process."""

    audit: RunningAudit
    database: MigratedDatabase
    matcher: grpc.aio.Channel
    people: grpc.aio.Channel
    user_target: str = ""

    def person(self, stub: Callable[[grpc.aio.Channel], _Stub]) -> _Stub:
        """A stub that calls search as people do."""
        return stub(self.people)

    @property
    def archive(self) -> Any:
        """Search as the matcher calls it."""
        return ArchiveServiceStub(self.matcher)

    async def store(self, *reads: archive_pb.ArchivedRead) -> list[str]:
        """Stores reads as the matcher does; what became of each."""
        results: Sequence[archive_pb.AppendResult] = (
            await self.archive.AppendReads(archive_pb.AppendReadsRequest(reads=reads), timeout=60)
        ).results
        return [read_pb2.ReadStatus.Name(one.status).removeprefix("READ_STATUS_") for one in results]

    async def sensor(
        self, sensor_id: str, by: str = COORDINATOR, *, approved: bool = True, **changes: Any
    ) -> sensors.Sensor:
        """A sensor of the agency, registered by `by` and approved for the last year."""
        usual = {
            "sensor_id": sensor_id,
            "agency_ori": ORI,
            "sensor_group": "expressway-north",
            "deployment_type": sensors.DEPLOYMENT_TYPE_FIXED,
            "provenance": sensors.PROVENANCE_OWN,
            "place": read_pb2.Place(latitude=PLACE[0], longitude=PLACE[1], description="I-90 at mile 12"),
        }
        stub, metadata = self.audit.people(SensorServiceStub), self.audit.bearer(by)
        register = sensor_pb.RegisterSensorRequest(
            request_id=request_id(), sensor=sensors.Sensor(**{**usual, **changes})
        )
        made = (await stub.RegisterSensor(register, metadata=metadata)).sensor
        if not approved:
            return made
        approve = sensor_pb.ApproveDeploymentRequest(
            request_id=request_id(),
            sensor_id=sensor_id,
            status=sensors.DEPLOYMENT_STATUS_APPROVED,
            approved_from=to_timestamp(datetime.now(UTC) - timedelta(days=365)),
        )
        return (await stub.ApproveDeployment(approve, metadata=metadata)).sensor


@asynccontextmanager
async def running_house(
    database: MigratedDatabase,
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    folder: Path,
    **settings: str,
) -> AsyncIterator[House]:
    """Audit and search on `database`, which has the schemas of both; `settings` are more PW_... of search."""
    audit_settings = settings_for(database, tls, issuer, folder)
    await begin(audit_settings, database, issuer)
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(running_audit(audit_settings, database, tls, issuer))
        house = await stack.enter_async_context(running_search(audit, database, tls, folder, **settings))
        yield house


@asynccontextmanager
async def running_search(
    audit: RunningAudit, database: MigratedDatabase, tls: DevelopmentAuthority, folder: Path, **settings: str
) -> AsyncIterator[House]:
    """Search beside an audit service that runs already; `settings` are more PW_... of search."""
    async with AsyncExitStack() as stack:
        port = int(audit.target.rpartition(":")[2])
        values = {
            **environment(tls, database, folder, port),
            "PW_AUDIT_TIMEOUT_SECONDS": "5",
            **settings,
        }
        builder = await assemble(
            SearchSettings.model_validate(
                {name.removeprefix("PW_").lower(): value for name, value in values.items()}
            )
        )
        server = builder.build()
        await server.start()
        stack.push_async_callback(server.stop)
        await until_serving(server)
        matcher = service_channel(
            f"127.0.0.1:{server.port}", client_tls(tls, "matcher"), server_name="search"
        )
        # One try only, so that a test sees what each call gets.
        people = grpc.aio.secure_channel(
            f"127.0.0.1:{server.user_port}",
            grpc.ssl_channel_credentials(tls.ca_file.read_bytes()),
            options=(("grpc.enable_retries", 0),),
        )
        stack.push_async_callback(matcher.close)
        stack.push_async_callback(people.close)
        yield House(audit, database, matcher, people, f"127.0.0.1:{server.user_port}")
