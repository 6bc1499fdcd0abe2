"""What a legal hold keeps, sealed with the hold's own key (ENF-051 IV.E.3).

A hold has a random key, which the archive keeps wrapped under the key-encryption key of the service. With
it the archive seals the rows that the hold keeps, and what opens their images (sql/0091_signed_acts.sql), and
gives them out sealed; this module opens them. The images, each sealed with its own key already (ADR 0008),
are sealed once more: they need nothing of their day any more. All of it is lost with the hold's key.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.keyring import opened

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_LABEL: Final = b"platewarden/hold-key/v1/"
_IMAGE_LABEL: Final = b"platewarden/held-image/v1/"
_ROW_NONCE_BYTES: Final = 16
_TAG_BYTES: Final = 32
_BLOCK_BYTES: Final = 32


class HoldSealError(Exception):
    """The bytes were not sealed with this key for this hold, or were changed since."""


def new_hold_key() -> bytes:
    """A random key of 32 bytes."""
    return os.urandom(KEY_BYTES)


def hold_key_digest(key: bytes) -> bytes:
    """By which the archive knows the key of a hold."""
    return sha256(_KEY_LABEL + key).digest()


def wrap_hold_key(kek: bytes, hold_id: UUID, key: bytes) -> bytes:
    """`key` sealed under `kek` for this hold alone."""
    return _sealed(kek, key, _KEY_LABEL + hold_id.bytes)


def unwrap_hold_key(kek: bytes, hold_id: UUID, wrapped: bytes) -> bytes:
    """The key that `wrap_hold_key` sealed. Raises HoldSealError."""
    return opened(kek, lambda one: _opened(one, wrapped, _KEY_LABEL + hold_id.bytes), HoldSealError)


def seal_held(key: bytes, hold_id: UUID, image_sha256: bytes, sealed_image: bytes) -> bytes:
    """The sealed image sealed once more, with a random nonce in front."""
    return _sealed(key, sealed_image, _IMAGE_LABEL + hold_id.bytes + image_sha256)


def open_held(key: bytes, hold_id: UUID, image_sha256: bytes, held: bytes) -> bytes:
    """The sealed image that `seal_held` sealed; its own key opens it. Raises HoldSealError."""
    return _opened(key, held, _IMAGE_LABEL + hold_id.bytes + image_sha256)


def open_held_read(key: bytes, hold_id: UUID, read_id: UUID, sealed: bytes) -> bytes:
    """A held row as JSON, as the archive sealed it. Raises HoldSealError."""
    return open_row(key, f"held-read/v1/{hold_id}/{read_id}", sealed)


def open_held_image_key(key: bytes, hold_id: UUID, read_id: UUID, sealed: bytes) -> bytes:
    """What opens the image of a held read under the hold's seal. Raises HoldSealError."""
    return open_row(key, f"held-image-key/v1/{hold_id}/{read_id}", sealed)


def open_row(key: bytes, label: str, sealed: bytes) -> bytes:
    """What archive.sealed sealed under the label. Raises HoldSealError."""
    nonce, hidden = sealed[:_ROW_NONCE_BYTES], sealed[_ROW_NONCE_BYTES:-_TAG_BYTES]
    context = f"/{label}/".encode() + nonce
    tag = _hmac(_hmac(key, b"tag" + context), nonce + hidden)
    if len(sealed) < _ROW_NONCE_BYTES + _TAG_BYTES or not hmac.compare_digest(tag, sealed[-_TAG_BYTES:]):
        raise HoldSealError("the sealed bytes cannot be opened with this key")
    stream_key = _hmac(key, b"stream" + context)
    blocks = range(-(-len(hidden) // _BLOCK_BYTES))
    stream = b"".join(_hmac(stream_key, number.to_bytes(4, "big")) for number in blocks)
    return bytes(one ^ other for one, other in zip(hidden, stream, strict=False))


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _sealed(key: bytes, content: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context)


def _opened(key: bytes, sealed: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise HoldSealError("the sealed bytes cannot be opened with this key") from None
