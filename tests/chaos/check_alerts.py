"""Hits of everything that was listed; alerts once each, in order, to everybody who follows."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import Any, Final

from services.common.database import Connection
from tests.chaos.answers import KEPT, Answers, Delivered
from tests.chaos.findings import Findings

# For each stored read the entries that it had to match: of lists as they were active at its revision, and of
# local lists. A read that came twice was compared twice; the newer revision counts.
_MUST_HIT: Final = """
WITH compared AS (
    SELECT read_id, plate, greatest(match_revision, given.revision) AS revision
      FROM archive.read JOIN unnest($1::uuid[], $2::bigint[]) AS given (read_id, revision) USING (read_id)
), active AS (
    SELECT c.read_id, c.plate, a.hot_list_id,
           (array_agg(a.version ORDER BY a.match_revision DESC))[1] AS version
      FROM compared AS c JOIN matcher.activation AS a ON a.match_revision <= c.revision
     GROUP BY 1, 2, 3
)
SELECT a.read_id::text, e.entry_id::text
  FROM active AS a JOIN matcher.hot_list_entry AS e
    ON e.hot_list_id = a.hot_list_id AND e.plate = a.plate AND e.first_version <= a.version
   AND (e.last_version IS NULL OR e.last_version >= a.version)
UNION
SELECT c.read_id::text, e.entry_id::text
  FROM compared AS c JOIN matcher.local_entry AS e
    ON e.pattern = c.plate AND e.added_revision <= c.revision
   AND (e.ended_revision IS NULL OR e.ended_revision > c.revision)
"""
_LOOK_BACK_SECONDS: Final = 120.0
_OPEN: Final = "SELECT count(*) FROM matcher.look_back WHERE done_at IS NULL"
_HITS: Final = "SELECT read_id::text, entry_id::text, alert_id::text FROM alerts.hit"
_FEED: Final = "SELECT position, mark, alert_id::text, kind FROM alerts.feed ORDER BY position"


async def check_hits(answers: Answers, base: Connection, found: Findings) -> None:
    """Every stored read of a listed plate has its hit, and every hit its alert, raised once."""
    kept = [one for one in answers.reads.values() if one.status in KEPT]
    must = await base.fetch(_MUST_HIT, [one.read_id for one in kept], [one.revision for one in kept])
    rows = await base.fetch(_HITS)
    hits = {(row["read_id"], row["entry_id"]) for row in rows}
    for row in must:
        found.checked["hits"] += 1
        if (row["read_id"], row["entry_id"]) not in hits:
            found.bad(f"read {row['read_id']} has no hit with entry {row['entry_id']}, which was listed")
    alerts = {row["alert_id"] for row in await base.fetch("SELECT alert_id::text FROM alerts.alert")}
    if stray := {row["alert_id"] for row in rows} - alerts:
        found.bad(f"{len(stray)} hits belong to no alert")


async def check_look_backs(base: Connection, found: Findings) -> None:
    """Every change of the lists was compared with the reads of the hours before it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_BACK_SECONDS):
            while await base.fetchval(_OPEN):  # noqa: ASYNC110 - services change it
                await asyncio.sleep(1)
    for row in await base.fetch("SELECT match_revision, refused, done_at FROM matcher.look_back"):
        found.checked["look-backs"] += 1
        if row["refused"] or row["done_at"] is None:
            what = "was refused" if row["refused"] else "is not done"
            found.bad(f"the look-back of revision {row['match_revision']} {what}")


async def check_deliveries(answers: Answers, base: Connection, found: Findings) -> None:
    """The feed has no gap and raises every alert once; each follower got all of it, in order."""
    feed = await base.fetch(_FEED)
    positions = [row["position"] for row in feed]
    if positions != list(range(1, len(positions) + 1)):
        found.bad("the feed has gaps")
    raised = [row["alert_id"] for row in feed if row["kind"] == 1]
    found.checked["alerts"] = len(raised)
    if len(set(raised)) != len(raised):
        found.bad(f"{len(raised) - len(set(raised))} alerts are raised more than once")
    alerts = {row["alert_id"] for row in await base.fetch("SELECT alert_id::text FROM alerts.alert")}
    if alerts != set(raised):
        found.bad(f"{len(alerts ^ set(raised))} alerts are not in the feed, or in the feed and nowhere else")
    at: dict[int, str] = {row["mark"]: row["alert_id"] for row in feed}
    for name, got in answers.delivered.items():
        _check_follower(name, got, feed, at, found)


def _check_follower(
    name: str, got: list[Delivered], feed: list[Any], at: dict[int, str], found: Findings
) -> None:
    found.checked["deliveries"] += len(got)
    if len({one.epoch for one in got}) > 1:
        found.bad(f"{name} saw more than one epoch of the feed")
    for one in got:
        if at.get(one.position) != one.alert_id:
            found.bad(f"{name} got alert {one.alert_id} at a place where the feed does not have it")
    begun = min((one.position for one in got), default=0)
    had = {one.position for one in got if one.raised}
    missed = [row for row in feed if row["kind"] == 1 and row["mark"] >= begun and row["mark"] not in had]
    for row in missed:
        found.bad(f"{name} never got alert {row['alert_id']}")
    _check_order(name, got, found)


def _check_order(name: str, got: list[Delivered], found: Findings) -> None:
    """What comes for the first time comes in the feed's order; what comes again has come before."""
    newest = 0
    seen: dict[int, int] = defaultdict(int)
    for one in got:
        seen[one.position] += 1
        if one.position < newest and seen[one.position] == 1:
            found.bad(f"{name} got position {one.position} after a later one")
        newest = max(newest, one.position)
