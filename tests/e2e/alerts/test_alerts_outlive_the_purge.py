"""A day with hits is purged: its reads and pictures are gone, and every hit still shows its own (IV.E.2)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, read_pb2
from services.alerts.pictures import Pictures
from services.common.client import bearer
from services.common.keyfile import read_key
from services.common.objects import FileObjectStore
from services.search.core.houses import MOTOR_CARRIER
from tests.support.alerts_kit import OWN
from tests.support.alerts_rig import (
    AlertsRig,
    AuditHost,
    AuditNeighbour,
    entry_message,
    settings_for,
    start_rig,
)
from tests.support.databases import MigratedDatabase, fetch
from tests.support.search_retention import Rig, day_ago, purging, reads_of

OVER, KEPT = day_ago(92), day_ago(80)
SUSPENDED = hit_pb2.HOT_LIST_CATEGORY_SUSPENDED


@dataclass
class House:
    search: Rig
    alerts: AlertsRig
    database: MigratedDatabase
    folder: Path


@pytest_asyncio.fixture
async def house(migrated_database, tls, tmp_path) -> AsyncIterator[House]:
    """Archive and alerts on one database and one store of pictures, as in production."""
    database = await migrated_database("search", "alerts")
    async with AsyncExitStack() as stack:
        audit = AuditHost(AuditNeighbour(), tls)
        await audit.start()
        stack.push_async_callback(audit.stop)
        settings = settings_for(tmp_path, tls, database, audit.port)
        search = await stack.enter_async_context(purging(database, tmp_path / "images"))
        alerts = await start_rig(settings, tls)
        stack.push_async_callback(alerts.stop)
        yield House(search, alerts, database, tmp_path)


def hit_of(read: read_pb2.Read, *, motor_carrier: bool) -> pb.Hit:
    """The hit that the matcher raised of the read, with pictures that no other hit has."""
    entry = entry_message(SUSPENDED) if motor_carrier else entry_message()
    if motor_carrier:
        entry.source = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT
    captured = read_pb2.CapturedRead(
        read=read,
        crop_image=b"crop of " + read.read_id.encode(),
        overview_image=b"overview of " + read.read_id.encode() * 100,
    )
    captured.read.image.ClearField("image_key")
    return pb.Hit(
        captured_read=captured,
        matches=[pb.MatchedHit(entry=entry, match_probability=0.97)],
        sensor_agency_ori=OWN,
        sensor_group="expressway-north",
    )


@pytest.mark.clause("II.A", "II.H", "IV.E.1", "IV.E.2")
async def test_every_picture_of_every_hit_opens_after_the_day_was_purged(house: House) -> None:
    general = [*reads_of(OVER, 3, plate="HIT001"), *reads_of(OVER, 2, plate="HIT002")]
    theirs = reads_of(OVER, 2, plate="HIT001", seed="mcs")
    later = reads_of(KEPT, 1, plate="HIT003")
    await house.search.plant([*general, *later])
    await house.search.plant(theirs, MOTOR_CARRIER)
    hits = [hit_of(one.read, motor_carrier=False) for one in (*general, *later)]
    hits += [hit_of(one.read, motor_carrier=True) for one in theirs]
    alert_ids = await house.alerts.raise_hits(*hits)
    before = await fetch(house.database.admin_url, "SELECT * FROM alerts.hit ORDER BY read_id")

    await house.search.purger.run()

    assert await house.search.rows() == 1
    assert await house.search.rows("motor_carrier.read") == 0
    assert house.search.days_with_images() == {KEPT.isoformat()}
    after = await fetch(house.database.admin_url, "SELECT * FROM alerts.hit ORDER BY read_id")
    assert after == before
    assert len(after) == len(hits)
    # A service that has just started, so that nothing is remembered from before.
    objects = FileObjectStore(house.alerts.settings.image_store_dir)
    pictures = Pictures(objects, read_key(house.alerts.settings.image_kek_file, "PW_IMAGE_KEK_FILE"))
    for row in after:
        name = str(row["read_id"]).encode()
        assert await pictures.open(row["crop_key"]) == b"crop of " + name
        assert await pictures.open(row["overview_key"]) == b"overview of " + name * 100
    assert len(set(alert_ids)) == 4


@pytest.mark.clause("II.A", "IV.E.2")
async def test_an_alert_of_a_purged_day_is_shown_whole_by_a_service_that_began_later(
    house: House, tls
) -> None:
    (read,) = reads_of(OVER, 1, plate="HIT009")
    await house.search.plant([read])
    hit = hit_of(read.read, motor_carrier=False)
    (alert_id,) = await house.alerts.raise_hits(hit)
    await house.search.purger.run()

    later = await start_rig(house.alerts.settings, tls)
    found = await later.person.GetAlert(
        pb.GetAlertRequest(request_id=str(uuid4()), alert_id=alert_id),
        metadata=(bearer("officer"),),
        timeout=10,
    )

    assert await house.search.rows() == 0
    assert found.crop_image == hit.captured_read.crop_image
    assert found.overview_image == hit.captured_read.overview_image
    assert (found.alert.plate, UUID(found.alert.read_id)) == ("HIT009", UUID(read.read.read_id))
    assert found.alert.place.description == read.read.place.description
    assert found.alert.capture_time == read.read.capture_time
    await later.stop()
