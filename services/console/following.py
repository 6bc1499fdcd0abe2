"""Streams that pages follow: what waits at the beginning of one, and how long it is followed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from services.common.errors import DependencyUnavailableError
from services.console.door import Person
from services.console.sessions import LIFE_SECONDS

# The door renews a token in its last 90 seconds: a stream that ends here goes on with a new one.
_BEFORE_END_SECONDS: Final = 60.0
_LEAST_SECONDS: Final = 5.0
# After so long the door looks anew who follows, and another replica may take over.
_MOST_SECONDS: Final = 300.0
QUIET_SECONDS: Final = 11.0
"""A stream that said nothing for so long is dead: services send a heartbeat at least every five seconds."""


def ends_at(person: Person) -> float:
    """Until when a stream goes at the longest, epoch seconds (CJIS AC-11 for the lock of the screen)."""
    session = person.session
    renewal = max(session.expires_at - _BEFORE_END_SECONDS, time.time() + _LEAST_SECONDS)
    ends = [time.time() + _MOST_SECONDS, session.begun_at + LIFE_SECONDS, renewal]
    return min(ends if session.exempt else [*ends, session.used_at + person.idle_seconds])


async def waiting(stream: AsyncGenerator[Any, None]) -> list[Any]:
    """What comes before the stream's first heartbeat: all that waits.

    Raises:
        AlprError: The person may not follow it, or the service does not answer.
    """
    found = []
    try:
        async with asyncio.timeout(QUIET_SECONDS), aclosing(stream) as answers:
            async for answer in answers:
                if answer.WhichOneof("event") == "heartbeat":
                    break
                found.append(answer)
    except TimeoutError:
        raise DependencyUnavailableError("No word came from the alerts service.") from None
    return found
