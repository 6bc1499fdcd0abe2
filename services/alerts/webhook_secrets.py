"""Signing secrets of webhooks: made here, and kept sealed under a key that the database does not have."""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.alerts.core.signature import SECRET_BYTES
from services.common.errors import StorageUnavailableError
from services.common.keyring import Key, every, opened

_PURPOSE = b"platewarden/alerts/webhook-secret/v1"
_NONCE_BYTES = 12


class WebhookSecrets:
    """Seals with AES-256-GCM; the key is derived (RFC 5869) from the one that also wraps pictures."""

    def __init__(self, kek: bytes) -> None:
        """`kek` is the key-encryption key of this service, 32 bytes."""
        derived = [
            HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(one) for one in every(kek)
        ]
        self._key = Key(derived[0], derived[1:])

    def new(self, webhook_id: UUID) -> bytes:
        """A new secret, sealed for that webhook."""
        nonce = os.urandom(_NONCE_BYTES)
        secret = os.urandom(SECRET_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, secret, _PURPOSE + webhook_id.bytes)

    def open(self, webhook_id: UUID, sealed: bytes) -> bytes:
        """The secret.

        Raises:
            StorageUnavailableError: It was sealed under another key or for another webhook.
        """
        nonce, hidden, bound = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE + webhook_id.bytes
        try:
            return opened(self._key, lambda one: AESGCM(one).decrypt(nonce, hidden, bound), InvalidTag)
        except (InvalidTag, ValueError) as error:
            raise StorageUnavailableError("the secret of a webhook is sealed under another key") from error
