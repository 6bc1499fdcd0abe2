"""Places hits in alerts, inside a batch of the writer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.alerts.core.digest import hit_digest
from services.alerts.core.dispatch import DeliveryKind
from services.alerts.core.model import (
    Disposition,
    EntryKey,
    FeedKind,
    Hit,
    Match,
    Partition,
    Sighting,
    Verification,
)
from services.alerts.core.passage import Passage, Placing, passage_for
from services.alerts.core.severity import loudest, severity
from services.alerts.core.subscription import percent_of
from services.alerts.rows import MATCH_COLUMNS, SIGHTING_COLUMNS, match_values, sighting_values
from services.alerts.store_batch import Batch, OutboxItem

_KNOWN = """
SELECT h.read_id, h.entry_id, h.list_version, h.alert_id
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS asked (read_id, entry_id, list_version)
JOIN alerts.hit h USING (read_id, entry_id, list_version)
"""
_PASSAGES = """
WITH near AS (
    SELECT h.alert_id, min(h.capture_time) AS first_capture, max(h.capture_time) AS last_capture
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
        AS asked (plate, agency, since, until)
    JOIN alerts.hit h ON h.plate = asked.plate AND h.sensor_agency_ori = asked.agency
        AND h.capture_time BETWEEN asked.since AND asked.until
    GROUP BY h.alert_id
)
SELECT a.alert_id, a.plate, a.sensor_agency_ori, a.verification_state, a.disposition,
       a.motor_carrier, near.first_capture, near.last_capture, e.entry_ids, e.list_versions
FROM near JOIN alerts.alert a USING (alert_id)
CROSS JOIN LATERAL (
    SELECT array_agg(entry_id) AS entry_ids, array_agg(list_version) AS list_versions
    FROM alerts.alert_entry WHERE alert_id = a.alert_id
) e
"""
_INSERT_ALERT = """
INSERT INTO alerts.alert (alert_id, plate, sensor_agency_ori, raise_time, motor_carrier)
VALUES ($1, $2, $3, $4, $5)
"""
_INSERT_ENTRY = """
INSERT INTO alerts.alert_entry (alert_id, entry_id, list_version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_INSERT_FACET = """
INSERT INTO alerts.alert_facet (alert_id, entry_id, list_version, sensor_id, sensor_group, latitude,
    longitude, percent, severity, sensor_unit) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT DO NOTHING
"""
_HIT_COLUMNS = f"alert_id, hit_time, {SIGHTING_COLUMNS}, {MATCH_COLUMNS}, match_revision"
_HIT_PLACES = ", ".join(f"${place + 1}" for place in range(_HIT_COLUMNS.count(",") + 1))
_INSERT_HIT = f"INSERT INTO alerts.hit ({_HIT_COLUMNS}) VALUES ({_HIT_PLACES})"  # noqa: S608 - constants

# Decimals of a degree: about ten metres.
_FACET_DECIMALS = 4
# The log takes at most 2,000 characters a detail; the digest covers what does not fit.
_LISTED_ENTRIES = 30

HitKey = tuple[UUID, EntryKey]


async def place_hits(
    batch: Batch, hits: Sequence[Hit], window: timedelta, new_id: Callable[[], UUID]
) -> tuple[UUID, ...]:
    """The alert of each of `hits`, in their order; hits that are stored already change nothing."""
    if not hits:
        return ()
    known = await _known(batch, hits)
    placer = _Placer(batch, await _passages(batch, hits, window), window, new_id)
    alert_ids: list[UUID] = []
    for hit in hits:
        read_id = hit.sighting.read_id
        # dict keyed by entry: a request may name an entry twice.
        fresh = {m.entry.key: m for m in hit.matches if (read_id, m.entry.key) not in known}
        if fresh:
            alert_id = placer.place(replace(hit, matches=tuple(fresh.values())))
            known.update({(read_id, key): alert_id for key in fresh})
        else:
            alert_id = known[(read_id, hit.matches[0].entry.key)]
        alert_ids.append(alert_id)
    await placer.write()
    return tuple(alert_ids)


class _Placer:
    """Decides for one hit after the other and collects the rows, which `write` writes at once."""

    def __init__(
        self, batch: Batch, passages: list[Passage], window: timedelta, new_id: Callable[[], UUID]
    ) -> None:
        self._batch = batch
        self._passages = {passage.alert_id: passage for passage in passages}
        self._window = window
        self._new_id = new_id
        self._alerts: list[tuple[object, ...]] = []
        self._entries: list[tuple[object, ...]] = []
        self._hits: list[tuple[object, ...]] = []
        # As keys, in order: equal ones are written once.
        self._facets: dict[tuple[object, ...], None] = {}

    def place(self, hit: Hit) -> UUID:
        """The alert that `hit` belongs to from now on: the one of its passage, or a new one."""
        keys = frozenset(match.entry.key for match in hit.matches)
        sighting = hit.sighting
        placing = Placing(
            sighting.plate, sighting.sensor_agency_ori, sighting.capture_time, keys, hit.partition
        )
        passage = passage_for(placing, tuple(self._passages.values()), self._window)
        kind = FeedKind.UPDATED if passage else FeedKind.RAISED
        passage = passage or self._begin(sighting, hit.partition)
        self._passages[passage.alert_id] = passage.extended(sighting.capture_time, keys)
        self._entries += [
            (passage.alert_id, key.entry_id, key.list_version) for key in keys - passage.entries
        ]
        rows = [_hit_row(passage.alert_id, self._batch, hit, match) for match in hit.matches]
        self._hits += rows
        self._facets.update((_facet_row(passage.alert_id, sighting, match), None) for match in hit.matches)
        self._batch.announce(passage.alert_id, kind)
        self._follow(passage.alert_id, kind, hit)
        self._batch.report(self._event(passage.alert_id, kind, hit, rows))
        return passage.alert_id

    def _follow(self, alert_id: UUID, kind: FeedKind, hit: Hit) -> None:
        if kind == FeedKind.UPDATED:
            self._batch.then.tell(alert_id, DeliveryKind.UPDATED)
        # No centre gets Motor Carrier Safety alerts (II.H), so nobody could answer in time.
        if hit.partition is Partition.GENERAL:
            self._batch.then.watch(alert_id, loudest(hit.matches))

    async def write(self) -> None:
        conn = self._batch.conn
        await conn.executemany(_INSERT_ALERT, self._alerts)
        await conn.executemany(_INSERT_HIT, self._hits)
        await conn.executemany(_INSERT_ENTRY, self._entries)
        await conn.executemany(_INSERT_FACET, list(self._facets))

    def _begin(self, sighting: Sighting, partition: Partition) -> Passage:
        alert_id = self._new_id()
        motor_carrier = partition is Partition.MOTOR_CARRIER
        self._alerts.append(
            (alert_id, sighting.plate, sighting.sensor_agency_ori, self._batch.now, motor_carrier)
        )
        return Passage(
            alert_id=alert_id,
            plate=sighting.plate,
            sensor_agency_ori=sighting.sensor_agency_ori,
            first_capture=sighting.capture_time,
            last_capture=sighting.capture_time,
            verification=Verification.NEW,
            disposition=Disposition.NONE,
            entries=frozenset(),
            partition=partition,
        )

    def _event(
        self, alert_id: UUID, kind: FeedKind, hit: Hit, rows: Sequence[tuple[object, ...]]
    ) -> OutboxItem:
        keys = [match.entry.key for match in hit.matches]
        listed = ",".join(f"{key.entry_id}/{key.list_version}" for key in keys[:_LISTED_ENTRIES])
        return OutboxItem(
            item_id=self._new_id(),
            action="hit.raised" if kind == FeedKind.RAISED else "hit.added",
            resource=str(alert_id),
            agency_ori=hit.sighting.sensor_agency_ori,
            event_time=self._batch.now,
            details={
                "read_id": str(hit.sighting.read_id),
                "sensor_id": hit.sighting.sensor_id,
                "entries": listed,
                "entry_count": str(len(keys)),
                "hits_sha256": ",".join(hit_digest(row) for row in rows[:_LISTED_ENTRIES]),
            },
        )


def _hit_row(alert_id: UUID, batch: Batch, hit: Hit, match: Match) -> tuple[object, ...]:
    values = (*sighting_values(hit.sighting), *match_values(match), hit.match_revision)
    return (alert_id, batch.now, *values)


def _facet_row(alert_id: UUID, sighting: Sighting, match: Match) -> tuple[object, ...]:
    key, place = match.entry.key, sighting.place
    return (
        alert_id,
        key.entry_id,
        key.list_version,
        sighting.sensor_id,
        sighting.sensor_group,
        round(place.latitude, _FACET_DECIMALS),
        round(place.longitude, _FACET_DECIMALS),
        percent_of(match.probability),
        int(severity(match)),
        sighting.sensor_unit,
    )


async def _known(batch: Batch, hits: Sequence[Hit]) -> dict[HitKey, UUID]:
    asked = [(hit.sighting.read_id, match.entry.key) for hit in hits for match in hit.matches]
    rows = await batch.conn.fetch(
        _KNOWN,
        [read_id for read_id, _ in asked],
        [key.entry_id for _, key in asked],
        [key.list_version for _, key in asked],
    )
    return {(row["read_id"], EntryKey(row["entry_id"], row["list_version"])): row["alert_id"] for row in rows}


async def _passages(batch: Batch, hits: Sequence[Hit], window: timedelta) -> list[Passage]:
    sightings = [hit.sighting for hit in hits]
    rows = await batch.conn.fetch(
        _PASSAGES,
        [s.plate for s in sightings],
        [s.sensor_agency_ori for s in sightings],
        [s.capture_time - window for s in sightings],
        [s.capture_time + window for s in sightings],
    )
    return [
        Passage(
            alert_id=row["alert_id"],
            plate=row["plate"],
            sensor_agency_ori=row["sensor_agency_ori"],
            first_capture=row["first_capture"],
            last_capture=row["last_capture"],
            verification=Verification(row["verification_state"]),
            disposition=Disposition(row["disposition"]),
            entries=frozenset(map(EntryKey, row["entry_ids"], row["list_versions"])),
            partition=Partition.MOTOR_CARRIER if row["motor_carrier"] else Partition.GENERAL,
        )
        for row in rows
    ]
