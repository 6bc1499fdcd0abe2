"""Look-back with the real audit, search and alerts services: from a car that went by to an alert."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1.sensor_service_pb2_grpc import SensorServiceStub
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.type.v1 import hit_pb2, read_pb2, sensor_pb2
from services.common.client import bearer
from services.common.imagecrypt import seal_image
from services.common.objects import FileObjectStore
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from services.search.__main__ import assemble
from services.search.config import SearchSettings
from tests.matcher_kit import SENSOR, Matcher, Person, a_matcher, a_read, a_world, batch, new_id, submit
from tests.support import alerts_rig, audit_kit
from tests.support.alerts_rig import AlertsRig, Subscriber
from tests.support.audit_kit import COORDINATOR, ORI, Officer, RunningAudit, justification
from tests.support.databases import MigratedDatabase, fetch
from tests.support.issuer import RunningIssuer
from tests.support.search_world import environment

pytestmark = pytest.mark.timeout(240)

PLATE, OTHER = "AB12345", "ZZ99999"
FIELDS = "SELECT log_index, name, value FROM audit.log_field ORDER BY log_index"


@dataclass
class House:
    """All services but ocr, and what people see."""

    audit: RunningAudit
    alerts: AlertsRig
    matcher: Matcher
    database: MigratedDatabase
    images: Path
    held: AsyncExitStack

    async def at_matcher(self, officer: Officer) -> Person:
        return await self.held.enter_async_context(self.matcher.person(officer.token()))

    async def alerts_of(self, officer: Officer) -> Subscriber:
        stream = self.alerts.subscribe(officer.token())
        self.held.push_async_callback(stream.close)
        return await stream.live()

    async def passes(self, *plates: str, age: timedelta = timedelta(minutes=10)) -> None:
        """Returns when reads of these plates are in the archive."""
        reads = [a_read(plate, age=age) for plate in plates]
        async with self.matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(1, *reads))
        assert {one.status for one in answer.results} == {read_pb2.READ_STATUS_STORED}

    async def passes_before_a_camera(self, plate: str) -> str:
        """Id of a read in the archive whose picture lies in the image store, sealed."""
        image, day = a_picture(), datetime.now(UTC).date()
        digest, key = hashlib.sha256(image).digest(), bytes(32)
        name = f"days/{day.isoformat()}/{digest.hex()}"
        await FileObjectStore(self.images).put(name, seal_image(key, day, image))
        stored = read_pb2.ImageRef(
            sha256=digest,
            day=day.isoformat(),
            media_type="image/jpeg",
            size_bytes=len(image),
            image_key=key,
        )
        read = a_read(plate, image=stored)
        async with self.matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(1, read))
        assert answer.results[0].status == read_pb2.READ_STATUS_STORED
        return read.read.read_id

    async def log_of(self, kind: str, action: str) -> list[dict[str, str]]:
        """Entries of the log, oldest first."""
        entries: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for row in await fetch(self.database.admin_url, FIELDS):
            entries[row["log_index"]][row["name"]] = row["value"]
        return [one for one in entries.values() if (one["kind"], one.get("action")) == (kind, action)]


@pytest_asyncio.fixture
async def house(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
) -> AsyncIterator[House]:
    database = await migrated_database("audit", "search", "alerts", "matcher")
    settings = audit_kit.settings_for(database, tls, issuer, tmp_path)
    await audit_kit.begin(settings, database, issuer)
    async with AsyncExitStack() as held:
        audit = await held.enter_async_context(audit_kit.running_audit(settings, database, tls, issuer))
        port = int(audit.target.rpartition(":")[2])
        rig = await alerts_rig.start_rig(alerts_rig.settings_for(tmp_path, tls, database, port), tls)
        held.push_async_callback(rig.stop)
        values = environment(tls, database, tmp_path, port)
        lowered = {name.removeprefix("PW_").lower(): value for name, value in values.items()}
        search = (await assemble(SearchSettings.model_validate(lowered))).build()
        await search.start()
        held.push_async_callback(search.stop)
        await a_sensor(audit)
        world = await held.enter_async_context(a_world(tls, database, tmp_path))
        world.targets.update(
            audit=audit.target,
            alerts=f"127.0.0.1:{rig.server.port}",
            search=f"127.0.0.1:{search.port}",
        )
        matcher = await held.enter_async_context(a_matcher(world))
        yield House(audit, rig, matcher, database, Path(values["PW_IMAGE_STORE_DIR"]), held)


def a_picture() -> bytes:
    """A JPEG of a camera."""
    written = BytesIO()
    Image.new("RGB", (1600, 900), (40, 60, 80)).save(written, "JPEG")
    return written.getvalue()


async def a_sensor(audit: RunningAudit) -> None:
    """Registers the sensor and approves where it stands, since an hour."""
    stub, metadata = audit.people(SensorServiceStub), audit.bearer(COORDINATOR)
    sensor = sensor_pb2.Sensor(
        sensor_id=SENSOR,
        agency_ori=ORI,
        sensor_group="expressway",
        deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        provenance=sensor_pb2.PROVENANCE_OWN,
        place=read_pb2.Place(latitude=41.9, longitude=-87.9, description="I-90 at mile 12"),
    )
    await stub.RegisterSensor(
        sensor_pb.RegisterSensorRequest(request_id=new_id(), sensor=sensor), metadata=metadata
    )
    approval = sensor_pb.ApproveDeploymentRequest(
        request_id=new_id(),
        sensor_id=SENSOR,
        status=sensor_pb2.DEPLOYMENT_STATUS_APPROVED,
        approved_from=to_timestamp(datetime.now(UTC) - timedelta(hours=1)),
    )
    await stub.ApproveDeployment(approval, metadata=metadata)


@pytest.mark.clause("II.D", "IV.C.5", "IV.E.2", "III.D.4")
async def test_an_urgent_entry_alerts_of_the_car_that_went_by_and_its_end_withdraws_the_alert(
    house: House,
) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    feed, person = await house.alerts_of(officer), await house.at_matcher(officer)
    await house.passes(PLATE, OTHER)

    added = await person.watch_for(PLATE, justification=justification())
    await feed.until(lambda one: bool(one.alerts))
    await person.watch_no_more(added.entry.entry_id)
    await feed.until(lambda one: one.alerts[-1].HasField("withdraw_time"))

    raised, withdrawn = feed.alerts[0], feed.alerts[-1]
    assert (raised.plate, raised.entries[0].entry_id) == (PLATE, added.entry.entry_id)
    assert hit_pb2.HIT_WARNING_LOOK_BACK in raised.warnings
    assert withdrawn.alert_id == raised.alert_id
    assert withdrawn.severity == alerts_pb.SEVERITY_NOTICE
    assert withdrawn.withdrawn_entries[0].reason == alerts_pb.WITHDRAW_REASON_CANCELLED
    assert {one.plate for one in feed.alerts} == {PLATE}
    question = (await house.log_of("query", "look_back.run"))[0]
    outcome = (await house.log_of("outcome", "look_back.run"))[0]
    assert (question["actor"], question["case_number"]) == (officer.account_id, "2026-004711")
    assert (question["agency"], question["resource"]) == (ORI, added.entry.entry_id)
    assert (outcome["subject"], outcome["row_count"]) == (question["entry_id"], "1")


@pytest.mark.clause("II.D", "III.B.3.d", "III.D.4")
async def test_an_activated_list_is_looked_back_for_on_its_standing_authority_until_it_is_taken_out_of_use(
    house: House,
) -> None:
    manager = await house.audit.person(audit_pb.ROLE_HOT_LIST_MANAGER)
    feed = await house.alerts_of(await house.audit.person(audit_pb.ROLE_USER))
    person = await house.at_matcher(manager)
    await house.passes(PLATE, OTHER)

    hot_list = await person.active_list(PLATE)
    await feed.until(lambda one: bool(one.alerts))
    await house.passes(PLATE, age=timedelta(seconds=1))
    await feed.until(lambda one: len(one.alerts) == 2)
    idle = lists_pb.DeactivateHotListRequest(
        request_id=new_id(), hot_list_id=hot_list.hot_list_id, reason="the source withdrew it"
    )
    await person.lists.DeactivateHotList(idle, metadata=person.metadata, timeout=60)
    await feed.until(lambda one: sum(alert.HasField("withdraw_time") for alert in one.alerts) >= 2)

    marked = [hit_pb2.HIT_WARNING_LOOK_BACK in alert.warnings for alert in feed.alerts[:2]]
    assert marked == [True, False]
    question = (await house.log_of("query", "look_back.run"))[0]
    assert (question["actor"], question["resource"]) == (manager.account_id, hot_list.hot_list_id)
    assert question["detail.authority"].startswith("standing authority of the hot list")
    assert "case_number" not in question


@pytest.mark.clause("II.D", "IV.A.5", "IV.E.2")
async def test_the_alert_of_a_look_back_shows_the_car_and_the_log_says_whose_pictures_were_opened(
    house: House,
) -> None:
    officer = await house.audit.person(audit_pb.ROLE_USER)
    feed, person = await house.alerts_of(officer), await house.at_matcher(officer)
    read_id = await house.passes_before_a_camera(PLATE)

    added = await person.watch_for(PLATE, justification=justification())
    await feed.until(lambda one: bool(one.alerts))
    asked = alerts_pb.GetAlertRequest(request_id=new_id(), alert_id=feed.alerts[0].alert_id)
    shown = await house.alerts.person.GetAlert(asked, metadata=(bearer(officer.token()),), timeout=60)

    overview = Image.open(BytesIO(shown.overview_image))
    assert overview.size == (1280, 720)
    assert Image.open(BytesIO(shown.crop_image)).size < overview.size
    opened = [one for one in await house.log_of("query", "look_back.run") if read_id in one["question"]]
    assert {(one["actor"], one["case_number"], one["resource"]) for one in opened} == {
        (officer.account_id, "2026-004711", added.entry.entry_id)
    }
    ends = {one["subject"]: one["row_count"] for one in await house.log_of("outcome", "look_back.run")}
    assert [ends[one["entry_id"]] for one in opened] == ["1"] * len(opened)
