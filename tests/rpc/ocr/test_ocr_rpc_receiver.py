"""The receiver for cameras that push, over HTTPS, in a running ocr service."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import pytest
import pytest_asyncio
from aiohttp import web

from alpr.type.v1 import read_pb2
from services.cli.scenes import draw_scene
from services.common.config import ConfigError
from services.common.errors import SensorNotApprovedError
from services.common.imagecrypt import open_image
from services.dev.pki import DevelopmentAuthority
from services.ocr.errors import BadImageError
from services.ocr.receiver.fetch import PictureFetcher
from tests.support.ocr_kit import (
    FIXED,
    MOBILE,
    PLACED,
    RAMP,
    SCALE,
    SURVEYED,
    SUSPENDED,
    UNPLACED,
    World,
    pixels,
    world,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "ocr"
SECRET = "s" * 43
BEARER = {"Authorization": f"Bearer {SECRET}"}
SCENE = draw_scene(3).image


def _bytes_of(message: Any) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Camera:
    """A client of the receiver, and the world that it is in."""

    ocr: World
    port: int
    session: aiohttp.ClientSession
    secrets: Path

    async def push(
        self, message: Any, layout: str = "rekor", sensor_id: str = FIXED, headers: Any = BEARER
    ) -> tuple[int, dict[str, Any]]:
        """Status and what is said; `message` is an object, bytes, or a form."""
        data = message if isinstance(message, aiohttp.FormData) else io.BytesIO(_bytes_of(message))
        url = f"https://127.0.0.1:{self.port}/v1/{layout}/{sensor_id}"
        async with self.session.post(url, data=data, headers=headers) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(text) if is_json else {}

    def read(self) -> read_pb2.CapturedRead:
        """The one read that the matcher has."""
        (captured,) = self.ocr.matcher.reads.values()
        return captured


@pytest_asyncio.fixture(loop_scope="session")
async def camera(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[Camera]:
    folder, port = tmp_path / "sensors", free_port()
    folder.mkdir()
    for sensor_id in (FIXED, MOBILE, SUSPENDED, SCALE, PLACED, UNPLACED):
        (folder / sensor_id).write_text(f"{'o' * 40}\n{SECRET}\n")
    more = {"receiver_listen": f"127.0.0.1:{port}", "receiver_secrets_dir": folder, "receiver_megabytes": 1}
    trusted = ssl.create_default_context(cafile=str(tls.ca_file))
    async with (
        world(tls, tmp_path, **more) as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session,
    ):
        async with asyncio.timeout(60):
            # Until audit was heard everything is refused.
            while (await Camera(running, port, session, folder).push(rekor()))[0] == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        running.matcher.reads.clear()
        running.matcher.batches.clear()
        for image in running.stored():
            image.unlink()
        yield Camera(running, port, session, folder)


def rekor(**changes: Any) -> dict[str, Any]:
    """A group of now, with the picture of a vehicle."""
    message: dict[str, Any] = json.loads((GOLDEN / "push_rekor.json").read_text())
    now = int(datetime.now(UTC).timestamp() * 1000)
    return {
        **message,
        "epoch_start": now,
        "best_uuid": f"VU9V-{now}",
        "vehicle_crop_jpeg": base64.b64encode(SCENE).decode(),
        **changes,
    }


def ago(**span: float) -> int:
    """Milliseconds since 1970 of a moment so long ago."""
    return int((datetime.now(UTC) - timedelta(**span)).timestamp() * 1000)


def signature(body: bytes, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    moment = str(int(datetime.now(UTC).timestamp()) - age)
    made = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Platewarden-Signature": f"t={moment},v1={made}"}


def only(answer: dict[str, Any]) -> tuple[str, str]:
    (read,) = answer["reads"]
    return read["read_id"], read["status"]


@pytest.mark.clause("II.B", "II.J")
async def test_a_pushed_read_is_answered_200_when_picture_and_read_are_stored(camera: Camera) -> None:
    status, answer = await camera.push(rekor())

    read = camera.read().read
    assert (status, only(answer)) == (200, (read.read_id, "STORED"))
    assert (read.sensor_id, read.plate, read.model_version) == (FIXED, "ABC1234", "rekor-4.1.12")
    assert read.place == SURVEYED
    assert read.vehicle == read_pb2.SeenVehicle(make="ford", color="blue")
    assert (read.states[0].state, read.states[0].probability) == ("IL", pytest.approx(0.81))
    assert [one.plate for one in read.lattice.candidates] == ["ABC1234", "A8C1234", "ABC123"]
    (stored,) = camera.ocr.stored()
    assert stored.name == read.image.sha256.hex() == hashlib.sha256(SCENE).hexdigest()
    day = datetime.fromisoformat(read.image.day).date()
    assert open_image(read.image.image_key, day, read.image.sha256, stored.read_bytes()) == SCENE
    assert pixels(camera.read().overview_image).shape[1] <= 1280


@pytest.mark.clause("II.H", "III.E.5")
async def test_a_pushed_picture_of_a_motor_carrier_safety_sensor_lies_apart(camera: Camera) -> None:
    status, _ = await camera.push(rekor(), sensor_id=SCALE)

    (stored,) = camera.ocr.stored()
    assert (status, stored.parent.name) == (200, "mcs")


async def test_the_picture_is_on_disk_before_the_read_goes_on(camera: Camera) -> None:
    camera.ocr.matcher.gate.clear()
    pushed = asyncio.create_task(camera.push(rekor()))
    async with asyncio.timeout(60):
        while not camera.ocr.matcher.batches:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.02)

    assert len(camera.ocr.stored()) == 1
    assert not pushed.done()
    camera.ocr.matcher.gate.set()
    assert (await pushed)[0] == 200


async def test_the_same_message_again_is_the_same_read_and_answered_200(camera: Camera) -> None:
    message = rekor()

    first, again = await camera.push(message), await camera.push(message)

    assert (first[0], only(first[1])[1]) == (200, "STORED")
    assert (again[0], only(again[1])[1]) == (200, "DUPLICATE")
    assert only(first[1])[0] == only(again[1])[0]
    assert len(camera.ocr.stored()) == 1


async def test_without_the_matcher_there_is_no_200_and_after_it_the_same_message_is_taken(
    camera: Camera,
) -> None:
    message = rekor()
    camera.ocr.matcher.hang_up = 10_000
    async with asyncio.timeout(60):
        status, _ = await camera.push(message)
    assert status == 503
    camera.ocr.matcher.hang_up = 0

    assert (await camera.push(message))[0] == 200


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer " + "x" * 43}, {"Authorization": ""}, signature(b"{}", "x" * 43)],
)
async def test_who_does_not_show_the_sensors_secret_is_answered_401_and_nothing_is_looked_at(
    camera: Camera, headers: dict[str, str]
) -> None:
    assert (await camera.push(b"{}", headers=headers))[0] == 401
    assert not camera.ocr.matcher.batches


@pytest.mark.clause("III.B.3.h")
async def test_a_sensor_without_a_file_of_secrets_is_none_of_this_receivers(camera: Camera) -> None:
    (camera.secrets / "short-secret").write_text("short")
    for sensor_id in ("unknown-sensor", "short-secret", "..", "%2e%2e%2fetc"):
        status, _ = await camera.push(rekor(), sensor_id=sensor_id, headers={"Authorization": "Bearer short"})
        assert status in (401, 404)
    assert not camera.ocr.stored()


@pytest.mark.clause("III.B.3.h")
async def test_a_secret_that_was_taken_away_counts_no_more(camera: Camera) -> None:
    assert (await camera.push(rekor()))[0] == 200
    (camera.secrets / FIXED).write_text("n" * 40)

    assert (await camera.push(rekor()))[0] == 401


@pytest.mark.clause("III.B.3.e")
async def test_nothing_of_a_suspended_sensor_is_stored(camera: Camera) -> None:
    status, answer = await camera.push(rekor(), sensor_id=SUSPENDED)

    assert (status, "not approved" in answer["error"]) == (403, True)
    assert not camera.ocr.stored()


@pytest.mark.clause("III.B.3.e")
async def test_a_sensor_that_the_matcher_refuses_is_answered_403(camera: Camera) -> None:
    camera.ocr.matcher.refuse = lambda _: SensorNotApprovedError("the sensor's deployment is not approved")

    assert (await camera.push(rekor()))[0] == 403


@pytest.mark.clause("III.B.3.h")
async def test_an_old_read_is_taken_signed_only_and_one_of_the_future_not_at_all(camera: Camera) -> None:
    old = rekor(epoch_start=ago(hours=25))
    body = json.dumps(old).encode()

    assert (await camera.push(old))[0] == 403
    assert not camera.ocr.stored()
    assert (await camera.push(body, headers=signature(body, age=301)))[0] == 401
    assert (await camera.push(body, headers=signature(body)))[0] == 200
    assert (await camera.push(rekor(epoch_start=ago(minutes=-6))))[0] == 403


async def test_a_read_after_its_retention_is_final_and_not_kept(camera: Camera) -> None:
    body = json.dumps(rekor(epoch_start=ago(days=92))).encode()

    status, answer = await camera.push(body, headers=signature(body))

    assert (status, only(answer)[1]) == (422, "OUT_OF_RETENTION")
    assert not camera.ocr.stored()


async def test_a_message_beyond_the_limit_is_answered_413(camera: Camera) -> None:
    for message in (b"x" * ((1 << 20) + 1), _form(b"{}", b"x" * (1 << 20))):
        assert (await camera.push(message))[0] == 413


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (b"", "message"),
        (b"[]", "message"),
        ({"data_type": "other"}, "data_type"),
        ({"data_type": "alpr_group", "best_plate_number": "AB1"}, "best_uuid"),
    ],
)
async def test_a_message_of_another_layout_is_answered_400_with_the_field(
    camera: Camera, message: Any, field: str
) -> None:
    status, answer = await camera.push(message)

    assert (status, list(answer["fields"])) == (400, [field])


async def test_an_unknown_layout_is_answered_404_with_those_there_are(camera: Camera) -> None:
    status, answer = await camera.push(rekor(), layout="other")

    assert (status, "rekor, plate-recognizer, flock" in answer["error"]) == (404, True)


async def test_a_damaged_picture_is_answered_400_and_not_stored(camera: Camera) -> None:
    torn = base64.b64encode(SCENE[:3000]).decode()

    assert (await camera.push(rekor(vehicle_crop_jpeg=torn)))[0] == 400
    assert not camera.ocr.stored()


@pytest.mark.clause("II.J")
async def test_a_read_without_a_picture_goes_to_the_archive_as_it_is_to_be_kept_apart(
    camera: Camera,
) -> None:
    await camera.push(rekor(vehicle_crop_jpeg=None))

    assert not camera.read().read.HasField("image")
    assert not camera.ocr.stored()


@pytest.mark.clause("II.J")
async def test_a_mobile_sensor_is_where_it_says_and_nowhere_when_it_does_not_say(camera: Camera) -> None:
    await camera.push(rekor(gps_latitude=41.5, gps_longitude=-88.0), sensor_id=MOBILE)
    place = camera.read().read.place
    camera.ocr.matcher.reads.clear()
    await camera.push(rekor(), sensor_id=MOBILE)

    assert (place.latitude, place.longitude) == (41.5, -88.0)
    assert not camera.read().read.HasField("place")


@pytest.mark.clause("II.I")
async def test_a_portable_sensor_that_pushes_is_where_it_was_approved_and_nothing_is_taken_elsewhere(
    camera: Camera,
) -> None:
    status, _ = await camera.push(rekor(), sensor_id=UNPLACED)
    nothing = not camera.ocr.matcher.reads
    await camera.push(rekor(), sensor_id=PLACED)

    assert (status, nothing) == (403, True)
    assert camera.read().read.place == RAMP


async def test_a_crop_that_is_sent_is_the_crop_of_the_hit(camera: Camera) -> None:
    crop = cv2.imencode(".png", pixels(SCENE)[:40, :120])[1].tobytes()
    best = json.loads((GOLDEN / "push_rekor.json").read_text())["best_plate"]
    best["plate_crop_jpeg"] = base64.b64encode(crop).decode()

    await camera.push(rekor(best_plate=best))

    assert pixels(camera.read().crop_image).shape[:2] == (40, 120)


def _form(body: bytes, picture: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("json", body.decode(), content_type="application/json")
    form.add_field("upload", io.BytesIO(picture), filename="image.jpg", content_type="image/jpeg")
    return form


def plate_recognizer() -> dict[str, Any]:
    message: dict[str, Any] = json.loads((GOLDEN / "push_plate_recognizer.json").read_text())
    message["data"]["timestamp"] = datetime.now(UTC).isoformat()
    return message


@pytest.mark.clause("II.B")
async def test_a_form_of_plate_recognizer_brings_its_picture_and_each_plate_is_cut_out_of_it(
    camera: Camera,
) -> None:
    form = _form(json.dumps(plate_recognizer()).encode(), SCENE)

    status, answer = await camera.push(form, "plate-recognizer")

    assert (status, [one["status"] for one in answer["reads"]]) == (200, ["STORED", "STORED"])
    reads = sorted(camera.ocr.matcher.reads.values(), key=lambda one: one.read.sender_read_id)
    assert [one.read.plate for one in reads] == ["ABC1234", "XYZ99"]
    assert reads[0].read.plate_box == read_pb2.Box(x=153, y=91, width=149, height=34)
    height, width = pixels(reads[0].crop_image).shape[:2]
    assert width > 149
    assert height > 34
    assert len(camera.ocr.stored()) == 1


@pytest.mark.clause("III.B.3.h")
async def test_a_signature_is_not_taken_for_a_form_whose_picture_it_does_not_cover(camera: Camera) -> None:
    body = json.dumps(plate_recognizer()).encode()

    status, _ = await camera.push(_form(body, SCENE), "plate-recognizer", headers=signature(body))

    assert status == 401
    assert not camera.ocr.stored()


async def test_a_message_without_plates_is_answered_204_and_nothing_is_stored(camera: Camera) -> None:
    message = plate_recognizer()
    message["data"]["results"] = []

    assert await camera.push(_form(json.dumps(message).encode(), SCENE), "plate-recognizer") == (204, {})
    assert not camera.ocr.stored()


@pytest.mark.clause("II.J")
async def test_of_one_plate_stored_and_one_refused_the_sender_hears_of_each(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = camera.ocr.matcher._keep

    def judged(captured: read_pb2.CapturedRead) -> Any:
        result = keep(captured)
        if captured.read.plate == "XYZ99":
            result.status, result.status_reason = read_pb2.READ_STATUS_QUARANTINED, "no image"
        return result

    monkeypatch.setattr(camera.ocr.matcher, "_keep", judged)

    status, answer = await camera.push(plate_recognizer(), "plate-recognizer")

    assert status == 422
    assert [(one["status"], one["reason"]) for one in answer["reads"]] == [
        ("STORED", ""),
        ("QUARANTINED", "no image"),
    ]


async def test_an_address_of_a_host_that_was_not_named_is_not_asked(camera: Camera) -> None:
    asked: list[str] = []
    async with PictureHost(camera.ocr.tls, asked) as host:
        message = json.loads((GOLDEN / "push_flock.json").read_text())
        message |= {"eventTime": datetime.now(UTC).isoformat(), "imageUrl": f"https://{host}/picture"}

        assert (await camera.push(message, "flock"))[0] == 200

    assert not camera.read().read.HasField("image")
    assert asked == []


class PictureHost:
    """A host of pictures over HTTPS that notes what it is asked for."""

    def __init__(self, tls: DevelopmentAuthority, asked: list[str]) -> None:
        self._files = tls.server("pictures")
        self._asked = asked

    async def __aenter__(self) -> str:
        async def answer(request: web.Request) -> web.StreamResponse:
            self._asked.append(request.path)
            if request.path == "/away":
                raise web.HTTPFound("/picture")
            if request.path == "/gone":
                raise web.HTTPGone
            body = b"x" * ((16 << 20) + 1) if request.path == "/huge" else SCENE
            return web.Response(body=body, content_type="image/jpeg")

        application = web.Application()
        application.router.add_get("/{name}", answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._files.cert_file, self._files.key_file)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        return f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_pictures_are_fetched_from_named_hosts_without_following_where_they_lead(
    tls: DevelopmentAuthority,
) -> None:
    asked: list[str] = []
    async with PictureHost(tls, asked) as host:
        fetcher = PictureFetcher({host}, ssl.create_default_context(cafile=str(tls.ca_file)))
        try:
            assert await fetcher.fetch(f"https://{host}/picture") == SCENE
            assert await fetcher.fetch(f"https://{host}/gone") == b""
            for address in (
                f"http://{host}/a",
                f"https://a@{host}/a",
                "https://127.0.0.1/a",
                "https://[",
                "",
            ):
                assert await fetcher.fetch(address) == b""
            with pytest.raises(BadImageError):
                await fetcher.fetch(f"https://{host}/huge")
            with pytest.raises(Exception, match="could not be fetched"):
                await fetcher.fetch(f"https://{host}/away")
        finally:
            await fetcher.close()

    assert asked == ["/picture", "/gone", "/huge", "/away"]


@pytest.mark.parametrize("folder", [None, Path("/nonexistent")])
async def test_without_a_folder_of_secrets_the_service_does_not_start(
    tls: DevelopmentAuthority, tmp_path: Path, folder: Path | None
) -> None:
    with pytest.raises(ConfigError, match="PW_RECEIVER_SECRETS_DIR"):
        async with world(tls, tmp_path, receiver_listen="127.0.0.1:0", receiver_secrets_dir=folder):
            pass


@pytest.mark.timeout(180)  # starts a process that loads the whole of the command
async def test_the_command_sends_a_file_as_the_camera_would(camera: Camera, tmp_path: Path) -> None:
    file, secret = tmp_path / "push.jsonl", tmp_path / "secret"
    file.write_text("\n".join(json.dumps(rekor(best_uuid=name)) for name in ("one", "two")))
    secret.write_text(SECRET)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
    places = {"PW_RECEIVER_TARGET": f"127.0.0.1:{camera.port}", "PW_CA_FILE": str(camera.ocr.tls.ca_file)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from services.cli.main import main; main()", "capture", str(file)),
        *("--from", "rekor", "--sensor", FIXED, "--secret", str(secret), "--json"),
        env=kept | places,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, beside = await asyncio.wait_for(process.communicate(), 150)

    assert process.returncode == 0, beside.decode()
    lines = [json.loads(line) for line in said.decode().splitlines()]
    assert [(line["message"], line["http_status"]) for line in lines] == [(1, 200), (2, 200)]
    assert {line["reads"][0]["read_id"] for line in lines} == set(camera.ocr.matcher.reads)
