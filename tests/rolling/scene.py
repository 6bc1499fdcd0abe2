"""What stands before the load begins: people, sensors with their certificates, two hot lists."""

from dataclasses import dataclass, field
from pathlib import Path

from alpr.type.v1 import sensor_pb2
from services.cli import hotlist
from services.cli.demo import cast
from services.cli.locate import Connection
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import recorded
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.pki import DevelopmentAuthority, IssuedCertificate
from tests.rolling.cars import PLACE, listed_plates
from tests.rolling.fleet import Fleet

CAMERA = "rolling-camera"
SENSORS = ("rolling-reader-1", "rolling-reader-2")
_ATTESTATION = "Made for a test; no row is of a real plate."


@dataclass
class World:
    """What stands, and where."""

    fleet: Fleet
    folder: Path
    moving_list: str = ""
    _authority: DevelopmentAuthority = field(init=False)

    def __post_init__(self) -> None:
        self._authority = DevelopmentAuthority(self.fleet.places.pki)

    def certificate(self, sensor_id: str) -> IssuedCertificate:
        """A sensor's certificate."""
        return self._authority.sensor(sensor_id)

    def files(self, sensor_id: str) -> tuple[Path, Path]:
        """Files of a sensor's certificate and key."""
        issued = self.certificate(sensor_id)
        return issued.cert_file, issued.key_file

    async def set(self, connection: Connection) -> None:
        """Enrols people, approves sensors, and activates two lists, by the services that run now."""
        async with self._session(connection, cast.COORDINATOR) as coordinator:
            for person in cast.PEOPLE:
                await cast.enrol(coordinator, person, DEVELOPMENT_ISSUER)
            for sensor_id in (CAMERA, *SENSORS):
                await self._sensor(coordinator, sensor_id)
        async with self._session(connection, cast.LIST_MANAGER.subject) as manager:
            rows = [f"{plate},IL,STOLEN_VEHICLE,V{n:09d}\n" for n, plate in enumerate(listed_plates())]
            await self._list(manager, "standing", rows)
            self.moving_list = await self._list(
                manager, "moving", [f"QQ{n:05d},IL,STOLEN_VEHICLE,M{n:09d}\n" for n in range(200)]
            )

    async def _sensor(self, coordinator: Session, sensor_id: str) -> None:
        sensor = sensor_pb2.Sensor(
            sensor_id=sensor_id,
            agency_ori=cast.AGENCY_ORI,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            place=PLACE,
            provenance=sensor_pb2.PROVENANCE_OWN,
        )
        await register_sensor(coordinator, sensor)
        await approve_deployment(coordinator, sensor_id)
        await recorded(coordinator, sensor_id, self.certificate(sensor_id).cert_file)

    async def _list(self, manager: Session, name: str, rows: list[str]) -> str:
        file = self.folder / f"{name}.csv"
        file.write_text("plate,state,category,record_number\n" + "".join(rows), encoding="ascii")
        made = await hotlist.create_list(manager, name, "agency")
        version = await hotlist.upload_version(manager, made.hot_list_id, file, "csv", _ATTESTATION)
        await hotlist.activate_version(manager, made.hot_list_id, version.version)
        return made.hot_list_id

    def _session(self, connection: Connection, subject: str) -> Session:
        source = token_source(self.fleet.places.data_dir, subject)
        return Session(connection, source, on_wait=lambda _: None)
