"""Traces: one for a picture from frame to alert, one for a question from asking to receipt (W3C, OTLP).

Off unless PW_OTLP_ENDPOINT names a collector; then of such a part as PW_TRACE_SHARE says. A span has a name
of code, times, an end, and numbers. What may be in it says `services.common.tracing_export`, which takes out
everything else: no plate, place, person, case or text of an error leaves by this way.

Long streams have no span of their own: their frames and batches have. Whose call began it decides whether a
trace is believed: a service's `traceparent` is; sensors and people cannot have themselves traced.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext, Tracer

    from services.common.config import ServiceSettings

HEADER: Final = "traceparent"
NAMES: Final = frozenset(
    {
        *("ocr.frame", "ocr.recognise", "ocr.keep", "ocr.image", "ocr.push"),
        *("matcher.batch", "matcher.compare", "alerts.pictures", "alerts.outbox"),
        *("search.archive", "search.rows"),
        *("commit.matcher", "commit.archive", "commit.motor_carrier", "commit.alerts", "commit.log"),
        "commit.writes",
    }
)
"""Names of spans that are no call's. A call's is its method."""

# https://www.w3.org/TR/trace-context/#traceparent-header; of later versions only what version 0 has is read.
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1
_MOST_LINKS: Final = 16
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class _State:
    """What `start` made; without it nothing of OpenTelemetry is loaded, and every function here is a look."""

    tracer: Tracer | None = None
    share: float = 0.0


_STATE: Final = _State()
Traced: TypeAlias = AbstractContextManager[object]
_NOTHING: Final[Traced] = nullcontext()


def start(service: str, settings: ServiceSettings) -> Callable[[], None]:
    """Has spans sent to the collector of the settings; gives the function that sends the last and ends it."""
    if not settings.otlp_endpoint:
        return lambda: None
    from services.common.tracing_export import provider_to  # noqa: PLC0415 - not loaded where it is off

    return use(provider_to(service, settings), settings.trace_share)


def use(provider: TracerProvider, share: float) -> Callable[[], None]:
    """Has spans of a share of all that begins made by `provider`; gives the function that ends it."""
    _STATE.tracer, _STATE.share = provider.get_tracer("platewarden"), share

    def stop() -> None:
        _STATE.tracer = None
        provider.shutdown()

    return stop


def is_on() -> bool:
    """Whether anything is traced."""
    return _STATE.tracer is not None


def span(name: str, **numbers: int) -> Traced:
    """A part of what is traced; nothing where nothing is."""
    tracer = _STATE.tracer
    if tracer is None or not _current().is_valid:
        return _NOTHING
    return _open(tracer, name, numbers=numbers)


def beginning(name: str, **numbers: int) -> Traced:
    """Where a trace may begin: a part of what is traced, else in the share of cases one of its own."""
    tracer = _STATE.tracer
    if tracer is None or not (_current().is_valid or _is_drawn()):
        return _NOTHING
    return _open(tracer, name, numbers=numbers)


def going_on(name: str, header: str, **numbers: int) -> Traced:
    """A part of the trace that another service's `traceparent` names; nothing without one."""
    tracer = _STATE.tracer
    parent = parsed(header) if tracer and header else None
    if tracer is None or parent is None:
        return _NOTHING
    return _open(tracer, name, parent, numbers=numbers)


def joined(name: str, parents: Iterable[SpanContext | None]) -> Traced:
    """What several did together: a part of the first one's trace, with links to the others; or of none."""
    tracer = _STATE.tracer
    found = [one for one in parents if one is not None] if tracer else []
    if tracer is None or not found:
        return _NOTHING
    return _open(tracer, name, found[0], found[1 : _MOST_LINKS + 1])


class CallSpan:
    """The span of a call, or none; `end` says how it ended."""

    def __init__(self, opened: Span | None) -> None:
        self._span = opened

    @property
    def trace_id(self) -> str:
        """In hexadecimal, for the log; empty without a trace."""
        return f"{self._span.get_span_context().trace_id:032x}" if self._span else ""

    def end(self, code: grpc.StatusCode) -> None:
        """Notes the code of the answer."""
        if self._span is None:
            return
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code in _SERVER_FAULTS:
            _mark_failed(self._span)


@contextmanager
def call(method: str, metadata: Iterable[tuple[str, Any]], *, from_service: bool) -> Iterator[CallSpan]:
    """The span of a call of a method: of the service's trace that called, else as `beginning`."""
    tracer = _STATE.tracer
    parent = None
    if tracer and from_service:
        parent = parsed(next((str(value) for key, value in metadata if key == HEADER), ""))
    if tracer is None or (parent is None and (from_service or not _is_drawn())):
        yield CallSpan(None)
        return
    with _open(tracer, method.lstrip("/"), parent, is_call=True) as opened:
        yield CallSpan(opened)


def carried(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a call to another service, with what it needs to go on with the trace."""
    given = header()
    if not given:
        return options
    return {**options, "metadata": (*(options.get("metadata") or ()), (HEADER, given))}


def header() -> str:
    """`traceparent` of what is traced now; empty for nothing."""
    now = carrier()
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-01" if now else ""


def carrier() -> SpanContext | None:
    """What is traced now, for `joined`."""
    if _STATE.tracer is None:
        return None
    now = _current()
    return now if now.is_valid else None


def parsed(text: str) -> SpanContext | None:
    """What a `traceparent` names, where that is sampled; None for anything else."""
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - not loaded where it is off

    match = _TRACEPARENT.fullmatch(text)
    if match is None or (match[4] and text.startswith("00")) or not int(match[3], 16) & _SAMPLED:
        return None
    ids = int(match[1], 16), int(match[2], 16)
    found = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(_SAMPLED))
    return found if found.is_valid else None


class Remembered:
    """Traces of what is to be gone on with later, in this process: the newest, and no more than so many."""

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._kept: dict[Hashable, SpanContext] = {}

    def note(self, keys: Iterable[Hashable]) -> None:
        """Remembers under `keys` what is traced now."""
        now = carrier()
        if now is None:
            return
        self._kept.update(dict.fromkeys(keys, now))
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def taken(self, keys: Iterable[Hashable]) -> list[SpanContext]:
        """What was remembered under `keys`, each trace once; it is forgotten now."""
        if not self._kept:
            return []
        found = (self._kept.pop(key, None) for key in keys)
        return list({one.trace_id: one for one in found if one is not None}.values())


def _current() -> SpanContext:
    from opentelemetry import trace  # noqa: PLC0415 - not loaded where it is off

    return trace.get_current_span().get_span_context()


def _is_drawn() -> bool:
    return random.random() < _STATE.share  # noqa: S311 - no secret


@contextmanager
def _open(  # noqa: PLR0913 - what a span has
    tracer: Tracer,
    name: str,
    parent: SpanContext | None = None,
    links: Iterable[SpanContext] = (),
    *,
    numbers: Mapping[str, int] = MappingProxyType({}),
    is_call: bool = False,
) -> Iterator[Span]:
    from opentelemetry import trace  # noqa: PLC0415 - not loaded where it is off

    if not is_call and name not in NAMES:
        raise ValueError("a span has one of the names in NAMES")
    opened = tracer.start_span(
        name,
        trace.set_span_in_context(trace.NonRecordingSpan(parent)) if parent else None,
        trace.SpanKind.SERVER if is_call else trace.SpanKind.INTERNAL,
        {f"platewarden.{key}": value for key, value in numbers.items()},
        [trace.Link(one) for one in links],
        record_exception=False,
        set_status_on_exception=False,
    )
    with trace.use_span(opened, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield opened
        except BaseException:
            if not is_call:
                _mark_failed(opened)
            raise


def _mark_failed(failed: Span) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - not loaded where it is off

    failed.set_status(StatusCode.ERROR)
