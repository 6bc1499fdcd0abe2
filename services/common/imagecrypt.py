"""Images at rest: sealed with a key each, which is lost with the key of their day (ADR-0008).

* A day (UTC) has a random day key. It is kept wrapped under the key-encryption key of the service, so the
  image store alone opens nothing.
* An image's key is HMAC-SHA256(day key, SHA-256 of the image). The same image on the same day has the same
  key and the same sealed bytes, so storing it again changes nothing.
* The image is sealed with AES-256-GCM under a constant nonce. That is safe because a key only ever seals one
  plaintext, the one whose hash it was made from.
"""

import hashlib
import hmac
import os
from datetime import date

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.keyring import opened

KEY_BYTES = 32
_NONCE_BYTES = 12
_IMAGE_NONCE = bytes(_NONCE_BYTES)
_DAY_KEY_LABEL = b"platewarden/day-key/v1/"
_IMAGE_LABEL = b"platewarden/image/v1/"


class SealError(Exception):
    """The bytes were not sealed with this key for this purpose, or were changed since."""


def new_day_key() -> bytes:
    """A random key of 32 bytes."""
    return os.urandom(KEY_BYTES)


def wrap_day_key(kek: bytes, day: date, day_key: bytes) -> bytes:
    """`day_key` sealed under `kek` for `day`, with a random nonce in front.

    Args:
        kek: Key-encryption key of the service, 32 bytes.
        day: The UTC day; the wrapped key opens for no other.
        day_key: What `new_day_key` gave.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, day_key, _DAY_KEY_LABEL + _text(day))


def unwrap_day_key(kek: bytes, day: date, wrapped: bytes) -> bytes:
    """The day key that `wrap_day_key` sealed.

    Raises:
        SealError: Another key-encryption key, another day, or changed bytes.
    """
    nonce, sealed, context = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _DAY_KEY_LABEL + _text(day)
    return opened(kek, lambda one: _opened(one, nonce, sealed, context), SealError)


def image_key(day_key: bytes, image_sha256: bytes) -> bytes:
    """The key of the image with that hash on that day, 32 bytes."""
    return hmac.digest(day_key, image_sha256, "sha256")


def seal_image(key: bytes, day: date, image: bytes) -> bytes:
    """`image` sealed: 16 bytes longer, and the same each time.

    Args:
        key: `image_key` for this very image and day; it must never seal another one.
        day: The UTC day of capture.
        image: The file as it came.
    """
    return AESGCM(key).encrypt(_IMAGE_NONCE, image, _image_context(day, hashlib.sha256(image).digest()))


def open_image(key: bytes, day: date, image_sha256: bytes, sealed: bytes) -> bytes:
    """The image that `seal_image` sealed.

    Args:
        key: Key of the image.
        day: The UTC day of capture.
        image_sha256: Hash of the image that is expected, 32 bytes.
        sealed: What was stored.

    Raises:
        SealError: Another key, day or image, or changed bytes.
    """
    image = _opened(key, _IMAGE_NONCE, sealed, _image_context(day, image_sha256))
    if hashlib.sha256(image).digest() != image_sha256:
        raise SealError("the image is not the one that is expected")
    return image


def _opened(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, sealed, context)
    except (InvalidTag, ValueError):
        raise SealError("the sealed bytes cannot be opened with this key") from None


def _image_context(day: date, image_sha256: bytes) -> bytes:
    return _IMAGE_LABEL + _text(day) + b"/" + image_sha256.hex().encode("ascii")


def _text(day: date) -> bytes:
    return day.isoformat().encode("ascii")
