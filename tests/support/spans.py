"""Spans of this process, and a collector that other processes send theirs to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.common import tracing
from services.common.tracing_export import provider_of


@contextmanager
def traced(share: float = 1.0, service: str = "audit") -> Iterator[InMemorySpanExporter]:
    """Spans are made in this process while the context is open, and what would leave is in the exporter."""
    kept = InMemorySpanExporter()
    stop = tracing.use(provider_of(service, SimpleSpanProcessor(kept)), share)
    try:
        yield kept
    finally:
        stop()


@dataclass(frozen=True)
class Received:
    """A span as it reached the collector; ids in hexadecimal, `parent` empty for the first of a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, Any]
    linked: frozenset[str]


class Collector(rpc.TraceServiceServicer):
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.raw: list[bytes] = []
        self._alone = threading.Lock()

    def Export(  # noqa: N802 - the contract's name
        self, request: pb.ExportTraceServiceRequest, _context: grpc.ServicerContext
    ) -> pb.ExportTraceServiceResponse:
        with self._alone:
            self.raw.append(request.SerializeToString())
            for resource in request.resource_spans:
                about = {one.key: one.value.string_value for one in resource.resource.attributes}
                spans = (span for scope in resource.scope_spans for span in scope.spans)
                self.spans += [_received(about["service.name"], span) for span in spans]
        return pb.ExportTraceServiceResponse()

    def traces(self) -> dict[str, list[Received]]:
        """The spans by trace."""
        found: dict[str, list[Received]] = {}
        for span in tuple(self.spans):
            found.setdefault(span.trace_id, []).append(span)
        return found

    async def trace_where(
        self, fits: Callable[[list[Received]], bool], seconds: float = 20
    ) -> list[Received]:
        """The first trace that fits, as soon as there is one."""
        async with asyncio.timeout(seconds):
            while True:
                for spans in self.traces().values():
                    if fits(spans):
                        return spans
                await asyncio.sleep(0.1)


def _received(service: str, span: Any) -> Received:
    return Received(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes={one.key: one.value.int_value for one in span.attributes},
        linked=frozenset(one.trace_id.hex() for one in span.links),
    )


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """A collector on this machine, and its URL."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    rpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
