"""Keys of legal holds: random, wrapped with the service's key, and kept by the archive until the release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.common.errors import StorageUnavailableError
from services.search.core.hold_seal import (
    HoldSealError,
    hold_key_digest,
    new_hold_key,
    unwrap_hold_key,
    wrap_hold_key,
)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A new key as the archive keeps it: wrapped, and what it knows the key by."""

    wrapped: bytes = field(repr=False)
    digest: bytes


class HoldKeys:
    """Makes and opens keys of holds of one data set; `kek` wraps them, 32 bytes."""

    def __init__(self, kek: bytes) -> None:
        self._kek = kek

    def new(self, hold_id: UUID) -> WrappedKey:
        """A key for the hold, which nobody has in the clear."""
        key = new_hold_key()
        return WrappedKey(wrap_hold_key(self._kek, hold_id, key), hold_key_digest(key))

    def opened(self, hold_id: UUID, wrapped: bytes) -> bytes:
        """The hold's key.

        Raises:
            StorageUnavailableError: It was wrapped with another key, or for another hold.
        """
        try:
            return unwrap_hold_key(self._kek, hold_id, wrapped)
        except HoldSealError as error:
            raise StorageUnavailableError(
                "what the hold keeps cannot be opened; tell the system administrator"
            ) from error

    def all_opened(self, wrapped: Mapping[UUID, bytes]) -> dict[UUID, bytes]:
        """The keys of holds, by hold. Raises as `opened`."""
        return {hold_id: self.opened(hold_id, one) for hold_id, one in wrapped.items()}
