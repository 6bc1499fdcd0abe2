"""The alerts service as a process that can be killed, and callers who do not give up, for fault tests."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.alerts.config import AlertsSettings
from services.common.client import bearer
from tests.support.alerts_rig import AlertsRig, Subscriber


class Process:
    """The alerts service as a process of its own, on ports that stay the same; it ends with the context."""

    def __init__(self, settings: AlertsSettings, log: Path, command: Sequence[str] = ()) -> None:
        """`command` goes before the program, for instance to put it on a disk of its own."""
        self._log = log
        self._command = [*command, sys.executable, "-m", "services.alerts"]
        self._environment = os.environ | {
            f"PW_{name.upper()}": str(value)
            for name, value in settings.model_dump().items()
            if value is not None
        }
        self._environment["PW_DATABASE_URL"] = settings.database_url.get_secret_value()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Id of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=log)  # noqa: S603

    def kill(self) -> None:
        """As kill -9 does; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Exit code after SIGTERM."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)


async def raise_until_stored(matcher: Any, hit: pb.Hit) -> str:
    """Sends as the matcher does: again, until there is an answer."""
    while True:
        try:
            response = await matcher.RaiseAlerts(pb.RaiseAlertsRequest(hits=[hit]), timeout=10)
            return str(response.alert_ids[0])
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.05)


async def follow(person: Any, got: list[str], token: str = "officer") -> None:  # noqa: S107 - a test's
    """Reads as a dispatcher's client does: resumes after the last message, whatever ended the stream."""
    resume = ""
    while True:
        request = pb.SubscribeAlertsRequest(resume_token=resume)
        try:
            async for message in person.SubscribeAlerts(request, metadata=(bearer(token),)):
                resume = message.resume_token
                if message.HasField("raised"):
                    got.append(message.raised.alert_id)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.05)


async def goes_on(rig: AlertsRig, token: str, resume: str) -> Subscriber:
    """A stream, once the service has one to give again; only what may pass by itself is put up with."""
    while True:
        stream = rig.subscribe(token, resume_token=resume)
        await stream.until(lambda s: bool(s.messages or s.error))
        if stream.messages:
            return stream
        assert stream.error is not None
        assert stream.error.code is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
