"""Hits, steps and a store of the alerts service for its tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.alerts.core.model import (
    Actor,
    Category,
    Disposition,
    Entry,
    EntryKey,
    Hit,
    Match,
    Place,
    Sighting,
    StepKind,
    StepRequest,
    Vehicle,
    Verification,
)
from services.alerts.store_steps import StepChange

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OWN, OTHER, STRANGER = "IL0160000", "IL0160001", "IL0160002"
WINDOW = timedelta(minutes=5)
OFFICER = Actor("7c1e4a52-6d5f-4f7e-9d56-000000000001", OWN, is_telecom_center=False)


def entry_of(
    category: Category = Category.STOLEN_VEHICLE, *, agency: str = OWN, entry_id: UUID | None = None
) -> Entry:
    """An entry of a list of `agency`."""
    return Entry(
        key=EntryKey(entry_id or uuid4(), 3),
        hot_list_id=UUID(int=7),
        hot_list_name="LEADS hot file",
        list_agency_ori=agency,
        list_activated_at=NOON - timedelta(hours=1),
        source=2,
        category=category,
        plate="AB12345",
        state="IL",
        record_number="L26-0001",
        vehicle=Vehicle("2019", "DODG", "CHA", "4D", "BLK"),
    )


def hit_of(
    *entries: Entry,
    plate: str = "AB12345",
    agency: str = OWN,
    at: datetime = NOON,
    read_id: UUID | None = None,
) -> Hit:
    """A hit of one read that matched `entries`, or one entry of its own."""
    sighting = Sighting(
        read_id=read_id or uuid4(),
        plate=plate,
        state="IL",
        capture_time=at,
        receive_time=at,
        place=Place(41.88, -87.63, "I-90 at mile 12, eastbound"),
        sensor_id="cam-north-1",
        sensor_agency_ori=agency,
        sensor_group="expressway-north",
        model_version="plates-1",
        crop_key="",
        overview_key="",
        sensor_unit="District 15",
    )
    matches = tuple(Match(entry, 0.97, ()) for entry in entries or (entry_of(),))
    return Hit(sighting, matches)


def many_hits(count: int, *, at: datetime = NOON) -> Sequence[Hit]:
    """Hits of different plates, so that each raises an alert of its own."""
    return [hit_of(plate=f"P{number:07d}", at=at) for number in range(count)]


def step_of(alert_id: UUID, kind: StepKind, **changes: object) -> StepChange:
    """A step of OFFICER."""
    request = StepRequest(request_id=uuid4(), alert_id=alert_id, kind=kind)
    return StepChange(replace(request, **changes), OFFICER, uuid4())


def verifying(alert_id: UUID) -> StepChange:
    """Somebody asks LEADS."""
    return step_of(alert_id, StepKind.VERIFY, verification=Verification.VERIFYING)


def confirmed(alert_id: UUID) -> StepChange:
    """LEADS has confirmed it."""
    return step_of(
        alert_id, StepKind.VERIFY, verification=Verification.CONFIRMED, system="LEADS", response_id="R-778"
    )


def disposed(alert_id: UUID, disposition: Disposition) -> StepChange:
    """Something was done."""
    return step_of(alert_id, StepKind.DISPOSE, disposition=disposition)
