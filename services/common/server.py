"""Servers: wiring, start, health, and an end that loses nothing.

One process serves two addresses with the same servicers. On `PW_LISTEN` a client certificate of our
authority is required; services, sensors and agencies come here. On `PW_USER_LISTEN` there is server TLS only,
for people with a token. They are two because gRPC asks for a client certificate only where it demands one.
No call is served without TLS; `PW_HEALTH_LISTEN` tells probes whether the process serves, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Self, TypeVar

import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_reflection.v1alpha import reflection

from services.common import tracing
from services.common.config import ServiceSettings, StartError
from services.common.errors import AlprError
from services.common.health import Found, Health, HealthCheck, check_once, serves
from services.common.interceptors import CallInterceptor
from services.common.logs import configure, loop_exception_handler
from services.common.metrics import (
    SERVING,
    keep_measuring,
    note_certificates,
    note_version,
    serve_metrics,
    watch_loop,
)
from services.common.stopping import Stopping, stopping_of
from services.common.tls_files import TlsFiles, TlsPair

__all__ = [
    "PortInUseError",
    "Server",
    "ServerBuilder",
    "Stopping",
    "run",
    "serve",
    "start_metrics",
    "stopping_of",
]

log = structlog.get_logger()

_Servicer = TypeVar("_Servicer")

_CHECK_EVERY_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 2.0
# While not all is well: a service that may serve again shall not be left out for longer than it must.
_CHECK_AGAIN_SECONDS: Final = 1.0
_ON_STOP_SECONDS: Final = 10.0
# Without a new call for so long, clients have turned elsewhere. Those that do not look at our health never do
# so; for them, the second time is the longest.
_QUIET_SECONDS: Final = 0.1
_LAME_DUCK_SECONDS: Final = 3.0
_MOST_PROBES: Final = 16


class PortInUseError(StartError):
    """An address cannot be listened on; the text is one sentence."""


class ServerBuilder:
    """Gathers what a server consists of: `ServerBuilder(settings, name="audit").add(...).on_stop(...)`."""

    def __init__(self, settings: ServiceSettings, *, name: str) -> None:
        self.settings = settings
        self.name = name
        self.servicers: dict[str, Callable[[grpc.aio.Server], None]] = {}
        self.callbacks: list[Callable[[], Awaitable[None]]] = []
        self.checks: list[HealthCheck] = []
        self.measures: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    def add(self, service_name: str, add_fn: Callable[[_Servicer, Any], None], servicer: _Servicer) -> Self:
        """Adds a servicer: full name of its service, the stubs' `add_XServicer_to_server`, the object.

        Raises:
            ValueError: That service is here already.
        """
        if service_name in self.servicers:
            raise ValueError(f"{service_name} is added twice")
        self.servicers[service_name] = lambda server: add_fn(servicer, server)
        return self

    def on_stop(self, callback: Callable[[], Awaitable[None]]) -> Self:
        """Adds what to await after the last call: pools, channels, writers. The last added goes first."""
        self.callbacks.append(callback)
        return self

    def health_check(self, check: HealthCheck) -> Self:
        """Adds a check, made every 5 seconds, every second while not all is well.

        NOT_SERVING while it raises, and when it takes over 2 seconds twice, one time after the other.
        """
        self.checks.append(check)
        return self

    def measure(self, part: str, take: Callable[[], Awaitable[None]]) -> Self:
        """Adds a measurement of what is no call's, taken every 15 seconds while the server runs."""
        self.measures.append((part, take))
        return self

    def build(self) -> Server:
        """The server, not started. Call it on the loop that will serve."""
        return Server(self)


class Server:
    """A server that `ServerBuilder` made."""

    def __init__(self, builder: ServerBuilder) -> None:
        self._settings = builder.settings
        self._name = builder.name
        self._callbacks = builder.callbacks
        self._checks = builder.checks
        self.stopping = Stopping()
        self.port = 0
        self.user_port = 0
        self.health_port = 0
        self._health = Health(builder.servicers, self.stopping)
        self._found: list[Found] = []
        self._measures = builder.measures
        self._beside: list[asyncio.Task[None]] = []
        self._stop_metrics: Callable[[], None] | None = None
        self._calls = CallInterceptor(self.stopping, self._settings.max_call_seconds)
        self._grpc = grpc.aio.server(
            interceptors=[self._calls],
            options=_options(self._settings),
            maximum_concurrent_rpcs=self._settings.max_concurrent_calls,
        )
        for add in builder.servicers.values():
            add(_unregistered(self._grpc))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, _unregistered(self._grpc))
        names = (*builder.servicers, HEALTH_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._grpc)
        self._probes = grpc.aio.server(
            interceptors=[CallInterceptor(self.stopping, self._settings.max_call_seconds)],
            options=_options(self._settings),
            maximum_concurrent_rpcs=_MOST_PROBES,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._probes)

    @property
    def serving(self) -> bool:
        """Whether health says that new calls are welcome."""
        return self._health.serving

    async def start(self) -> None:
        """Listens, and returns after the first health check; `port` and `user_port` then say where.

        Raises:
            PortInUseError: An address is taken or may not be used.
        """
        settings = self._settings
        if settings.metrics_listen:
            self._stop_metrics = start_metrics(settings.metrics_listen)
        self.port = self._listen("PW_LISTEN", settings.listen, mutual=True)
        if settings.user_listen:
            self.user_port = self._listen("PW_USER_LISTEN", settings.user_listen, mutual=False)
        if settings.health_listen:
            self.health_port = self._listen_to_probes(settings.health_listen)
            await self._probes.start()
        await self._grpc.start()
        await self._check()
        note_version()
        beside = (self._poll(), watch_loop(), *(keep_measuring(*one) for one in self._measures))
        self._beside = [asyncio.create_task(one) for one in beside]
        log.info("server_started", port=self.port, user_port=self.user_port, serving=self._health.serving)

    async def stop(self) -> None:
        """Returns when all calls have ended, within the grace, and every `on_stop` callback has run.

        Health goes down before anything else, so that clients look elsewhere, and streams are told; when no
        new call comes any more, none is taken, and calls under way get the grace to end.
        """
        for one in self._beside:
            one.cancel()
        self._health.set_serving(False)
        SERVING.set(0)
        self.stopping.set()
        if self.port:
            await self._turned_away()
        await self._grpc.stop(self._settings.shutdown_grace_seconds)
        for callback in reversed(self._callbacks):
            await _run_on_stop(callback)
        await self._probes.stop(0)
        if self._stop_metrics is not None:
            await asyncio.to_thread(self._stop_metrics)
        log.info("server_stopped")

    async def _turned_away(self) -> None:
        """Returns when clients that watch our health have turned to another replica, or after 3 seconds.

        gRPC drops a call that arrives while it shuts down; the client sees CANCELLED. How long a client takes
        to turn depends on how busy it is, so this waits for quiet rather than for a time.
        """
        give_up = time.monotonic() + _LAME_DUCK_SECONDS
        while time.monotonic() < give_up:
            before = self._calls.begun
            await asyncio.sleep(_QUIET_SECONDS)
            if self._calls.begun == before:
                return

    def _listen(self, variable: str, address: str, *, mutual: bool) -> int:
        _require_free(variable, address)
        try:
            return self._grpc.add_secure_port(address, _credentials(self._settings, mutual=mutual))
        except RuntimeError:
            raise PortInUseError(f"{variable}: {address} cannot be listened on") from None

    def _listen_to_probes(self, address: str) -> int:
        _require_free("PW_HEALTH_LISTEN", address)
        try:
            return self._probes.add_insecure_port(address)
        except RuntimeError:
            raise PortInUseError(f"PW_HEALTH_LISTEN: {address} cannot be listened on") from None

    async def _poll(self) -> None:
        while True:
            is_well = set(self._found) <= {Found.WELL}
            await asyncio.sleep(_CHECK_EVERY_SECONDS if is_well else _CHECK_AGAIN_SECONDS)
            await self._check()

    async def _check(self) -> None:
        now = await asyncio.gather(*(check_once(check, _CHECK_SECONDS) for check in self._checks))
        before, self._found = self._found, now
        if not self.stopping.is_set():
            self._health.set_serving(serves(self._health.serving, before, now))
            SERVING.set(self._health.serving)


class _Unregistered:
    """A server that takes the handlers of a service all together, and of no method by itself.

    The stubs register methods one by one as well. For each call gRPC then looks at what waits for every
    method that there is, which in a service of a hundred methods costs as much as an empty call.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, *_: object) -> None:
        """Leaves it: they are in the generic handlers."""


def _unregistered(server: grpc.aio.Server) -> Any:
    return _Unregistered(server)


async def serve(builder: ServerBuilder) -> None:
    """Serves until SIGTERM or SIGINT, then stops as `Server.stop` does.

    Raises:
        PortInUseError: An address is taken or may not be used; the `on_stop` callbacks have run.
    """
    settings = builder.settings
    configure(builder.name, level=settings.log_level, log_format=settings.log_format)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    stop_tracing = tracing.start(builder.name, settings)
    server = builder.build()
    try:
        await server.start()
        # What is here now stays. The collector would look at all of it again and again, for some tens of
        # milliseconds each time, in which every call waits.
        gc.collect()
        gc.freeze()
        await told.wait()
    finally:
        await server.stop()
        await asyncio.to_thread(stop_tracing)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on uvloop. What keeps it from starting ends the process: one sentence, exit code 1."""
    # Before anything can fail: structlog's own settings print local variables.
    configure("platewarden")
    # What a process has in memory are plates and keys; a crash must not write them to a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.get_loop().set_exception_handler(loop_exception_handler)
            runner.run(main)
    except (StartError, AlprError) as error:
        sys.exit(f"cannot start: {error}")


async def _run_on_stop(callback: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(_ON_STOP_SECONDS):
            await callback()
    except Exception:
        # The others must run too.
        log.exception("on_stop_failed")


def _credentials(settings: ServiceSettings, *, mutual: bool) -> grpc.ServerCredentials:
    """What connections are made with: looked at anew for each, so that renewing needs no restart."""
    roots = [file for file in (settings.tls_ca, settings.sensor_ca) if file is not None]
    files = TlsFiles(
        settings.tls_cert, settings.tls_key, roots if mutual else [], settings.require_bound_sensors
    )

    def newest() -> grpc.ServerCertificateConfiguration | None:
        if (pair := files.renewed()) is None:
            return None
        with contextlib.suppress(OSError, ValueError):  # replaced once more, this very moment
            _note_certificates(settings)
        return _configuration(pair)

    _note_certificates(settings)
    return grpc.dynamic_ssl_server_credentials(
        _configuration(files.pair),
        newest,  # type: ignore[arg-type]  # None leaves it as it is; the types do not know
        require_client_authentication=mutual,
    )


def _note_certificates(settings: ServiceSettings) -> None:
    note_certificates("own", settings.tls_cert)
    note_certificates("authority", settings.tls_ca)
    if settings.sensor_ca is not None:
        note_certificates("sensor_authority", settings.sensor_ca)


def _configuration(pair: TlsPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], pair.roots or None)


def _options(settings: ServiceSettings) -> tuple[tuple[str, int], ...]:
    return (
        # Otherwise a second process could share the port and take some of the calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Streams that are open then stay; only new calls go to a new connection.
        ("grpc.max_connection_age_ms", int(settings.max_connection_age_seconds * 1000)),
        # The default lets whoever connects say nothing for two minutes.
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Our clients ping every 20 seconds; the default of five minutes would cut them off.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    )


def start_metrics(address: str) -> Callable[[], None]:
    """Serves all metrics of the process at PW_METRICS_LISTEN; gives the function that ends it.

    Raises:
        PortInUseError: The address cannot be listened on.
    """
    _require_free("PW_METRICS_LISTEN", address)
    return serve_metrics(*_host_and_port(address))


def _require_free(variable: str, address: str) -> None:
    """Tries the address first: gRPC does not tell why it could not listen, and writes lines of its own."""
    host, port = _host_and_port(address)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "there is no such host"
        raise PortInUseError(f"{variable}: {address} cannot be listened on: {why}") from None


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
