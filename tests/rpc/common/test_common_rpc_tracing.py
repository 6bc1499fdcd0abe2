"""Whose trace a call goes on with, and what is traced."""

import json

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.common import tracing
from services.common.errors import NotFoundError
from services.common.identity import Context
from services.dev.pki import DevelopmentAuthority
from tests.support.logs import written_logs
from tests.support.shapes import Shapes, builder_of, running, service_caller, user_caller
from tests.support.spans import traced

PLATE = "ZZTOP99"
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADER = ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")


def trace_ids(kept: InMemorySpanExporter) -> list[str]:
    spans: list[ReadableSpan] = list(kept.get_finished_spans())
    return [f"{one.context.trace_id:032x}" for one in spans]


async def test_a_call_of_a_service_goes_on_with_the_trace_it_names(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        with traced(share=0.0) as kept:
            await caller.call(metadata=(HEADER,))

    (span,) = kept.get_finished_spans()
    assert trace_ids(kept) == [TRACE]
    assert dict(span.attributes or {}) == {"rpc.grpc.status_code": 0}


async def test_a_service_that_traces_nothing_has_nothing_traced_by_others(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        with traced(share=1.0) as kept:
            await caller.call()

    assert trace_ids(kept) == []


@pytest.mark.parametrize("who", ["sensor", "agency"])
async def test_the_trace_of_a_caller_that_is_no_service_is_not_gone_on_with(
    tls: DevelopmentAuthority, who: str
) -> None:
    certificate = tls.sensor("cam-1") if who == "sensor" else tls.agency("IL0160000")
    async with (
        running(builder_of(tls, Shapes())) as server,
        service_caller(tls, server, certificate=certificate) as caller,
    ):
        with traced(share=0.0) as unasked:
            await caller.call(metadata=(HEADER,))
        with traced(share=1.0) as by_chance:
            await caller.call(metadata=(HEADER,))

    assert trace_ids(unasked) == []
    assert len(trace_ids(by_chance)) == 1
    assert trace_ids(by_chance) != [TRACE]


async def test_nor_is_a_persons(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, user_caller(tls, server) as caller:
        with traced(share=0.0) as unasked:
            await caller.call(metadata=(HEADER, ("tracestate", f"plate={PLATE}"), ("baggage", PLATE)))
        with traced(share=1.0) as by_chance:
            await caller.call(metadata=(HEADER, ("tracestate", f"plate={PLATE}"), ("baggage", PLATE)))

    assert trace_ids(unasked) == []
    (span,) = by_chance.get_finished_spans()
    assert trace_ids(by_chance) != [TRACE]
    assert PLATE not in span.to_json()


async def test_calls_to_other_services_carry_what_is_traced(tls: DevelopmentAuthority) -> None:
    seen: list[tuple[str, ...]] = []

    async def note(request: bytes, context: Context) -> bytes:
        seen.append(
            tuple(str(value) for key, value in context.invocation_metadata() or () if key == "traceparent")
        )
        return request

    async with running(builder_of(tls, Shapes(note))) as server, service_caller(tls, server) as caller:
        await caller.call()
        with traced(share=1.0) as kept, tracing.beginning("ocr.frame"):
            for shape in ("UnaryUnary", "StreamUnary", "UnaryStream"):
                await caller.call(shape=shape, metadata=(("x-other", "1"),))

    began = trace_ids(kept)[-1]
    assert seen[0] == ()
    assert [values[0].split("-")[1] for values in seen[1:]] == [began] * 3
    assert set(trace_ids(kept)) == {began}


async def test_a_refusal_leaves_as_its_code_and_without_its_text(tls: DevelopmentAuthority) -> None:
    async def refuse(_request: bytes, _context: Context) -> bytes:
        raise NotFoundError(f"there is no {PLATE}", resource=PLATE)

    async with running(builder_of(tls, Shapes(refuse))) as server, user_caller(tls, server) as caller:
        with traced(share=1.0) as kept, pytest.raises(Exception, match=PLATE):
            await caller.call()

    (span,) = kept.get_finished_spans()
    assert dict(span.attributes or {}) == {"rpc.grpc.status_code": 5}
    assert span.status.is_unset
    assert PLATE not in span.to_json()


async def test_the_log_line_of_a_traced_call_names_the_trace(tls: DevelopmentAuthority) -> None:
    async with running(builder_of(tls, Shapes())) as server, service_caller(tls, server) as caller:
        with written_logs() as written, traced(share=0.0):
            await caller.call(metadata=(HEADER,))
            await caller.call()

    lines = [json.loads(line) for line in written().splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [line.get("trace_id") for line in calls] == [TRACE, None]
