"""Every question that the archive answers, with arguments that find something in the world of `seed`.

A function `find_...` that has no case here makes tests/store/search/test_search_governed.py red.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import sensor_pb2
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY
from tests.support.search_kit import ORI, OTHER_ORI, archived_read, canonical, us

PLATE, COMPANION, SECRET = "GOV1001", "GOV1002", "GOV9999"
CAMERAS = (("gov-cam-1", 41.90, -87.60), ("gov-cam-2", 41.95, -87.70), ("gov-cam-3", 42.00, -87.80))
ZONE = "America/Chicago"
GROUP = "expressway-north"
NO_READ = UUID("00000000-0000-7000-8000-000000000000")


@dataclass(frozen=True)
class Moments:
    """The window of the questions, and the narrower one of the permits."""

    start: datetime
    permit_start: datetime
    permit_end: datetime
    end: datetime

    @staticmethod
    def until(now: datetime) -> Moments:
        return Moments(
            now - timedelta(days=40),
            now - timedelta(days=12),
            now - timedelta(days=2),
            now - timedelta(days=1),
        )


def travels(moments: Moments) -> list[archive_pb.ArchivedRead]:
    """PLATE and COMPANION pass three cameras together on three days, within every scope and window."""
    reads = []
    for day in (3, 5, 8):
        for number, camera in enumerate(CAMERAS):
            passed = moments.end - timedelta(days=day, hours=number)
            for seconds, plate in ((0, PLATE), (4, COMPANION)):
                reads.append(read_at(camera, passed + timedelta(seconds=seconds), plate))
    return reads


def outside(moments: Moments) -> list[archive_pb.ArchivedRead]:
    """The same, and SECRET with them, outside of what the permits open: each passage for one reason."""
    reads = []
    for plate in (PLATE, COMPANION, SECRET):
        for number, camera in enumerate(CAMERAS):
            inside = moments.end - timedelta(days=4, hours=number)
            foreign = read_at(camera, inside, plate, agency=OTHER_ORI)
            grouped = read_at(camera, inside + timedelta(seconds=1), plate)
            grouped.sensor_group = "unmarked-cars"
            early = read_at(camera, moments.permit_start - timedelta(days=3, hours=number), plate)
            late = read_at(camera, moments.permit_end + timedelta(hours=number + 1), plate)
            reads += [foreign, grouped, early, late]
    return reads


def expired(moments: Moments) -> list[archive_pb.ArchivedRead]:
    """The same before the start of a shorter retention period, 11 days: inside of what the permits open."""
    return [
        read_at(camera, moments.permit_start + timedelta(minutes=number), plate)
        for plate in (PLATE, COMPANION, SECRET)
        for number, camera in enumerate(CAMERAS)
    ]


def apart(reads: Sequence[archive_pb.ArchivedRead]) -> list[archive_pb.ArchivedRead]:
    """The same reads of the Motor Carrier Safety data set."""
    moved = []
    for one in reads:
        other = archive_pb.ArchivedRead.FromString(one.SerializeToString())
        other.partition = sensor_pb2.PARTITION_MOTOR_CARRIER
        moved.append(other)
    return moved


def read_at(
    camera: tuple[str, float, float], captured: datetime, plate: str, agency: str = ORI
) -> archive_pb.ArchivedRead:
    """A read of a camera; its id follows from the rest."""
    sensor_id, latitude, longitude = camera
    seed = f"{sensor_id}/{captured}/{plate}/{agency}"
    message = archived_read(captured, plate=plate, agency=agency, seed=seed)
    message.read.sensor_id = sensor_id
    message.read.place.latitude, message.read.place.longitude = latitude, longitude
    message.read.receive_time.FromDatetime(captured + timedelta(seconds=1))
    return message


@dataclass(frozen=True)
class Case:
    """A question: its function, the kind of its permit, its arguments by name, and what gives its answer.

    Attributes:
        arguments: Typed, in the order of the function after permit, window and page size.
        spelled: Names and values as recorded, where they are not the arguments' own names and texts.
        takes: Statements that give the answer; $1 is the permit, $2 the question's one read.
        by_read: The question names reads by their id; `with_read` puts another in its place.
    """

    function: str
    kind: str
    arguments: dict[str, object]
    takes: tuple[str, ...]
    spelled: Callable[[dict[str, object]], tuple[tuple[str, str], ...]] | None = None
    by_read: str = ""
    page_size: int = 100
    key: bytes = field(default=PERMIT_KEY, repr=False)

    @property
    def schema(self) -> str:
        return self.function.partition(".")[0]

    def canonical(self, from_us: int, to_us: int) -> str:
        window = (("from_us", str(from_us)), ("to_us", str(to_us)), ("page_size", str(self.page_size)))
        named = self.spelled(self.arguments) if self.spelled else spelled(self.arguments)
        return canonical(("kind", self.kind), *window, *named)

    def typed(self, from_us: int, to_us: int) -> tuple[object, ...]:
        return (from_us, to_us, self.page_size, *self.arguments.values())

    def statement(self) -> str:
        places = ", ".join(f"${number}" for number in range(1, 5 + len(self.arguments)))
        return f"SELECT {self.function}({places})"

    @property
    def read_id(self) -> UUID | None:
        """The read that the question names, if it names one."""
        return UUID(str(self.arguments[self.by_read])) if self.by_read else None


def spelled(arguments: dict[str, object]) -> tuple[tuple[str, str], ...]:
    """Arguments by their own names, each as PostgreSQL writes it as text."""
    return tuple((name, "" if value is None else str(value)) for name, value in arguments.items())


def _summary(arguments: dict[str, object]) -> tuple[tuple[str, str], ...]:
    by, count = arguments["by"], arguments["count_plates"]
    assert isinstance(by, list)
    return (
        ("by", ",".join(by)),
        ("area", str(arguments["area"])),
        ("time_zone", str(arguments["time_zone"])),
        ("count_plates", "yes" if count else "no"),
    )


def _stakeout(arguments: dict[str, object]) -> tuple[tuple[str, str], ...]:
    scenes = arguments["scenes"]
    assert isinstance(scenes, list)
    head = (("min_scenes", str(arguments["min_scenes"])), ("time_zone", str(arguments["time_zone"])))
    return (*head, *((f"scene_{number}", scene) for number, scene in enumerate(scenes, 1)))


def _compare(arguments: dict[str, object]) -> tuple[tuple[str, str], ...]:
    *head, (_, parts) = arguments.items()
    assert isinstance(parts, list)
    rows = ((f"rows_{number}", part) for number, part in enumerate(parts, 1))
    return (*((name, str(value)) for name, value in head), *rows)


def _export(arguments: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return (
        ("pictures", "yes" if arguments["pictures"] else "no"),
        ("after_read_id", str(arguments["after_read_id"] or "")),
    )


GENERAL_READS = "SELECT to_jsonb(r)::text FROM archive.general_reads($1, '{kind}') AS r"
GENERAL_COMPUTED = "SELECT answer FROM archive.general_computed($1, '{kind}')"
_APART_READS = GENERAL_READS.replace("archive.", "motor_carrier.")


def cases(moments: Moments, read_id: UUID) -> list[Case]:
    """A case of every question but look-backs and those about what outlives its day (see `OTHERS`)."""
    scenes = [_scene(camera, moments) for camera in CAMERAS[:2]]
    zone, plate = {"time_zone": ZONE}, {"plate": PLATE}
    one = {"read_id": read_id}
    before: dict[str, object] = {"before_us": None, "before_read_id": None}

    def reads(function: str, kind: str, arguments: dict[str, object], **more: object) -> Case:
        return Case(f"archive.{function}", kind, arguments, (GENERAL_READS,), **more)  # type: ignore[arg-type]

    def computed(function: str, kind: str, arguments: dict[str, object], **more: object) -> Case:
        return Case(f"archive.{function}", kind, arguments, (GENERAL_COMPUTED,), **more)  # type: ignore[arg-type]

    def form(plate_form: str, plate: str, area: str = "") -> dict[str, object]:
        asked = {"plate_form": plate_form, "plate": plate, "state": "", "provenance": "", "area": area}
        return {**asked, **before}

    evidence = {**one, "report_number": "26-1", "evidence_system": "dems", "evidence_item": "7"}
    picture = "SELECT to_jsonb(k)::text FROM archive.{0} AS k"
    return [
        reads("find_reads", "reads", form("exact", PLATE)),
        reads("find_reads", "reads", form("pattern", "GOV1*")),
        reads("find_reads", "reads", form("one_off", "GOV1003")),
        reads("find_reads", "reads", form("any", "", _sensors(CAMERAS[0]))),
        reads("find_read", "read", one, by_read="read_id", page_size=1),
        Case(
            "archive.find_image",
            "image",
            one,
            (picture.format("image_key($1, $2)"),),
            by_read="read_id",
            page_size=1,
        ),
        reads(
            "find_report",
            "report",
            {"pictures": 1, "read_ids": str(read_id), "caption": "x"},
            by_read="read_ids",
        ),
        reads("find_export", "export", {"pictures": False, "after_read_id": None}, spelled=_export),
        Case(
            "archive.find_evidence",
            "evidence",
            evidence,
            (GENERAL_READS, picture.format("evidence_picture($1)")),
            by_read="read_id",
            page_size=1,
        ),
        computed("find_convoy", "convoy", {**plate, "within_seconds": 30, "min_cameras": 2, **zone}),
        computed("find_pattern", "pattern", {**plate, **zone}),
        computed(
            "find_summary",
            "summary",
            {"by": ["sensor"], "area": "", **zone, "count_plates": True},
            spelled=_summary,
        ),
        computed("find_stakeout", "stakeout", {"min_scenes": 2, **zone, "scenes": scenes}, spelled=_stakeout),
        computed(
            "find_corridor",
            "corridor",
            {
                "line": json.dumps([camera[1:] for camera in CAMERAS], separators=(",", ":")),
                "within_meters": 50,
                "direction": "either",
                "min_cameras": 2,
                "max_gap_minutes": 90,
            },
        ),
        *(
            computed("find_compare", "compare", compared, spelled=_compare)
            for compared in (_compared_plates(), _compared_incidents(moments))
        ),
        Case(
            "motor_carrier.find_mcsreads",
            "mcsreads",
            {"plate": PLATE, "sensor_id": "", **before},
            (_APART_READS,),
            key=MCS_PERMIT_KEY,
        ),
        Case(
            "motor_carrier.find_mcsexport",
            "mcsexport",
            {"pictures": False, "after_read_id": None},
            (_APART_READS,),
            spelled=_export,
            key=MCS_PERMIT_KEY,
        ),
        Case(
            "motor_carrier.find_mcsimage",
            "mcsimage",
            one,
            (picture.format("image_key($1, $2)").replace("archive.", "motor_carrier."),),
            by_read="read_id",
            page_size=1,
            key=MCS_PERMIT_KEY,
        ),
        Case(
            "motor_carrier.find_mcsreport",
            "mcsreport",
            {"pictures": 1, "read_ids": str(read_id), "caption": "x"},
            (_APART_READS,),
            by_read="read_ids",
            key=MCS_PERMIT_KEY,
        ),
        Case(
            "motor_carrier.find_mcsevidence",
            "mcsevidence",
            evidence,
            (_APART_READS, picture.format("evidence_picture($1)").replace("archive.", "motor_carrier.")),
            by_read="read_id",
            page_size=1,
            key=MCS_PERMIT_KEY,
        ),
        Case(
            "archive.find_lookbackimage",
            "lookbackimage",
            {"intent_id": str(uuid4()), "changed_id": str(uuid4()), "read_ids": str(read_id)},
            (picture.format("lookbackimage_keys($1)"),),
            by_read="read_ids",
            page_size=1,
        ),
        Case(
            "motor_carrier.find_mcslookbackimage",
            "mcslookbackimage",
            {"intent_id": str(uuid4()), "changed_id": str(uuid4()), "read_ids": str(read_id)},
            (picture.format("mcslookbackimage_keys($1)").replace("archive.", "motor_carrier."),),
            by_read="read_ids",
            page_size=1,
            key=MCS_PERMIT_KEY,
        ),
    ]


OTHERS = {
    # What outlives its day lies in tables of its own (test_search_holds.py, test_search_register.py).
    "archive.find_held": "test_search_holds.py",
    "archive.find_heldimage": "test_search_holds.py",
    "motor_carrier.find_mcsheld": "test_search_holds.py",
    "motor_carrier.find_mcsheldimage": "test_search_holds.py",
    "archive.find_evidencecopy": "test_search_register.py",
    "motor_carrier.find_mcsevidencecopy": "test_search_motor_carrier_leaving.py",
    # Questions of the matcher, in a form of their own.
    "archive.find_for_look_back": "test_search_look_back.py",
    "motor_carrier.find_for_look_back": "test_search_motor_carrier.py",
}
"""Questions that other tests put to the test."""


def _sensors(camera: tuple[str, float, float]) -> str:
    return json.dumps({"sensors": [camera[0]]}, separators=(",", ":"))


def _scene(camera: tuple[str, float, float], moments: Moments) -> str:
    area = json.loads(_sensors(camera))
    return json.dumps(
        {"area": area, "from": moments.start.isoformat(), "to": moments.end.isoformat()},
        separators=(",", ":"),
    )


def _compared_plates() -> dict[str, object]:
    near = {"within_meters": 0, "within_minutes": 0, "min_incidents": 0, "time_zone": ""}
    return {
        "data_set": "plates",
        "file_sha256": "00" * 32,
        **near,
        "parts": [f"{PLATE};{COMPANION};{SECRET}"],
    }


def _compared_incidents(moments: Moments) -> dict[str, object]:
    near = {"within_meters": 500, "within_minutes": 1_440, "min_incidents": 2, "time_zone": ZONE}
    rows = [
        f"{(moments.end - timedelta(days=day)).isoformat()} {latitude:.6f} {longitude:.6f}"
        for day, (_, latitude, longitude) in zip((3, 5), CAMERAS, strict=False)
    ]
    return {"data_set": "incidents", "file_sha256": "00" * 32, **near, "parts": [";".join(rows)]}


def window(moments: Moments) -> tuple[int, int]:
    """The question's window in microseconds."""
    return us(moments.start), us(moments.end)
