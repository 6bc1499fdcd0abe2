"""How the Motor Carrier Safety data set was used, counted from the log (ENF-051 III.E.2)."""

from __future__ import annotations

from datetime import datetime

from services.audit.core.records import MonthOfUse, Use
from services.audit.store_reader import Reader

_ENTRIES = """
    FROM audit.log_field AS action
    JOIN audit.log_leaf AS leaf ON leaf.log_index = action.log_index
    JOIN audit.log_field AS kind ON kind.log_index = action.log_index AND kind.name = 'kind'
    JOIN audit.log_field AS agency ON agency.log_index = action.log_index AND agency.name = 'actor_agency'
    JOIN audit.log_field AS actor ON actor.log_index = action.log_index AND actor.name = 'actor'
    WHERE action.name = 'action' AND action.value LIKE 'question.mcs%'
      AND agency.value = $1 AND leaf.record_time >= $2 AND leaf.record_time < $3
"""
_MONTHS = (
    """
    SELECT to_char(leaf.record_time AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
           count(*) FILTER (WHERE kind.value = 'query'), count(*) FILTER (WHERE kind.value = 'refusal')
"""
    + _ENTRIES
    + " GROUP BY month ORDER BY month"
)
# What left: acts that were done, whoever they were for.
_LEFT = """
    SELECT to_char(leaf.record_time AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*) AS disclosures
    FROM audit.log_field AS action
    JOIN audit.log_leaf AS leaf ON leaf.log_index = action.log_index
    JOIN audit.log_field AS kind ON kind.log_index = action.log_index AND kind.name = 'kind'
    JOIN audit.log_field AS agency ON agency.log_index = action.log_index AND agency.name = 'actor_agency'
    JOIN audit.log_field AS result ON result.log_index = action.log_index AND result.name = 'result'
    WHERE action.name = 'action' AND action.value LIKE 'mcs_dissemination.%'
      AND split_part(action.value, '.', 2)
          IN ('export', 'evidence', 'share', 'government', 'public', 'everything')
      AND kind.value = 'outcome' AND result.value = 'DONE'
      AND agency.value = $1 AND leaf.record_time >= $2 AND leaf.record_time < $3
    GROUP BY month
"""
_PEOPLE = "SELECT count(DISTINCT actor.value)" + _ENTRIES + " AND kind.value = 'query'"
_APPROVED = """
    SELECT count(*) FROM audit.sensor
    WHERE agency_ori = $1 AND partition = 'MOTOR_CARRIER' AND approved_from >= $2 AND approved_from < $3
"""


class UseStore(Reader):
    """Counts; it gives no name and no question."""

    async def of(self, ori: str, first: datetime, end: datetime) -> Use:
        """The agency's use of the data set from `first` to before `end`."""
        period = (ori, first, end)
        asked = {row[0]: (row[1], row[2]) for row in await self._fetch(_MONTHS, *period)}
        left = {row[0]: row[1] for row in await self._fetch(_LEFT, *period)}
        months = (
            MonthOfUse(month, *asked.get(month, (0, 0)), left.get(month, 0))
            for month in sorted(asked.keys() | left.keys())
        )
        return Use(
            months=tuple(months),
            people=await self._fetchval(_PEOPLE, *period),
            deployments_approved=await self._fetchval(_APPROVED, *period),
        )
