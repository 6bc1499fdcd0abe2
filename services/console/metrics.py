"""Prometheus metrics of the console: answers by page and code. Labels are names of code alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANSWERED: Final = Counter("platewarden_console_answers", "Answers to browsers.", ["page", "method", "code"])
UNDER_WAY: Final = Gauge(
    "platewarden_console_under_way", "Answers under way, live streams among them.", ["page"]
)
SECONDS: Final = Histogram(
    "platewarden_console_answer_seconds",
    "Time from a request to the first byte of its answer.",
    ["page"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_OTHER: Final = "other"


class Counted:
    """Counts the answers of an application.

    Args:
        app: What answers.
        routes: Its routes; a page is the first part of a path that one of them has.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._pages = {_page(one.path) for one in routes if isinstance(one, Route | Mount)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = _page(scope["path"])
        page = page if page in self._pages else _OTHER
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        began = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                SECONDS.labels(page).observe(time.monotonic() - began)
                ANSWERED.labels(page, method, message["status"]).inc()
            await send(message)

        with UNDER_WAY.labels(page).track_inprogress():
            await self._app(scope, receive, counted)


def _page(path: str) -> str:
    return path.split("/", 2)[1] or "home"
