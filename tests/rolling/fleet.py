"""Replicas of the five services in two versions, behind names."""

import asyncio
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from services.common.client import ClientTls
from services.common.database import with_database
from services.common.durable import replace_file
from services.dev.child import Child
from services.dev.pki import DevelopmentAuthority
from services.dev.places import HOST, NUMBERS, Places, Ports
from services.dev.postgres import EmbeddedPostgres
from services.dev.probe import is_listening, is_serving, probe_channel
from services.dev.specs import World, environment_of, platewarden_stages
from services.dev.supervisor import DATABASE
from tests.rolling.names import Names

READY_SECONDS = 180.0
# terminationGracePeriodSeconds of deploy/k8s.
GRACE_SECONDS = 45.0
_POLL_SECONDS = 0.1
_LISTENS = ("PW_LISTEN", "PW_USER_LISTEN", "PW_METRICS_LISTEN", "PW_RECEIVER_LISTEN")


class RollingError(Exception):
    """The run cannot go on; the text is one sentence."""


@dataclass(frozen=True)
class Version:
    """One version of the code, and what each of its services is told."""

    name: str
    python: Path
    environments: Mapping[str, Mapping[str, str]]


def version_of_now(world: World, python: Path) -> Version:
    """The code that this program is of."""
    specs = [spec for stage in platewarden_stages() for spec in stage]
    return Version("now", python, {spec.name: environment_of(spec, world, specs) for spec in specs})


def version_before(places: Places, python: Path) -> Version:
    """The code whose `platewarden up` ran in the data directory last, and left its environments."""
    environments = {}
    for name in NUMBERS:
        lines = (places.environments / f"{name}.env").read_text(encoding="utf-8").splitlines()
        pairs = (shlex.split(line)[0].partition("=") for line in lines)
        environments[name] = {key: value for key, _, value in pairs}
    return Version("previous", python, environments)


@dataclass
class Replica:
    """One process."""

    service: str
    version: Version
    address: str
    child: Child


@dataclass
class Fleet:
    """What runs. Use it as an async context; it stops all that it started."""

    places: Places
    ports: Ports
    names: Names
    replicas: dict[str, list[Replica]] = field(default_factory=lambda: {name: [] for name in NUMBERS})
    stop_seconds: dict[str, float] = field(default_factory=dict)
    dns_seconds: float = 0.0
    """So long an answer of the DNS is kept by those who asked: CoreDNS's own TTL is 5."""
    min_ready_seconds: float = 0.0
    """`minReadySeconds` of deploy/k8s: so long a new replica serves before the next one is ended."""
    _started: int = 0
    _exit: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> "Fleet":
        self._authority = DevelopmentAuthority(self.places.pki)
        await self._start_database()
        await self._start_issuer()
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in reversed(NUMBERS):
            await asyncio.gather(*(one.child.stop(GRACE_SECONDS) for one in self.replicas[name]))
        await self._exit.aclose()

    @property
    def admin_url(self) -> str:
        """The database and its administrator."""
        return with_database(self._postgres.admin_url, DATABASE)

    @property
    def world(self) -> World:
        """What the services of now are told of this stack."""
        return World(self.places, self.ports, self._authority, self.admin_url, embedded=True)

    async def start(self, service: str, version: Version) -> Replica:
        """A further replica, which serves and has been given to its name."""
        self._started += 1
        address = f"127.1.{NUMBERS[service]}.{self._started}"
        log = self.places.logs / f"{service}-{self._started}-{version.name}.log"
        child = Child(
            name=service,
            command=[str(version.python), "-P", "-m", f"services.{service}"],
            environment=self._environment(service, version, address),
            log_file=log,
            on_restart=lambda *_: None,
        )
        replica = Replica(service, version, address, child)
        await child.start()
        self.replicas[service].append(replica)
        await self._until_serving(replica, log)
        self._later(self.names.add, replica)
        return replica

    async def stop(self, replica: Replica) -> None:
        """Takes a replica from its name and ends it, as Kubernetes does: both at the same time."""
        self._later(self.names.remove, replica)
        began = time.monotonic()
        await replica.child.stop(GRACE_SECONDS)
        took = time.monotonic() - began
        self.replicas[replica.service].remove(replica)
        self.stop_seconds[replica.service] = max(self.stop_seconds.get(replica.service, 0.0), round(took, 2))
        if replica.child.deaths or took > GRACE_SECONDS:
            raise RollingError(
                f"a replica of {replica.service} did not end in order: {replica.child.last_words}"
            )

    async def replace(self, service: str, version: Version, *, surge: bool = True) -> None:
        """Puts replicas of `version` in the place of the others, one after the other.

        With `surge` the new one serves before the old one ends (a Deployment), else after it (a StatefulSet).
        """
        for old in [one for one in self.replicas[service] if one.version is not version]:
            if not surge:
                await self.stop(old)
            await self.start(service, version)
            await asyncio.sleep(self.min_ready_seconds)
            if surge:
                await self.stop(old)

    def names_target(self, service: str) -> str:
        """Where machines find `service`."""
        return f"{service}:{self.ports.machines(NUMBERS[service])}"

    def check(self) -> None:
        """Raises RollingError when a replica died."""
        for one in (replica for replicas in self.replicas.values() for replica in replicas):
            if one.child.deaths:
                raise RollingError(
                    f"a replica of {one.service} ({one.version.name}) died: {one.child.last_words}"
                )

    def write_stack_file(self, bootstrap_environment: Mapping[str, str]) -> None:
        """Tells commands where the services are: their names."""
        people = {name: f"{name}:{self.ports.people(number)}" for name, number in NUMBERS.items()}
        machines = {name: f"{name}:{self.ports.machines(number)}" for name, number in NUMBERS.items()}
        stack = {
            "targets": people,
            "machine_targets": machines,
            "receiver_target": f"ocr:{self.ports.receiver}",
            "ca_file": str(self._authority.ca_file),
            "admin_url": self.admin_url,
            "bootstrap_environment": dict(bootstrap_environment),
            "issuer_url": f"http://{HOST}:{self.ports.issuer}",
            "issuer_secret_file": str(self.places.issuer / "secret"),
        }
        replace_file(self.places.stack_file, json.dumps(stack, indent=1).encode(), 0o600)

    def _later(self, change: Callable[[str, str], None], replica: Replica) -> None:
        if self.dns_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self.dns_seconds, change, replica.service, replica.address)
        else:
            change(replica.service, replica.address)

    def _environment(self, service: str, version: Version, address: str) -> dict[str, str]:
        told = dict(version.environments[service])
        for variable in _LISTENS:
            if variable in told:
                told[variable] = f"{address}:{told[variable].rpartition(':')[2]}"
        for name in NUMBERS:
            target = f"PW_{name.upper()}_TARGET"
            if target in told:
                told[target] = f"{name}:{told[target].rpartition(':')[2]}"
        # As a volume of its own; pictures are shared, as a bucket is.
        own = self.places.data_dir / "replicas" / f"{service}-{self._started}"
        for variable in ("PW_UPLOAD_SPOOL_DIR", "PW_SNAPSHOT_DIR"):
            if variable in told:
                folder = own / variable.lower()
                folder.mkdir(parents=True, mode=0o700)
                told[variable] = str(folder)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PW_", "PYTHON"))}
        return {**inherited, **told, "PYTHONUNBUFFERED": "1"}

    async def _until_serving(self, replica: Replica, log: Path) -> None:
        mine = self._authority.service("supervisor")
        tls = ClientTls(certificate=mine.cert_file, key=mine.key_file, ca=mine.ca_file)
        target = f"{replica.address}:{self.ports.machines(NUMBERS[replica.service])}"
        give_up = time.monotonic() + READY_SECONDS
        async with probe_channel(target, tls, replica.service) as channel:
            while not await is_serving(channel):
                if replica.child.deaths or time.monotonic() > give_up:
                    raise RollingError(f"{replica.service} ({replica.version.name}) did not start; see {log}")
                await asyncio.sleep(_POLL_SECONDS)

    async def _start_database(self) -> None:
        self._postgres = EmbeddedPostgres(self.places.postgres, port=self.ports.postgres)
        self._postgres.prepare()
        self._postgres.launch()
        self._exit.callback(self._postgres.stop)
        while not self._postgres.is_ready():  # noqa: ASYNC110 - another process
            await asyncio.sleep(_POLL_SECONDS)

    async def _start_issuer(self) -> None:
        arguments: Sequence[str] = ("--data-dir", str(self.places.data_dir), "--host", HOST)
        child = Child(
            name="issuer",
            command=[*_python_module("services.dev.issuer"), *arguments, "--port", str(self.ports.issuer)],
            environment=os.environ,
            log_file=self.places.logs / "issuer.log",
            on_restart=lambda *_: None,
        )
        self._exit.push_async_callback(child.stop, GRACE_SECONDS)
        await child.start()
        while not await is_listening(HOST, self.ports.issuer):
            if child.deaths:
                raise RollingError(f"the issuer did not start: {child.last_words}")
            await asyncio.sleep(_POLL_SECONDS)


def _python_module(module: str) -> list[str]:
    return [sys.executable, "-P", "-m", module]
