"""Sealed resume tokens: where in which feed whose stream was."""

import base64
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.alerts.errors import BadTokenError
from services.common.keyring import opened

# The purpose is authenticated with every token, so that a sealed text of another service, or of another
# version of this one under the same key, does not open here.
_PURPOSE = b"platewarden/alerts/resume/v2"
_HEAD = struct.Struct(">qqq")
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Everything up to `position` of `epoch` was sent to `account_id`.

    `mark` is that of the position: whoever is given another one for it stands before another feed.
    """

    epoch: int
    position: int
    mark: int
    account_id: str


class Seal:
    """Closes bytes and opens them with AES-256-GCM, for one purpose."""

    def __init__(self, key: bytes, purpose: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._purpose = purpose

    def close(self, plain: bytes) -> str:
        """`plain` as URL-safe text that nobody else can read or make."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, self._purpose)).decode()

    def open(self, text: str) -> bytes:
        """What `text` was made of.

        Raises:
            ValueError, InvalidTag: `text` was not made by `close` with this key and purpose.
        """
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        nonce, hidden = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return opened(self._key, lambda one: AESGCM(one).decrypt(nonce, hidden, self._purpose), InvalidTag)


class TokenSealer:
    """Seals and opens resume tokens."""

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key, _PURPOSE)

    def seal(self, point: ResumePoint) -> str:
        """`point` as URL-safe text that nobody else can read or make."""
        return self._seal.close(
            _HEAD.pack(point.epoch, point.position, point.mark) + point.account_id.encode()
        )

    def open(self, token: str) -> ResumePoint:
        """The point that `token` was sealed from.

        Raises:
            BadTokenError: `token` was not made by `seal` with this key.
        """
        try:
            plain = self._seal.open(token)
            epoch, position, mark = _HEAD.unpack_from(plain)
            account_id = plain[_HEAD.size :].decode()
        except (ValueError, InvalidTag, struct.error) as error:
            raise BadTokenError("the resume token is not one of ours; begin without one") from error
        return ResumePoint(epoch=epoch, position=position, mark=mark, account_id=account_id)
