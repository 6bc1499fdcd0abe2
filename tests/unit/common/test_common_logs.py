"""Logs hold no content."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from services.common import logs
from tests.support.logs import written_logs

PLATE = "SECRET1"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Configured logs; gives the function that reads what was written."""
    with written_logs() as written:
        yield lambda: [json.loads(line) for line in written().splitlines()]


def _fails(plate: str) -> None:
    local = {"plate": plate}
    try:
        {}[local["plate"]]
    except KeyError as error:
        raise ValueError(f"no such plate {plate}") from error


def test_an_exception_is_classes_and_places_with_its_cause_and_without_its_text(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    try:
        _fails(PLATE)
    except ValueError:
        structlog.get_logger().exception("it_failed", attempt=2)

    [line] = lines()
    assert PLATE not in json.dumps(line)
    assert (line["event"], line["level"], line["service"], line["attempt"]) == (
        "it_failed",
        "error",
        "test",
        2,
    )
    assert [one for one in line["error"] if not one.startswith(" ")] == ["ValueError", "KeyError"]
    assert all(":" in one for one in line["error"] if one.startswith(" "))


def test_exceptions_that_libraries_log_are_treated_alike(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        _fails(PLATE)
    except ValueError:
        logging.getLogger("some.library").exception("failed")

    [line] = lines()
    assert PLATE not in json.dumps(line)
    assert line["error"][0] == "ValueError"
    assert line["event"] == "failed"


async def test_a_task_that_nobody_awaited_is_logged_without_its_text(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(logs.loop_exception_handler)
    task = asyncio.create_task(asyncio.to_thread(_fails, PLATE))
    await asyncio.wait({task})
    del task
    await asyncio.sleep(0)
    loop.set_exception_handler(before)

    written = lines()
    assert PLATE not in json.dumps(written)
    # The loop is that of all tests of the process, and what others left behind may end just now, too.
    mine = [
        line for line in written if "ValueError" in line.get("error", ()) and "_fails" in json.dumps(line)
    ]
    assert [line["event"] for line in mine] == ["unhandled_in_loop"]


def test_fields_of_the_call_are_on_every_line(lines: Callable[[], list[dict[str, Any]]]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="7e57"):
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")

    inside, outside = lines()
    assert inside["request_id"] == "7e57"
    assert "request_id" not in outside


def test_a_level_below_the_configured_one_is_not_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger().debug("detail")

    assert lines() == []


def test_the_console_form_has_no_locals_either() -> None:
    with written_logs("console") as written:
        try:
            _fails(PLATE)
        except ValueError:
            structlog.get_logger().exception("it_failed")

    assert "it_failed" in written()
    assert "ValueError" in written()
    assert PLATE not in written()


def test_a_long_chain_of_causes_is_cut() -> None:
    error: Exception = ValueError()
    for _ in range(100):
        outer = ValueError()
        outer.__cause__ = error
        error = outer

    assert len(logs.error_places(error)) == 5
