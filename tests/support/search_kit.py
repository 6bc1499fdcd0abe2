"""What the tests of search share: permits as audit makes them, written a second time, and reads."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from tests.support.databases import PERMIT_KEY

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ORI = "ILISP0001"
OTHER_ORI = "ILCPD0001"


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def now() -> datetime:
    return datetime.now(UTC)


def canonical(*fields: tuple[str, str]) -> str:
    return "\n".join(f"{name}:{len(value.encode())}:{value}" for name, value in fields)


@dataclass(frozen=True)
class General:
    """A question of the general form: names and values, and the typed arguments of archive.find_<kind>."""

    kind: str
    named: tuple[tuple[str, str], ...] = ()
    typed: tuple[object, ...] = ()
    from_us: int = field(default_factory=lambda: us(now() - timedelta(days=89)))
    to_us: int = field(default_factory=lambda: us(now() + timedelta(minutes=1)))
    page_size: int = 100

    def canonical(self) -> str:
        return canonical(
            ("kind", self.kind),
            ("from_us", str(self.from_us)),
            ("to_us", str(self.to_us)),
            ("page_size", str(self.page_size)),
            *self.named,
        )

    def arguments(self) -> tuple[object, ...]:
        return (self.from_us, self.to_us, self.page_size, *self.typed)


FIND_READS = f"SELECT archive.find_reads({', '.join(f'${number}' for number in range(1, 12))})"
FIND_IMAGE = "SELECT archive.find_image($1, $2, $3, $4, $5)"


@dataclass(frozen=True)
class Plate:
    """A question for reads, with the arguments of archive.find_reads."""

    kind = "reads"

    plate: str = "AB1234"
    from_us: int = field(default_factory=lambda: us(now() - timedelta(days=89)))
    to_us: int = field(default_factory=lambda: us(now() + timedelta(minutes=1)))
    page_size: int = 100
    before_us: int | None = None
    before_read_id: UUID | None = None
    form: str = "exact"
    state: str = ""
    provenance: str = ""
    area: str = ""

    def canonical(self) -> str:
        return canonical(
            ("kind", "reads"),
            ("from_us", str(self.from_us)),
            ("to_us", str(self.to_us)),
            ("page_size", str(self.page_size)),
            ("plate_form", self.form),
            ("plate", self.plate or ""),
            ("state", self.state),
            ("provenance", self.provenance),
            ("area", recorded(self.area)),
            ("before_us", "" if self.before_us is None else str(self.before_us)),
            ("before_read_id", str(self.before_read_id or "")),
        )

    def arguments(self) -> tuple[object, ...]:
        return (
            self.from_us,
            self.to_us,
            self.page_size,
            self.form,
            self.plate,
            self.state,
            self.provenance,
            self.area,
            self.before_us,
            self.before_read_id,
        )


@dataclass(frozen=True)
class Image:
    """An image question, with the arguments of archive.find_image."""

    read_id: UUID
    kind = "image"
    from_us: int = field(default_factory=lambda: us(now() - timedelta(days=89)))
    to_us: int = field(default_factory=lambda: us(now() + timedelta(minutes=1)))

    def canonical(self) -> str:
        return self._general().canonical()

    def arguments(self) -> tuple[object, ...]:
        return self._general().arguments()

    def _general(self) -> General:
        named = (("read_id", str(self.read_id)),)
        return General("image", named, (self.read_id,), self.from_us, self.to_us, 1)


def recorded(value: str) -> str:
    """A value as it stands in the log: a long one as its SHA-256."""
    return value if len(value) <= 2000 else hashlib.sha256(value.encode()).hexdigest()


@dataclass(frozen=True)
class LookBack:
    """A look-back with the arguments of archive.find_for_look_back."""

    kind = "lookback"
    plates: tuple[str, ...] = ()
    match_revision: int = 8
    from_us: int = field(default_factory=lambda: us(now() - timedelta(days=1)))
    to_us: int = field(default_factory=lambda: us(now() + timedelta(minutes=1)))
    page_size: int = 100
    after_read_id: UUID | None = None
    intent_id: UUID = field(default_factory=uuid4)
    changed_id: UUID = field(default_factory=uuid4)

    def canonical(self) -> str:
        return canonical(
            ("kind", "lookback"),
            ("intent_id", str(self.intent_id)),
            ("changed_id", str(self.changed_id)),
            ("match_revision", str(self.match_revision)),
            ("from_us", str(self.from_us)),
            ("to_us", str(self.to_us)),
            ("plate_count", str(len(self.plates))),
            ("plates_sha256", hashlib.sha256(",".join(self.plates).encode()).hexdigest()),
            ("page_size", str(self.page_size)),
            ("after_read_id", str(self.after_read_id or "")),
        )

    def arguments(self) -> tuple[object, ...]:
        return (
            self.intent_id,
            self.changed_id,
            self.match_revision,
            self.from_us,
            self.to_us,
            list(self.plates),
            self.page_size,
            self.after_read_id,
        )


@dataclass(frozen=True)
class Permit:
    """A permit before it is sealed; every field may be changed to see what the archive says."""

    question: str
    kind: str = "reads"
    from_us: int = 0
    to_us: int = 2**52
    agencies: tuple[str, ...] = (ORI,)
    groups: tuple[str, ...] = ()
    permit_id: UUID = field(default_factory=uuid4)
    account_id: str = "0f0e0d0c-0b0a-4908-8706-050403020100"
    made: datetime = field(default_factory=now)
    life: timedelta = timedelta(seconds=60)
    version: str = "v1"
    key: bytes = PERMIT_KEY

    def body(self) -> str:
        digest = hashlib.sha256(self.question.encode()).hexdigest()
        return "|".join(
            (
                self.version,
                str(self.permit_id),
                self.account_id,
                self.kind,
                digest,
                ",".join(self.agencies),
                ",".join(self.groups),
                str(self.from_us),
                str(self.to_us),
                str(us(self.made + self.life)),
            )
        )

    def text(self) -> str:
        body = self.body()
        return body + "|" + hmac.digest(self.key, body.encode(), "sha256").hex()


def permit_for(question: General | Plate | Image | LookBack, **changes: object) -> str:
    """A permit for `question`; `changes` as the fields of Permit."""
    return replace(Permit(question.canonical(), kind=question.kind), **changes).text()  # type: ignore[arg-type]


def uuid7(captured: datetime, seed: str = "") -> UUID:
    """A read id of that millisecond; the same seed gives the same id."""
    rest = hashlib.sha256((seed or str(uuid4())).encode()).digest()
    value = (us(captured) // 1000) << 80 | int.from_bytes(rest[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    return UUID(int=value & ~(0x3 << 62) | 2 << 62)


def archived_read(
    captured: datetime | None = None,
    *,
    plate: str = "AB1234",
    seed: str = "",
    agency: str = ORI,
    revision: int = 7,
) -> archive_pb.ArchivedRead:
    """A complete read as the matcher sends it, captured `captured` or a minute ago."""
    captured = captured or now() - timedelta(minutes=1)
    message = archive_pb.ArchivedRead(
        agency_ori=agency,
        sensor_group="expressway-north",
        provenance=sensor_pb2.PROVENANCE_OWN,
        match_revision=revision,
    )
    read = message.read
    read.read_id = str(uuid7(captured, seed))
    read.sensor_id = "i90-mile-12-east"
    read.capture_time.FromDatetime(captured)
    read.receive_time.FromDatetime(captured + timedelta(seconds=1))
    read.place.latitude = 41.978
    read.place.longitude = -87.904
    read.place.description = "I-90 at mile 12, eastbound"
    read.plate = plate
    for character in plate:
        read.lattice.positions.add().characters.add(character=character, probability=0.99)
    read.lattice.candidates.add(plate=plate, probability=0.93)
    read.states.add(state="IL", probability=0.9)
    read.plate_box.x, read.plate_box.y, read.plate_box.width, read.plate_box.height = 10, 20, 120, 40
    read.image.sha256 = hashlib.sha256((seed or plate).encode()).digest()
    read.image.day = captured.astimezone(UTC).date().isoformat()
    read.image.media_type = "image/jpeg"
    read.image.size_bytes = 54321
    read.image.image_key = b"K" * 32
    read.model_version = "plates-1"
    read.sender_read_id = "evt-1"
    return message
