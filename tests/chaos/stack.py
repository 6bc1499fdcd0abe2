"""The whole system with two replicas of each service, two databases, a witness, and links that can fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from services.cli.witness import development_settings
from services.common.client import ClientTls
from services.common.database import create_database, with_database
from services.common.migrate import migrate
from services.dev.child import Child
from services.dev.pki import DevelopmentAuthority
from services.dev.places import HOST, Places, Ports
from services.dev.probe import is_listening, is_serving, probe_channel
from services.dev.specs import (
    ServiceSpec,
    World,
    environment_of,
    founding_environment,
    permit_keys,
    platewarden_stages,
)
from tests.chaos import certificates, disks
from tests.chaos.database import DATABASE, Pair
from tests.chaos.links import Link
from tests.chaos.skewed import set_difference

# Who calls whom; what each needs to find.
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": (),
    "alerts": ("audit",),
    "search": ("audit",),
    "matcher": ("alerts", "search", "audit"),
    "ocr": ("matcher", "audit"),
}
SERVICES: Final = tuple(CALLS)
REPLICAS: Final = 2
_SKEWED: Final = Path(__file__).with_name("skewed.py")
_STOP_SECONDS: Final = 15.0
_READY_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_PORTS: Final = 80
_LIFE: Final = timedelta(days=90)
# Of each disk, in megabytes; they are in memory, and take what is stored on them.
_DISKS: Final = {"postgres": 3072, "postgres-b": 3072, "images": 1024, "spool": 64, "snapshots": 64}


class Replica:
    """One process of a service."""

    def __init__(self, spec: ServiceSpec, number: int, folder: Path, first_port: int) -> None:
        """Nothing happens yet; it uses four ports from `first_port` on."""
        self.service = spec.name
        self.name = f"{spec.name}-{number}"
        self.spec = spec
        self.folder = folder / "replicas" / self.name
        self.port, self.people_port, self.metrics_port, self.receiver_port = range(first_port, first_port + 4)
        self.certificate = self.folder / "certificate.pem"
        self.clock = self.folder / "clock"
        self.links: dict[str, Link] = {}
        self.child: Child | None = None

    @property
    def pid(self) -> int:
        """Its process; 0 while it is being started again."""
        return self.child.pid if self.child is not None else 0

    def signal(self, number: int) -> bool:
        """Whether there was a process to get the signal."""
        with contextlib.suppress(ProcessLookupError):
            if pid := self.pid:
                os.kill(pid, number)
                return True
        return False

    def own_environment(self) -> dict[str, str]:
        """What distinguishes it from the service of a stack of one replica each."""
        made = {
            "PW_LISTEN": f"{HOST}:{self.port}",
            "PW_USER_LISTEN": f"{HOST}:{self.people_port}",
            "PW_METRICS_LISTEN": f"{HOST}:{self.metrics_port}",
            "PW_TLS_CERT": str(self.certificate),
        }
        folders = {
            "audit": ("PW_LOG_CHECKPOINT_DIR",),
            "matcher": ("PW_UPLOAD_SPOOL_DIR", "PW_SNAPSHOT_DIR"),
        }
        for variable in folders.get(self.service, ()):
            parent = {"PW_UPLOAD_SPOOL_DIR": "spool", "PW_SNAPSHOT_DIR": "snapshots"}.get(variable)
            own = (
                self.folder / variable.lower()
                if parent is None
                else self.folder.parents[1] / parent / self.name
            )
            own.mkdir(parents=True, exist_ok=True)
            made[variable] = str(own)
        if self.service == "ocr":
            made["PW_RECEIVER_LISTEN"] = f"{HOST}:{self.receiver_port}"
        return made


class Stack:
    """The running system. Use it as an async context."""

    def __init__(self, folder: Path, *, database_settings: Mapping[str, str]) -> None:
        """Nothing happens yet; all of it lies in `folder`."""
        base = _free_base()
        self.folder = folder
        self.places = Places(folder)
        self.ports = Ports(base)
        self.database = Pair(folder, (base + 10, base + 11), database_settings)
        self.specs = [spec for stage in platewarden_stages() for spec in stage]
        self.replicas = [
            Replica(spec, number + 1, folder, base + 20 + 4 * (place * REPLICAS + number))
            for place, spec in enumerate(self.specs)
            for number in range(REPLICAS)
        ]
        self.fronts: dict[str, Link] = {}
        self.restarts = 0
        self.has_disks = False
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    @property
    def world(self) -> World:
        """What all services share, with the primary of now as the database."""
        return World(self.places, self.ports, self.authority, self.database.admin_url, embedded=True)

    @property
    def links(self) -> list[Link]:
        """Every link there is."""
        return [*self.fronts.values(), *(link for one in self.replicas for link in one.links.values())]

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service."""
        return [one for one in self.replicas if one.service == service]

    async def until_serving(self, replica: Replica, seconds: float = _READY_SECONDS) -> None:
        """Returns when the replica says that all of it is well.

        Raises:
            TimeoutError: It does not.
        """
        mine = self.authority.service("supervisor")
        tls = ClientTls(certificate=mine.cert_file, key=mine.key_file, ca=mine.ca_file)
        async with (
            asyncio.timeout(seconds),
            probe_channel(f"{HOST}:{replica.port}", tls, replica.service) as channel,
        ):
            while not await is_serving(channel):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(_POLL_SECONDS)

    async def until_well(self, seconds: float = _READY_SECONDS) -> None:
        """Returns when every replica serves and the standby follows.

        Raises:
            TimeoutError: Something does not.
        """
        await self.database.until_synchronous(seconds)
        await asyncio.gather(*(self.until_serving(one, seconds) for one in self.replicas))

    def certify(self, replica: Replica, life: timedelta = _LIFE) -> None:
        """Gives the replica a certificate, which it uses from its next start on."""
        certificates.issue(self.places.pki, replica.service, replica.certificate, life)

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.has_disks = all([disks.mount(self.folder / name, size) for name, size in _DISKS.items()])
        for name in _DISKS if self.has_disks else ():
            self._exit.callback(disks.unmount, self.folder / name)  # the last of all
        self.places.make()
        self.authority = DevelopmentAuthority(self.places.pki)
        self._exit.push_async_callback(self.database.stop)
        await self.database.start()
        await self._migrate()
        await self.database.follow()
        await self._start_links()
        self.write_stack_file()
        await self._start_issuer()
        for stage in platewarden_stages():
            names = {spec.name for spec in stage}
            await asyncio.gather(*(self._start_replica(one) for one in self.replicas if one.service in names))

    async def _migrate(self) -> None:
        url = with_database(self.database.primary.admin_url, DATABASE)
        await create_database(url)
        for spec in self.specs:
            if spec.logins:
                logins = {login: self.world.password(login) for login in spec.logins}
                keys = permit_keys(self.world) if spec.name == "search" else None
                await migrate(url, spec.name, logins=logins, permit_keys=keys)

    async def _start_links(self) -> None:
        for service in SERVICES:
            ends = self.of(service)
            self.fronts[service] = Link(
                f"machines to {service}", lambda ends=ends: [one.port for one in ends]
            )
            self.fronts[f"{service}_people"] = Link(
                f"people to {service}", lambda ends=ends: [one.people_port for one in ends]
            )
        for caller in self.replicas:
            if caller.spec.logins:
                caller.links["database"] = Link(f"{caller.name} to database", lambda: [self.database.port])
            for service in CALLS[caller.service]:
                for callee in self.of(service):
                    link = Link(f"{caller.name} to {callee.name}", lambda port=callee.port: [port])
                    caller.links[callee.name] = link
        for link in self.links:
            await link.start()
            self._exit.push_async_callback(link.stop)

    async def _start_issuer(self) -> None:
        where = ("--data-dir", str(self.folder), "--host", HOST, "--port", str(self.ports.issuer))
        await self._start_child("issuer", [sys.executable, "-P", "-m", "services.dev.issuer", *where], {})
        while not await is_listening(HOST, self.ports.issuer):  # noqa: ASYNC110 - another process
            await asyncio.sleep(_POLL_SECONDS)

    async def _start_replica(self, replica: Replica) -> None:
        replica.folder.mkdir(parents=True, exist_ok=True)
        self.certify(replica)
        set_difference(replica.clock, 0.0)
        program = [sys.executable, "-P", str(_SKEWED), str(replica.clock), replica.spec.module]
        replica.child = await self._start_child(replica.name, program, self._environment(replica))
        await self.until_serving(replica)

    def _environment(self, replica: Replica) -> dict[str, str]:
        url = self.database.admin_url
        if "database" in replica.links:
            url = url.replace(f":{self.database.port}/", f":{replica.links['database'].port}/")
        world = World(self.places, self.ports, self.authority, url, embedded=True)
        targets = {
            f"PW_{service.upper()}_TARGET": ",".join(
                replica.links[callee.name].address for callee in self.of(service)
            )
            for service in CALLS[replica.service]
        }
        return {**environment_of(replica.spec, world, self.specs), **targets, **replica.own_environment()}

    async def start_witness(self) -> Path:
        """Starts the witness; where it keeps what it signed."""
        folder = self.folder / "witness"
        settings = development_settings(folder, f"{HOST}:{self.ports.base + 12}", 2.0, self.folder)
        given = {
            f"PW_{name.upper()}": str(value)
            for name, value in settings.model_dump(exclude_none=True, exclude_defaults=True).items()
        }
        await self._start_child("witness", [sys.executable, "-P", "-m", "services.witness"], given)
        return folder

    async def _start_child(self, name: str, command: list[str], environment: Mapping[str, str]) -> Child:
        child = Child(
            name=name,
            command=command,
            environment={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            log_file=self.places.logs / f"{name}.log",
            on_restart=self._restarted,
        )
        self._exit.push_async_callback(child.stop, _STOP_SECONDS)
        await child.start()
        return child

    def _restarted(self, _name: str, _code: int) -> None:
        self.restarts += 1

    def write_stack_file(self) -> None:
        """What the commands of `platewarden` need to find this system; anew after each promotion."""
        people = {name: self.fronts[f"{name}_people"].address for name in SERVICES}
        stack = {
            "pid": os.getpid(),
            "data_dir": str(self.folder),
            "targets": people,
            "machine_targets": {name: self.fronts[name].address for name in SERVICES},
            "metrics_targets": {},
            "receiver_target": f"{HOST}:{self.of('ocr')[0].receiver_port}",
            "ca_file": str(self.authority.ca_file),
            "admin_url": self.database.admin_url,
            "bootstrap_environment": founding_environment(self.world),
            "pids": {},
            "issuer_url": f"http://{HOST}:{self.ports.issuer}",
            "issuer_secret_file": str(self.places.issuer / "secret"),
        }
        self.places.stack_file.write_text(json.dumps(stack), encoding="utf-8")

    def heal(self) -> None:
        """Ends what faults have left: links work, nothing is stopped, disks have room, clocks are right."""
        for link in self.links:
            link.heal()
        for pid in [*self.database.primary.processes, *self.database.standby.processes]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        for replica in self.replicas:
            replica.signal(signal.SIGCONT)
            set_difference(replica.clock, 0.0)
        for name in _DISKS:
            disks.empty(self.folder / name)


def _free_base() -> int:
    """A base with free ports above it, below those that the system hands out."""
    for base in range(12_000 + os.getpid() % 6_000, 20_000, _PORTS):
        if all(_is_free(base + offset) for offset in range(_PORTS)):
            return base
    raise AssertionError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0
