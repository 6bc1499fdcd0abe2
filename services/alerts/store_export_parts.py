"""What belongs to alerts besides hits and steps, a page at a time, for the full export (ENF-051 IV.A.3)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.alerts.rows import Row
from services.common.pg import Pool, connection


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one kind.

    Attributes:
        query: Takes agency, whether of the Motor Carrier Safety system, most rows, and the position.
        marks: Columns that are the position of a record, each with its type.
        nested: Columns that are JSON.
    """

    query: str
    marks: Mapping[str, type]
    nested: tuple[str, ...] = ()


PARTS: Mapping[str, Part] = {
    "subscriptions": Part(
        """
SELECT subscription_id, version, account_id, agency_ori, name, chosen::text AS chosen, ended, intent_id,
       change_time
FROM alerts.subscription_version
WHERE agency_ori = $1 AND motor_carrier = $2 AND (subscription_id, version) > ($4, $5)
ORDER BY subscription_id, version LIMIT $3
""",
        {"subscription_id": UUID, "version": int},
        ("chosen",),
    ),
    "assets": Part(
        """
SELECT a.asset_id, a.intent_id, a.account_id, a.agency_ori, a.unit, a.call_sign, a.register_time, a.latitude,
       a.longitude, a.position_time, a.retire_time, a.retire_intent_id,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('account_id', c.account_id, 'board_time', c.board_time,
                                                     'leave_time', c.leave_time) ORDER BY c.board_time), '[]')
          FROM alerts.asset_crew c WHERE c.asset_id = a.asset_id)::text AS crew
FROM alerts.asset a
WHERE a.agency_ori = $1 AND NOT $2 AND a.asset_id > $4 ORDER BY a.asset_id LIMIT $3
""",
        {"asset_id": UUID},
        ("crew",),
    ),
    "deliveries": Part(
        """
SELECT d.delivery_number, d.delivery_id, d.alert_id, d.asset_id, d.kind AS delivery_kind, d.delivery_time,
       d.broadcast_id, b.account_id, b.agency_ori AS broadcast_agency_ori, b.intent_id, t.distance_metres,
       t.proposed,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('stage', s.stage, 'account_id', s.account_id,
                                                     'step_time', s.step_time) ORDER BY s.stage), '[]')
          FROM (SELECT delivery_id, stage, account_id, step_time FROM alerts.delivery_step
                UNION ALL SELECT delivery_id, 3, account_id, step_time FROM alerts.en_route) s
         WHERE s.delivery_id = d.delivery_id)::text AS steps
FROM alerts.delivery d
JOIN alerts.asset a USING (asset_id)
JOIN alerts.told_asset t ON t.alert_id = d.alert_id AND t.asset_id = d.asset_id
LEFT JOIN alerts.broadcast b ON b.broadcast_id = d.broadcast_id
WHERE a.agency_ori = $1 AND NOT $2 AND d.delivery_number > $4 ORDER BY d.delivery_number LIMIT $3
""",
        {"delivery_number": int},
        ("steps",),
    ),
    "escalations": Part(
        """
SELECT e.escalation_id, e.alert_id, e.kind AS escalation_kind, e.round, e.due_time, e.escalate_time
FROM alerts.escalation e JOIN alerts.alert a USING (alert_id)
WHERE a.sensor_agency_ori = $1 AND a.motor_carrier = $2 AND e.escalation_id > $4
ORDER BY e.escalation_id LIMIT $3
""",
        {"escalation_id": UUID},
    ),
    "webhooks": Part(
        """
SELECT w.webhook_id, w.intent_id, w.agency_ori, w.owner_id, w.name, w.url, w.format, w.chosen::text AS chosen,
       w.create_time,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', c.kind, 'account_id', c.account_id,
                                                     'intent_id', c.intent_id, 'act_time', c.act_time)
                                  ORDER BY c.kind), '[]')
          FROM alerts.webhook_act c WHERE c.webhook_id = w.webhook_id)::text AS acts
FROM alerts.webhook w
WHERE w.agency_ori = $1 AND NOT $2 AND w.webhook_id > $4 ORDER BY w.webhook_id LIMIT $3
""",
        {"webhook_id": UUID},
        ("chosen", "acts"),
    ),
    "webhook_messages": Part(
        """
SELECT m.webhook_id, m.sequence, m.event_id, m.alert_id, m.event_time, m.end_time, m.outcome, m.tries,
       m.failure, m.status,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('request_time', r.request_time, 'end_time', e.end_time,
                                                     'outcome', e.outcome, 'status', e.status)
                                  ORDER BY r.retry_number), '[]')
          FROM alerts.webhook_retry r
          LEFT JOIN alerts.webhook_retry_end e USING (webhook_id, sequence, retry_number)
         WHERE r.webhook_id = m.webhook_id AND r.sequence = m.sequence)::text AS retries
FROM alerts.webhook_message m JOIN alerts.webhook w USING (webhook_id)
WHERE w.agency_ori = $1 AND NOT $2 AND (m.webhook_id, m.sequence) > ($4, $5)
ORDER BY m.webhook_id, m.sequence LIMIT $3
""",
        {"webhook_id": UUID, "sequence": int},
        ("retries",),
    ),
}


def position_of(part: str, after: str) -> tuple[UUID | int, ...]:
    """The position that `after` spells; that before all records for "".

    Raises:
        ValueError: It spells none.
    """
    kinds = tuple(PARTS[part].marks.values())
    if not after:
        return tuple(UUID(int=0) if kind is UUID else 0 for kind in kinds)
    return tuple(kind(text) for kind, text in zip(kinds, after.split("/"), strict=True))


class PartStore:
    """What an agency owns of what belongs to alerts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, part: str, agency_ori: str, after: str, size: int, *, motor_carrier: bool
    ) -> tuple[Sequence[dict[str, Any]], str, bool]:
        """At most `size` records after `after`, where they end, and whether there are more."""
        wanted = PARTS[part]
        async with connection(self._pool) as held:
            rows = await held.fetch(
                wanted.query, agency_ori, motor_carrier, size + 1, *position_of(part, after)
            )
        records = [_record(row, wanted) for row in rows[:size]]
        last = "/".join(str(rows[len(records) - 1][name]) for name in wanted.marks) if records else ""
        return records, last, len(rows) > size


def _record(row: Row, part: Part) -> dict[str, Any]:
    return {name: json.loads(value) if name in part.nested else value for name, value in row.items()}
