"""Which alerts a list is of, and where its pages begin."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.core.model import Category, Partition, Verification


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the alerts of a list must be. What is empty asks for nothing.

    `start` and `end` are as the caller gave them; None stands for 24 hours ago, and for now.
    """

    partition: Partition
    start: datetime | None
    end: datetime | None
    categories: tuple[Category, ...] = ()
    states: tuple[Verification, ...] = ()
    only_unacknowledged: bool = False
    plate: str = ""

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """What is asked besides the window, in words for the log."""
        said = {
            "categories": ",".join(one.name for one in self.categories),
            "verification_states": ",".join(one.name for one in self.states),
            "only_unacknowledged": "true" if self.only_unacknowledged else "",
            "plate": self.plate,
        }
        return tuple((name, value) for name, value in said.items() if value)


@dataclass(frozen=True, slots=True)
class Last:
    """Where a page ended."""

    raise_time: datetime
    alert_id: UUID


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list begins.

    Attributes:
        account_id: Whose list it is.
        asked: SHA-256 of what was asked for the first page.
        start: The window of all pages, from this moment, inclusive,
        end: to this one, exclusive; what is raised after the first page is in none of them.
        last: The last alert of the page before: when it was raised, and its id. None for the first page.
        first_authorization_id: Of the first page; empty for the person's own feed, which needs none.
    """

    account_id: str
    asked: str
    start: datetime
    end: datetime
    last: Last | None = None
    first_authorization_id: str = ""
