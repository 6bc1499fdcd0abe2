"""Sealed resume tokens: where in which feed whose stream was."""

import base64
import binascii
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.alerts.errors import BadTokenError

# The purpose is authenticated with every token, so that a sealed text of another service, or of another
# version of this one under the same key, does not open here.
_PURPOSE = b"platewarden/alerts/resume/v1"
_HEAD = struct.Struct(">qq")
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Everything up to `position` of `epoch` was sent to `account_id`."""

    epoch: int
    position: int
    account_id: str


class TokenSealer:
    """Seals and opens resume tokens with AES-256-GCM."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, point: ResumePoint) -> str:
        """`point` as URL-safe text that nobody else can read or make."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = _HEAD.pack(point.epoch, point.position) + point.account_id.encode()
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, _PURPOSE)).decode()

    def open(self, token: str) -> ResumePoint:
        """The point that `token` was sealed from.

        Raises:
            BadTokenError: `token` was not made by `seal` with this key.
        """
        try:
            sealed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
            epoch, position = _HEAD.unpack_from(plain)
            account_id = plain[_HEAD.size :].decode()
        except (UnicodeError, binascii.Error, ValueError, InvalidTag, struct.error) as error:
            raise BadTokenError("the resume token is not one of ours; begin without one") from error
        return ResumePoint(epoch=epoch, position=position, account_id=account_id)
