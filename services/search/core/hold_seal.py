"""What a legal hold keeps, sealed with the hold's own key (ENF-051 IV.E.3).

A hold has a random key, kept wrapped under the key-encryption key of the service. With it the images of
held reads, each sealed with its own key already (ADR 0008), are sealed once more: they need nothing of their
day any more, and all of them are lost with the hold's key.
"""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_LABEL: Final = b"platewarden/hold-key/v1/"
_IMAGE_LABEL: Final = b"platewarden/held-image/v1/"


class HoldSealError(Exception):
    """The bytes were not sealed with this key for this hold, or were changed since."""


def new_hold_key() -> bytes:
    """A random key of 32 bytes."""
    return os.urandom(KEY_BYTES)


def wrap_hold_key(kek: bytes, hold_id: UUID, key: bytes) -> bytes:
    """`key` sealed under `kek` for this hold alone."""
    return _sealed(kek, key, _KEY_LABEL + hold_id.bytes)


def unwrap_hold_key(kek: bytes, hold_id: UUID, wrapped: bytes) -> bytes:
    """The key that `wrap_hold_key` sealed. Raises HoldSealError."""
    return _opened(kek, wrapped, _KEY_LABEL + hold_id.bytes)


def seal_held(key: bytes, hold_id: UUID, image_sha256: bytes, sealed_image: bytes) -> bytes:
    """The sealed image sealed once more, with a random nonce in front."""
    return _sealed(key, sealed_image, _IMAGE_LABEL + hold_id.bytes + image_sha256)


def open_held(key: bytes, hold_id: UUID, image_sha256: bytes, held: bytes) -> bytes:
    """The sealed image that `seal_held` sealed; its own key opens it. Raises HoldSealError."""
    return _opened(key, held, _IMAGE_LABEL + hold_id.bytes + image_sha256)


def _sealed(key: bytes, content: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context)


def _opened(key: bytes, sealed: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise HoldSealError("the sealed bytes cannot be opened with this key") from None
