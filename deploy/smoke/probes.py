"""Probes as a kubelet asks them."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.smoke.engine import EngineError, podman
from deploy.smoke.manifests import ManifestError, Pod
from deploy.smoke.network import port_of

_TIMING = {"periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold", "initialDelaySeconds"}


async def holds(probe: Mapping[str, Any], pod: Pod, container: str, address: str) -> bool:
    """Whether the probe's question is answered well within its time.

    Raises:
        ManifestError: It is of a kind that cannot be played.
    """
    (kind,) = set(probe) - _TIMING
    how, seconds = probe[kind], probe.get("timeoutSeconds", 1)
    asked = {
        "exec": lambda: _exec(container, how),
        "grpc": lambda: _grpc(address, how),
        "httpGet": lambda: _http(address, port_of(pod, how["port"]), how, seconds),
        "tcpSocket": lambda: _tcp(address, port_of(pod, how["port"])),
    }.get(kind)
    if asked is None:
        raise ManifestError(f"a probe of {pod.owner} is of the kind {kind}, which cannot be played")
    try:
        return await asyncio.wait_for(asked(), seconds)
    except (TimeoutError, OSError, EngineError, grpc.RpcError, http.client.HTTPException):
        return False


async def _exec(container: str, how: Mapping[str, Any]) -> bool:
    await podman("exec", container, *how["command"])
    return True


async def _grpc(address: str, how: Mapping[str, Any]) -> bool:
    async with grpc.aio.insecure_channel(f"{address}:{how['port']}") as channel:
        request = health_pb2.HealthCheckRequest(service=how.get("service", ""))
        answer = await health_pb2_grpc.HealthStub(channel).Check(request)  # type: ignore[attr-defined]
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _tcp(address: str, port: int) -> bool:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    return True


async def _http(address: str, port: int, how: Mapping[str, Any], seconds: float) -> bool:
    def ask() -> bool:
        anybody = ssl.create_default_context()  # whose certificate it is, a kubelet does not ask
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        link = (
            http.client.HTTPSConnection(address, port, timeout=seconds, context=anybody)
            if how.get("scheme") == "HTTPS"
            else http.client.HTTPConnection(address, port, timeout=seconds)
        )
        try:
            link.request("GET", how.get("path", "/"))
            return link.getresponse().status in range(200, 400)
        finally:
            link.close()

    return await asyncio.to_thread(ask)


async def tcp_within(address: str, port: int, seconds: float) -> None:
    """Returns when somebody listens at the address.

    Raises:
        EngineError: Nobody does after so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await _tcp(address, port)
                except OSError:
                    await asyncio.sleep(0.2)
                else:
                    return
    except TimeoutError:
        raise EngineError(f"nobody listens at {address}:{port}") from None
