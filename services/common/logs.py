"""Logs: events with fields, one JSON object a line, on standard error.

Exceptions are written as class names and code places. Their texts and local variables are not: they hold
requests, and requests hold plates.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MOST_FRAMES: Final = 30
_MOST_CAUSES: Final = 5


def configure(service: str, *, level: str = "info", log_format: str = "json") -> None:
    """Sets up the process's logs, those of libraries included. Call it once, first."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _adder(service),
        _error_places,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    # Not by way of the standard library: a line costs a third of that, and every call writes one.
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def error_places(error: BaseException) -> list[str]:
    """Class and code places of `error` and of what caused it, as lines: `ValueError`, `  app.py:12 find`."""
    lines: list[str] = []
    one: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if one is None:
            break
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}".removeprefix("builtins."))
        lines.extend(_frames(one.__traceback__))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return lines


def _frames(trace: TracebackType | None) -> list[str]:
    # lookup_lines=False and no locals: nothing of the values is read.
    summary = traceback.StackSummary.extract(
        traceback.walk_tb(trace), limit=-_MOST_FRAMES, lookup_lines=False
    )
    return [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in summary]


def _error_places(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = error_places(error)
    return event


def _adder(service: str) -> Processor:
    def add(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def loop_exception_handler(_loop: object, context: Mapping[str, Any]) -> None:
    """Logs what nobody awaited. The loop's own handler would print the exception's text."""
    error = context.get("exception")
    structlog.get_logger().error(
        "unhandled_in_loop", exc_info=error if isinstance(error, BaseException) else None
    )
