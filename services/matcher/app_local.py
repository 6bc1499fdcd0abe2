"""What people do with local lists: put a plate on, take it off, look (ENF-051 II.D)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from alpr.type.v1 import sensor_pb2
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, NotPermittedError, WrongStateError
from services.common.identity import AccessToken
from services.matcher.app_acts import Acts, Intent, Plan
from services.matcher.app_index import IndexFollower
from services.matcher.core.hot_list import Act
from services.matcher.core.local import (
    LONGEST_LIFE,
    EndReason,
    Grounds,
    LocalEntry,
    Owner,
    OwnerKind,
    Watched,
)
from services.matcher.store_local import LocalStore, Viewer

# Until the change is in this replica's memory; shorter than a call may take.
_REACH_S: Final = 25.0
# How far a caller's clock may be ahead when it asks for the longest life.
_CLOCK_SKEW: Final = timedelta(minutes=5)
_TOLD_FOR: Final = timedelta(days=7)
_NAMESPACE: Final = uuid.UUID("c6b4c0e4-3a0e-5d2f-8f61-6f0f7b0a9a55")


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What somebody wants to watch for, on whose list; `sensor_id` is empty but for a sensor's list."""

    request_id: uuid.UUID
    kind: OwnerKind
    sensor_id: str
    watched: Watched
    grounds: Grounds
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PageOf:
    """Which entries somebody wants to see: at most `size`, added before the revision `before`."""

    with_ended: bool
    before: int
    size: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Entries, whether more follow, and those that suspended themselves lately."""

    entries: tuple[LocalEntry, ...]
    more: bool
    suspended: tuple[LocalEntry, ...]


class Sensors(Protocol):
    """The registry of sensors."""

    def require_approved(self, sensor_id: str, capture_time: datetime) -> sensor_pb2.Sensor:
        """The sensor. Raises SensorNotApprovedError, or DependencyUnavailableError when nothing is known."""


class LocalLists:
    """The local lists of all agencies; audit says for every call whether the person may make it."""

    def __init__(
        self, *, acts: Acts, store: LocalStore, index: IndexFollower, sensors: Sensors, clock: Clock
    ) -> None:
        self._acts = acts
        self._store = store
        self._index = index
        self._sensors = sensors
        self._clock = clock

    async def add(self, new: NewEntry, token: AccessToken) -> tuple[LocalEntry, int, tuple[LocalEntry, ...]]:
        """The entry, the revision, and what of the same list suspended itself lately.

        Raises:
            InvalidFieldError: It would not end, or end too late.
            SensorNotApprovedError, NotPermittedError: The sensor cannot have a local list.
            WrongStateError: List or agency has as many live entries as it may.
            IndexBehindError: It is stored, but not in memory here yet; the same request id waits again.
        """
        now = self._clock.now()
        _check_expiry(new.expires_at, now)
        agency_ori = self._agency_of(new.sensor_id, now) if new.kind is OwnerKind.SENSOR else ""
        # The id follows from the request, so that the intent can name it before it exists.
        entry_id = uuid.uuid5(_NAMESPACE, str(new.request_id))
        details = _details(new)
        plan = Plan(new.request_id, "local_list.add", str(entry_id), agency_ori, details, new.grounds)
        intent = await self._acts.begin(plan, token)
        owner = _owner(new, intent)
        entry = LocalEntry(
            entry_id=entry_id,
            owner=owner,
            watched=new.watched,
            grounds=new.grounds,
            account_id=intent.account_id,
            added_at=now,
            expires_at=min(new.expires_at, now + LONGEST_LIFE),
            added_revision=0,
        )
        try:
            stored, revision = await self._store.add(self._act(plan, intent, owner.hot_list_id), entry)
        except WrongStateError:
            await self._acts.refused(intent)
            raise
        await self._index.reach(revision, _REACH_S)
        await self._acts.changed(intent.intent_id)
        return stored, revision, await self._store.suspended_of_list(owner.hot_list_id, now - _TOLD_FOR)

    async def remove(
        self, request_id: uuid.UUID, entry_id: uuid.UUID, token: AccessToken
    ) -> tuple[LocalEntry, int]:
        """The entry, ended, and the revision from which it is; 0 when it had ended before.

        Raises:
            LocalEntryNotFoundError: There is none.
            IndexBehindError: It is stored, but not in memory here yet; the same request id waits again.
        """
        owner = (await self._store.get(entry_id)).owner
        plan = Plan(
            request_id,
            "local_list.remove",
            str(entry_id),
            owner.agency_ori,
            {},
            owner_id=owner.key if owner.kind is OwnerKind.USER else "",
            unit=owner.unit,
        )
        intent = await self._acts.begin(plan, token)
        act = self._act(plan, intent, owner.hot_list_id)
        ended, revision = await self._store.end(act, entry_id, EndReason.REMOVED)
        await self._index.reach(revision, _REACH_S)
        await self._acts.changed(intent.intent_id)
        return ended, revision

    async def page(self, asked: PageOf, token: AccessToken) -> Shown:
        """What the person may see, once the log has that it is shown."""
        intent = await self._acts.begin(
            Plan(uuid.uuid4(), "local_list.show", "local_lists", "", {"with_ended": str(asked.with_ended)}),
            token,
        )
        now, viewer = self._clock.now(), _viewer(intent)
        found = await self._store.page(
            viewer, with_ended=asked.with_ended, before=asked.before, now=now, size=asked.size + 1
        )
        suspended = await self._store.suspended(viewer, now - _TOLD_FOR)
        entries = found[: asked.size]
        await self._acts.shown(intent, len({one.entry_id for one in (*entries, *suspended)}))
        return Shown(entries, len(found) > asked.size, suspended)

    def _agency_of(self, sensor_id: str, now: datetime) -> str:
        sensor = self._sensors.require_approved(sensor_id, now)
        if sensor.partition == sensor_pb2.PARTITION_MOTOR_CARRIER:
            raise NotPermittedError(
                "a Motor Carrier Safety sensor is compared with federal DOT and ICC lists only",
                resource=sensor_id,
                metadata={"clauses": "II.H"},
            )
        return sensor.agency_ori

    def _act(self, plan: Plan, intent: Intent, hot_list_id: uuid.UUID) -> Act:
        return Act(
            intent_id=intent.intent_id,
            request_id=plan.request_id,
            action=plan.action,
            hot_list_id=hot_list_id,
            account_id=intent.account_id,
            details=plan.details,
            act_time=self._clock.now(),
        )


def _check_expiry(expires_at: datetime, now: datetime) -> None:
    if not now < expires_at <= now + LONGEST_LIFE + _CLOCK_SKEW:
        problem = f"must be in the future and at most {LONGEST_LIFE.days} days from now"
        raise InvalidFieldError(
            "an entry of a local list must end", violations=[FieldViolation("expire_time", problem)]
        )


def _owner(new: NewEntry, intent: Intent) -> Owner:
    """Whose list: the person's as audit knows the person, never as the request says."""
    match new.kind:
        case OwnerKind.USER:
            return Owner(intent.agency_ori, new.kind, intent.account_id, intent.unit)
        case OwnerKind.UNIT:
            return Owner(intent.agency_ori, new.kind, intent.unit, intent.unit)
        case OwnerKind.SENSOR:
            return Owner(intent.agency_ori, new.kind, new.sensor_id)


def _viewer(intent: Intent) -> Viewer:
    return Viewer(
        intent.agency_ori,
        intent.account_id,
        intent.unit,
        sees_unit="WORK_UNIT_COORDINATOR" in intent.roles,
        sees_agency="STATEWIDE_COORDINATOR" in intent.roles,
    )


def _details(new: NewEntry) -> Mapping[str, str]:
    """What the log says of the entry besides case number and purpose."""
    watched = new.watched
    return {
        "kept_by": new.kind.name,
        "sensor_id": new.sensor_id,
        "pattern": watched.pattern,
        "state": watched.state,
        "plate_type": watched.plate_type,
        "category": watched.category.name,
        "expires_at": new.expires_at.isoformat(),
    }
