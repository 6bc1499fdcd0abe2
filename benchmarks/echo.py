"""An empty RPC through our server and client, against the same RPC through bare grpc.aio without TLS.

It is the floor that other benchmarks are compared with: mTLS, identity, request log, metrics and the error
map, with no work inside. Server and client are two processes on one machine. Both kinds run in turns in the
same run, and the line holds medians and paired ratios.

Run it with `make bench NAME=echo`. Prints one JSON line:
    unary_per_s, unary_p50_us, stream_per_s     ours, 32 callers and one stream with 64 messages under way
    bare_unary_per_s, bare_unary_p50_us, bare_stream_per_s
    unary_ratio, stream_ratio                   ours / bare, median of the pairs
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import uvloop

from services.common.client import ClientTls, service_channel
from services.common.config import ServiceSettings
from services.common.logs import configure
from services.common.server import ServerBuilder
from services.dev.pki import DevelopmentAuthority

SERVICE = "platewarden.benchmark.EchoService"
CALLERS = 32
WINDOW = 64
SECONDS = 4.0
PAIRS = 7


class Echo:
    """Gives back what it gets."""

    async def unary(self, request: bytes, context: Any) -> bytes:
        """The request."""
        return request

    async def stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Each request as it comes."""
        async for request in requests:
            yield request


def add_echo(servicer: Echo, server: grpc.aio.Server) -> None:
    """Adds `servicer` to `server`, as the made stubs do."""
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(servicer.unary),
        "Stream": grpc.stream_stream_rpc_method_handler(servicer.stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


async def serve_ours(folder: Path) -> tuple[int, Any]:
    """Port and server of our builder with mTLS."""
    tls = DevelopmentAuthority(folder).service("echo")
    settings = ServiceSettings(
        listen="127.0.0.1:0",
        tls_cert=tls.cert_file,
        tls_key=tls.key_file,
        tls_ca=tls.ca_file,
        log_level="warning",
    )
    configure("echo", level=settings.log_level)
    server = ServerBuilder(settings, name="echo").add(SERVICE, add_echo, Echo()).build()
    await server.start()
    return server.port, server


async def serve_bare(_: Path) -> tuple[int, Any]:
    """Port and server of bare grpc.aio without TLS or interceptors."""
    server = grpc.aio.server()
    add_echo(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return port, server


def server_process(serve: Callable[[Path], Any], folder: Path, pipe: Connection) -> None:
    """Serves until it is terminated; sends its port through `pipe`."""

    async def main() -> None:
        port, _server = await serve(folder)
        pipe.send(port)
        await asyncio.Event().wait()

    uvloop.run(main())


async def measure_unary(channel: grpc.aio.Channel) -> tuple[float, float]:
    """Calls a second of all callers together, and the median call in microseconds."""
    call = channel.unary_unary(f"/{SERVICE}/Unary")
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    async def caller() -> None:
        while (start := time.perf_counter()) < end:
            await call(b"")
            took.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return len(took) / (time.perf_counter() - start), statistics.median(took) * 1e6


async def measure_stream(channel: grpc.aio.Channel) -> float:
    """Messages a second of one stream, there and back, with `WINDOW` of them under way."""
    stream = channel.stream_stream(f"/{SERVICE}/Stream")()
    for _ in range(WINDOW):
        await stream.write(b"")
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < SECONDS:
        await stream.read()
        await stream.write(b"")
        count += 1
    took = time.perf_counter() - start
    await stream.done_writing()
    stream.cancel()
    return count / took


async def measure(ours: grpc.aio.Channel, bare: grpc.aio.Channel) -> dict[str, float | int | str]:
    """The line's keys, from `PAIRS` pairs after one that warms up."""
    rows: dict[str, list[tuple[float, float, float]]] = {"ours": [], "bare": []}
    for pair in range(PAIRS + 1):
        for kind, channel in (("ours", ours), ("bare", bare)):
            rate, median = await measure_unary(channel)
            row = (rate, median, await measure_stream(channel))
            sys.stderr.write(
                f"{kind}: {row[0]:,.0f} calls/s, p50 {row[1]:,.0f} us, {row[2]:,.0f} messages/s\n"
            )
            if pair:
                rows[kind].append(row)
    middle = {kind: [statistics.median(column) for column in zip(*rows[kind], strict=True)] for kind in rows}
    ratio = [
        statistics.median(o[i] / b[i] for o, b in zip(rows["ours"], rows["bare"], strict=True))
        for i in (0, 2)
    ]
    return {
        "name": "echo",
        "unary_per_s": round(middle["ours"][0]),
        "unary_p50_us": round(middle["ours"][1]),
        "stream_per_s": round(middle["ours"][2]),
        "bare_unary_per_s": round(middle["bare"][0]),
        "bare_unary_p50_us": round(middle["bare"][1]),
        "bare_stream_per_s": round(middle["bare"][2]),
        "unary_ratio": round(ratio[0], 3),
        "stream_ratio": round(ratio[1], 3),
        "callers": CALLERS,
        "window": WINDOW,
        "pairs": PAIRS,
    }


def start(context: Any, serve: Callable[[Path], Any], folder: Path) -> tuple[Any, int]:
    """A server process and its port."""
    here, there = context.Pipe()
    process = context.Process(target=server_process, args=(serve, folder, there), daemon=True)
    process.start()
    if not here.poll(30):
        raise SystemExit("the server did not start within 30 seconds")
    return process, here.recv()


async def main(folder: Path, ours_port: int, bare_port: int) -> None:
    """Measures and prints the line."""
    tls = DevelopmentAuthority(folder).service("client")
    client = ClientTls(certificate=tls.cert_file, key=tls.key_file, ca=tls.ca_file)
    ours = service_channel(f"127.0.0.1:{ours_port}", client, server_name="echo")
    bare = grpc.aio.insecure_channel(f"127.0.0.1:{bare_port}")
    async with ours, bare:
        print(json.dumps(await measure(ours, bare)))


if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        pki = Path(name) / "pki"
        DevelopmentAuthority(pki)
        started = [start(spawn, serve, pki) for serve in (serve_ours, serve_bare)]
        try:
            uvloop.run(main(pki, started[0][1], started[1][1]))
        finally:
            for process, _ in started:
                process.terminate()
