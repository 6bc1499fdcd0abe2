"""Receipts and checkpoints, checked in the browser; the program that does so offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console.answers import attachment
from services.console.door import Door, Person

# A program by itself, which is handed out as it is. Read at once: an image without it does not start.
_VERIFIER: Final = (Path(__file__).parents[2] / "audit" / "verifier.py").read_bytes()


def routes(door: Door) -> Sequence[Route]:
    """The page, and what to check with elsewhere."""
    return (
        Route("/auditor/receipts", door.page(_show), methods=["GET"]),
        Route("/auditor/verifier.py", door.page(_verifier), methods=["GET"]),
        Route("/auditor/log-keys", door.page(_keys), methods=["GET"]),
    )


async def _show(_request: Request, person: Person) -> Response:
    """The page. What is chosen there stays in the browser."""
    return await person.show("auditor/receipts.html", title="Check a receipt", section="/auditor")


async def _verifier(_request: Request, _person: Person) -> Response:
    return attachment(_VERIFIER, "verifier.py", "text/x-python")


async def _keys(_request: Request, person: Person) -> Response:
    keys = person.pages.known["log_keys"]
    if not keys:
        return person.pages.error("This console has not been told the log's public key.", 404)
    return attachment(f"{keys}\n".encode(), "log.pub", "text/plain")
