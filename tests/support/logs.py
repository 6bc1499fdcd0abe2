"""Logs as services write them, caught."""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator

import structlog

from services.common import logs


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
        structlog.reset_defaults()
