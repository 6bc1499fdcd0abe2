"""The read road: compare, raise, archive, answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, cast

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2
from services.common import tracing
from services.common.clock import Clock
from services.common.wire import status_label
from services.matcher import wire_hits
from services.matcher.app_index import IndexFollower
from services.matcher.app_replica import RevisionsInUse
from services.matcher.core.index import Index, ListHeader
from services.matcher.core.local import without_others_local
from services.matcher.core.match import Match, find_all
from services.matcher.core.scope import Partition, Rules, Scope
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import Sighting
from services.matcher.metrics import BATCH_READS, HITS, MATCHES, READS

# Hits of reads in this span of age are raised at once. Outside it the archive may still refuse the read (the
# camera's clock is wrong, or the retention period is over), and nothing is urgent: those hits wait for it.
_PROMPT_FROM: Final = timedelta(minutes=-5)
_PROMPT_UNTIL: Final = timedelta(hours=1)
# Longer than any retention period can be set to.
_NEVER_KEPT: Final = timedelta(days=3661)
_PARTITIONS: Final = frozenset(one.value for one in Partition)
_KEPT: Final = frozenset({read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE})


@dataclass(frozen=True, slots=True)
class SubmittedRead:
    """A read whose form has been checked.

    Attributes:
        message: As it came, with its receive time set; goes on to alerts and archive.
        sighting: None when it cannot be compared, for want of a capture time.
        complete: False when image hash, time or place is missing, or when id or image day do not name the
            capture time (ENF-051 II.J); the archive keeps such reads apart.
    """

    message: read_pb2.CapturedRead
    sensor_id: str
    capture_time: datetime | None
    sighting: Sighting | None
    complete: bool


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What became of a read."""

    read_id: str
    status: read_pb2.ReadStatus.ValueType
    reason: str


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of the reads of a batch, in their order, and the revision they were compared with."""

    revision: int
    reads: tuple[ReadAnswer, ...]


class Sensors(Protocol):
    """The registry of sensors."""

    def require_approved(self, sensor_id: str, capture_time: datetime) -> sensor_pb2.Sensor:
        """The sensor. Raises SensorNotApprovedError, or DependencyUnavailableError when nothing is known."""


class Agreements(Protocol):
    """Whether agreements between agencies are known."""

    def require_heard(self, agencies: Iterable[str], scope: Scope, now: datetime) -> None:
        """Returns when reads of these agencies' sensors may be compared, or raises.

        Raises:
            DependencyUnavailableError: An agreement may have ended without a word to this replica.
        """


class Archive(Protocol):
    """Where reads are kept."""

    async def append(self, request: archive_pb.AppendReadsRequest) -> tuple[ReadAnswer, ...]:
        """What became of each of its reads, once that is on disk. Raises DependencyUnavailableError."""


class AlertFeed(Protocol):
    """Where hits go."""

    async def raise_alerts(self, hits: Sequence[alerts_pb.Hit]) -> None:
        """Returns once hits and alerts are on disk. Raises DependencyUnavailableError."""


class Tally(Protocol):
    """Where it is counted how much lists and entries match."""

    def note_compared(
        self,
        headers: Sequence[ListHeader],
        allowed: Sequence[frozenset[int]],
        plates: Sequence[str],
        found: Sequence[Sequence[Match]],
    ) -> None:
        """Notes reads that were compared; may be called from any thread."""


@dataclass(frozen=True, slots=True)
class _Checked:
    read: SubmittedRead
    sensor: sensor_pb2.Sensor


class ReadIntake:
    """Takes batches of reads."""

    def __init__(  # noqa: PLR0913 - the whole read road meets here
        self,
        *,
        sensors: Sensors,
        agreements: Agreements,
        lists: IndexFollower,
        archive: Archive,
        alerts: AlertFeed,
        tallies: Sequence[Tally],
        in_use: RevisionsInUse,
        clock: Clock,
        settings: MatchSettings,
    ) -> None:
        self._sensors = sensors
        self._agreements = agreements
        self._lists = lists
        self._archive = archive
        self._alerts = alerts
        self._tallies = tallies
        self._in_use = in_use
        self._clock = clock
        self._settings = settings

    def admit(self, captures: Iterable[tuple[str, datetime | None]]) -> Mapping[str, sensor_pb2.Sensor]:
        """The sensors of a batch by id, from sensor id and capture time of each read.

        Nothing else of the batch is looked at before (ENF-051 III.B.3.e). A read without a capture time, or
        with one that the archive never keeps, counts as captured now: it gets an answer of its own.

        Raises:
            SensorNotApprovedError: A sensor is unknown or was not approved when it captured a read.
            DependencyUnavailableError: Nothing is known of sensors just now.
        """
        now = self._clock.now()
        return {
            sensor_id: self._sensors.require_approved(sensor_id, _moment_of_approval(captured, now))
            for sensor_id, captured in captures
        }

    async def submit(
        self, reads: Sequence[SubmittedRead], sensors: Mapping[str, sensor_pb2.Sensor]
    ) -> BatchAnswer:
        """What became of `reads`, once all reads are in the archive and all hits with alerts, both on disk.

        Sending a batch again is safe: the archive knows reads by their id, alerts hits by read and entry.

        Args:
            reads: A batch.
            sensors: Its sensors, as `admit` gave them.

        Raises:
            IndexBehindError: The lists in memory may be out of date; nothing was compared or stored.
            DependencyUnavailableError: Archive or alerts did not store their part, or audit was not heard
                for too long; send the batch again.
        """
        now = self._clock.now()
        checked = [_Checked(read, sensors[read.sensor_id]) for read in reads]
        index = self._lists.current()
        with self._in_use.using(index.revision):
            return await self._submit(checked, index, sensors, now)

    async def _submit(
        self,
        checked: Sequence[_Checked],
        index: Index,
        sensors: Mapping[str, sensor_pb2.Sensor],
        now: datetime,
    ) -> BatchAnswer:
        self._agreements.require_heard((one.agency_ori for one in sensors.values()), index.scope, now)
        with tracing.span("matcher.compare"):
            hits = await asyncio.to_thread(self._compare, checked, index, now)
        archived = _archived(checked, index.revision)
        prompt = [hit for n, hit in hits.items() if _is_prompt(checked[n].read, now)]
        answers = await _both(self._archive.append(archived), self._alerts.raise_alerts(prompt))
        later = [
            hit
            for n, hit in hits.items()
            if answers[n].status in _KEPT and not _is_prompt(checked[n].read, now)
        ]
        await self._alerts.raise_alerts(later)
        _count(answers, [*prompt, *later])
        return BatchAnswer(index.revision, answers)

    def _compare(self, checked: Sequence[_Checked], index: Index, now: datetime) -> dict[int, alerts_pb.Hit]:
        """The hits by their place in the batch; runs in a thread."""
        numbers = [n for n, one in enumerate(checked) if one.read.sighting is not None]
        sightings = [one.read.sighting for one in checked if one.read.sighting is not None]
        rules, headers = index.scope.rules_at(now), index.headers
        by_sensor = {one.sensor.sensor_id: allowed_lists(one.sensor, rules, headers) for one in checked}
        allowed = [by_sensor[checked[n].sensor.sensor_id] for n in numbers]
        found = find_all(sightings, index, allowed, now, self._settings)
        plates = [checked[n].read.message.read.plate for n in numbers]
        for tally in self._tallies:
            tally.note_compared(headers, allowed, plates, found)
        return {
            n: wire_hits.to_hit(checked[n].read.message, checked[n].sensor, matches, index.revision)
            for n, matches in zip(numbers, found, strict=True)
            if matches
        }


def _moment_of_approval(captured: datetime | None, now: datetime) -> datetime:
    """When the sensor must have been approved to take a read that says it was captured at `captured`."""
    if captured is None or not now - _NEVER_KEPT < captured <= now - _PROMPT_FROM:
        return now
    return captured


def allowed_lists(sensor: sensor_pb2.Sensor, rules: Rules, headers: Sequence[ListHeader]) -> frozenset[int]:
    """The numbers of the lists that reads of this sensor are compared with."""
    partition = sensor.partition or sensor_pb2.PARTITION_GENERAL
    if partition not in _PARTITIONS:
        # Of a newer contract than this matcher's: nothing is known to belong on it.
        return frozenset()
    numbers = rules.lists_for(sensor.agency_ori, sensor.sensor_group, Partition(partition), headers)
    return without_others_local(numbers, headers, sensor.agency_ori, sensor.sensor_id)


def _is_prompt(read: SubmittedRead, now: datetime) -> bool:
    if read.capture_time is None or not read.complete:
        return False
    return _PROMPT_FROM <= now - read.capture_time <= _PROMPT_UNTIL


def _archived(checked: Sequence[_Checked], revision: int) -> archive_pb.AppendReadsRequest:
    """What goes to the archive, put together where it goes from: a message in a message is copied again."""
    request = archive_pb.AppendReadsRequest()
    for one in checked:
        request.reads.add(
            agency_ori=one.sensor.agency_ori,
            sensor_group=one.sensor.sensor_group,
            provenance=one.sensor.provenance,
            match_revision=revision,
            partition=one.sensor.partition,
        ).read.CopyFrom(one.read.message.read)
    return request


async def _both(
    append: Awaitable[tuple[ReadAnswer, ...]], raise_alerts: Awaitable[None]
) -> tuple[ReadAnswer, ...]:
    """The archive's answers when both have ended well; else the first error, but only when both have ended.

    Neither is cancelled when the other fails: what one has stored is there when the batch comes again.
    """
    answers, raised = await asyncio.gather(append, raise_alerts, return_exceptions=True)
    for result in (answers, raised):
        if isinstance(result, BaseException):
            raise result
    return cast("tuple[ReadAnswer, ...]", answers)


def _count(answers: Sequence[ReadAnswer], hits: Sequence[alerts_pb.Hit]) -> None:
    for status, times in Counter(answer.status for answer in answers).items():
        READS.labels(status_label(status)).inc(times)
    BATCH_READS.observe(len(answers))
    HITS.inc(len(hits))
    for match in (match for hit in hits for match in hit.matches):
        source = hit_pb2.HotListSource.Name(match.entry.source).removeprefix("HOT_LIST_SOURCE_")
        category = hit_pb2.HotListCategory.Name(match.entry.category).removeprefix("HOT_LIST_CATEGORY_")
        MATCHES.labels(source.lower(), category.lower()).inc()
