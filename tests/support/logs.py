"""Logs as services write them, caught."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator

import structlog

from services.common import logs


def plain() -> None:
    """Logs of the tests' own process as structlog writes them by itself, but for how it shows errors.

    With the source and values of every frame in colours, one costs more than the test that caused it.
    """
    structlog.reset_defaults()
    *first, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*first, renderer])


@contextlib.contextmanager
def written_logs(log_format: str = "json") -> Iterator[Callable[[], str]]:
    """Configures logs, and gives the function that says what was written; puts back what was before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        logs.configure("test", log_format=log_format)
    try:
        yield stream.getvalue
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        plain()
