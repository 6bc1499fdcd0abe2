"""The hits of a look-back: each with pictures of its own, and each raised once (ENF-051 II.D, IV.E.2)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import structlog

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2
from services.common.errors import DependencyUnavailableError
from services.matcher import wire_hits
from services.matcher.core.match import Match
from services.matcher.metrics import LOOK_BACK_WITHOUT_PICTURE

log = structlog.get_logger()

_READS_A_CALL: Final = 50
# A hit does not wait for its picture for ever: so often is a pass begun again for it, some seconds apart.
_MOST_TRIES: Final = 12


class Archive(Protocol):
    """Where reads and what opens their images are kept."""

    async def look_back_pictures(
        self, request: archive_pb.GetLookBackPicturesRequest
    ) -> Sequence[archive_pb.GetLookBackPicturesResponse]:
        """Crop and overview of reads, as far as there are any."""


class RaisedHits:
    """What was raised for changes that are still open: the last pass finds again what the first one found."""

    def __init__(self) -> None:
        self._known: defaultdict[int, set[tuple[str, uuid.UUID]]] = defaultdict(set)

    def fresh(self, revision: int, read_id: str, matches: Iterable[Match]) -> list[Match]:
        """Those of the read's matches that were not raised for that change."""
        known = self._known[revision]
        return [one for one in matches if (read_id, one.entry.entry_id) not in known]

    def note(self, revision: int, hits: Iterable[alerts_pb.Hit]) -> None:
        """Notes that alerts has these hits."""
        self._known[revision].update(
            (hit.captured_read.read.read_id, uuid.UUID(match.entry.entry_id))
            for hit in hits
            for match in hit.matches
        )

    def forget(self, revision: int) -> None:
        """Nothing is left to do for that change."""
        self._known.pop(revision, None)


class HitPictures:
    """Gives hits of archived reads the pictures that a live hit comes with."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._tries: defaultdict[str, int] = defaultdict(int)

    async def add(self, asked: archive_pb.FindForLookBackRequest, hits: Sequence[alerts_pb.Hit]) -> None:
        """Puts its pictures into each of `hits`, which `asked` found; one whose image is gone stays without.

        Raises:
            DependencyUnavailableError: They cannot be had just now; when that has been so for long, the hits
                stay without.
            LookBackRefusedError: Audit knows of no act that allows it.
        """
        if not hits:
            return
        try:
            for start in range(0, len(hits), _READS_A_CALL):
                await self._add(asked, hits[start : start + _READS_A_CALL])
        except DependencyUnavailableError:
            self._tries[asked.intent_id] += 1
            if self._tries[asked.intent_id] < _MOST_TRIES:
                raise
            log.exception("look_back_without_pictures", intent_id=asked.intent_id)
        self._tries.pop(asked.intent_id, None)
        LOOK_BACK_WITHOUT_PICTURE.inc(sum(not hit.captured_read.overview_image for hit in hits))

    async def _add(self, asked: archive_pb.FindForLookBackRequest, hits: Sequence[alerts_pb.Hit]) -> None:
        request = archive_pb.GetLookBackPicturesRequest(
            request_id=str(uuid.uuid4()),
            intent_id=asked.intent_id,
            changed_id=asked.changed_id,
            capture_from=asked.capture_from,
            capture_until=asked.capture_until,
            read_ids=[hit.captured_read.read.read_id for hit in hits],
            partition=asked.partition,
        )
        found = {one.read_id: one for one in await self._archive.look_back_pictures(request)}
        for hit in hits:
            captured = hit.captured_read
            if pictures := found.get(captured.read.read_id):
                captured.crop_image = pictures.crop_image
                captured.overview_image = pictures.overview_image


def hit_of(
    archived: archive_pb.ArchivedRead, sensor_unit: str, matches: Sequence[Match], revision: int
) -> alerts_pb.Hit:
    """The hit of an archived read, marked as such; its pictures are still to be added."""
    captured = read_pb2.CapturedRead(read=archived.read)
    sensor = sensor_pb2.Sensor(
        agency_ori=archived.agency_ori, sensor_group=archived.sensor_group, unit=sensor_unit
    )
    hit = wire_hits.to_hit(captured, sensor, matches, revision)
    for match in hit.matches:
        match.warnings.append(hit_pb2.HIT_WARNING_LOOK_BACK)
    return hit
