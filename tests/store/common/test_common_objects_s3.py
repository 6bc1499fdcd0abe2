"""Objects in a store that speaks S3: the same promises as in files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.imagecrypt import image_key, seal_image
from services.common.objects import FileObjectStore, ObjectStore, Usage
from services.common.objects_s3 import S3ObjectStore
from services.search.day_images import DayImages

DAY = date(2026, 8, 27)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3, with the bucket `images`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106 -- the server asks nobody
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="images")
    yield url
    server.stop()


@pytest.fixture
def environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
    ):
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["s3", "files"])
def store(request: pytest.FixtureRequest, environment: None, tmp_path: Path) -> ObjectStore:
    """A store of a test's own; files too, so that both keep the same promises."""
    if request.param == "files":
        return FileObjectStore(tmp_path)
    return S3ObjectStore(f"s3://images/{uuid4()}")


async def test_what_was_put_is_there_and_stays_as_it_is(store: ObjectStore) -> None:
    await store.put("days/2026-08-27/ab", b"image")
    await store.put("days/2026-08-27/ab", b"image")

    with pytest.raises(AlreadyExistsError):
        await store.put("days/2026-08-27/ab", b"another")
    assert await store.put_new("days/2026-08-27/ab", b"another") == b"image"
    assert await store.get("days/2026-08-27/ab") == b"image"
    assert await store.exists("days/2026-08-27/ab")


async def test_of_many_writers_at_once_one_is_first_and_all_know_it(store: ObjectStore) -> None:
    written = await asyncio.gather(
        *(store.put_new("days/2026-08-27/key", f"{n}".encode()) for n in range(10))
    )

    assert len(set(written)) == 1
    assert await store.get("days/2026-08-27/key") == written[0]


async def test_what_is_not_there_is_said_so(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError):
        await store.get("days/2026-08-27/ab")
    assert not await store.exists("days/2026-08-27/ab")
    assert list(await store.children("days")) == []
    assert await store.usage("days") == Usage(0, 0)
    assert await store.delete_prefix("days") == 0


async def test_names_are_listed_by_folder_and_from_the_top(store: ObjectStore) -> None:
    for key in ("days/1/a", "days/1/mcs/key", "days/2/b", "holds/x/key"):
        await store.put(key, b"12345")

    assert list(await store.children("")) == ["days", "holds"]
    assert list(await store.children("days")) == ["1", "2"]
    assert list(await store.children("days/1")) == ["a", "mcs"]
    assert await store.usage("days") == Usage(3, 15)


@pytest.mark.clause("IV.E.1")
async def test_a_prefix_ends_as_a_whole_and_nothing_beside_it(store: ObjectStore) -> None:
    for start in range(0, 1100, 50):
        await asyncio.gather(*(store.put(f"days/2026-08-27/{start + n}", b"x") for n in range(50)))
    await store.put("days/2026-08-271/a", b"beside")

    assert await store.delete_prefix("days/2026-08-27") == 1100
    assert await store.usage("days/2026-08-27") == Usage(0, 0)
    assert await store.get("days/2026-08-271/a") == b"beside"


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", ".hidden", "a b", "ä", "a/" * 9 + "a"])
async def test_what_is_no_key_is_refused_before_it_is_sent(store: ObjectStore, key: str) -> None:
    for call in (store.get, store.exists, store.usage, store.delete_prefix):
        with pytest.raises(ValueError, match="object key"):
            await call(key)
    with pytest.raises(ValueError, match="object key"):
        await store.put(key, b"x")


@pytest.mark.clause("IV.E.1", "IV.E.3")
async def test_a_day_ends_and_a_hold_keeps_its_picture(store: ObjectStore) -> None:
    images, hold, image = DayImages(store, b"h" * 32), uuid4(), b"a picture"
    sha256 = hashlib.sha256(image).digest()
    key = image_key(b"d" * 32, sha256)
    await store.put(f"days/{DAY}/{sha256.hex()}", seal_image(key, DAY, image))
    await store.put(f"days/{DAY}/key", b"wrapped")

    before = await images.usage(DAY)
    parted = await images.part(hold, DAY, sha256)
    await images.remove(DAY)

    assert (before, parted) == ((Usage(1, len(image) + 16), True), True)
    assert await images.days() == []
    assert await images.held_image(hold, DAY, sha256, key) == image
    await images.remove_hold(str(hold))
    assert await images.names("holds") == []


async def test_a_store_that_cannot_be_reached_is_said_so(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = S3ObjectStore("s3://images/away")

    for call in (away.get("a"), away.put("a", b"x")):
        with pytest.raises(StorageUnavailableError):
            await call
