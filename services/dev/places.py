"""Where things lie in the data directory of `platewarden up`, and on which ports its services are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

HOST = "127.0.0.1"
DATABASE_FOLDER = "postgres"
AUDIENCE = "platewarden"  # of the tokens that the stack's issuer signs
CONSOLE_CLIENT = "platewarden-console"  # the one client that people sign in for with a browser
DEFAULT_BASE_PORT = 7400
# Number of each service: people's port and metrics port are 10 and 20 above the one of machines.
NUMBERS: Mapping[str, int] = MappingProxyType({"audit": 1, "matcher": 2, "search": 3, "alerts": 4, "ocr": 5})
CONSOLE_NUMBER = 0
_ISSUER = 6
_RECEIVER = 7
_POSTGRES_OF_READS = 9
_POSTGRES = 10
_PEOPLE = 10
_METRICS = 20


def default_model_dir() -> Path:
    """Folder of the recognition models: PW_MODEL_DIR, else those that come with the package."""
    named = os.environ.get("PW_MODEL_DIR")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "ocr" / "models"


def default_photo_dir() -> Path:
    """Folder of the photographs that `make assets` fetches."""
    return Path(__file__).resolve().parents[2] / ".assets" / "photos"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders and files below one data directory; all are closed to other users."""

    data_dir: Path

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.data_dir / DATABASE_FOLDER

    @property
    def postgres_of_reads(self) -> Path:
        """The archive's embedded database, where it has one of its own."""
        return self.data_dir / f"{DATABASE_FOLDER}-reads"

    @property
    def pki(self) -> Path:
        """The certificate authority and its certificates."""
        return self.data_dir / "pki"

    @property
    def sensor_certificates(self) -> Path:
        """Keys and certificates of this machine's sensors, as audit issued them."""
        return self.pki / "sensors"

    @property
    def issuer(self) -> Path:
        """Key and secret of the development issuer."""
        return self.data_dir / "issuer"

    @property
    def secrets(self) -> Path:
        """Keys and database passwords, made once."""
        return self.data_dir / "secrets"

    @property
    def sensor_secrets(self) -> Path:
        """A file with the secret of each sensor that pushes."""
        return self.secrets / "sensors"

    @property
    def conformance(self) -> Path:
        """Where `platewarden conformance run --out` leaves its result for the console."""
        return self.data_dir / "conformance.jsonl"

    @property
    def environments(self) -> Path:
        """The environment of each service, for running one by hand."""
        return self.data_dir / "env"

    @property
    def logs(self) -> Path:
        """Logs of all processes."""
        return self.data_dir / "logs"

    @property
    def images(self) -> Path:
        """The image store."""
        return self.data_dir / "images"

    @property
    def spool(self) -> Path:
        """Uploads on their way in."""
        return self.data_dir / "spool"

    @property
    def snapshots(self) -> Path:
        """Large hot lists as the matcher keeps them for its next start."""
        return self.data_dir / "snapshots"

    @property
    def checkpoints(self) -> Path:
        """The log's newest checkpoint, outside the database."""
        return self.data_dir / "checkpoints"

    @property
    def lock_file(self) -> Path:
        """Held by the one supervisor of this directory, with its process id inside."""
        return self.data_dir / "lock"

    @property
    def stack_file(self) -> Path:
        """What the running stack says of itself to the other commands."""
        return self.data_dir / "stack.json"

    def make(self) -> None:
        """Makes all folders, mode 0700.

        Raises:
            OSError: One cannot be made.
        """
        folders = (
            *(self.secrets, self.sensor_secrets, self.environments, self.logs),
            *(self.images, self.spool, self.snapshots, self.checkpoints),
        )
        for folder in (self.data_dir, *folders):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on 127.0.0.1, counted from `base`."""

    base: int = DEFAULT_BASE_PORT

    @property
    def console(self) -> int:
        """Web console, HTTPS: the base itself, which is easy to keep in mind."""
        return self.base

    @property
    def issuer(self) -> int:
        """Development issuer, plain HTTP."""
        return self.base + _ISSUER

    @property
    def postgres(self) -> int:
        """Embedded PostgreSQL."""
        return self.base + _POSTGRES

    @property
    def postgres_of_reads(self) -> int:
        """Embedded PostgreSQL of the archive, where it has one of its own."""
        return self.base + _POSTGRES_OF_READS

    def machines(self, number: int) -> int:
        """Mutual TLS: services, sensors, agencies."""
        return self.base + number

    def people(self, number: int) -> int:
        """Server TLS and a token."""
        return self.base + _PEOPLE + number

    @property
    def receiver(self) -> int:
        """HTTPS and a sensor's secret: cameras that push JSON, to the ocr service."""
        return self.base + _RECEIVER

    def metrics(self, number: int) -> int:
        """Prometheus, plain HTTP."""
        return self.base + _METRICS + number
