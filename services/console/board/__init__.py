"""The dispatch board: alerts as they come, and the first thing that is done about them.

`page` is the page and its one act, `feed` the stream that the page follows, `shown` what of an alert the
browser gets.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from services.console.board.feed import follow
from services.console.board.page import acknowledge, show
from services.console.door import Door


def routes(door: Door) -> Sequence[Route]:
    """The page, its feed, and the act."""
    return (
        Route("/board", door.page(show), methods=["GET"]),
        Route("/board/feed", door.page(follow), methods=["GET"]),
        Route("/board/acknowledge", door.page(acknowledge), methods=["POST"]),
    )
