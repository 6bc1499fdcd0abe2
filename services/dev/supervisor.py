"""The whole system on one machine: what `platewarden up` runs."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from services.common.client import ClientTls
from services.common.config import StartError
from services.common.database import DatabaseError, create_database, database_of, with_database
from services.common.durable import replace_file
from services.dev.child import Child, LogFile, logger
from services.dev.console import console_environment, console_url, has_provider, inherited
from services.dev.datadir import require_ports, taken
from services.dev.pki import DevelopmentAuthority, IssuedCertificate
from services.dev.places import CONSOLE_NUMBER, DATABASE_FOLDER, DEFAULT_BASE_PORT, HOST, Places, Ports
from services.dev.postgres import EmbeddedPostgres, PostgresError
from services.dev.probe import is_answering, is_listening, is_serving, probe_channel
from services.dev.specs import (
    ServiceSpec,
    Stages,
    World,
    environment_of,
    founding_environment,
    permit_keys,
    platewarden_stages,
)

if TYPE_CHECKING:
    from services.dev.issuer import DevelopmentIssuer

DATABASE = "platewarden"
_READY_SECONDS = 180.0  # after a restore search first ends what came back
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_DATABASE_POLL_SECONDS = 0.5
_DATABASE_PAUSE_SECONDS = 2.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Progress = Callable[[str], None]
"""Called with one sentence for each step; also later, when a process died and was started again."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run, and where.

    Attributes:
        data_dir: Folder of this stack; everything it keeps lies there.
        base_port: Ports are counted from here (see `Ports`).
        database_url: Database and administrator of a PostgreSQL 17 or newer; None runs an embedded one.
        stages: The services, by the order in which they start.
        database_settings: Of the embedded database, over its usual ones.
        image_store_url: `s3://bucket/prefix` for pictures; empty keeps them in `data_dir`.
        reads_apart: Whether the archive has an embedded database of its own, as in production.
        console: Whether the web console runs too.
    """

    data_dir: Path
    base_port: int = DEFAULT_BASE_PORT
    database_url: str | None = None
    stages: Stages = field(default_factory=platewarden_stages)
    database_settings: Mapping[str, str] = field(default_factory=dict)
    image_store_url: str = ""
    reads_apart: bool = False
    console: bool = False


class Supervisor:
    """Runs a stack while its context is open: `async with Supervisor(options, on_progress) as stack`.

    Entering returns when every service serves, and raises StartError, with one sentence, when one cannot. A
    process that dies later is started again. Leaving stops all in the reverse order; and whatever happens to
    this process, no other one outlives it. Enter it on the main thread's loop (see `attached`).
    """

    def __init__(self, options: Options, on_progress: Progress = lambda _: None) -> None:
        """Nothing happens yet."""
        self._options = options
        self._on_progress = on_progress
        self._places = Places(options.data_dir.absolute())
        self._ports = Ports(options.base_port)
        self._specs = [spec for stage in options.stages for spec in stage]
        self._children: dict[str, Child] = {}
        self._postgres: dict[str, EmbeddedPostgres] = {}
        self._issuer: DevelopmentIssuer | None = None
        self._has_console = options.console and has_provider(embedded=options.database_url is None)
        self._exit = AsyncExitStack()

    @property
    def targets(self) -> Mapping[str, str]:
        """host:port of each service for people: server TLS and a token."""
        return {spec.name: f"{HOST}:{self._ports.people(spec.number)}" for spec in self._specs}

    @property
    def machine_targets(self) -> Mapping[str, str]:
        """host:port of each service for services, sensors and agencies: mutual TLS."""
        return {spec.name: f"{HOST}:{self._ports.machines(spec.number)}" for spec in self._specs}

    @property
    def metrics_targets(self) -> Mapping[str, str]:
        """host:port of the Prometheus metrics of each service and of the console, plain HTTP."""
        numbers = {spec.name: spec.number for spec in self._specs}
        numbers |= {"console": CONSOLE_NUMBER} if self._has_console else {}
        return {name: f"{HOST}:{self._ports.metrics(number)}" for name, number in numbers.items()}

    @property
    def console_url(self) -> str:
        """Address of the web console; empty where there is none."""
        return console_url(self._ports) if self._has_console else ""

    @property
    def issuer_secret_file(self) -> Path | None:
        """Whoever holds it may be anybody; None with a database of one's own, where nobody may."""
        return self._places.issuer / "secret" if self._options.database_url is None else None

    @property
    def ca_file(self) -> Path:
        """Certificate of the authority that all certificates come from."""
        return self._world.authority.ca_file

    @property
    def admin_url(self) -> str:
        """The stack's database, and its administrator."""
        return self._world.database_url

    @property
    def pids(self) -> Mapping[str, int]:
        """Process ids of services, issuer and embedded database; 0 for one that is just being restarted."""
        pids = {name: child.pid for name, child in self._children.items()}
        for name, server in self._postgres.items():
            pids[name] = server.pid if server.is_running() else 0
        return pids

    def token(self, subject: str) -> str:
        """A token of the development issuer, good for ten minutes.

        Raises:
            StartError: The stack has a database of its own, and so no development issuer.
        """
        if not self._world.embedded:
            raise StartError("a stack on a database of its own has no development issuer")
        if self._issuer is None:
            from services.dev.issuer import DevelopmentIssuer  # noqa: PLC0415 - no other command needs it

            self._issuer = DevelopmentIssuer(self._places.issuer)  # kept: its key is slow to read
        return self._issuer.token(subject)

    def sensor_certificate(self, sensor_id: str) -> IssuedCertificate:
        """A client certificate for the sensor."""
        return self._world.authority.sensor(sensor_id)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except (PostgresError, DatabaseError) as error:
            await self._exit.aclose()
            raise StartError(str(error)) from None
        except OSError as error:
            await self._exit.aclose()
            msg = f"the stack in {self._places.data_dir} cannot be started: {error}"
            raise StartError(msg) from None
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._on_progress("Stopping")
        await self._exit.aclose()

    async def _start(self) -> None:
        self._exit.enter_context(taken(self._places))
        log_file = LogFile(self._places.logs / "supervisor.log")
        self._exit.callback(log_file.close)
        self._log = logger(log_file)
        await asyncio.to_thread(require_ports, self._ports_used())
        authority = await asyncio.to_thread(DevelopmentAuthority, self._places.pki)
        places, ports = self._places, self._ports
        url = self._options.database_url or await self._start_postgres(
            places.postgres, ports.postgres, DATABASE_FOLDER
        )
        reads = places.postgres_of_reads, ports.postgres_of_reads, places.postgres_of_reads.name
        self._world = World(
            places,
            ports,
            authority,
            url,
            embedded=self._options.database_url is None,
            image_store_url=self._options.image_store_url,
            reads_url=await self._start_postgres(*reads) if self._options.reads_apart else "",
        )
        await self._prepare_database()
        if self._world.embedded:
            await self._start_issuer()
        for stage in self._options.stages:
            await asyncio.gather(*(self._start_service(spec) for spec in stage))
        if self._has_console:
            await self._start_console()
        elif self._options.console:
            self._on_progress(
                "The console is not started: PW_OIDC_CLIENT_ID names no client of your provider"
            )
        self._write_stack_file()
        self._exit.callback(self._places.stack_file.unlink, missing_ok=True)

    def _ports_used(self) -> Mapping[int, str]:
        used = {
            port(spec.number): f"{spec.name}, {what}"
            for spec in self._specs
            for port, what in (
                (self._ports.machines, "for machines"),
                (self._ports.people, "for people"),
                (self._ports.metrics, "metrics"),
            )
        }
        if self._options.database_url is None:
            used |= {self._ports.issuer: "development issuer", self._ports.postgres: "PostgreSQL"}
        if self._has_console:
            used |= {self._ports.console: "console", self._ports.metrics(CONSOLE_NUMBER): "console, metrics"}
        if self._options.reads_apart:
            used |= {self._ports.postgres_of_reads: "PostgreSQL of the archive"}
        return used

    async def _start_postgres(self, folder: Path, port: int, name: str) -> str:
        server = EmbeddedPostgres(folder, port=port, settings=self._options.database_settings)
        self._on_progress("Starting PostgreSQL")
        await asyncio.to_thread(server.prepare)
        server.launch()  # on this thread: the server ends with the thread that started it
        self._postgres[name] = server
        self._exit.callback(server.stop)
        await _until(server.is_ready)
        keeper = asyncio.create_task(self._keep_postgres(server))
        self._exit.push_async_callback(_cancelled, keeper)
        return with_database(server.admin_url, DATABASE)

    async def _keep_postgres(self, server: EmbeddedPostgres) -> None:
        while True:
            await asyncio.sleep(_DATABASE_POLL_SECONDS)
            if server.is_running():
                continue
            self._tell("PostgreSQL ended; starting it again")
            try:
                await asyncio.to_thread(server.prepare)
                server.launch()
                await _until(server.is_ready)
            except PostgresError as error:
                self._tell(str(error))
                await asyncio.sleep(_DATABASE_PAUSE_SECONDS)

    async def _prepare_database(self) -> None:
        from services.common.migrate import migrate  # noqa: PLC0415 - slow, and few commands need it

        self._on_progress("Bringing the schemas up to date")
        if not database_of(self._world.database_url):
            raise StartError("the database URL names no database")
        for url in {self._world.database_url, self._world.url_of("search")}:
            await create_database(url)
        for spec in self._specs:
            if spec.logins:
                url = self._world.url_of(spec.name)
                logins = {login: self._world.password(login) for login in spec.logins}
                keys = permit_keys(self._world) if spec.name == "search" else None
                await migrate(url, spec.name, logins=logins, permit_keys=keys)

    async def _start_issuer(self) -> None:
        where = ["--data-dir", str(self._places.data_dir), "--host", HOST, "--port", str(self._ports.issuer)]
        child = await self._start_child("issuer", "services.dev.issuer", dict(os.environ), where)
        await self._until_ready(child, lambda: is_listening(HOST, self._ports.issuer))

    async def _start_service(self, spec: ServiceSpec) -> None:
        self._on_progress(f"Starting {spec.name}")
        own = environment_of(spec, self._world, self._specs)
        self._keep_environment(spec.name, own)
        child = await self._start_child(spec.name, spec.module, {**os.environ, **own})
        mine = self._world.authority.service("supervisor")
        tls = ClientTls(certificate=mine.cert_file, key=mine.key_file, ca=mine.ca_file)
        async with probe_channel(self.machine_targets[spec.name], tls, spec.name) as channel:
            await self._until_ready(child, lambda: is_serving(channel))
        self._on_progress(f"{spec.name} serves")

    async def _start_console(self) -> None:
        self._on_progress("Starting console")
        own = console_environment(self._world)
        self._keep_environment("console", own)
        child = await self._start_child("console", "services.console", {**inherited(), **own})
        where = HOST, self._ports.console, "/healthz", self.ca_file
        await self._until_ready(child, lambda: is_answering(*where))
        self._on_progress("console serves")

    def _keep_environment(self, name: str, own: Mapping[str, str]) -> None:
        text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(own.items()))
        replace_file(self._places.environments / f"{name}.env", text.encode(), 0o600)

    async def _start_child(
        self, name: str, module: str, environment: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> Child:
        child = Child(
            name=name,
            command=[sys.executable, "-P", "-m", module, *arguments],
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            log_file=self._places.logs / f"{name}.log",
            on_restart=self._restarted,
        )
        self._exit.push_async_callback(child.stop, _STOP_SECONDS)
        await child.start()
        self._children[name] = child
        return child

    async def _until_ready(self, child: Child, is_ready: Callable[[], Awaitable[bool]]) -> None:
        give_up = time.monotonic() + _READY_SECONDS
        while not await is_ready():
            if child.deaths:
                raise StartError(f"{child.name} did not start: {child.last_words}")
            if time.monotonic() > give_up:
                log = self._places.logs / f"{child.name}.log"
                msg = f"{child.name} was not ready after {_READY_SECONDS:.0f} s; see {log}"
                raise StartError(msg)
            await asyncio.sleep(_POLL_SECONDS)

    def _restarted(self, name: str, code: int) -> None:
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self._tell(f"{name} ended {how} and was started again")
        if self._places.stack_file.exists():
            self._write_stack_file()

    def _tell(self, sentence: str) -> None:
        self._log.warning("restart", text=sentence)
        self._on_progress(sentence)

    def _write_stack_file(self) -> None:
        """Writes what the other commands need; closed to other users, as it holds the administrator's URL."""
        stack = {
            "pid": os.getpid(),
            "data_dir": str(self._places.data_dir),
            "targets": dict(self.targets),
            "machine_targets": dict(self.machine_targets),
            "metrics_targets": dict(self.metrics_targets),
            "receiver_target": f"{HOST}:{self._ports.receiver}",
            "ca_file": str(self.ca_file),
            "admin_url": self.admin_url,
            "reads_admin_url": self._world.url_of("search"),
            "bootstrap_environment": founding_environment(self._world),
            "pids": dict(self.pids),
        }
        if self._has_console:
            stack["console_url"] = self.console_url
        if self.issuer_secret_file is not None:
            stack["issuer_url"] = f"http://{HOST}:{self._ports.issuer}"
            stack["issuer_secret_file"] = str(self.issuer_secret_file)
        replace_file(self._places.stack_file, json.dumps(stack, indent=1).encode(), 0o600)


async def run_until_stopped(
    options: Options, on_progress: Progress, on_ready: Callable[[Supervisor], None]
) -> None:
    """Runs a stack until SIGINT, SIGTERM or SIGHUP, and returns when all of it has ended.

    A second signal does not wait for calls under way.

    Raises:
        StartError: It cannot be started; the text is one sentence.
    """

    async def work() -> None:
        async with Supervisor(options, on_progress) as stack:
            on_ready(stack)
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, working.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - another process changes it
        await asyncio.sleep(_POLL_SECONDS)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
