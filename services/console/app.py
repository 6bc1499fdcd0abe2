"""The console as an ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.common.keyfile import read_key
from services.console import alert, board, coordinator, home, own_log, patrol, receipts, sign_ins
from services.console.analysis import routes as analysis
from services.console.auditor import routes as auditor
from services.console.config import LOOPBACK, ConsoleSettings
from services.console.door import Door
from services.console.headers import Headers
from services.console.hot_lists import routes as hot_lists
from services.console.metrics import Counted
from services.console.pages import Pages
from services.console.provider import Provider
from services.console.screen import Screen
from services.console.search import routes as search
from services.console.services import Services
from services.console.sessions import Sealer
from services.console.sign_in import SignIn

_STATIC: Final = Path(__file__).parent / "static"


def application(settings: ConsoleSettings, is_stopping: Callable[[], bool]) -> Headers:
    """The application. Make it on the loop that serves it."""
    pages, services, provider = (
        Pages(log_keys=_log_keys(settings), tile_url=settings.tile_url),
        Services(settings, is_stopping),
        Provider(settings),
    )
    sealer = Sealer(read_key(settings.console_key_file, "PW_CONSOLE_KEY_FILE"))
    door = Door(settings, sealer, provider, services, pages)

    @contextlib.asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await services.close()

    async def not_found(_request: Request, _error: Exception) -> Response:
        return pages.error("There is no such page.", 404)

    routes = [
        Route("/healthz", _healthy, methods=["GET"]),
        Mount("/static", GZipMiddleware(StaticFiles(directory=_STATIC))),
        *SignIn(provider, sealer, pages).routes(door),
        *Screen(sealer).routes(door),
        *home.routes(door),
        *sign_ins.routes(door),
        *own_log.routes(door),
        *board.routes(door),
        *coordinator.routes(door),
        *receipts.routes(door),
        *auditor.routes(door, settings),
        *search.routes(door),
        *alert.routes(door),
        *patrol.routes(door),
        *analysis.routes(door),
        *hot_lists.routes(door),
    ]
    app = Starlette(routes=routes, lifespan=life, exception_handlers={404: not_found})
    return Headers(
        Counted(app, routes),
        tiles=_origin(settings.tile_url),
        provider=_origin(settings.discovery_url),
        loopback=urlsplit(settings.console_url).hostname in LOOPBACK,
    )


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("serving")


def _log_keys(settings: ConsoleSettings) -> str:
    file = settings.log_keys_file
    return file.read_text(encoding="ascii").strip() if file else ""


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if address else ""
