"""Questions to the log's tables. One method is one SELECT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.audit.core.log_question import LogFilter
from services.audit.store_reader import Reader

# A person's or a case's entries come by their index; without either the log is walked back from its end.
_FROM_ALL = "audit.log_leaf AS l"
_FROM_FIELD = "audit.log_field AS d JOIN audit.log_leaf AS l ON l.log_index = d.log_index"
# What nobody's account did, and is found at all, is the own agency's. The planner takes a bare equality for
# rare and would read the whole log before it looks at the newest entry; it thinks nothing so of a coalesce.
_FIND = """
    SELECT l.log_index FROM {source}
    WHERE {driven} AND l.log_index < $1 AND l.record_time >= $2 AND l.record_time < $3
      AND EXISTS (SELECT FROM audit.log_field AS f WHERE f.log_index = l.log_index
                  AND f.name IN ('actor_agency', 'agency') AND f.value = $4)
      AND ($5 = '' OR EXISTS (SELECT FROM audit.log_field AS f
                              WHERE f.log_index = l.log_index AND f.name = 'actor' AND f.value = $5))
      AND ($6 = '' OR EXISTS (SELECT FROM audit.log_field AS f
                              WHERE f.log_index = l.log_index AND f.name = 'case_number' AND f.value = $6))
      AND ($7 = '' OR EXISTS (SELECT FROM audit.log_field AS f
                              WHERE f.log_index = l.log_index AND f.name = 'action' AND f.value = $7))
      AND ($8 = '' OR EXISTS (SELECT FROM audit.log_field AS f
                              WHERE f.log_index = l.log_index AND f.name = 'kind' AND f.value = $8))
      AND ($9 = '' OR EXISTS (SELECT FROM audit.log_field AS f
                              WHERE f.log_index = l.log_index AND f.name = 'question'
                                AND audit.names_plate(f.value, $9)))
      AND ($10 = '' OR NOT EXISTS (SELECT FROM audit.log_field AS f
                                   WHERE f.log_index = l.log_index AND f.name = 'action' AND f.value = $10))
      AND ($11 = '' OR coalesce(
               $11 = (SELECT f.value FROM audit.log_field AS f
                      WHERE f.log_index = l.log_index AND f.name = 'actor_agency'),
               $11 = $4))
    ORDER BY l.log_index DESC LIMIT $12
"""
_BY_ACCOUNT = _FIND.format(
    source=_FROM_FIELD, driven="d.name = 'actor' AND d.value = $5 AND d.log_index < $1"
)
_BY_CASE = _FIND.format(
    source=_FROM_FIELD, driven="d.name = 'case_number' AND d.value = $6 AND d.log_index < $1"
)
_BY_TIME = _FIND.format(source=_FROM_ALL, driven="true")
# Questions have an index; what cannot name the plate is passed over without a closer look.
_BY_PLATE = _FIND.format(
    source=_FROM_FIELD,
    driven="""d.name = 'question' AND d.log_index < $1
      AND (strpos(d.value, $9) > 0 OR d.value LIKE '%plate_form:%pattern%'
           OR d.value LIKE '%plate_form:%look_alike%' OR d.value LIKE '%plate_form:%one_off%')""",
)
# An account's agency never changes, so what another agency's people did comes by who they are.
_BY_AGENCY = _FIND.format(
    source=_FROM_FIELD,
    driven="""d.name = 'actor' AND d.log_index < $1
      AND d.value IN (SELECT a.account_id::text FROM audit.account AS a WHERE a.agency_ori = $11)""",
)
# A further page of an answer has a subject too, the first question; an outcome alone ends what it is about.
_UNFINISHED = """
    SELECT l.log_index, l.entry_id, l.record_time, kind.value AS kind,
           coalesce(action.value, '') AS action, coalesce(actor.value, '') AS actor,
           coalesce(agency.value, '') AS agency
    FROM audit.log_leaf AS l
    JOIN audit.log_field AS kind ON kind.log_index = l.log_index AND kind.name = 'kind'
    LEFT JOIN audit.log_field AS action ON action.log_index = l.log_index AND action.name = 'action'
    LEFT JOIN audit.log_field AS actor ON actor.log_index = l.log_index AND actor.name = 'actor'
    LEFT JOIN audit.log_field AS agency ON agency.log_index = l.log_index AND agency.name = 'actor_agency'
    WHERE l.record_time >= $1 AND l.record_time < $2 AND kind.value IN ('query', 'intent')
      AND ($3 = '' OR coalesce(agency.value, '') IN ('', $3))
      AND NOT EXISTS (
          SELECT FROM audit.log_field AS subject
          JOIN audit.log_field AS ended ON ended.log_index = subject.log_index AND ended.name = 'kind'
          WHERE subject.name = 'subject' AND subject.value = l.entry_id::text AND ended.value = 'outcome')
    ORDER BY l.log_index LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A question or act that was begun and never said to have ended."""

    log_index: int
    entry_id: str
    record_time: datetime
    kind: str
    action: str
    actor: str
    agency: str


class LogQueryStore(Reader):
    """Finds entries."""

    async def find(
        self, asked: LogFilter, window: tuple[datetime, datetime], agency: str, before: int
    ) -> list[int]:
        """Places of the agency's entries that match, before `before`, newest first; one more than a page."""
        rows = await self._fetch(
            _statement(asked, agency),
            before,
            *window,
            agency,
            asked.account_id,
            asked.case_number,
            asked.action,
            asked.kind,
            asked.plate,
            asked.without,
            asked.agency_ori,
            asked.page_size + 1,
        )
        return [row["log_index"] for row in rows]

    async def unfinished(self, start: datetime, end: datetime, agency: str, limit: int) -> list[Unfinished]:
        """Questions and acts recorded in the window without outcome, oldest first; `agency` "" means all."""
        rows = await self._fetch(_UNFINISHED, start, end, agency, limit)
        return [Unfinished(**{**row, "entry_id": str(row["entry_id"])}) for row in rows]


def _statement(asked: LogFilter, agency: str) -> str:
    """The way to the entries that passes the fewest others; all ways find the same ones."""
    if asked.account_id:
        return _BY_ACCOUNT
    if asked.case_number:
        return _BY_CASE
    if asked.plate:
        return _BY_PLATE
    return _BY_AGENCY if asked.agency_ori not in {"", agency} else _BY_TIME
