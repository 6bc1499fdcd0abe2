"""Signing secrets of webhooks: made here, and kept sealed under a key that the database does not have."""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.alerts.core.signature import SECRET_BYTES
from services.common.errors import StorageUnavailableError

_PURPOSE = b"platewarden/alerts/webhook-secret/v1"
_NONCE_BYTES = 12


class WebhookSecrets:
    """Seals with AES-256-GCM; the key is derived (RFC 5869) from the one that also wraps pictures."""

    def __init__(self, kek: bytes) -> None:
        """`kek` is the key-encryption key of this service, 32 bytes."""
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(kek)
        self._cipher = AESGCM(key)

    def new(self, webhook_id: UUID) -> bytes:
        """A new secret, sealed for that webhook."""
        nonce = os.urandom(_NONCE_BYTES)
        secret = os.urandom(SECRET_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, _PURPOSE + webhook_id.bytes)

    def open(self, webhook_id: UUID, sealed: bytes) -> bytes:
        """The secret.

        Raises:
            StorageUnavailableError: It was sealed under another key or for another webhook.
        """
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE + webhook_id.bytes
            )
        except (InvalidTag, ValueError) as error:
            raise StorageUnavailableError("the secret of a webhook is sealed under another key") from error
