"""What it costs to be observed: processor time of the server for an empty call, with and without.

Four server processes take turns in the same run: as it is without a collector; with one, tracing one call of
a hundred; tracing every call; and one whose metrics of calls are nothing. Processor time is the server's own,
the exporter's thread and the garbage collector included, so what else the machine does hardly counts.

Run it with `make bench NAME=observed`. Prints one JSON line:
    call_us                          processor time of a call as it is, in microseconds
    metrics_ratio                    as it is / without metrics of calls
    traced_hundredth_ratio, traced_all_ratio    with traces / as it is
    spans                            that reached the collector
All ratios are medians of the rounds.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import uvloop
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc

from services.common import interceptors, tracing
from services.common.client import ClientTls, service_channel
from services.common.config import ServiceSettings
from services.common.logs import configure
from services.common.server import ServerBuilder
from services.dev.pki import DevelopmentAuthority

SERVICE = "alpr.benchmark.v1.EchoService"
CALLERS = 16
CALLS = 2000
ROUNDS = 12
KINDS = {"as_it_is": -1.0, "without_metrics": -1.0, "traced_hundredth": 0.01, "traced_all": 1.0}


class Nothing:
    """A metric that keeps nothing."""

    def labels(self, *_: object) -> Nothing:
        """Itself."""
        return self

    def inc(self, *_: object) -> None:
        """Does nothing."""

    dec = observe = inc


async def echo(request: bytes, _context: Any) -> bytes:
    """The request."""
    return request


def add_echo(_: object, server: Any) -> None:
    """Adds the one method."""
    handlers = {"Unary": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def server_process(kind: str, folder: Path, collector: str, pipe: Connection) -> None:
    """Serves until it is terminated; sends its port through `pipe`."""
    if kind == "without_metrics":
        for name in ("HANDLED", "CANCELLED", "UNDER_WAY", "SECONDS"):
            setattr(interceptors.metrics, name, Nothing())

    async def main() -> None:
        made = DevelopmentAuthority(folder).service("echo")
        settings = ServiceSettings(
            listen="127.0.0.1:0",
            tls_cert=made.cert_file,
            tls_key=made.key_file,
            tls_ca=made.ca_file,
            log_level="warning",
            otlp_endpoint=collector if KINDS[kind] >= 0 else "",
            trace_share=max(0.0, KINDS[kind]),
        )
        configure("echo", level=settings.log_level)
        tracing.start("echo", settings)
        server = ServerBuilder(settings, name="echo").add(SERVICE, add_echo, None).build()
        await server.start()
        pipe.send(server.port)
        await asyncio.Event().wait()

    uvloop.run(main())


class Collector(rpc.TraceServiceServicer):
    """Counts spans."""

    def __init__(self) -> None:
        self.spans = 0

    def Export(self, request: Any, _context: Any) -> pb.ExportTraceServiceResponse:  # noqa: N802 - the contract's
        """Takes them."""
        self.spans += sum(len(scope.spans) for one in request.resource_spans for scope in one.scope_spans)
        return pb.ExportTraceServiceResponse()


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """A collector, and its URL."""
    collector, server = Collector(), grpc.server(ThreadPoolExecutor(1))
    rpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def processor_seconds(pid: int) -> float:
    """What the process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def calls(channel: grpc.aio.Channel) -> None:
    """Makes them."""
    call, left = channel.unary_unary(f"/{SERVICE}/Unary"), iter(range(CALLS))

    async def caller() -> None:
        for _ in left:
            await call(b"")

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def measure(servers: dict[str, tuple[Any, int]], folder: Path) -> dict[str, list[float]]:
    """Microseconds of a call of each kind, a round each, after one that warms up."""
    made = DevelopmentAuthority(folder).sensor("camera")
    tls = ClientTls(certificate=made.cert_file, key=made.key_file, ca=made.ca_file)
    found: dict[str, list[float]] = {kind: [] for kind in servers}
    for turn in range(ROUNDS + 1):
        kinds = list(servers)
        # Whoever comes first meets another machine than whoever comes last.
        for kind in kinds[turn % len(kinds) :] + kinds[: turn % len(kinds)]:
            process, port = servers[kind]
            async with service_channel(f"127.0.0.1:{port}", tls, server_name="echo") as channel:
                before = processor_seconds(process.pid)
                await calls(channel)
                used = (processor_seconds(process.pid) - before) / CALLS * 1e6
            sys.stderr.write(f"{kind}: {used:.0f} us\n")
            if turn:
                found[kind].append(used)
    return found


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 3)


def main(folder: Path) -> None:
    """Measures and prints the line."""
    spawn, servers = multiprocessing.get_context("spawn"), {}
    DevelopmentAuthority(folder)
    with collecting() as (collector, url):
        try:
            for kind in KINDS:
                here, there = spawn.Pipe()
                process = spawn.Process(target=server_process, args=(kind, folder, url, there), daemon=True)
                process.start()
                if not here.poll(60):
                    raise SystemExit("the server did not start within a minute")
                servers[kind] = (process, here.recv())
            found = uvloop.run(measure(servers, folder))
        finally:
            for process, _ in servers.values():
                process.terminate()
        line = {
            "name": "observed",
            "call_us": round(statistics.median(found["as_it_is"])),
            "metrics_ratio": ratio(found["as_it_is"], found["without_metrics"]),
            "traced_hundredth_ratio": ratio(found["traced_hundredth"], found["as_it_is"]),
            "traced_all_ratio": ratio(found["traced_all"], found["as_it_is"]),
            "spans": collector.spans,
            "calls": CALLS,
            "rounds": ROUNDS,
        }
    print(json.dumps(line))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name) / "pki")
