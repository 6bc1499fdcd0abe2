"""Where the image store is: settings of the services that have pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.common.config import ServiceSettings
from services.common.objects import FileObjectStore, ObjectStore

_URL = r"^(s3://[a-z0-9][a-z0-9.-]{2,62}(/[A-Za-z0-9._-]+)*)?$"


class ImageStoreSettings(ServiceSettings):
    """PW_... variables of the image store besides those that every service has: a folder or a bucket."""

    image_store_dir: Path = Path()
    """Root of the image store: a folder that all services share, on a file system with hard links."""
    image_store_url: Annotated[str, Field(pattern=_URL)] = ""
    """Or `s3://bucket/prefix`, with the AWS_... variables of S3 clients. The bucket keeps no versions: what
    the purge deletes would stay in them."""

    @model_validator(mode="after")
    def _one_image_store(self) -> Self:
        if (self.image_store_dir == Path()) == (not self.image_store_url):
            raise ValueError("one of PW_IMAGE_STORE_DIR and PW_IMAGE_STORE_URL must be set")
        return self

    def image_store(self) -> ObjectStore:
        """The image store; nothing is opened yet."""
        if not self.image_store_url:
            return FileObjectStore(self.image_store_dir)
        # Whoever keeps pictures in files does not need the client.
        from services.common.objects_s3 import S3ObjectStore  # noqa: PLC0415

        return S3ObjectStore(self.image_store_url)
