"""The console: how soon an alert is on the dispatcher's screen, what the board weighs, how smooth it stays.

`make bench NAME=console` prints one JSON line; it takes some minutes on an idle machine. A stack of its own
runs beside it with console, five services, PostgreSQL with fsync and mTLS; a real Chromium without a window
shows the board, on the same cores. `--at FOLDER` measures at the system that runs in that folder instead (of
`python -m tests.browser.stand FOLDER`). Nobody's plates are in it.

    alert_to_screen     {p50_ms, p99_ms} from RaiseAlerts to the frame that shows the alert, over `--alerts`
                        (500) at `--per-second` (5), each with pictures; lost: those that never came
    command_line        the same alerts to the stream that `platewarden watch` follows, in the same run
    polled_each_5_s     the same alerts to who asks for the list each five seconds, in the same run
    page                bytes over the wire and requests with an empty cache; first_paint_ms: median of five
    thousand            a board of `--rows` (1,000) alerts: rows_s until all are there; key_to_frame: from a
                        key to the frame after it while alerts go on coming; alert_to_screen: of these;
                        key_processor_ms: of the page's thread, for each key; long tasks of over 50 ms;
                        acknowledged: from the key to the frame that shows that it is recorded
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from alpr.alerts.v1 import alert_search_service_pb2 as search_pb
from alpr.alerts.v1 import alert_search_service_pb2_grpc as search_rpc
from benchmarks import _console_page as on_page
from benchmarks._alerts_follow import plate_of
from benchmarks._alerts_house import House, house, matcher_of, session
from benchmarks._stack import say
from platewarden_client import AlertEvent
from services.cli.watch.feed import alert_stream
from tests.browser.stand import attached_world
from tests.support.browser import Consoles, Desk, running_browser
from tests.support.browser_alerts import enrolled

_DISPATCHER: Final = "bench-dispatcher"
_OFFICER: Final = "bench-watcher"
_POLL_SECONDS: Final = 5.0
_LOADS: Final = 5
_KEYS: Final = 200
_ACKNOWLEDGEMENTS: Final = 50
_SETTLE_SECONDS: Final = 3.0


async def alert_to_screen(home: House, desk: Desk, options: argparse.Namespace) -> dict[str, Any]:
    """The same alerts to the board, to a stream and to who polls."""
    streamed: dict[str, float] = {}
    polled: dict[str, float] = {}
    async with asyncio.TaskGroup() as group:
        others = [
            group.create_task(_streamed(home.folder, streamed)),
            group.create_task(_polled(home.folder, polled)),
        ]
        await asyncio.sleep(_SETTLE_SECONDS)
        sent = await home.raise_steadily(options.per_second, options.alerts / options.per_second)
        await asyncio.sleep(_POLL_SECONDS + _SETTLE_SECONDS)
        for one in others:
            one.cancel()
    at = _raised_at(sent)
    screen = await on_page.shown(desk.page)
    return {
        "alert_to_screen": {**_figures(at, screen), "lost": len(at.keys() - screen.keys())},
        "command_line": _figures(at, streamed),
        "polled_each_5_s": _figures(at, polled),
    }


async def page_weight(desks: Consoles) -> dict[str, Any]:
    """Of the board, each time with an empty cache."""
    loads = []
    for _ in range(_LOADS):
        async with desks.at(_DISPATCHER) as desk:
            loads.append(await on_page.weighed(desk.page, f"{desk.url}/board"))
    paints = [one["first_paint_ms"] for one in loads if one["first_paint_ms"] is not None]
    return {"page": {**loads[-1], "first_paint_ms": round(statistics.median(paints), 1)}}


async def thousand(home: House, desk: Desk, options: argparse.Namespace) -> dict[str, Any]:
    """A full board, while alerts go on coming."""
    await home.raise_at_once(options.rows)
    await desk.open("/board")
    seconds = await on_page.rows_of(desk.page, options.rows)
    coming = asyncio.ensure_future(home.raise_steadily(options.per_second, 10))
    took, processor = await on_page.keys(desk.page, _KEYS)
    at = _raised_at(await coming)
    figures = {
        "rows_s": round(seconds, 2),
        "key_to_frame": _percentiles(took),
        "key_processor_ms": round(processor, 2),
        "long_tasks": await desk.page.evaluate("window.long_tasks"),
        "acknowledged": _percentiles(await on_page.acknowledgements(desk.page, _ACKNOWLEDGEMENTS)),
        "alert_to_screen": _figures(at, await on_page.shown(desk.page)),
    }
    return {"thousand": figures}


async def _streamed(folder: Path, seen: dict[str, float]) -> None:
    async with session(folder, _OFFICER) as caller, alert_stream(caller) as stream:
        async for event in stream:
            if isinstance(event, AlertEvent):
                seen.setdefault(event.alert.plate, 1000 * time.time())


async def _polled(folder: Path, seen: dict[str, float]) -> None:
    async with session(folder, _OFFICER) as caller:
        stub = search_rpc.AlertSearchServiceStub(caller.channel("alerts"))
        while True:
            request = search_pb.ListAlertsRequest(request_id=str(uuid4()), page_size=200)
            answer = await caller.call(stub.ListAlerts, request)
            for alert in answer.alerts:
                seen.setdefault(alert.plate, 1000 * time.time())
            await asyncio.sleep(_POLL_SECONDS)


def _raised_at(sent: Mapping[int, int]) -> Mapping[str, float]:
    """When each plate was raised, as the page tells times."""
    ahead = time.time() - time.monotonic()
    return {plate_of(number): 1000 * (ns / 1e9 + ahead) for number, ns in sent.items()}


def _figures(at: Mapping[str, float], seen: Mapping[str, float]) -> dict[str, Any]:
    return _percentiles([seen[plate] - sent for plate, sent in at.items() if plate in seen])


def _percentiles(values: Sequence[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "count": len(values)}


@asynccontextmanager
async def _home(options: argparse.Namespace) -> AsyncIterator[House]:
    if options.at:
        folder = options.at
        first = 10**6 + int(time.time()) % 10**6 * 5  # plates of other runs are of other passages
        async with matcher_of(attached_world(folder).callers.stack, folder, first) as home:
            yield home
        return
    with tempfile.TemporaryDirectory() as made:
        async with house(Path(made), console=True) as home:
            yield home


async def _measured(options: argparse.Namespace) -> dict[str, Any]:
    async with _home(options) as home, running_browser() as browser:
        await enrolled(home.folder, [(_DISPATCHER, "telecom-center"), (_OFFICER, "user")])
        desks = Consoles(browser, home.stack.console_url, home.folder / "issuer" / "secret")
        line: dict[str, Any] = {"benchmark": "console", **await page_weight(desks)}
        say(f"page: {line['page']}")
        async with desks.window() as desk:
            await desk.page.add_init_script(on_page.WATCH)
            await desks.sign_in(desk, _DISPATCHER, "/board")
            await desk.page.wait_for_selector("#link[data-state=live]")
            line |= await alert_to_screen(home, desk, options)
            say(f"alert to screen: {line['alert_to_screen']}")
            line |= await thousand(home, desk, options)
            await desk.sign_out()
    return line


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The console: how soon, how heavy, how smooth.")
    parser.add_argument("--alerts", type=int, default=500)
    parser.add_argument("--per-second", type=float, default=5.0)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument(
        "--at", type=lambda text: Path(text).absolute(), help="a running system in place of one of its own"
    )
    return parser.parse_args()


def main() -> int:
    """Prints the line."""
    print(json.dumps(asyncio.run(_measured(_options()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
