"""The coordinator's forms of one sensor: where it stands, the vendor's work on it, what it comes with."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from alpr.type.v1 import sensor_pb2
from services.dev.pki import DevelopmentAuthority
from tests.support.access_stack import World
from tests.support.browser import PHONE, Consoles, Desk, picture
from tests.support.browser_coordinator import (
    HEAD,
    HOSTILE,
    asked,
    choose,
    fill,
    form,
    minute,
    said,
    send,
    sensor,
    sent,
    sent_twice,
    sound,
    wrong,
)
from tests.support.sensor_certificates import digest_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_WHO = "the-work-unit-coordinator"


async def _kept(world: World, sensor_id: str) -> sensor_pb2.Sensor:
    found: sensor_pb2.Sensor = (await asked(world, HEAD, "GetSensor", sensor_id=sensor_id)).sensor
    return found


@pytest.mark.clause("III.B.3.e", "IV.C.4")
async def test_a_portable_sensor_stands_where_and_while_its_coordinator_says(
    consoles: Consoles, world: World
) -> None:
    sensor_id = await sensor(world, sensor_pb2.DEPLOYMENT_TYPE_PORTABLE)
    now = datetime.now(UTC)
    page = f"/coordinator/sensors/{sensor_id}"
    async with consoles.at(_WHO, page, PHONE, timezone_id="UTC", color_scheme="dark") as desk:
        await sent(desk, "place", latitude="0", longitude="0", end_time=minute(now - timedelta(days=9)))
        assert "degrees" in await wrong(desk, "place", "latitude")
        assert "366 days" in await wrong(desk, "place", "end_time")
        given = {"latitude": "41.91", "longitude": "-87.62", "description": HOSTILE}
        await sent_twice(desk, "place", **given, end_time=minute(now + timedelta(hours=9)))
        assert await said(desk) == "The place and its period are approved."
        ahead = {"start_time": now + timedelta(hours=8), "end_time": now + timedelta(hours=12)}
        await sent(desk, "place", **given, **{name: minute(at) for name, at in ahead.items()})
        assert "elsewhere in that period" in await form(desk, "place").locator(".refusal").inner_text()
        await sent(desk, "place", start_time=minute(now + timedelta(hours=9)))
        periods = desk.page.get_by_role("listitem").filter(has=desk.page.get_by_text("-87.62000"))
        assert await periods.locator(".mark").all_inner_texts() == ["now", "ahead"]
        await picture(desk.page, "coordinator-sensor-portable-phone-dark")
        await sound(desk)

        await sent_twice(desk, "end-place-1")
        assert await said(desk) == "The period is ended."
        await sent_twice(desk, "end-place-2")
        assert await periods.locator(".mark").all_inner_texts() == ["over", "taken back"]
        assert await periods.locator("form").count() == 0
    over, taken_back = (await _kept(world, sensor_id)).placements
    assert over.end_time.ToDatetime(UTC) <= datetime.now(UTC)
    assert taken_back.start_time == taken_back.end_time


@pytest.mark.clause("II.C", "IV.C.4")
async def test_a_camera_is_elsewhere_only_by_the_vendors_work_under_escort(
    consoles: Consoles, world: World
) -> None:
    sensor_id = await sensor(world, sensor_pb2.DEPLOYMENT_TYPE_FIXED)
    async with consoles.at(_WHO, "/coordinator/escorts", timezone_id="UTC") as desk:
        vendor = world.facts["vendor_id"]
        await sent(desk, "begin", vendor_account_id=vendor, scope="1", minutes="20", reason=HOSTILE)
        await desk.page.locator("#link[data-state=live]").wait_for()
        escort_id = urlsplit(desk.page.url).path.rpartition("/")[2]
        session = next(
            one
            for one in (await asked(world, _WHO, "ListEscorts", page_size=200)).escorts
            if one.escort_id == escort_id
        )
        # The vendor's session lasts as long as its page is open.
        beside = Desk(desk.context, await desk.context.new_page(), desk.url, desk.problems)
        await beside.open(f"/coordinator/sensors/{sensor_id}")
        begun = session.begin_time.ToDatetime(UTC)
        given = {"latitude": "41.5", "longitude": "-88.1", "description": "the other pole"}
        await fill(beside, "survey", **given, work_order=HOSTILE, escort_id=escort_id)
        await sent(beside, "survey", work_time=f"{begun - timedelta(days=1):%Y-%m-%dT%H:%M:%S}")
        assert "not under that escort" in await form(beside, "survey").locator(".refusal").inner_text()
        done = datetime.fromtimestamp(math.ceil(begun.timestamp()), UTC)
        await sent_twice(beside, "survey", work_time=f"{done:%Y-%m-%dT%H:%M:%S}")
        assert "on record" in await said(beside)
        assert "the other pole" in await beside.page.inner_text(".facts")
        await sound(beside)
        await send(desk, "cut")
    kept = await _kept(world, sensor_id)
    assert (kept.place.latitude, kept.place.longitude) == (41.5, -88.1)
    assert kept.placements[-1].start_time.ToDatetime(UTC) == done


@pytest.mark.clause("III.B.3.h")
async def test_a_certificate_is_made_from_the_sensors_own_request_and_revoked_for_good(
    consoles: Consoles, world: World, folder: Path
) -> None:
    sensor_id = await sensor(world, sensor_pb2.DEPLOYMENT_TYPE_FIXED)
    async with consoles.at(_WHO, f"/coordinator/sensors/{sensor_id}") as desk:
        await sent(desk, "issue", certificate_request="no request", valid_days="398")
        assert await wrong(desk, "issue", "certificate_request")
        key = ec.generate_private_key(ec.SECP256R1())
        asks = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = asks.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        await choose(desk, "issue", "certificate_request-file", request)
        await form(desk, "issue").get_by_text("It stands in the field above.").wait_for()
        await sent_twice(desk, "issue", valid_days="30")
        shown = await desk.page.get_by_label("The certificate, PEM").input_value()
        await picture(desk.page, "coordinator-sensor-certificate")
        await sound(desk)
        made = x509.load_pem_x509_certificate(shown.encode())
        assert made.public_key() == key.public_key()
        async with desk.page.expect_download() as download:
            await desk.page.get_by_role("button", name="Save it as a file").press("Enter")
        saved = await (await download.value).path()
        assert saved.read_text("ascii") == shown
        assert (await download.value).suggested_filename == f"{sensor_id}.pem"

        await desk.page.get_by_role("link", name="Back to the sensor").press("Enter")
        own = DevelopmentAuthority(folder / "pki").sensor(sensor_id)
        await sent_twice(desk, "record", certificate_pem=own.cert_file.read_text("ascii"))
        assert await said(desk) == "The certificate is on record."
        held = desk.page.get_by_role("listitem").filter(has=desk.page.locator(".digest"))
        key_of = await held.filter(has_text=digest_of(own).hex()).locator("form").get_attribute("id")
        await sent_twice(desk, str(key_of).removeprefix("form-"), reason=HOSTILE)
        assert await held.filter(has_text="revoked").count() == 1
        await sound(desk)
    kept = {one.sha256: one.HasField("revoke_time") for one in (await _kept(world, sensor_id)).certificates}
    assert kept == {made.fingerprint(hashes.SHA256()): False, digest_of(own): True}
