"""What is traced, what goes on with a trace, and what of a span leaves."""

import asyncio
import contextvars
import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags, TraceState

from services.common import tracing
from services.common.groupcommit import GroupCommit
from services.common.tracing import Remembered
from services.common.tracing_export import ALLOWED
from tests.support.spans import traced

PLATE = "ZZTOP99"
GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # the example of the standard


def span_context(trace_id: int) -> SpanContext:
    return SpanContext(trace_id, 7, is_remote=False, trace_flags=TraceFlags(1))


def test_without_a_collector_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys; from services.common import client, server, tracing\n"
        "with tracing.beginning('ocr.frame'), tracing.span('ocr.image'): pass\n"
        "assert tracing.header() == '' and tracing.carried({'timeout': 1}) == {'timeout': 1}\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr


def test_of_a_span_only_its_name_times_end_and_listed_numbers_leave() -> None:
    with traced() as kept:
        state = TraceState([("plate", PLATE.lower())])
        begun = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
        tracer = tracing._STATE.tracer
        assert tracer is not None
        with tracer.start_as_current_span(
            f"looked for {PLATE}",
            trace.set_span_in_context(trace.NonRecordingSpan(begun)),
            attributes={"plate": PLATE, "platewarden.reads": 3, "rpc.grpc.status_code": PLATE},
            links=[Link(begun, {"plate": PLATE})],
        ) as span:
            span.add_event(PLATE, {"plate": PLATE})
            span.record_exception(ValueError(PLATE))
            span.set_status(StatusCode.ERROR, PLATE)

    (left,) = kept.get_finished_spans()
    assert left.name == "unnamed"
    assert dict(left.attributes or {}) == {"platewarden.reads": 3}
    assert (left.events, left.status.description) == ((), None)
    assert left.status.status_code is StatusCode.ERROR
    assert PLATE not in left.to_json()
    assert PLATE.lower() not in left.to_json()
    assert left.start_time is not None
    assert left.end_time is not None


def test_attributes_that_may_leave_are_numbers() -> None:
    fitting = {key: fits for key, fits in ALLOWED.items() if fits(PLATE) or fits([PLATE]) or fits(True)}

    assert ALLOWED
    assert fitting == {}


def test_what_the_environment_says_of_the_process_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"plate={PLATE}")

    with traced() as kept, tracing.beginning("ocr.frame"):
        pass

    assert PLATE not in kept.get_finished_spans()[0].resource.to_json()


def test_an_error_inside_leaves_as_failed_and_without_its_text() -> None:
    with traced() as kept, pytest.raises(ValueError, match=PLATE), tracing.beginning("ocr.frame"):
        raise ValueError(PLATE)

    (left,) = kept.get_finished_spans()
    assert left.status.status_code is StatusCode.ERROR
    assert PLATE not in left.to_json()


def test_a_span_of_another_name_is_a_mistake_in_the_code() -> None:
    with traced(), pytest.raises(ValueError, match="names"), tracing.beginning(PLATE):
        pass


def test_only_where_a_trace_may_begin_one_does() -> None:
    with traced() as kept:
        with tracing.span("ocr.image"), tracing.going_on("matcher.batch", ""):
            pass
        with (
            tracing.beginning("ocr.frame"),
            tracing.beginning("ocr.keep", reads=2),
            tracing.span("ocr.image"),
        ):
            pass

    names = [one.name for one in kept.get_finished_spans()]
    assert names == ["ocr.image", "ocr.keep", "ocr.frame"]
    assert len({one.context.trace_id for one in kept.get_finished_spans()}) == 1


def test_of_a_share_of_none_nothing_is_traced_and_what_another_service_traces_goes_on() -> None:
    with traced(share=0.0) as kept:
        with tracing.beginning("ocr.frame"):
            assert tracing.header() == ""
        with tracing.going_on("matcher.batch", GOOD, reads=1):
            onward = tracing.header()

    (left,) = kept.get_finished_spans()
    assert (left.parent and left.parent.span_id) == 0xB7AD6B7169203331
    assert onward == f"00-0af7651916cd43dd8448eb211c80319c-{left.context.span_id:016x}-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 10_000,
        GOOD.upper(),
        GOOD + " ",
        GOOD + "-" + PLATE,
        GOOD.replace("-01", "-00"),
        GOOD.replace("00-", "ff-"),
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
    ],
)
def test_what_is_no_traceparent_or_not_sampled_is_not_gone_on_with(text: str) -> None:
    assert tracing.parsed(text) is None


def test_a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert tracing.parsed(GOOD.replace("00-", "01-", 1) + "-more") == tracing.parsed(GOOD)


async def test_what_is_flushed_together_is_a_part_of_the_first_trace_and_linked_to_the_others() -> None:
    async def flush(items: Sequence[int]) -> Sequence[int]:
        return items

    async def submit(item: int) -> None:
        with tracing.beginning("ocr.frame"):
            await commit.submit(item)

    commit = GroupCommit[int, int](flush)
    with traced() as kept:
        tasks = [asyncio.create_task(submit(item), context=contextvars.Context()) for item in range(4)]
        await asyncio.gather(*tasks)

    spans: list[ReadableSpan] = list(kept.get_finished_spans())
    flushes = [one for one in spans if one.name == "commit.writes"]
    traces = {one.context.trace_id for one in spans if one.name == "ocr.frame"}
    assert len(traces) == 4
    assert [len(one.links) for one in flushes] == [3]
    reached = {one.context.trace_id for one in flushes} | {
        link.context.trace_id for one in flushes for link in one.links
    }
    assert reached == traces


def test_of_traces_to_go_on_with_later_only_the_newest_are_remembered_and_each_is_given_once() -> None:
    remembered = Remembered(most=2)
    with traced():
        for key in ("a", "b", "c"):
            with tracing.beginning("ocr.frame"):
                remembered.note([key])

    assert remembered.taken(["a"]) == []
    assert len(remembered.taken(["b", "c", "b"])) == 2
    assert remembered.taken(["b", "c"]) == []
