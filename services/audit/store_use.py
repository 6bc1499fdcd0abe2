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
        months = tuple(MonthOfUse(*row) for row in await self._fetch(_MONTHS, *period))
        return Use(
            months=months,
            people=await self._fetchval(_PEOPLE, *period),
            deployments_approved=await self._fetchval(_APPROVED, *period),
        )
