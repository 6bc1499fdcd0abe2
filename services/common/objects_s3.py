"""Objects in a store that speaks S3 (services.common.objects says what a store must do).

Who may use the bucket and where it is say the variables that all S3 clients read: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL. The bucket must keep no older versions: what is deleted
would stay in them, so a store that gives one of our objects a version gets no further one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import obstore
import structlog
from obstore.exceptions import AlreadyExistsError as TakenError
from obstore.exceptions import BaseError
from obstore.store import S3Store

from services.common.errors import AlreadyExistsError, NotFoundError, StorageUnavailableError
from services.common.metrics import timed_object
from services.common.objects import KeepsVersionsError, Usage, check_key

log = structlog.get_logger()

_RETRIES: Final[Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
_TIMEOUT: Final = timedelta(seconds=10)
# As many as one request of S3 deletes.
_AT_ONCE: Final = 1000
# A bucket that keeps versions gives each object one. One whose versions are suspended gives none, and what is
# deleted there is gone; it may have kept what was deleted before.
_VERSIONS: Final = (
    "the bucket of PW_IMAGE_STORE_URL keeps older versions, in which everything that is purged would stay; "
    "name a bucket that keeps none"
)
_UNREACHABLE: Final = "the image store cannot be used; try again"


class S3ObjectStore:
    """Objects below `s3://bucket/prefix`. An answer of the store is its word that the object is durable."""

    def __init__(self, url: str) -> None:
        """Nothing happens yet.

        Args:
            url: `s3://bucket` or `s3://bucket/prefix`.
        """
        self._store = S3Store.from_url(
            url,
            client_options={"timeout": _TIMEOUT, "connect_timeout": _TIMEOUT, "allow_http": True},
            retry_config=_RETRIES,
        )
        self._keeps_versions = False

    async def check(self) -> None:
        """See ObjectStore; writes a probe. A store that is away is asked by whoever writes next."""
        probe = f"probes/{uuid4()}/probe"
        try:
            await self.put(probe, b"")
            await self.delete_prefix("probes")
        except KeepsVersionsError:
            raise
        except StorageUnavailableError as error:
            log.warning("image_store_not_checked", error=type(error.__cause__).__name__)

    async def put(self, key: str, data: bytes) -> None:
        """See ObjectStore."""
        if await self.put_new(key, data) != data:
            raise AlreadyExistsError("an object with another content has that key")

    @timed_object("put")
    async def put_new(self, key: str, data: bytes) -> bytes:
        """See ObjectStore."""
        check_key(key)
        with _storage_errors():
            try:
                await self._create(key, data)
            except TakenError:
                return await self._content(key)
        return data

    @timed_object("get")
    async def get(self, key: str) -> bytes:
        """See ObjectStore."""
        check_key(key)
        with _storage_errors():
            return await self._content(key)

    async def exists(self, key: str) -> bool:
        """See ObjectStore."""
        check_key(key)
        with _storage_errors():
            try:
                await obstore.head_async(self._store, key)
            except FileNotFoundError:
                return False
        return True

    async def children(self, prefix: str) -> Sequence[str]:
        """See ObjectStore."""
        if prefix:
            check_key(prefix)
        with _storage_errors():
            found = await obstore.list_with_delimiter_async(self._store, prefix or None)
            # Some stores have folders for a while after the last object in them is gone (SeaweedFS).
            folders = [one for one in found["common_prefixes"] if await self._has_objects(one)]
        paths = [*folders, *(one["path"] for one in found["objects"])]
        return sorted({path.rstrip("/").rpartition("/")[2] for path in paths})

    async def usage(self, prefix: str) -> Usage:
        """See ObjectStore."""
        check_key(prefix)
        objects = size = 0
        with _storage_errors():
            async for some in obstore.list(self._store, prefix, chunk_size=_AT_ONCE):
                objects += len(some)
                size += sum(one["size"] for one in some)
        return Usage(objects, size)

    @timed_object("delete")
    async def delete_prefix(self, prefix: str) -> int:
        """See ObjectStore."""
        check_key(prefix)
        deleted = 0
        with _storage_errors():
            async for some in obstore.list(self._store, prefix, chunk_size=_AT_ONCE):
                await obstore.delete_async(self._store, [one["path"] for one in some])
                deleted += len(some)
        return deleted

    async def _has_objects(self, folder: str) -> bool:
        async for some in obstore.list(self._store, folder, chunk_size=1):
            return bool(some)
        return False

    async def _create(self, key: str, data: bytes) -> None:
        if self._keeps_versions:
            raise KeepsVersionsError(_VERSIONS)
        made = await obstore.put_async(self._store, key, data, mode="create")
        if made["version"] is not None:
            self._keeps_versions = True
            log.error("image_store_keeps_versions")
            raise KeepsVersionsError(_VERSIONS)

    async def _content(self, key: str) -> bytes:
        try:
            answer = await obstore.get_async(self._store, key)
            return bytes(await answer.bytes_async())
        except FileNotFoundError:
            raise NotFoundError("there is no such object") from None


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageUnavailableError(_UNREACHABLE) from error
