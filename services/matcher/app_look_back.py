"""What follows from a change of the hot lists: look back for what it brought, withdraw what it took off.

A change is followed by two passes at most. The first begins at once, so that an urgent entry finds the car
that went by minutes ago. The second begins when no replica compares reads with older lists any more, and is
the last: whatever was compared without the change is in the archive by then (ENF-051 II.D).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import AlprError
from services.common.wire import to_timestamp
from services.matcher.app_index import IndexFollower
from services.matcher.app_look_back_hits import Archive as PictureArchive
from services.matcher.app_look_back_hits import HitPictures, RaisedHits, hit_of
from services.matcher.app_reads import Agreements, AlertFeed, allowed_lists
from services.matcher.app_replica import RevisionsInUse
from services.matcher.core.index import Index
from services.matcher.core.local import EndReason
from services.matcher.core.look_back import MOST_PLATES, ChangeKind, ListChange, texts_to_ask
from services.matcher.core.match import Match, find_all
from services.matcher.core.scope import Partition, partition_of
from services.matcher.core.settings import MatchSettings
from services.matcher.errors import LookBackRefusedError
from services.matcher.metrics import LOOK_BACK_HITS, LOOK_BACK_OPEN, LOOK_BACK_READS, LOOK_BACKS
from services.matcher.wire_reads import sighting_of

log = structlog.get_logger()

_POLL_S: Final = 1.0
_AGAIN_S: Final = 5.0
_REFUSED_AGAIN_S: Final = 15.0
_REFUSED_AT_LEAST: Final = timedelta(minutes=10)
_REACH_S: Final = 25.0
_READS_A_PAGE: Final = 20_000
_REMOVED_A_CALL: Final = 5_000
# Cameras may be as fast; what is faster is not in the archive.
_FAST_CLOCK: Final = timedelta(minutes=5)
_REASONS: Final = {
    EndReason.REMOVED: alerts_pb.WITHDRAW_REASON_CANCELLED,
    EndReason.SUSPENDED: alerts_pb.WITHDRAW_REASON_SUSPENDED,
}


_OF_ONE_ENTRY: Final = frozenset({ChangeKind.ENTRY_ENDED, ChangeKind.ENTRY_EXPIRED})


class Changes(Protocol):
    """Where changes wait (services.matcher.store_look_back). All raise StorageUnavailableError."""

    async def claim(self, *, urgent: bool) -> ListChange | None:
        """The change of an entry (`urgent`), or of a version, that has waited longest."""

    async def renew(self, revision: int) -> None:
        """Keeps the change for another minute."""

    async def passed(self, revision: int) -> None:
        """Notes that a pass is complete and that another one is to follow."""

    async def postpone(self, revision: int, seconds: float) -> None:
        """Gives the change back; it is worked on again in so many seconds."""

    async def finish(self, revision: int, *, refused: bool) -> None:
        """Notes that nothing is left to do."""

    async def open_count(self) -> int:
        """Changes whose consequences are not drawn yet."""

    async def all_reached(self, revision: int) -> bool:
        """True when no replica compares reads with lists older than `revision`."""

    async def patterns(self, change: ListChange, most: int) -> tuple[str, ...]:
        """Plates that the change brought, at most `most`."""

    async def removed(self, change: ListChange, after: uuid.UUID, most: int) -> tuple[uuid.UUID, ...]:
        """Entries that the change took off, by id from `after` on, at most `most`."""

    async def brought(self, change: ListChange, entry_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
        """Those of `entry_ids` that reads were not compared with before the change."""


class Archive(PictureArchive, Protocol):
    """Where reads are kept."""

    async def find_for_look_back(
        self, request: archive_pb.FindForLookBackRequest
    ) -> tuple[Sequence[archive_pb.ArchivedRead], bool]:
        """Reads of before a change, by read id, and whether there are more after them."""


class Alerts(AlertFeed, Protocol):
    """Where hits and withdrawals go."""

    async def withdraw_alerts(self, withdrawal: alerts_pb.WithdrawAlertsRequest) -> None:
        """Returns once the entries' alerts are withdrawn, on disk."""


class Sensors(Protocol):
    """The registry of sensors."""

    def known(self, sensor_id: str) -> sensor_pb2.Sensor | None:
        """The sensor, approved or not. Raises DependencyUnavailableError when nothing is known of sensors."""


@dataclass(frozen=True, slots=True)
class LookBackTerms:
    """How far back, and how bold matching is."""

    hours: Callable[[], int]
    matching: MatchSettings


class LookBack:
    """Draws the consequences of changes; every replica may, and one of them does."""

    def __init__(  # noqa: PLR0913 - the read road once more, from the archive
        self,
        *,
        changes: Changes,
        lists: IndexFollower,
        in_use: RevisionsInUse,
        sensors: Sensors,
        agreements: Agreements,
        archive: Archive,
        alerts: Alerts,
        clock: Clock,
        terms: LookBackTerms,
    ) -> None:
        self._changes = changes
        self._lists = lists
        self._in_use = in_use
        self._sensors = sensors
        self._agreements = agreements
        self._archive = archive
        self._alerts = alerts
        self._clock = clock
        self._terms = terms
        self._pictures = HitPictures(archive)
        self._raised = RaisedHits()

    async def keep_looking(self, *, urgent: bool) -> None:
        """Works for ever, an error is noted and tried again. Urgent entries wait for no list of millions."""
        while True:
            try:
                if await self.work_once(urgent=urgent):
                    continue
            except Exception as error:
                log.warning("look_back_waits", error=type(error).__name__)
            await asyncio.sleep(_POLL_S)

    async def work_once(self, *, urgent: bool) -> bool:
        """Works on the change that has waited longest; False when none is to be worked on now.

        Args:
            urgent: Changes of entries of local lists; else of versions of hot lists.

        Raises:
            StorageUnavailableError: The changes cannot be read or written.
        """
        LOOK_BACK_OPEN.set(await self._changes.open_count())
        change = await self._changes.claim(urgent=urgent)
        if change is None:
            return False
        # Asked before the pass: what is compared during it was compared with the change.
        last = await self._changes.all_reached(change.revision)
        if change.pass_count and not last:
            await self._changes.postpone(change.revision, _POLL_S)
            return True
        try:
            await self._draw(change)
        except LookBackRefusedError:
            await self._refused(change)
        except AlprError as error:
            log.warning("look_back_postponed", revision=change.revision, error=type(error).__name__)
            await self._changes.postpone(change.revision, _AGAIN_S)
        else:
            await self._end_pass(change, last=last)
        return True

    async def _refused(self, change: ListChange) -> None:
        """Gives up for good what stays refused; a replica of audit with a wrong clock may refuse it once."""
        if self._clock.now() - change.changed_at < _REFUSED_AT_LEAST:
            log.warning("look_back_postponed", revision=change.revision, error=LookBackRefusedError.__name__)
            await self._changes.postpone(change.revision, _REFUSED_AGAIN_S)
            return
        log.error("look_back_refused", revision=change.revision, intent_id=str(change.intent_id))
        LOOK_BACKS.labels("refused").inc()
        await self._finish(change, refused=True)

    async def _end_pass(self, change: ListChange, *, last: bool) -> None:
        log.info("look_back_passed", revision=change.revision, kind=change.kind.name, last=last)
        if last:
            LOOK_BACKS.labels("done").inc()
            await self._finish(change, refused=False)
        else:
            await self._changes.passed(change.revision)

    async def _finish(self, change: ListChange, *, refused: bool) -> None:
        await self._changes.finish(change.revision, refused=refused)
        self._raised.forget(change.revision)

    async def _draw(self, change: ListChange) -> None:
        """One pass. Doing it again is safe: alerts knows hits and withdrawals that it has."""
        if change.kind in _OF_ONE_ENTRY:
            await self._withdraw(change, [change.changed_id])
            return
        # First, and before any search: who is about to stop a car must hear it at once.
        if change.previous_version or change.kind is ChangeKind.ENTRIES_EXPIRED:
            await self._withdraw_removed(change)
        if change.kind is ChangeKind.ENTRY_ADDED or (change.kind is ChangeKind.VERSION and change.version):
            await self._lists.reach(change.revision, _REACH_S)
            await self._look(change)

    async def _withdraw_removed(self, change: ListChange) -> None:
        after = uuid.UUID(int=0)
        while removed := await self._changes.removed(change, after, _REMOVED_A_CALL):
            await self._withdraw(change, removed)
            await self._changes.renew(change.revision)
            after = removed[-1]

    async def _withdraw(self, change: ListChange, entry_ids: Sequence[uuid.UUID]) -> None:
        reason = alerts_pb.WITHDRAW_REASON_NOT_IN_VERSION
        if change.kind is ChangeKind.ENTRY_ENDED:
            reason = _REASONS[EndReason(change.end_reason)]
        elif change.kind is not ChangeKind.VERSION:
            reason = alerts_pb.WITHDRAW_REASON_EXPIRED
        await self._alerts.withdraw_alerts(
            alerts_pb.WithdrawAlertsRequest(
                intent_id=str(change.intent_id),
                hot_list_id=str(change.hot_list_id),
                match_revision=change.revision,
                withdraw_time=to_timestamp(change.changed_at),
                reason=reason,
                entry_ids=map(str, entry_ids),
            )
        )

    async def _look(self, change: ListChange) -> None:
        """Compares what the archive has of before the change with what the change brought."""
        patterns = await self._changes.patterns(change, MOST_PLATES + 1)
        if not patterns:
            return
        # Too many to spell out: the whole window is compared, as it came in.
        texts = None if len(patterns) > MOST_PLATES else await asyncio.to_thread(texts_to_ask, patterns)
        request = self._request(change, texts or ())
        has_more = True
        while has_more:
            request.request_id = str(uuid.uuid4())
            reads, has_more = await self._archive.find_for_look_back(request)
            await self._changes.renew(change.revision)
            LOOK_BACK_READS.inc(len(reads))
            await self._raise(change, request, reads)
            if has_more:
                request.after_read_id = reads[-1].read.read_id

    def _request(self, change: ListChange, texts: Sequence[str]) -> archive_pb.FindForLookBackRequest:
        return archive_pb.FindForLookBackRequest(
            intent_id=str(change.intent_id),
            changed_id=str(change.changed_id),
            match_revision=change.revision,
            capture_from=to_timestamp(change.changed_at - timedelta(hours=self._terms.hours())),
            capture_until=to_timestamp(self._clock.now() + _FAST_CLOCK),
            plates=texts,
            page_size=_READS_A_PAGE,
            partition=sensor_pb2.Partition.ValueType(self._partition(change)),
        )

    def _partition(self, change: ListChange) -> Partition:
        """The data set in which the changed list is compared (ENF-051 II.H)."""
        sources = (
            one.source for one in self._lists.current().headers if one.hot_list_id == change.hot_list_id
        )
        return next(map(partition_of, sources), Partition.GENERAL)

    async def _raise(
        self,
        change: ListChange,
        asked: archive_pb.FindForLookBackRequest,
        reads: Sequence[archive_pb.ArchivedRead],
    ) -> None:
        """Raises what matches. Counts as a batch under way: a later change waits for it as for any other."""
        now, index = self._clock.now(), self._lists.current()
        with self._in_use.using(index.revision):
            self._agreements.require_heard({one.agency_ori for one in reads}, index.scope, now)
            found = await asyncio.to_thread(self._compare, change, reads, index, now)
            hits = await self._hits(change, reads, found, index.revision)
            # As for a live hit: OK means that the pictures are on disk, too.
            await self._pictures.add(asked, hits)
            await self._alerts.raise_alerts(hits)
        self._raised.note(change.revision, hits)
        LOOK_BACK_HITS.inc(len(hits))

    async def _hits(
        self,
        change: ListChange,
        reads: Sequence[archive_pb.ArchivedRead],
        found: Sequence[Sequence[Match]],
        revision: int,
    ) -> list[alerts_pb.Hit]:
        """The hits of entries that the change brought and that were not raised before."""
        ids = {match.entry.entry_id for matches in found for match in matches}
        brought = await self._changes.brought(change, ids) if ids else frozenset()
        hits = []
        for read, matches in zip(reads, found, strict=True):
            new = [one for one in matches if one.entry.entry_id in brought]
            if new := self._raised.fresh(change.revision, read.read.read_id, new):
                # The archive does not know the unit; a sensor's never changes.
                known = self._sensors.known(read.read.sensor_id)
                hits.append(hit_of(read, known.unit if known else "", new, revision))
        return hits

    def _compare(
        self, change: ListChange, reads: Sequence[archive_pb.ArchivedRead], index: Index, now: datetime
    ) -> list[tuple[Match, ...]]:
        """What each read matches of the list that was changed.

        Only where list and sensor belong together now and did when the read was captured: an agreement
        shares from its start on, and nothing from before it (III.B.1).
        """
        sightings = [sighting_of(one.read) for one in reads]
        changed = frozenset(
            n for n, header in enumerate(index.headers) if header.hot_list_id == change.hot_list_id
        )
        allowed = [
            changed & _shared(sensor, index, now, seen.capture_time) if sensor else frozenset[int]()
            for sensor, seen in zip(map(self._sensor, reads), sightings, strict=True)
        ]
        return find_all(sightings, index, allowed, now, self._terms.matching)

    def _sensor(self, archived: archive_pb.ArchivedRead) -> sensor_pb2.Sensor | None:
        """The sensor with agency and group as they were; None for one whose data set nobody knows."""
        known = self._sensors.known(archived.read.sensor_id)
        if known is None:
            return None
        return sensor_pb2.Sensor(
            sensor_id=known.sensor_id,
            agency_ori=archived.agency_ori,
            sensor_group=archived.sensor_group,
            partition=known.partition,
        )


def _shared(sensor: sensor_pb2.Sensor, index: Index, now: datetime, captured: datetime) -> frozenset[int]:
    """The numbers of the lists that are compared with reads of the sensor, both now and at the capture."""
    headers = index.headers
    numbers = allowed_lists(sensor, index.scope.rules_at(now), headers)
    own = frozenset(number for number in numbers if headers[number].agency_ori == sensor.agency_ori)
    if own == numbers:
        return numbers
    return own | (numbers & allowed_lists(sensor, index.scope.rules_at(captured), headers))
