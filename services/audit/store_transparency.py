"""What is counted for transparency reports, and the reports. One method is one transaction."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import asyncpg

from services.audit.errors import RecordNotFoundError
from services.audit.store_reader import Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction
from services.common.transparency import COUNTED

_PAGE: Final = 4096
_RANGE = """
    SELECT min(log_index), max(log_index) FROM audit.log_leaf
    WHERE record_time >= $1 AND record_time < $2 AND log_index < $3
"""
# Without the fields that nobody counts, which are the long ones.
_FIELDS = """
    SELECT jsonb_object_agg(name, value) AS counted FROM audit.log_field
    WHERE {places} AND name = ANY($2::text[]) GROUP BY log_index ORDER BY log_index
"""
_IN_RANGE = _FIELDS.format(places="log_index >= $1 AND log_index < $3")
_AT = _FIELDS.format(places="log_index = ANY($1::bigint[])")
_OUTCOMES = """
    SELECT log_index FROM audit.log_field
    WHERE name = 'subject' AND value = ANY($1::text[]) AND log_index >= $2 AND log_index < $3
    ORDER BY log_index
"""
_REPORT = """
    SELECT report_id, agency_ori, from_time, to_time, publish_time, entries, sha256, report
    FROM audit.transparency_report
"""
_BY_ID = _REPORT + "WHERE report_id = $1::uuid"
_OF_PERIOD = _REPORT + "WHERE agency_ori = $1 AND from_time = $2 AND to_time = $3"
_OF_AGENCY = _REPORT + "WHERE agency_ori = $1 AND from_time < $2 ORDER BY from_time DESC LIMIT $3"
_NEWEST = """
    SELECT DISTINCT ON (agency_ori) agency_ori, from_time, to_time FROM audit.transparency_report
    ORDER BY agency_ori, from_time DESC
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
_INSERT = """
    INSERT INTO audit.transparency_report
        (report_id, agency_ori, from_time, to_time, publish_time, entries, sha256, report, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9::uuid)
"""
_INSERT_MONTHS = """
    INSERT INTO audit.transparency_month (agency_ori, month, report_id)
    SELECT $1, month, $3::uuid FROM unnest($2::date[]) AS month
"""
_AGENCIES = "SELECT ori, name FROM audit.agency ORDER BY ori"
_COUNTED: Final = sorted(COUNTED)


@dataclass(frozen=True, slots=True)
class PublishedReport:
    """A report as it was published; `report` is its text."""

    report_id: str
    agency_ori: str
    start: datetime
    end: datetime
    publish_time: datetime
    entries: int
    sha256: bytes
    report: str


class TransparencyStore(Reader):
    """Reads what is counted, and keeps reports."""

    async def places(self, start: datetime, end: datetime, size: int) -> range:
        """From the first to the last place of the window, among the first `size` entries.

        Between them may lie entries of other times: replicas have clocks of their own.
        """
        row = await self._fetchrow(_RANGE, start, end, size)
        first, last = row or (None, None)
        return range(0) if first is None or last is None else range(first, last + 1)

    async def entries(self, places: range) -> AsyncGenerator[dict[str, str], None]:
        """The fields that are counted of each entry at these places, in their order."""
        for start in range(places.start, places.stop, _PAGE):
            until = min(start + _PAGE, places.stop)
            for found in await self._fetch(_IN_RANGE, start, _COUNTED, until):
                yield json.loads(found["counted"])

    async def outcomes(self, subjects: Iterable[str], start: int, size: int) -> list[dict[str, str]]:
        """Fields that are counted of what belongs to these entries, from place `start` to before `size`."""
        wanted = sorted(subjects)
        places = [row["log_index"] for row in await self._fetch(_OUTCOMES, wanted, start, size)]
        return [json.loads(row["counted"]) for row in await self._fetch(_AT, places, _COUNTED)]

    async def agencies(self) -> dict[str, str]:
        """Names of all agencies by their ORI."""
        return {row["ori"]: row["name"] for row in await self._fetch(_AGENCIES)}

    async def by_id(self, report_id: str) -> PublishedReport:
        """The report. Raises RecordNotFoundError."""
        row = await self._fetchrow(_BY_ID, report_id)
        if row is None:
            raise RecordNotFoundError("your agency has no such report", resource=report_id)
        return _report(row)

    async def of_period(self, ori: str, start: datetime, end: datetime) -> PublishedReport | None:
        """The agency's report on just that period, or None."""
        row = await self._fetchrow(_OF_PERIOD, ori, start, end)
        return _report(row) if row else None

    async def page(self, ori: str, before: datetime, limit: int) -> list[PublishedReport]:
        """Up to `limit` reports of the agency on periods that begin before `before`, newest first."""
        return [_report(row) for row in await self._fetch(_OF_AGENCY, ori, before, limit)]

    async def newest(self) -> list[tuple[str, datetime, datetime]]:
        """ORI and newest reported period of each agency that has published."""
        return [tuple(row) for row in await self._fetch(_NEWEST)]

    async def publish(self, intent_id: str, one: PublishedReport, months: Sequence[date]) -> None:
        """Stores the report on these months, once for each intent.

        Raises:
            WrongStateError: A month of it is in another report.
        """
        parts = (one.start, one.end, one.publish_time, one.entries, one.sha256, one.report)
        try:
            async with transaction(self._pool) as connection:
                if await connection.fetchval(_CLAIM, intent_id):
                    await connection.execute(_INSERT, one.report_id, one.agency_ori, *parts, intent_id)
                    await connection.execute(_INSERT_MONTHS, one.agency_ori, list(months), one.report_id)
        except asyncpg.UniqueViolationError:
            raise WrongStateError("a month of this period is in another report already") from None


def _report(row: Any) -> PublishedReport:
    report_id, ori, start, end, publish_time, entries, sha256, report = row
    return PublishedReport(str(report_id), ori, start, end, publish_time, entries, bytes(sha256), report)
