"""Settings of the witness. Key, certificate and store are its own; it has no credential of any database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, field_validator

from services.common.config import Address, ConfigError, ReadableFile, ServiceSettings
from services.common.tlog import ED25519, Cosigner, NoteError, VerifierKey, is_name


class WitnessSettings(ServiceSettings):
    """What the witness is told. `listen` is its HTTPS address, for whoever submits or reads checkpoints."""

    witness_name: str
    """Its name in signatures, for instance "witness.example.gov/w1"; never changed."""
    witness_key_file: ReadableFile
    """Ed25519 private key, PEM (PKCS #8); used for nothing else."""
    witness_dir: Path
    """Folder of its store."""
    witness_log_keys_file: ReadableFile
    """Public keys of the logs it signs for, a line origin+id+key each; while a log's key changes several."""
    audit_target: Address = ""
    """Where audit is, to follow its log. Empty: it only answers those who submit."""
    witness_every_seconds: Annotated[float, Field(gt=0, le=3600)] = 5
    """How often it asks."""
    witness_copies: bool = True
    """True keeps a copy of the log that it follows, with every field sealed, for a restore."""

    @field_validator("witness_name")
    @classmethod
    def _is_name(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError("must be printable ASCII without space and plus")
        return name

    def cosigner(self) -> Cosigner:
        """Its name and key.

        Raises:
            ConfigError: The file holds no Ed25519 key.
        """
        try:
            key = load_pem_private_key(self.witness_key_file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("PW_WITNESS_KEY_FILE must hold an Ed25519 private key in PEM")
        return Cosigner(self.witness_name, key)

    def logs(self) -> dict[str, VerifierKey]:
        """The logs that it signs for, by origin.

        Raises:
            ConfigError: A line is no public key of a log, a key comes twice, or there is none.
        """
        lines = self.witness_log_keys_file.read_text(encoding="utf-8").split()
        try:
            keys = [VerifierKey.parse(line) for line in lines]
        except NoteError as error:
            msg = f"PW_WITNESS_LOG_KEYS_FILE: {error}"
            raise ConfigError(msg) from None
        found: dict[str, VerifierKey] = {}
        for key in keys:
            # Further lines of a log are keys that sign beside the first one, or signed before it.
            first = found.get(key.name)
            found[key.name] = replace(first, others=(*first.others, key)) if first else key
        if not keys or len({*keys}) != len(keys) or any(key.algorithm != ED25519 for key in keys):
            raise ConfigError("PW_WITNESS_LOG_KEYS_FILE must hold a line origin+id+key for each log")
        if self.audit_target and len(found) != 1:
            raise ConfigError("a witness that follows a log (PW_AUDIT_TARGET) knows just that one")
        return found
