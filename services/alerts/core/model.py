"""The words of the alerts service: hits, entries, alerts, steps. Numbers are those of the contract."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from uuid import UUID


class Category(IntEnum):
    """What an entry is about; numbers of alpr.type.v1.HotListCategory."""

    STOLEN_VEHICLE = 1
    STOLEN_PLATE = 2
    FELONY = 3
    WANTED = 4
    MISSING = 5
    AMBER = 6
    SILVER = 7
    SUSPENDED = 8
    REVOKED = 9
    EXPIRED_REGISTRATION = 10
    OTHER = 11


class HitWarning(IntEnum):
    """A reason to doubt a hit; numbers of alpr.type.v1.HitWarning."""

    LOOK_ALIKE = 1
    STATE_MISMATCH = 2
    STATE_UNKNOWN = 3
    OLD_LIST = 4
    LATE_CAPTURE = 5
    PLATE_TYPE_MISMATCH = 6
    VEHICLE_MISMATCH = 7
    OLD_ENTRY = 8
    LOOK_BACK = 20


class MatchLabel(IntEnum):
    """How the plate read is like the listed one; numbers of alpr.type.v1.MatchLabel."""

    UNKNOWN = 0
    EXACT = 1
    EQUIVALENT = 2
    LATTICE = 3
    PARTIAL = 4


class MatchGrade(IntEnum):
    """What a match is good for; numbers of alpr.type.v1.MatchGrade."""

    SOUND = 1
    CHECK = 2


class WithdrawReason(IntEnum):
    """Why an entry is listed no longer; numbers of alpr.alerts.v1.WithdrawReason."""

    NOT_IN_VERSION = 1
    CANCELLED = 2
    EXPIRED = 3
    SUSPENDED = 4


class Severity(IntEnum):
    """How loud an alert is; numbers of alpr.alerts.v1.Severity. A greater number is louder."""

    NOTICE = 1
    HIGH = 2
    URGENT = 3


class Verification(IntEnum):
    """State of the verification; numbers of alpr.type.v1.VerificationState (ENF-051 III.D.4)."""

    NEW = 1
    VERIFYING = 2
    CONFIRMED = 3
    NOT_CONFIRMED = 4
    MISREAD = 5
    WRONG_STATE = 6
    STALE = 7


class Disposition(IntEnum):
    """What was done; numbers of alpr.alerts.v1.Disposition."""

    NONE = 0
    STOPPED = 1
    ARREST = 2
    RECOVERED = 3
    NOT_LOCATED = 4
    FALSE_ALARM = 5
    NO_ACTION = 6


class Partition(IntEnum):
    """Data sets that never meet (ENF-051 II.H); numbers of alpr.type.v1.Partition."""

    GENERAL = 1
    MOTOR_CARRIER = 2


# Federal DOT and ICC: lists of the Motor Carrier Safety system, compared on its sensors and nowhere else.
MOTOR_CARRIER_SOURCES = frozenset({5, 6})


class StepKind(IntEnum):
    """The kinds of things that people do about an alert."""

    ACKNOWLEDGE = 1
    VERIFY = 2
    DISPOSE = 3


class EscalationKind(IntEnum):
    """What was not done in time; numbers of alpr.alerts.v1.EscalationKind."""

    NOT_ACKNOWLEDGED = 1
    NOT_VERIFIED = 2


class EntryState(IntEnum):
    """Whether the entries of an alert were listed; numbers of alpr.alerts.v1.EntryState."""

    UNKNOWN = 0
    LISTED = 1
    PARTLY_WITHDRAWN = 2
    WITHDRAWN = 3


class FeedKind(IntEnum):
    """What a position of the feed says about its alert."""

    RAISED = 1
    UPDATED = 2


@dataclass(frozen=True, slots=True)
class Vehicle:
    """The vehicle as listed, in the source's codes; any part may be empty."""

    year: str = ""
    make: str = ""
    model: str = ""
    style: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True, order=True)
class EntryKey:
    """An entry in one version of its list; never changes its meaning."""

    entry_id: UUID
    list_version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A hot-list entry as it stood when it was matched (ENF-051 II.D).

    Attributes:
        list_time: When the list's source wrote it, or it was uploaded; None when nobody said.
        entry_date: When the source entered it; None when unknown.
        plate_type: NCIC code; empty when unknown.
    """

    key: EntryKey
    hot_list_id: UUID
    hot_list_name: str
    list_agency_ori: str
    list_activated_at: datetime
    source: int
    category: Category
    plate: str
    state: str
    record_number: str
    vehicle: Vehicle
    list_time: datetime | None = None
    entry_date: date | None = None
    plate_type: str = ""

    @property
    def partition(self) -> Partition:
        """The data set that the entry belongs to; its source says it."""
        return Partition.MOTOR_CARRIER if self.source in MOTOR_CARRIER_SOURCES else Partition.GENERAL


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """When an entry was taken off its list, and why."""

    moment: datetime
    reason: WithdrawReason


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that a read matched, with the probability from 0 to 1 that the plate is the listed one.

    `withdrawn` is None while the entry is listed.
    """

    entry: Entry
    probability: float
    warnings: tuple[HitWarning, ...]
    withdrawn: Withdrawn | None = None
    label: MatchLabel = MatchLabel.UNKNOWN
    grade: MatchGrade = MatchGrade.SOUND


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the earth, WGS 84 degrees, with words for people."""

    latitude: float
    longitude: float
    description: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a hit keeps of its read for ever, so that the purge of the read takes nothing (ENF-051 IV.E.2)."""

    read_id: UUID
    plate: str
    state: str
    capture_time: datetime
    receive_time: datetime
    place: Place
    sensor_id: str
    sensor_agency_ori: str
    sensor_group: str
    model_version: str
    crop_key: str
    overview_key: str
    sensor_unit: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """A hit as subscriptions see it: of which entry, where, how probable in percent, how loud at capture."""

    key: EntryKey
    sensor_id: str
    sensor_group: str
    latitude: float
    longitude: float
    percent: int
    severity: Severity
    sensor_unit: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A read and the entries that it matched, at least one, in the hot lists of `match_revision`."""

    sighting: Sighting
    matches: tuple[Match, ...]
    match_revision: int = 0

    @property
    def partition(self) -> Partition:
        """The data set that the hit belongs to: that of its entries, which are all of one."""
        return self.matches[0].entry.partition


@dataclass(frozen=True, slots=True)
class Due:
    """Until when something is to be done about an alert, whether or not it was; None where nothing was set.

    `centre_has_seen`: the telecommunication centre of the sensor's agency has done something about it.
    """

    acknowledge_by: datetime | None = None
    verify_by: datetime | None = None
    centre_has_seen: bool = False


@dataclass(frozen=True, slots=True)
class Escalation:
    """What was not done about an alert in time; `round` is the verification it belongs to, 0 the first."""

    escalation_id: UUID
    kind: EscalationKind
    round: int
    due_time: datetime
    escalate_time: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """A passage of one plate: its newest sighting, and the entries, most severe first, at least one.

    `facets` are its hits as subscriptions see them, equal ones once.
    """

    alert_id: UUID
    raise_time: datetime
    sighting: Sighting
    matches: tuple[Match, ...]
    acknowledged: bool
    verification: Verification
    disposition: Disposition
    facets: tuple[Facet, ...] = ()
    due: Due = Due()
    escalations: tuple[Escalation, ...] = ()

    @property
    def partition(self) -> Partition:
        """The data set that the alert belongs to, with all its hits."""
        return self.matches[0].entry.partition

    @property
    def agencies(self) -> frozenset[str]:
        """ORIs of the agencies that may know of the alert: the sensor's and the lists'."""
        return frozenset(m.entry.list_agency_ori for m in self.matches) | {self.sighting.sensor_agency_ori}

    @property
    def withdrawn_at(self) -> datetime | None:
        """When the last of the entries was taken off its list; None while one of them is listed."""
        moments = [m.withdrawn.moment for m in self.matches if m.withdrawn]
        return max(moments) if len(moments) == len(self.matches) else None


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What a person asks to record about an alert. Fields that do not belong to `kind` are empty.

    `check_id` names the answer of LEADS or NCIC that a verification rests on, in place of typed words.
    """

    request_id: UUID
    alert_id: UUID
    kind: StepKind
    verification: Verification | None = None
    disposition: Disposition = Disposition.NONE
    system: str = ""
    response_id: str = ""
    report_number: str = ""
    reported_by: str = ""
    check_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody did; `verification` is the state after it.

    `by_centre` says that a telecommunication centre did it, `reported_by` who told it what was done.
    """

    step_time: datetime
    account_id: str
    verification: Verification
    disposition: Disposition
    system: str
    response_id: str
    entry_state: EntryState = EntryState.UNKNOWN
    by_centre: bool = False
    reported_by: str = ""
    report_number: str = ""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One position of the feed, with its alert as it is now.

    `mark` is what subscribers see in place of the position: it rises as positions do, and does not count.
    """

    position: int
    feed_time: datetime
    kind: FeedKind
    alert: Alert
    mark: int


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as audit knows them at this moment."""

    account_id: str
    agency_ori: str
    is_telecom_center: bool
    unit: str = ""
