"""The same questions of the archive, of a plain table and of DuckDB, in turn, with the same arguments.

    exact_90d   where was this plate, in ninety days? The newest 100 reads.
    wildcard    the newest 100 reads of plates of a form: one character unknown (`ABC?234`), a beginning with
                a gap (`AB?1*`), an end (`*1234`), a part (`*C12*`)
    one_off     the newest 100 reads of plates that are at most one character off
    area_24h    the newest 100 reads within a kilometre of a place, in 24 hours
    convoy      which plates passed at most a minute apart from this one at three cameras or more, in ninety
                days?

Besides the clock's milliseconds there is `cpu_ms`, the mean processor time of whoever answers (for DuckDB of
this process, its threads together): what else the machine does blurs it less.

The archive answers with the functions that its governed questions are made of, here called without a permit.
The plain table is asked as one would write it down: LIKE, levenshtein() of fuzzystrmatch, a distance; DuckDB
the same. Answers must be equal, or the benchmark ends; but the archive counts several reads by one camera in
a minute as one passage, so its convoys may be fewer. Connections and plans are warm.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, TypeAlias

import duckdb
import numpy as np

from benchmarks._archive_build import first_day
from benchmarks._archive_world import DAYS, SENSORS
from services.common.database import Connection

_PAGE: Final = 100
_METERS: Final = 1000.0
_ROUNDS: Final = 200
_LEAST_ROUNDS: Final = 8
_PEER_SECONDS: Final = 15.0
_AGENCIES: Final = ["ILISP0000", *(f"ILMADE{n:03d}" for n in range(12))]

_ARCHIVE: Final = """
SELECT r.read_id, r.capture_time, r.plate, r.state, r.sensor_id, r.agency_ori, r.sensor_group, r.provenance,
       r.latitude, r.longitude, r.place, r.confidence
  FROM (SELECT array_agg(p.read_id) AS read_ids, array_agg(p.capture_time) AS capture_times
          FROM archive.reads_page(
                   $1, $2,
                   ROW ($3, $4, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $5, '{}', '', '{}',
                        archive.place_of($6))::archive.wanted_reads,
                   $7) AS p
         WHERE p.read_id IS NOT NULL) AS page
 CROSS JOIN LATERAL archive.reads_in_order(page.read_ids, page.capture_times) AS r"""
_CONVOY_EVIDENCE: Final = """
SELECT answer
  FROM archive.convoy_evidence($1, $2, $3, interval '60 seconds', 3, 'America/Chicago', $4, '{}', 500)"""
_PLAIN: Final = """
SELECT * FROM {table}
 WHERE {condition} AND capture_time >= $2 AND capture_time < $3
 ORDER BY capture_time DESC, read_id DESC LIMIT 100"""
_METERS_AWAY: Final = """
latitude BETWEEN $4 - 0.01 AND $4 + 0.01 AND longitude BETWEEN $5 - 0.015 AND $5 + 0.015
AND 2 * 6371008.8 * asin(least(1, sqrt(
    sin(radians(latitude - $4) / 2) ^ 2
    + cos(radians($4)) * cos(radians(latitude)) * sin(radians(longitude - $5) / 2) ^ 2))) <= $1"""
_CONVOY: Final = """
WITH seen AS MATERIALIZED (
    SELECT sensor_id, capture_time FROM {table} WHERE plate = $1 AND capture_time >= $2 AND capture_time < $3)
SELECT r.plate FROM seen AS s
  JOIN {table} AS r ON r.sensor_id = s.sensor_id
   AND r.capture_time BETWEEN s.capture_time - interval '60 seconds'
                          AND s.capture_time + interval '60 seconds'
 WHERE r.plate <> $1 AND r.capture_time >= $2 AND r.capture_time < $3
 GROUP BY r.plate HAVING count(DISTINCT s.sensor_id) >= 3"""


Took: TypeAlias = tuple[float, float]
"""Seconds by the clock, and of processor time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: what is asked for, and when."""

    text: str
    from_time: datetime
    to_time: datetime
    latitude: float = 0.0
    longitude: float = 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question.

    Attributes:
        name: Its key in the result.
        form: `plate_form` of archive.reads_page.
        condition: What the peers' WHERE says about the text `$1`.
        make: An example of it.
    """

    name: str
    form: str
    condition: str
    make: Callable[[Random, list[str]], Asked]


def window() -> tuple[datetime, datetime]:
    """The ninety days."""
    start = datetime.combine(first_day(), datetime.min.time(), UTC)
    return start, start + timedelta(days=DAYS)


def _plate(random: Random, plates: list[str]) -> Asked:
    return Asked(random.choice(plates), *window())


def _pattern(random: Random, plates: list[str]) -> Asked:
    plate = random.choice([one for one in plates if len(one) == 7])  # noqa: PLR2004
    at = random.randrange(7)
    shape = random.choice(("hole", "beginning", "end", "part"))
    patterns = {
        "hole": plate[:at] + "?" + plate[at + 1 :],
        "beginning": f"{plate[:2]}?{plate[3]}*",
        "end": f"*{plate[3:]}",
        "part": f"*{plate[2:5]}*",
    }
    return Asked(patterns[shape], *window())


def _area(random: Random, _: list[str]) -> Asked:
    start = window()[0] + timedelta(hours=random.randrange(24 * (DAYS - 1)))
    camera = random.randrange(SENSORS)
    latitude = 41.6 + 0.5 * (camera * 7919 % SENSORS) / SENSORS
    longitude = -88.3 + 0.7 * (camera * 104729 % SENSORS) / SENSORS
    return Asked("", start, start + timedelta(days=1), latitude, longitude)


KINDS: Final = (
    Kind("exact_90d", "exact", "plate = $1", _plate),
    Kind("wildcard", "pattern", "plate LIKE $1", _pattern),
    Kind("one_off", "one_off", "levenshtein(plate, $1) <= 1", _plate),
    Kind("area_24h", "any", _METERS_AWAY, _area),
    Kind("convoy", "", "", _plate),
)


def examples(kind: Kind, plates: list[str], count: int) -> list[Asked]:
    """So many questions, the same ones in every run."""
    random = Random(f"archive {kind.name}")  # noqa: S311 - no secret
    return [kind.make(random, plates) for _ in range(count)]


class System(Protocol):
    """What can be asked."""

    async def ask(self, kind: Kind, asked: Asked) -> Sequence[Any]:
        """The answer's rows, the first column of which says what they are."""

    def busy(self) -> float:
        """Seconds of processor time so far."""


class _Backend:
    """One connection, with the processor time of the server process at its other end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._times = Path("/proc", str(connection.get_server_pid()), "schedstat")

    def busy(self) -> float:
        """See System."""
        return int(self._times.read_text(encoding="ascii").split()[0]) / 1e9


class Archive(_Backend):
    """The archive's own functions, on one connection."""

    async def ask(self, kind: Kind, asked: Asked) -> list[Any]:
        """The answer's rows, the first column of which says what they are."""
        if kind.name == "convoy":
            return await self._convoy(asked)
        area = f'{{"circle":[{asked.latitude!r},{asked.longitude!r},{_METERS!r}]}}' if asked.latitude else ""
        return await self._connection.fetch(
            _ARCHIVE, kind.form, asked.text, asked.from_time, asked.to_time, _AGENCIES, area, _PAGE
        )

    async def _convoy(self, asked: Asked) -> list[Any]:
        evidence = await self._connection.fetchval(
            _CONVOY_EVIDENCE, asked.text, asked.from_time, asked.to_time, _AGENCIES
        )
        return list(json.loads(evidence)["candidates"])


class Plain(_Backend):
    """The plain table, on one connection."""

    async def ask(self, kind: Kind, asked: Asked) -> list[Any]:
        """As Archive.ask."""
        statement, arguments = _peer_question(kind, asked, "made.plain")
        return await self._connection.fetch(statement, *arguments)


class Columnar:
    """The DuckDB file."""

    def __init__(self, file: Path) -> None:
        self._database = duckdb.connect(file, read_only=True)
        self._database.execute("SET TimeZone = 'UTC'")

    async def ask(self, kind: Kind, asked: Asked) -> list[Any]:
        """As Archive.ask."""
        statement, arguments = _peer_question(kind, asked, "plain")
        return self._database.execute(statement, arguments).fetchall()

    def busy(self) -> float:
        """See System."""
        return time.process_time()

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()


def _peer_question(kind: Kind, asked: Asked, table: str) -> tuple[str, list[Any]]:
    if kind.name == "convoy":
        return _CONVOY.format(table=table), [asked.text, asked.from_time, asked.to_time]
    statement = _PLAIN.format(table=table, condition=kind.condition)
    if kind.name == "area_24h":
        return statement, [_METERS, asked.from_time, asked.to_time, asked.latitude, asked.longitude]
    return statement, [asked.text.replace("?", "_").replace("*", "%"), asked.from_time, asked.to_time]


async def measured(
    systems: Mapping[str, System], plates: list[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds of each system and kind of question.

    The first system is asked `_ROUNDS` questions, the others the first ones of them until they have had their
    time.
    """
    took: dict[str, dict[str, list[Took]]] = {name: {kind.name: [] for kind in KINDS} for name in systems}
    for kind in KINDS:
        for number, asked in enumerate(examples(kind, plates, _ROUNDS + 1)):
            await _round(kind, asked, systems, {name: took[name][kind.name] for name in systems})
            if number == 0:  # plans are made, and what the question is about has been read once
                for name in systems:
                    took[name][kind.name].clear()
        for name in systems:
            print(kind.name, name, _percentiles(took[name][kind.name]), file=sys.stderr, flush=True)
    return {
        name: {kind: _percentiles(seconds) for kind, seconds in kinds.items()} for name, kinds in took.items()
    }


async def _round(
    kind: Kind, asked: Asked, systems: Mapping[str, System], took: Mapping[str, list[Took]]
) -> None:
    """Asks every system that has time left, and holds their answers against each other."""
    answers = {}
    for number, (name, system) in enumerate(systems.items()):
        spent = sum(wall for wall, _ in took[name])
        if number and len(took[name]) >= _LEAST_ROUNDS and spent > _PEER_SECONDS:
            continue
        busy, start = system.busy(), time.perf_counter()
        rows = await system.ask(kind, asked)
        took[name].append((time.perf_counter() - start, system.busy() - busy))
        answers[name] = sorted(str(row[0]) for row in rows)
    if not all(_agree(kind, answers["archive"], answer) for answer in answers.values()):
        counts = {name: len(answer) for name, answer in answers.items()}
        raise SystemExit(f"the answers to {kind.name} {asked} differ: {counts}")


def _agree(kind: Kind, ours: list[str], theirs: list[str]) -> bool:
    """Whether both answers are right: the same rows, or for a convoy the archive's plates among all."""
    return set(ours) <= set(theirs) if kind.name == "convoy" else ours == theirs


def _percentiles(took: list[Took]) -> dict[str, float]:
    walls, busies = np.array(took).T * 1000
    p50, p95 = np.percentile(walls, [50, 95])
    return {
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "cpu_ms": round(float(busies.mean()), 2),
        "asked": len(took),
    }
