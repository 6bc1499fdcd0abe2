"""What is stored, as one number a table, and what the services' processes take of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

# The log, which refusals are written to as well, what follows it, and what services write of themselves and
# when time has passed: leases, places in a feed, whom they saw, what rings by and by.
BY_THEMSELVES: Final = frozenset(
    {
        *("audit.log_field", "audit.log_head", "audit.log_leaf", "audit.conduct", "audit.conduct_head"),
        *(
            "audit.sign_in",
            "archive.health_judge",
            "matcher.replica",
            "matcher.look_back",
            "matcher.verdict_head",
        ),
        *(
            "alerts.outbox",
            "alerts.outbox_head",
            "alerts.webhook_cursor",
            "alerts.escalation",
            "alerts.timer",
        ),
        *("alerts.feed", "alerts.feed_head"),
        # When an account was used last, also by what was refused; receipts that come a moment later.
        *("audit.account_use", "archive.dissemination"),
        # What audit's stream of settings says, a moment later; answers that wait a minute for a second try.
        # What follows agreements that audit tells of, some seconds later.
        *("matcher.agreement", "matcher.agreement_head", "matcher.revision"),
        # Sensors that fall silent.
        *("archive.maintenance", "archive.maintenance_head"),
        *("archive.setting", "archive.computed_answer", "motor_carrier.computed_answer"),
        # Swept of permits whose minute is over.
        *("archive.permit_used", "motor_carrier.permit_used"),
    }
)
_PAUSE_SECONDS: Final = 0.1
_TABLES: Final = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind::text = ANY ($1) AND NOT c.relispartition
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
"""


class Stored:
    """Looks at all tables of the database, as its administrator.

    Args:
        with_days: Also at those that are kept in a part for each day; there are hundreds of parts.
    """

    def __init__(self, database: asyncpg.Connection, *, with_days: bool = True) -> None:
        self._database = database
        self._kinds = ["r", "p"] if with_days else ["r"]
        self._query = ""

    async def look(self) -> Mapping[str, tuple[int, int]]:
        """Number of rows, and a digest of them, of each table that is not empty."""
        if not self._query:
            found = await self._database.fetch(_TABLES, self._kinds)
            names = [name for (name,) in found if name not in BY_THEMSELVES]
            self._query = " UNION ALL ".join(
                f"SELECT '{name}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {name} t"  # noqa: S608
                for name in names
            )
        rows = await self._database.fetch(self._query)
        return {name: (count, int(digest)) for name, count, digest in rows if count}

    async def settled(self) -> Mapping[str, tuple[int, int]]:
        """As `look`, once nothing of what was asked for before is still being done."""
        last = await self.look()
        while changed(last, now := await self.look()):
            last = now
            await asyncio.sleep(_PAUSE_SECONDS)
        return now


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Names of the tables that differ."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def memory_mb(pids: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Of each process what it takes now and the most that it ever took, MiB."""
    return {name: (_status(pid, "VmRSS"), _status(pid, "VmHWM")) for name, pid in sorted(pids.items())}


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) // 1024
    return 0
