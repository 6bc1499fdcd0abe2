"""What leaves in a trace: only what is on the list here, whatever code puts into a span."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, Status
from prometheus_client import Counter

from services.common.config import ServiceSettings
from services.common.tracing import NAMES

SPANS: Final = Counter("platewarden_spans", "Spans of traces, by what became of them.", ["result"])
for _result in ("sent", "lost"):
    SPANS.labels(_result)

_METHOD: Final = re.compile(r"(alpr\.[a-z]{2,20}\.v1|grpc\.[a-z0-9.]{2,40})\.[A-Za-z]{2,60}/[A-Za-z]{2,60}")
_MOST_COUNT: Final = 1_000_000
_QUEUE: Final = 4096
_EXPORT_SECONDS: Final = 5.0


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_COUNT


ALLOWED: Final[Mapping[str, Callable[[Any], bool]]] = {
    "rpc.grpc.status_code": _is_count,
    "platewarden.reads": _is_count,
}
"""Attributes that may leave, each with what its value must be. Numbers alone: no text is on the list."""


class OnlyAllowed(SpanProcessor):
    """Passes on of each span its name, times, end and what `ALLOWED` says; nothing else, also not events."""

    def __init__(self, following: SpanProcessor) -> None:
        self._following = following

    def on_end(self, span: ReadableSpan) -> None:
        """Passes on what may leave."""
        self._following.on_end(cleaned(span))

    def shutdown(self) -> None:
        """Sends the last ones."""
        self._following.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether all were sent."""
        return self._following.force_flush(timeout_millis)


def cleaned(span: ReadableSpan) -> ReadableSpan:
    """The span with what may leave."""
    given = span.attributes or {}
    is_known = span.name in NAMES or _METHOD.fullmatch(span.name) is not None
    return ReadableSpan(
        name=span.name if is_known else "unnamed",
        context=_bare(span.context),
        parent=_bare(span.parent),
        resource=span.resource,
        attributes={key: given[key] for key, fits in ALLOWED.items() if key in given and fits(given[key])},
        links=[Link(bare) for one in span.links if (bare := _bare(one.context))],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bare(context: SpanContext | None) -> SpanContext | None:
    """The context without a trace state, which is text."""
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


class _Counted(SpanExporter):
    """Counts what was sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        SPANS.labels("sent" if result is SpanExportResult.SUCCESS else "lost").inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def provider_to(service: str, settings: ServiceSettings) -> TracerProvider:
    """What makes spans and sends them to the collector, from a thread; what is too much is lost."""
    is_plain = settings.otlp_endpoint.startswith("http://")
    exporter = OTLPSpanExporter(
        endpoint=settings.otlp_endpoint,
        insecure=is_plain,
        credentials=None if is_plain else _credentials(settings),
        timeout=_EXPORT_SECONDS,
    )
    return provider_of(service, BatchSpanProcessor(_Counted(exporter), max_queue_size=_QUEUE))


def provider_of(service: str, following: SpanProcessor) -> TracerProvider:
    """What makes spans of `service` and gives to `following` what may leave."""
    named = {
        "service.name": service,
        "service.namespace": "platewarden",
        "service.version": importlib.metadata.version("platewarden"),
        "service.instance.id": str(uuid4()),
    }
    # Not Resource.create, which would add what it finds in the environment.
    provider = TracerProvider(ALWAYS_ON, Resource(named), shutdown_on_exit=False)
    provider.add_span_processor(OnlyAllowed(following))
    return provider


def _credentials(settings: ServiceSettings) -> grpc.ChannelCredentials:
    roots = settings.otlp_ca.read_bytes() if settings.otlp_ca else None
    return grpc.ssl_channel_credentials(roots, settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
