"""The same pace through NATS JetStream: Debian's nats-server, mTLS, on disk when it says so.

A publisher waits for the stream's acknowledgement, as the matcher does for ours; a subscriber has a
connection of its own and an ordered consumer, which notices gaps and begins anew where it was, as ours
do with their token. A message is as long as one of ours; the pictures, which we put on disk before an
alert, are left out. This version of the server (2.9) writes its files without waiting for the disk and
has no setting for it, so its folder gets the file system's mark that makes every write wait (`chattr
+S`). Where the file system has no such mark, there is no figure.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._alerts_crowd import Crowd, Record
from benchmarks._alerts_measures import latency
from benchmarks._debian import Program, program
from benchmarks._stack import free_ports, say
from services.dev.pki import DevelopmentAuthority, IssuedCertificate

_SUBJECT: Final = "alerts"
_WARM_UP: Final = 20
_MESSAGE_BYTES: Final = 600
_PATIENCE_SECONDS: Final = 20.0
# linux/fs.h
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_SYNC: Final = 0x00000008
_CONFIGURATION: Final = """
listen: "127.0.0.1:{port}"
max_connections: 4096
jetstream {{ store_dir: "{folder}/store" }}
tls {{ cert_file: "{tls.cert_file}", key_file: "{tls.key_file}", ca_file: "{tls.ca_file}", verify: true }}
"""


@dataclass(frozen=True, slots=True)
class _Seat:
    url: str
    tls: IssuedCertificate


async def nats(subscribers: int, per_second: float, seconds: float) -> dict[str, Any]:
    """p50_ms and p99_ms from publish to receive, or null with a reason."""
    server = await asyncio.to_thread(program, "nats-server", ["nats-server"], "usr/sbin/nats-server")
    if server is None:
        return {"p50_ms": None, "p99_ms": None, "reason": "there is no nats-server and none could be fetched"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            _make_synchronous(folder / "store")
        except OSError:
            reason = "the file system cannot make every write wait for the disk"
            return {"p50_ms": None, "p99_ms": None, "reason": reason}
        async with _running(server, folder) as seat:
            return await _measured(seat, subscribers, per_second, seconds)


async def _measured(seat: _Seat, subscribers: int, per_second: float, seconds: float) -> dict[str, Any]:
    connection = await _connected(seat)
    stream = connection.jetstream()
    await stream.add_stream(name="ALERTS", subjects=[_SUBJECT])
    async with Crowd(follow_nats, [seat] * subscribers) as crowd:
        await _publish(stream, range(1, _WARM_UP + 1), per_second)
        await crowd.take(_WARM_UP * subscribers)
        numbers = range(_WARM_UP + 1, _WARM_UP + 1 + round(per_second * seconds))
        sent = await _publish(stream, numbers, per_second)
        received = await crowd.take(len(sent) * subscribers)
    await connection.close()
    missing = len(sent) * subscribers - sum(len(one.numbers) for one in received)
    return {**latency(received, sent), "missing": missing}


async def _publish(stream: Any, numbers: range, per_second: float) -> dict[int, int]:
    """When each number was published, at an even pace, whatever each takes."""
    start, sent, calls = time.monotonic(), {}, []
    for n, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, start + n / per_second - time.monotonic()))
        sent[number] = time.monotonic_ns()
        body = f"{number:08d}".encode().ljust(_MESSAGE_BYTES, b".")
        calls.append(asyncio.ensure_future(stream.publish(_SUBJECT, body)))
    await asyncio.gather(*calls)
    return sent


async def follow_nats(seat: _Seat, record: Record) -> None:
    """Follows the stream from its end on."""
    # Here, as only who runs this benchmark has it.
    from nats.js.api import DeliverPolicy  # noqa: PLC0415

    connection = await _connected(seat)
    subscription = await connection.jetstream().subscribe(
        _SUBJECT, ordered_consumer=True, deliver_policy=DeliverPolicy.NEW
    )
    record.connected.set()
    async for message in subscription.messages:
        record.note(int(message.data[:8]))


async def _connected(seat: _Seat) -> Any:
    import nats as client  # noqa: PLC0415 - as above

    context = ssl.create_default_context(cafile=str(seat.tls.ca_file))
    context.load_cert_chain(seat.tls.cert_file, seat.tls.key_file)
    return await client.connect(
        seat.url, tls=context, connect_timeout=_PATIENCE_SECONDS, max_reconnect_attempts=10
    )


@asynccontextmanager
async def _running(server: Program, folder: Path) -> AsyncIterator[_Seat]:
    """A server of its own; it ends with the block."""
    authority = DevelopmentAuthority(folder / "pki")
    port = free_ports() + 1
    configuration = folder / "nats.conf"
    text = _CONFIGURATION.format(port=port, folder=folder, tls=authority.service("nats"))
    configuration.write_text(text, encoding="utf-8")
    seat = _Seat(f"tls://localhost:{port}", authority.service("subscriber"))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - it must only be started; a path of our own
        [server.path, "-c", str(configuration)], env=server.environment, stdout=log, stderr=log
    )
    try:
        await _until_it_answers(port, process)
        say("nats-server is there")
        yield seat
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        log.close()


async def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise SystemExit("nats-server did not start")


def _make_synchronous(folder: Path) -> None:
    """Makes a folder in which a write returns when it is on disk. Raises OSError where that cannot be."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(handle, _GET_FLAGS, flags)
        flags[0] |= _SYNC
        fcntl.ioctl(handle, _SET_FLAGS, flags)
    finally:
        os.close(handle)
