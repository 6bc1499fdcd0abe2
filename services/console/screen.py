"""The lock of the screen: touches, looks whether it has locked, and the button that locks it (CJIS AC-11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console.door import Door, Person
from services.console.sessions import Sealer


class Screen:
    """Three addresses that pages and people use; the door itself turns a locked screen away."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def routes(self, door: Door) -> Sequence[Route]:
        """`/touch` after a key or a click, `/still` to look without touching, `/lock` to lock at once."""
        return (
            Route("/touch", door.page(_nothing), methods=["POST"]),
            Route("/still", door.page(_nothing), methods=["GET"]),
            Route("/lock", door.page(self.lock), methods=["POST"]),
        )

    async def lock(self, _request: Request, person: Person) -> Response:
        """Locks the screen now, a telecommunication centre's too."""
        response = RedirectResponse("/", 303)
        self._sealer.keep(response, replace(person.session, used_at=0.0, exempt=False))
        return response


async def _nothing(_request: Request, _person: Person) -> Response:
    return Response(status_code=204)
