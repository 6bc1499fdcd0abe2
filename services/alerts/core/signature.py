"""Signatures of webhooks as Standard Webhooks 1.0 has them, so that receivers' own libraries check them."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105 - no secret, the word that one begins with
SECRET_BYTES = 32


def secret_text(secret: bytes) -> str:
    """The secret as its receiver gets it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secrets: Iterable[bytes], message_id: str, seconds: int, body: bytes) -> str:
    """Value of the header webhook-signature: one signature for each secret, newest first.

    Args:
        secrets: Keys of HMAC-SHA-256.
        message_id: Value of the header webhook-id.
        seconds: Value of the header webhook-timestamp, Unix time of this try.
        body: Exactly what is posted.
    """
    signed = f"{message_id}.{seconds}.".encode() + body
    made = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join("v1," + base64.b64encode(one).decode() for one in made)
