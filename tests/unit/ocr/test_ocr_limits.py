"""What is taken on and what is refused at once."""

from __future__ import annotations

from contextlib import ExitStack

import grpc
import pytest

from services.common.errors import to_status
from services.ocr.errors import OverloadedError
from services.ocr.limits import Load


def busy(load: Load, frames: int, stack: ExitStack) -> None:
    for _ in range(frames):
        stack.enter_context(load.admitted(1000))


def taught(seconds: float, *, workers: int = 1, most_bytes: int = 10_000) -> Load:
    """A load that has seen frames take so long."""
    load = Load(workers=workers, most_bytes=most_bytes)
    for _ in range(200):
        with load.admitted(1) as ticket:
            ticket.recognised(seconds)
    return load


def test_frame_that_would_be_recognised_after_its_deadline_is_refused_with_a_time_to_come_again() -> None:
    load = taught(0.1)
    with ExitStack() as stack:
        busy(load, 5, stack)

        with pytest.raises(OverloadedError) as refused, load.admitted(1000, seconds_left=0.5):
            pass

    assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.retry_after_ms == pytest.approx(600, abs=5)
    assert any(detail.type_url.endswith("RetryInfo") for detail in to_status(refused.value).details)


def test_frame_with_time_enough_is_taken() -> None:
    load = taught(0.1)
    with ExitStack() as stack:
        busy(load, 5, stack)
        stack.enter_context(load.admitted(1000, seconds_left=0.7))
        stack.enter_context(load.admitted(1000, seconds_left=None))


def test_more_workers_shorten_the_wait() -> None:
    one, four = taught(0.1), taught(0.1, workers=4)
    with ExitStack() as stack:
        busy(one, 4, stack)
        busy(four, 4, stack)

        assert one.wait_seconds == pytest.approx(0.5, rel=0.01)
        assert four.wait_seconds == pytest.approx(0.2, rel=0.01)


def test_frame_that_is_recognised_is_in_nobodys_way_though_its_answer_waits() -> None:
    load = taught(0.1)
    with load.admitted(1000) as ticket:
        waiting = load.wait_seconds
        ticket.recognised(0.1)

        assert load.wait_seconds < waiting


def test_images_under_way_are_bounded_in_bytes() -> None:
    load = Load(workers=1, most_bytes=10_000)
    with load.admitted(6000):
        with pytest.raises(OverloadedError, match="too many images"), load.admitted(6000):
            pass
        with load.admitted(4000):
            pass

    with load.admitted(6000):
        pass


def test_one_frame_fits_whatever_its_size() -> None:
    with Load(workers=1, most_bytes=10).admitted(6000):
        pass


def test_frames_that_fail_leave_no_trace() -> None:
    load = Load(workers=1, most_bytes=10_000)
    before = load.wait_seconds
    for _ in range(20):
        with pytest.raises(ValueError, match="broken"), load.admitted(9000):
            raise ValueError("broken")

    assert load.wait_seconds == before
