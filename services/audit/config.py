"""Settings of the audit service. It does not start without them, nor with ones that would let anybody in."""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import Field, SecretStr, field_validator, model_validator

from services.audit.core.checkpoint import Signer, is_origin
from services.audit.core.claims import ClaimNames, Expected
from services.audit.core.seal import Sealer
from services.audit.sensor_authority import SensorAuthority
from services.common.config import ConfigError, ReadableFile, ServiceSettings
from services.common.issuers import DEVELOPMENT_ISSUER
from services.common.keyfile import read_key
from services.common.sensor_ca import read_sensor_cas

POLICY_FOLDER: Final = Path(__file__).parent / "policy"
# Signatures by a key pair only: with a shared secret whoever checks tokens could also make them.
_ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
)
_PEM_BLOCK: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----\n?", re.DOTALL)
_Text = Annotated[str, Field(min_length=1)]


class AuditSettings(ServiceSettings):
    """What the audit service is told."""

    database_url: SecretStr
    """URL of the login audit_app."""
    database_connections: Annotated[int, Field(ge=2, le=100)] = 10
    oidc_issuer: _Text
    """The identity provider's `iss`, exactly."""
    oidc_audience: _Text
    """What `aud` must hold."""
    oidc_jwks_url: _Text
    """Where the provider's public keys are."""
    oidc_algorithms: _Text
    """Signature algorithms, joined by commas."""
    oidc_required_acr: _Text
    """The provider's name for multi-factor sign-in, exactly (`acr`)."""
    oidc_required_amr: _Text
    """Ways of signing in, joined by commas, one of which `amr` must name; "unstated" if nothing is said."""
    oidc_password_policy: _Text
    """The password rules in force (ENF-051 III.D.6), as `pwd_policy` of a sign-in by password names them."""
    oidc_sign_in_hours: Annotated[int, Field(ge=1, le=12)] = 12
    """How long after it a sign-in is good (CJIS IA-5)."""
    oidc_token_id_claim: _Text = "jti"  # noqa: S105 - a claim's name
    oidc_acr_claim: _Text = "acr"
    oidc_session_claim: _Text = "sid"
    oidc_device_claim: str = ""
    oidc_password_policy_claim: _Text = "pwd_policy"  # noqa: S105 - a claim's name
    """Names of claims, for a provider with names of its own; the device's is empty when it says none."""
    oidc_allow_development_issuer: bool = False
    """True lets the development issuer in; only on loopback."""
    log_origin: _Text
    """The log's name, for instance "audit.example.gov/platewarden"; never changed."""
    log_signing_key_file: ReadableFile
    """Ed25519 private key, PEM (PKCS #8); while keys change several, and public keys of former ones."""
    permit_key_file: ReadableFile
    """32 random bytes in hexadecimal, shared with the archive's migration alone."""
    mcs_permit_key_file: ReadableFile
    """The same for the Motor Carrier Safety data set, with another key (ENF-051 III.E.5)."""
    log_checkpoint_dir: Path
    """Folder for the newest checkpoint, on another disk than the database: the second place (ADR 0035)."""
    log_copy_key_file: ReadableFile
    """32 random bytes in hexadecimal: seals the entries of the copy that the witness keeps."""
    sensor_ca_key_file: ReadableFile | None = None
    """Private key of PW_SENSOR_CA, PEM: with it this service issues certificates of sensors."""
    policy_dir: Path = POLICY_FOLDER
    """Folder of Cedar policies, purpose catalogue and case number formats."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The allowed signature algorithms."""
        return tuple(one.strip() for one in self.oidc_algorithms.split(","))

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be the URL of a PostgreSQL database")
        return url

    @field_validator("log_checkpoint_dir")
    @classmethod
    def _is_folder(cls, folder: Path) -> Path:
        if not (folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK)):
            raise ValueError("must be the absolute path of a folder that can be written")
        return folder

    @field_validator("log_origin")
    @classmethod
    def _is_origin(cls, origin: str) -> str:
        if not is_origin(origin):
            raise ValueError("must be printable ASCII without space and plus")
        return origin

    @field_validator("oidc_algorithms")
    @classmethod
    def _are_algorithms(cls, text: str) -> str:
        if not {one.strip() for one in text.split(",")} <= _ALGORITHMS:
            raise ValueError(f"may name {', '.join(sorted(_ALGORITHMS))} only")
        return text

    @field_validator("oidc_required_amr")
    @classmethod
    def _are_methods(cls, text: str) -> str:
        methods = {one.strip() for one in text.split(",")}
        if "" in methods or ("unstated" in methods and len(methods) > 1):
            raise ValueError('must be names joined by commas, or "unstated" alone')
        return text

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        keys, issuer = urlsplit(self.oidc_jwks_url), urlsplit(self.oidc_issuer)
        own = [self.listen, *([self.user_listen] if self.user_listen else [])]
        if self.oidc_allow_development_issuer:
            if not all(_is_loopback(one.rpartition(":")[0]) for one in own):
                raise ValueError("PW_OIDC_ALLOW_DEVELOPMENT_ISSUER is for listeners on loopback only")
            if keys.scheme != "https" and not _is_loopback(keys.hostname or ""):
                raise ValueError("PW_OIDC_JWKS_URL must be https, or on loopback")
            return self
        if self.oidc_issuer.rstrip("/") == DEVELOPMENT_ISSUER or _is_loopback(issuer.hostname or ""):
            raise ValueError("PW_OIDC_ISSUER is the development issuer; it is refused")
        if issuer.scheme != "https" or keys.scheme != "https":
            raise ValueError("PW_OIDC_ISSUER and PW_OIDC_JWKS_URL must be https")
        return self

    def expected(self) -> Expected:
        """What every token must say."""
        methods = {one.strip() for one in self.oidc_required_amr.split(",")} - {"", "unstated"}
        return Expected(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            acr=self.oidc_required_acr,
            amr=frozenset(methods),
            password_policy=self.oidc_password_policy,
            longest=timedelta(hours=self.oidc_sign_in_hours),
            names=ClaimNames(
                token_id=self.oidc_token_id_claim,
                acr=self.oidc_acr_claim,
                session=self.oidc_session_claim,
                device=self.oidc_device_claim,
                password_policy=self.oidc_password_policy_claim,
            ),
        )

    def signer(self) -> Signer:
        """The log's identity.

        Raises:
            ConfigError: The file holds no Ed25519 key.
        """
        return read_signer(self.log_origin, self.log_signing_key_file)

    def sealer(self) -> Sealer:
        """What seals the entries of the copy.

        Raises:
            ConfigError: The file holds no key.
        """
        return Sealer(self.log_origin, read_key(self.log_copy_key_file, "PW_LOG_COPY_KEY_FILE"))

    def sensor_authority(self) -> SensorAuthority | None:
        """What signs certificates of sensors; None where an authority outside does.

        Raises:
            ConfigError: The key is not that of PW_SENSOR_CA.
        """
        if self.sensor_ca_key_file is None:
            return None
        try:
            trusted = read_sensor_cas(self.sensor_ca) if self.sensor_ca else []
            key = load_pem_private_key(self.sensor_ca_key_file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError):
            trusted, key = [], None
        certificate = next((one for one in trusted if key and one.public_key() == key.public_key()), None)
        if certificate is None or not isinstance(key, EllipticCurvePrivateKey):
            raise ConfigError("PW_SENSOR_CA_KEY_FILE must hold the private key (EC, PEM) of PW_SENSOR_CA")
        return SensorAuthority(certificate, key)

    def permit_key(self) -> bytes:
        """The permit key, 32 bytes.

        Raises:
            ConfigError: The file holds something else.
        """
        return _permit_key(self.permit_key_file, "PW_PERMIT_KEY_FILE")

    def mcs_permit_key(self) -> bytes:
        """The permit key of the Motor Carrier Safety data set, 32 bytes.

        Raises:
            ConfigError: The file holds something else, or the key of all other permits.
        """
        key = _permit_key(self.mcs_permit_key_file, "PW_MCS_PERMIT_KEY_FILE")
        if key == self.permit_key():
            raise ConfigError("PW_MCS_PERMIT_KEY_FILE must hold another key than PW_PERMIT_KEY_FILE")
        return key


def read_signer(origin: str, file: Path) -> Signer:
    """The log's identity from its origin and key file.

    The first private key signs first, further ones sign, too; public keys are of former ones.

    Raises:
        ConfigError: The file holds no Ed25519 private key, or anything else.
    """
    try:
        blocks = _PEM_BLOCK.findall(file.read_bytes())
        private = [load_pem_private_key(one, None) for one in blocks if b"PRIVATE KEY" in one]
        public = [load_pem_public_key(one) for one in blocks if b"PUBLIC KEY" in one]
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        blocks, private, public = [], [], []
    signing = [one for one in private if isinstance(one, Ed25519PrivateKey)]
    former = [one for one in public if isinstance(one, Ed25519PublicKey)]
    if not signing or len(signing) + len(former) != len(blocks):
        raise ConfigError("PW_LOG_SIGNING_KEY_FILE must hold an Ed25519 private key in PEM")
    return Signer(origin, signing[0], tuple(signing[1:]), tuple(former))


def _permit_key(file: Path, variable: str) -> bytes:
    try:
        # What stands behind it is the archive's, which believes both while keys change.
        return bytes(read_key(file, variable))
    except ConfigError:
        msg = f"{variable} must hold 32 bytes in hexadecimal"
        raise ConfigError(msg) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
