"""The services that `platewarden up` runs, and the environment that each one needs."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.common.config import StartError
from services.common.database import with_login
from services.common.issuers import (
    DEVELOPMENT_ACR,
    DEVELOPMENT_AMR,
    DEVELOPMENT_ISSUER,
    DEVELOPMENT_PASSWORD_POLICY,
)
from services.common.keyfile import read_key
from services.common.keyring import every
from services.dev.files import write_secret
from services.dev.pki import DevelopmentAuthority
from services.dev.places import AUDIENCE, HOST, NUMBERS, Places, Ports, default_model_dir

LOG_ORIGIN = "development.platewarden.invalid/log"
_SEARCH_LOGINS = (
    "search_append",
    "search_question",
    "search_purge",
    "search_health",
    "search_mcs_append",
    "search_mcs_question",
    "search_mcs_purge",
    "search_register",
    "search_mcs_register",
)
_IDENTITY = (
    "PW_OIDC_ISSUER",
    "PW_OIDC_JWKS_URL",
    "PW_OIDC_REQUIRED_ACR",
    "PW_OIDC_REQUIRED_AMR",
    "PW_OIDC_PASSWORD_POLICY",
)


@dataclass(frozen=True, slots=True)
class World:
    """What all services of one stack share; `database_url` is of its database's administrator, and
    `image_store_url` is empty while pictures are kept in the stack's own folder. `reads_url` is of the
    archive's own database, where it has one.
    """

    places: Places
    ports: Ports
    authority: DevelopmentAuthority
    database_url: str
    embedded: bool
    image_store_url: str = ""
    reads_url: str = ""

    def secret(self, name: str, make: Callable[[], bytes]) -> Path:
        """The file of a secret, made with `make` at its first use and kept."""
        file = self.places.secrets / name
        write_secret(file, make)
        return file

    def key_file(self, name: str) -> Path:
        """The file of a key of 32 random bytes, in hexadecimal."""
        return self.secret(name, lambda: secrets.token_hex(32).encode())

    def password(self, login: str) -> str:
        """The database password of `login`."""
        file = self.secret(f"{login}.password", lambda: secrets.token_urlsafe(24).encode())
        return file.read_text(encoding="ascii")

    def url_of(self, service: str) -> str:
        """URL of the database of `service` for its administrator."""
        return (self.reads_url if service == "search" else "") or self.database_url

    def login_url(self, login: str) -> str:
        """URL of its service's database for `login`."""
        return with_login(self.url_of(login.partition("_")[0]), login, self.password(login))

    @property
    def log_origin(self) -> str:
        """The log's name; whoever closed a log writes another one into the file (services.audit.restore)."""
        file = self.secret("log-origin", LOG_ORIGIN.encode)
        return file.read_text(encoding="ascii").strip()

    @property
    def permit_key_file(self) -> Path:
        """Shared by audit and the archive's migration alone."""
        return self.key_file("permit-key")

    @property
    def mcs_permit_key_file(self) -> Path:
        """The same for the Motor Carrier Safety data set (ENF-051 III.E.5)."""
        return self.key_file("mcs-permit-key")


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service of a stack.

    Attributes:
        name: Also the DNS name in its certificate.
        module: Started as `python -m module`.
        number: Its place in the port scheme, from 1 to 9.
        logins: Its database logins; empty when it has no schema to migrate.
        environment: What it needs beyond what every service gets, as a function of the stack.
    """

    name: str
    module: str
    number: int
    logins: tuple[str, ...] = ()
    environment: Callable[[World], Mapping[str, str]] = field(default=lambda _: {})


# A stage starts when all of the stage before it serve: nobody looks for a neighbour that is not there yet.
Stages = Sequence[Sequence[ServiceSpec]]


def platewarden_stages() -> Stages:
    """The five services in the order in which they start."""
    return (
        (_spec("audit", ("audit_app",), _audit),),
        (
            _spec("alerts", ("alerts_app",), _alerts),
            _spec("search", _SEARCH_LOGINS, _search),
        ),
        (_spec("matcher", ("matcher_app",), _matcher),),
        (_spec("ocr", (), _ocr),),
    )


def environment_of(spec: ServiceSpec, world: World, all_specs: Sequence[ServiceSpec]) -> dict[str, str]:
    """The PW_... variables of one service."""
    certificate = world.authority.service(spec.name)
    targets = {
        f"PW_{other.name.upper()}_TARGET": f"{HOST}:{world.ports.machines(other.number)}"
        for other in all_specs
        if other is not spec
    }
    return {
        "PW_LISTEN": f"{HOST}:{world.ports.machines(spec.number)}",
        "PW_USER_LISTEN": f"{HOST}:{world.ports.people(spec.number)}",
        "PW_METRICS_LISTEN": f"{HOST}:{world.ports.metrics(spec.number)}",
        "PW_TLS_CERT": str(certificate.cert_file),
        "PW_TLS_KEY": str(certificate.key_file),
        "PW_TLS_CA": str(certificate.ca_file),
        "PW_SENSOR_CA": str(world.authority.sensor_ca_file),
        **targets,
        **spec.environment(world),
    }


def founding_environment(world: World) -> dict[str, str]:
    """What `platewarden bootstrap` needs to write the log's first entry as audit would."""
    return {
        "PW_OIDC_ISSUER": _identity(world)["PW_OIDC_ISSUER"],
        "PW_LOG_ORIGIN": world.log_origin,
        "PW_LOG_SIGNING_KEY_FILE": str(log_key_file(world)),
    }


def permit_keys(world: World) -> Mapping[str, Sequence[bytes]]:
    """The keys of permits by data set, as the migration of search takes them."""
    files = {"archive": world.permit_key_file, "motor_carrier": world.mcs_permit_key_file}
    return {data_set: every(read_key(file, "permit key")) for data_set, file in files.items()}


def _spec(
    name: str, logins: tuple[str, ...], environment: Callable[[World], Mapping[str, str]]
) -> ServiceSpec:
    return ServiceSpec(name, f"services.{name}", NUMBERS[name], logins, environment)


def _audit(world: World) -> Mapping[str, str]:
    return {
        "PW_DATABASE_URL": world.login_url("audit_app"),
        "PW_OIDC_AUDIENCE": AUDIENCE,
        "PW_OIDC_ALGORITHMS": "RS256,ES256",
        "PW_PERMIT_KEY_FILE": str(world.permit_key_file),
        "PW_MCS_PERMIT_KEY_FILE": str(world.mcs_permit_key_file),
        "PW_LOG_CHECKPOINT_DIR": str(world.places.checkpoints),
        "PW_LOG_COPY_KEY_FILE": str(world.key_file("log-copy-key")),
        "PW_SENSOR_CA_KEY_FILE": str(world.authority.sensor_ca_key_file),
        **_identity(world),
        **founding_environment(world),
    }


def _identity(world: World) -> Mapping[str, str]:
    """Whose tokens count: the development issuer's, or with a database of one's own the provider's named by
    the environment; the issuer that takes anybody's word stays away from databases that may be real.
    """
    if world.embedded:
        return {
            "PW_OIDC_ISSUER": DEVELOPMENT_ISSUER,
            "PW_OIDC_JWKS_URL": f"http://{HOST}:{world.ports.issuer}/jwks",
            "PW_OIDC_REQUIRED_ACR": DEVELOPMENT_ACR,
            "PW_OIDC_REQUIRED_AMR": DEVELOPMENT_AMR,
            "PW_OIDC_PASSWORD_POLICY": DEVELOPMENT_PASSWORD_POLICY,
            "PW_OIDC_ALLOW_DEVELOPMENT_ISSUER": "true",
        }
    missing = [name for name in _IDENTITY if not os.environ.get(name)]
    if missing:
        msg = f"with a database of your own, name your identity provider: set {' and '.join(missing)}"
        raise StartError(msg)
    return {name: os.environ[name] for name in _IDENTITY}


def new_signing_key() -> bytes:
    """A new Ed25519 private key, PEM (PKCS #8): of a log, or of a witness."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def log_key_file(world: World) -> Path:
    """The key that the log is signed with."""
    return world.secret("log-signing-key.pem", new_signing_key)


def _image_store(world: World) -> Mapping[str, str]:
    """A folder of the stack, or a bucket; the AWS_... variables of S3 clients are inherited."""
    if world.image_store_url:
        return {"PW_IMAGE_STORE_URL": world.image_store_url}
    return {"PW_IMAGE_STORE_DIR": str(world.places.images)}


def _alerts(world: World) -> Mapping[str, str]:
    return {
        "PW_DATABASE_URL": world.login_url("alerts_app"),
        "PW_TOKEN_KEY_FILE": str(world.key_file("alerts-token-key")),
        **_image_store(world),
        "PW_IMAGE_KEK_FILE": str(world.key_file("alerts-image-kek")),
        # Receivers on this machine, with a certificate of the development authority, may be tried.
        "PW_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "PW_WEBHOOK_CA_FILE": str(world.authority.ca_file),
    }


def _search(world: World) -> Mapping[str, str]:
    return {
        "PW_APPEND_DATABASE_URL": world.login_url("search_append"),
        "PW_QUESTION_DATABASE_URL": world.login_url("search_question"),
        "PW_PURGE_DATABASE_URL": world.login_url("search_purge"),
        "PW_HEALTH_DATABASE_URL": world.login_url("search_health"),
        "PW_MCS_APPEND_DATABASE_URL": world.login_url("search_mcs_append"),
        "PW_MCS_QUESTION_DATABASE_URL": world.login_url("search_mcs_question"),
        "PW_MCS_PURGE_DATABASE_URL": world.login_url("search_mcs_purge"),
        "PW_REGISTER_DATABASE_URL": world.login_url("search_register"),
        "PW_MCS_REGISTER_DATABASE_URL": world.login_url("search_mcs_register"),
        "PW_EVIDENCE_KEK_FILE": str(world.key_file("search-evidence-kek")),
        "PW_MCS_EVIDENCE_KEK_FILE": str(world.key_file("search-mcs-evidence-kek")),
        "PW_HOLD_KEK_FILE": str(world.key_file("search-hold-kek")),
        "PW_MCS_HOLD_KEK_FILE": str(world.key_file("search-mcs-hold-kek")),
        # Nobody makes backups of a stack on one machine.
        "PW_BACKUP_DAYS": "0",
        "PW_TOKEN_KEY_FILE": str(world.key_file("search-token-key")),
        **_image_store(world),
    }


def _matcher(world: World) -> Mapping[str, str]:
    return {
        "PW_DATABASE_URL": world.login_url("matcher_app"),
        "PW_UPLOAD_SPOOL_DIR": str(world.places.spool),
        "PW_SNAPSHOT_DIR": str(world.places.snapshots),
    }


def _ocr(world: World) -> Mapping[str, str]:
    return {
        **_image_store(world),
        "PW_IMAGE_KEK_FILE": str(world.key_file("ocr-image-kek")),
        "PW_MCS_IMAGE_KEK_FILE": str(world.key_file("ocr-mcs-image-kek")),
        "PW_MODEL_DIR": str(default_model_dir()),
        "PW_RECEIVER_LISTEN": f"{HOST}:{world.ports.receiver}",
        "PW_RECEIVER_SECRETS_DIR": str(world.places.sensor_secrets),
    }
