"""Objects in a store that speaks S3: the same promises as in files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.imagecrypt import image_key, seal_image
from services.common.objects import FileObjectStore, KeepsVersionsError, ObjectStore, Usage
from services.common.objects_s3 import S3ObjectStore
from services.search.core.houses import ARCHIVE
from services.search.day_images import DayImages
from services.search.held_images import HeldImages
from tests.support.s3_server import S3Server, s3_server

DAY = date(2026, 8, 27)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A store that speaks S3, with the bucket `images`."""
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        running.bucket("images")
        yield running


@pytest.fixture
def environment(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
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
    images, held = DayImages(store), HeldImages(store, ARCHIVE)
    hold, hold_key, image = uuid4(), b"h" * 32, b"a picture"
    sha256 = hashlib.sha256(image).digest()
    key = image_key(b"d" * 32, sha256)
    await store.put(f"days/{DAY}/{sha256.hex()}", seal_image(key, DAY, image))
    await store.put(f"days/{DAY}/key", b"wrapped")

    before = await images.usage(DAY)
    parted = await held.part(hold, hold_key, DAY, sha256)
    await images.remove(DAY)

    assert (before, parted) == ((Usage(1, len(image) + 16), True), True)
    assert await images.days() == []
    assert await held.image(hold, hold_key, DAY, sha256, key) == image
    await held.remove(str(hold))
    assert await held.holds() == []


async def test_a_store_that_cannot_be_reached_is_said_so(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = S3ObjectStore("s3://images/away")

    for call in (away.get("a"), away.put("a", b"x")):
        with pytest.raises(StorageUnavailableError):
            await call


@pytest.mark.clause("IV.E.1")
async def test_a_bucket_that_keeps_versions_is_refused_at_the_start_and_by_every_writer(
    server: S3Server, environment: None
) -> None:
    url = server.bucket("versions-enabled", "Enabled")

    with pytest.raises(KeepsVersionsError, match="keeps older versions"):
        await S3ObjectStore(url).check()
    store = S3ObjectStore(url)
    for _ in range(2):
        with pytest.raises(KeepsVersionsError):
            await store.put("days/1/a", b"image")


@pytest.mark.clause("IV.E.1")
async def test_in_a_bucket_that_keeps_versions_no_more_what_is_deleted_is_gone(
    server: S3Server, environment: None
) -> None:
    store = S3ObjectStore(server.bucket("versions-suspended", "Suspended"))
    await store.check()
    await store.put("days/1/a", b"image")

    assert await store.delete_prefix("days") == 1

    assert not server.client.list_object_versions(Bucket="versions-suspended").get("Versions")


@pytest.mark.clause("IV.E.1")
async def test_a_bucket_whose_versions_are_turned_on_later_gets_no_further_object(
    server: S3Server, environment: None
) -> None:
    store = S3ObjectStore(server.bucket("turned-on"))
    await store.check()
    await store.put("days/1/a", b"image")
    server.client.put_bucket_versioning(Bucket="turned-on", VersioningConfiguration={"Status": "Enabled"})

    for key in ("days/1/b", "days/1/b", "days/1/c"):
        with pytest.raises(KeepsVersionsError):
            await store.put(key, b"image")

    assert await store.get("days/1/a") == b"image"


async def test_a_store_is_usable_after_its_check_and_nothing_of_the_check_stays(store: ObjectStore) -> None:
    await store.check()

    assert list(await store.children("")) == []
    await store.put("days/1/a", b"image")


async def test_a_store_that_is_away_keeps_no_service_from_starting(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    await S3ObjectStore("s3://images/away").check()


async def test_a_secret_that_is_wrong_opens_nothing(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with pytest.raises(StorageUnavailableError):
        await S3ObjectStore("s3://images").put("days/1/wrong", b"x")
