"""RaiseAlerts requests into hits, with every check of them."""

from dataclasses import dataclass
from datetime import date

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, read_pb2
from services.alerts.checks import Checks
from services.alerts.core.model import (
    Category,
    Entry,
    EntryKey,
    Hit,
    HitWarning,
    Match,
    MatchGrade,
    MatchLabel,
    Place,
    Sighting,
    Vehicle,
    WithdrawReason,
)
from services.alerts.store_withdrawals import Withdrawal

MOST_HITS = 100
MOST_WITHDRAWN = 5000
MOST_PICTURE_BYTES = 512 * 1024
_LONGEST = 200
_POLE = 90
_DATE_LINE = 180
_CATEGORIES: frozenset[int] = frozenset(Category)
_WARNINGS: frozenset[int] = frozenset(HitWarning)
_LABELS: frozenset[int] = frozenset(MatchLabel)
_REASONS: frozenset[int] = frozenset(WithdrawReason)


@dataclass(frozen=True, slots=True)
class ReportedHit:
    """A hit as the matcher reports it: the pictures are not stored yet, so the sighting has no keys."""

    hit: Hit
    crop: bytes
    overview: bytes


def parse_hits(request: pb.RaiseAlertsRequest) -> tuple[ReportedHit, ...]:
    """The hits of `request`, in its order.

    Raises:
        InvalidFieldError: There are none or too many, or one lacks what a hit must keep (II.J, IV.E.2); all
            violations are listed, by path.
    """
    checks = Checks()
    if not 1 <= len(request.hits) <= MOST_HITS:
        checks.note("hits", f"1 to {MOST_HITS} hits")
    hits = [_hit(hit, checks.within(f"hits[{number}]")) for number, hit in enumerate(request.hits)]
    checks.raise_if_any()
    return tuple(hits)


def parse_withdrawal(request: pb.WithdrawAlertsRequest) -> Withdrawal:
    """The withdrawal that is asked for.

    Raises:
        InvalidFieldError: A field is missing or wrong, or there are no entries or too many.
    """
    checks = Checks()
    if not 1 <= len(request.entry_ids) <= MOST_WITHDRAWN:
        checks.note("entry_ids", f"1 to {MOST_WITHDRAWN} entries")
    if request.match_revision < 1:
        checks.note("match_revision", "must be positive")
    known = request.reason in _REASONS
    if not known:
        checks.note("reason", "a reason of the contract")
    withdrawal = Withdrawal(
        intent_id=checks.uuid("intent_id", request.intent_id),
        hot_list_id=checks.uuid("hot_list_id", request.hot_list_id),
        match_revision=request.match_revision,
        withdraw_time=checks.time(request, "withdraw_time"),
        reason=WithdrawReason(request.reason) if known else WithdrawReason.CANCELLED,
        entry_ids=tuple(checks.uuid(f"entry_ids[{n}]", one) for n, one in enumerate(request.entry_ids)),
    )
    checks.raise_if_any()
    return withdrawal


def _hit(message: pb.Hit, checks: Checks) -> ReportedHit:
    captured = message.captured_read
    if len(captured.crop_image) + len(captured.overview_image) > MOST_PICTURE_BYTES:
        checks.note("captured_read", "at most 512 KiB of pictures")
    if not message.matches:
        checks.note("matches", "at least one entry")
    sighting = _sighting(message, captured.read, checks.within("captured_read.read"))
    matches = tuple(_match(m, checks.within(f"matches[{n}]")) for n, m in enumerate(message.matches))
    if len({match.entry.partition for match in matches}) > 1:
        checks.note("matches", "of one data set: Motor Carrier Safety lists are compared apart (II.H)")
    if message.match_revision < 0:
        checks.note("match_revision", "0 or more")
    hit = Hit(sighting, matches, message.match_revision)
    return ReportedHit(hit, captured.crop_image, captured.overview_image)


def _sighting(message: pb.Hit, read: read_pb2.Read, checks: Checks) -> Sighting:
    if not read.HasField("place"):
        checks.note("place", "required")
    capture_time = checks.time(read, "capture_time")
    return Sighting(
        read_id=checks.uuid("read_id", read.read_id),
        plate=checks.matching("plate", read.plate, r"[A-Z0-9]{1,12}", "A-Z and 0-9, 1 to 12 characters"),
        state=checks.optional("states", read.states[0].state, longest=_LONGEST) if read.states else "",
        capture_time=capture_time,
        receive_time=checks.time(read, "receive_time") if read.HasField("receive_time") else capture_time,
        place=_place(read.place, checks.within("place")),
        sensor_id=checks.text("sensor_id", read.sensor_id, longest=_LONGEST),
        sensor_agency_ori=checks.ori("sensor_agency_ori", message.sensor_agency_ori),
        sensor_group=checks.optional("sensor_group", message.sensor_group, longest=_LONGEST),
        model_version=checks.optional("model_version", read.model_version, longest=_LONGEST),
        crop_key="",
        overview_key="",
        sensor_unit=checks.optional("sensor_unit", message.sensor_unit, longest=_LONGEST),
    )


def _place(place: read_pb2.Place, checks: Checks) -> Place:
    if not -_POLE <= place.latitude <= _POLE:
        checks.note("latitude", "-90 to 90 degrees")
    if not -_DATE_LINE <= place.longitude <= _DATE_LINE:
        checks.note("longitude", "-180 to 180 degrees")
    return Place(
        place.latitude, place.longitude, checks.optional("description", place.description, longest=_LONGEST)
    )


def _match(message: pb.MatchedHit, checks: Checks) -> Match:
    if not 0 <= message.match_probability <= 1:
        checks.note("match_probability", "0 to 1")
    entry = _entry(message.entry, checks.within("entry"))
    # A warning of a later version of the contract is a reason to doubt that this version has no word for.
    warnings = tuple(HitWarning(number) for number in sorted(set(message.warnings)) if number in _WARNINGS)
    label, is_check = message.entry.match_label, message.entry.match_grade == hit_pb2.MATCH_GRADE_CHECK
    return Match(
        entry,
        message.match_probability,
        warnings,
        label=MatchLabel(label) if label in _LABELS else MatchLabel.UNKNOWN,
        # A grade of a later version is not taken for a reason to be silent.
        grade=MatchGrade.CHECK if is_check else MatchGrade.SOUND,
    )


def _entry(message: hit_pb2.MatchedEntry, checks: Checks) -> Entry:
    known = message.category in _CATEGORIES
    if not known:
        checks.note("category", "a category of the contract")
    if not 1 <= message.source <= max(hit_pb2.HotListSource.values()):
        checks.note("source", "a source of the contract")
    return Entry(
        key=EntryKey(checks.uuid("entry_id", message.entry_id), message.list_version),
        hot_list_id=checks.uuid("hot_list_id", message.hot_list_id),
        hot_list_name=checks.optional("hot_list_name", message.hot_list_name, longest=_LONGEST),
        list_agency_ori=checks.ori("list_agency_ori", message.list_agency_ori),
        list_activated_at=checks.time(message, "list_activated_at"),
        source=message.source,
        category=Category(message.category) if known else Category.OTHER,
        plate=checks.text("plate", message.plate, longest=_LONGEST),
        state=checks.optional("state", message.state, longest=_LONGEST),
        record_number=checks.optional("record_number", message.record_number, longest=_LONGEST),
        vehicle=_vehicle(message.vehicle, checks.within("vehicle")),
        list_time=checks.time(message, "list_time") if message.HasField("list_time") else None,
        entry_date=_date(message.entry_date, checks),
        plate_type=checks.optional("plate_type", message.plate_type, longest=_LONGEST),
    )


def _date(text: str, checks: Checks) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        checks.note("entry_date", "empty or a day like 2026-11-25")
        return None


def _vehicle(vehicle: hit_pb2.ListedVehicle, checks: Checks) -> Vehicle:
    return Vehicle(
        year=checks.optional("year", vehicle.year, longest=_LONGEST),
        make=checks.optional("make", vehicle.make, longest=_LONGEST),
        model=checks.optional("model", vehicle.model, longest=_LONGEST),
        style=checks.optional("style", vehicle.style, longest=_LONGEST),
        color=checks.optional("color", vehicle.color, longest=_LONGEST),
    )
