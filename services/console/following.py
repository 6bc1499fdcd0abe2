"""How long a page may follow a stream before it comes again, and the door looks anew who follows."""

from __future__ import annotations

import time
from typing import Final

from services.console.door import Person
from services.console.sessions import LIFE_SECONDS

# The door renews a token in its last 90 seconds: a stream that ends here goes on with a new one.
_BEFORE_END_SECONDS: Final = 60.0
_LEAST_SECONDS: Final = 5.0
# After so long the door looks anew who follows, and another replica may take over.
_MOST_SECONDS: Final = 300.0


def ends_at(person: Person) -> float:
    """Until when a stream goes at the longest, epoch seconds (CJIS AC-11 for the lock of the screen)."""
    session = person.session
    renewal = max(session.expires_at - _BEFORE_END_SECONDS, time.time() + _LEAST_SECONDS)
    ends = [time.time() + _MOST_SECONDS, session.begun_at + LIFE_SECONDS, renewal]
    return min(ends if session.exempt else [*ends, session.used_at + person.idle_seconds])
