"""Where evidence packages are kept, each sealed under a key of its own (ENF-051 III.D.5).

The key is random, wrapped with the service's evidence key, and kept in the database, which gives it for a
permit only. So neither object store nor evidence key opens a package without a recorded question, and a
package whose row is gone is gone.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.errors import AlprError, NotFoundError, StorageUnavailableError
from services.common.keyring import opened
from services.common.objects import ObjectStore
from services.search.core.houses import ARCHIVE

log = structlog.get_logger()

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
# A key seals one package, once.
_PACKAGE_NONCE: Final = bytes(_NONCE_BYTES)
_KEY_LABEL: Final = b"platewarden/evidence-key/v1/"
_PACKAGE_LABEL: Final = b"platewarden/evidence/v1/"


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where a sealed package is, and the wrapped key that opens it."""

    name: str
    wrapped_key: bytes = field(repr=False)


class EvidenceVault:
    """Seals packages into the object store and opens them again."""

    def __init__(self, objects: ObjectStore, kek: bytes, folder: str = ARCHIVE.evidence) -> None:
        self._objects = objects
        self._folder = folder
        self._kek = kek

    async def put(self, evidence_id: UUID, package: bytes) -> Sealed:
        """Where the package is, once it is durably stored.

        Each call seals anew: the object counts whose name is in the register.

        Raises:
            StorageUnavailableError: The store is full or cannot be written.
        """
        key, nonce = os.urandom(_KEY_BYTES), os.urandom(_NONCE_BYTES)
        name = f"{self._folder}/{evidence_id}/{os.urandom(8).hex()}/package"
        sealed = await asyncio.to_thread(
            AESGCM(key).encrypt, _PACKAGE_NONCE, package, _PACKAGE_LABEL + evidence_id.bytes
        )
        await self._objects.put(name, sealed)
        return Sealed(name, nonce + AESGCM(self._kek).encrypt(nonce, key, _KEY_LABEL + evidence_id.bytes))

    async def drop(self, sealed: Sealed) -> None:
        """Returns when the object is gone, or cannot be removed now: nobody has its key."""
        try:
            await self._objects.delete_prefix(sealed.name.rpartition("/")[0])
        except AlprError as error:
            log.warning("spare_evidence_object_left", error=type(error).__name__)

    async def open(self, evidence_id: UUID, sealed: Sealed) -> bytes:
        """The package.

        Raises:
            StorageUnavailableError: The store cannot be read, lacks the object, or gives something else.
        """
        try:
            stored = await self._objects.get(sealed.name)
            nonce, wrapped = sealed.wrapped_key[:_NONCE_BYTES], sealed.wrapped_key[_NONCE_BYTES:]
            label = _KEY_LABEL + evidence_id.bytes
            key = opened(self._kek, lambda one: AESGCM(one).decrypt(nonce, wrapped, label), InvalidTag)
            return await asyncio.to_thread(
                AESGCM(key).decrypt, _PACKAGE_NONCE, stored, _PACKAGE_LABEL + evidence_id.bytes
            )
        except (InvalidTag, ValueError, NotFoundError) as error:
            # Evidence must be there: somebody must look at this.
            log.exception("evidence_not_opened", evidence_id=str(evidence_id))
            raise StorageUnavailableError("the evidence package cannot be opened") from error
