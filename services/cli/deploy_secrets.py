"""Secrets of an overlay of deploy/k8s, as files, and the kustomization that makes Secrets of them.

Nothing here is ever written over: a key that was lost would take with it what it seals.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from services.audit.config import read_signer
from services.audit.core.checkpoint import is_origin
from services.cli.locate import CommandError
from services.common.durable import replace_file
from services.dev.files import write_secret
from services.dev.pki import DevelopmentAuthority
from services.dev.specs import new_signing_key, platewarden_stages

_SERVICES: Final = ("audit", "alerts", "search", "matcher", "ocr")
_CLUSTER_OF: Final = MappingProxyType(
    {"audit": "records", "alerts": "records", "matcher": "records", "search": "reads"}
)
_CLUSTERS: Final = ("records", "reads")
# Keys of 32 random bytes, by the Secret that they are in.
_KEYS: Final = MappingProxyType(
    {
        "audit-keys": ("log-copy-key", "permit-key", "mcs-permit-key"),
        "alerts-keys": ("token-key", "image-kek"),
        "search-keys": ("token-key", "evidence-kek", "mcs-evidence-kek", "hold-kek", "mcs-hold-kek"),
        "ocr-keys": ("image-kek", "mcs-image-kek"),
        "console-keys": ("session-key",),
    }
)
_LOG_KEY: Final = "log-signing-key.pem"
_WITNESS_KEY: Final = "witness-key.pem"
_VERIFIED: Final = "?sslmode=verify-full&sslrootcert=/database-ca/ca.crt"
_MIGRATION_LOGIN: Final = "migrate"
_SUPERUSER: Final = "postgres"
_LOGIN_TYPE: Final = "kubernetes.io/basic-auth"


@dataclass(frozen=True, slots=True)
class Layout:
    """What an overlay has of its own.

    Attributes:
        host: Host of the database of a cluster, as a pattern.
        owns_certificates: True where the certificates of services are made here, not by cert-manager.
        given: Secrets whose keys come from the environment: variable by key.
        administrator: Login that migrates; a superuser lets it in where it is none itself.
        with_witness: True where the witness runs beside the system.
    """

    host: str
    owns_certificates: bool
    given: Mapping[str, Mapping[str, str]]
    administrator: str
    with_witness: bool


_IMAGE_STORE: Final = MappingProxyType(
    {"AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"}
)
DEVELOPMENT: Final = Layout("{}", True, MappingProxyType({}), _SUPERUSER, with_witness=True)
PRODUCTION: Final = Layout(
    "{}-rw",
    False,
    MappingProxyType(
        {
            "image-store": _IMAGE_STORE,
            "backup-store": MappingProxyType(
                {
                    "ACCESS_KEY_ID": "BACKUP_ACCESS_KEY_ID",
                    "ACCESS_SECRET_KEY": "BACKUP_SECRET_ACCESS_KEY",
                }
            ),
        }
    ),
    _MIGRATION_LOGIN,
    with_witness=False,
)
# What an overlay of the witness alone gets from where the system runs: files by Secret.
_CARRIED: Final = MappingProxyType(
    {"witness-tls": ("tls.crt", "tls.key", "ca.crt"), "witness-keys": ("log-keys",)}
)


@dataclass(slots=True)
class _Secret:
    """A Secret to be made: file by key. Other kinds of resources name it, unless it gets a hash behind it."""

    files: dict[str, str] = field(default_factory=dict)
    hashed: bool = True
    type: str = ""


class _Folder:
    """OVERLAY/secrets while it is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets: dict[str, _Secret] = {}
        self.trusted = ""  # the file of the authority that the gateway trusts, where there is one
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)

    def add(self, secret: str, key: str, make: Callable[[], bytes]) -> Path:
        """The file of a key of a Secret, made unless it is there."""
        file = self.folder / secret / key
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_secret(file, make)
        return self.name(secret, key, file)

    def name(self, secret: str, key: str, file: Path) -> Path:
        """The same of a file that something else made."""
        of = self.secrets.setdefault(secret, _Secret())
        of.files[key] = file.relative_to(self.folder).as_posix()
        return file

    def text(self, secret: str, key: str, make: Callable[[], str]) -> str:
        """What stands in the file of a key."""
        return self.add(secret, key, lambda: make().encode()).read_text(encoding="utf-8")

    def write_kustomization(self) -> None:
        """The component that makes Secrets of the files."""
        lines = [
            "# Made by `platewarden deploy secrets`.",
            "apiVersion: kustomize.config.k8s.io/v1alpha1",
            "kind: Component",
            "secretGenerator:",
        ]
        for name, secret in sorted(self.secrets.items()):
            lines += [f"  - name: {name}", "    files:"]
            lines += [f"      - {key}={file}" for key, file in sorted(secret.files.items())]
            lines += [f"    type: {secret.type}"] if secret.type else []
            lines += [] if secret.hashed else ["    options:", "      disableNameSuffixHash: true"]
            # CloudNativePG takes a password that was changed when its Secret has this label.
            lines += ["      labels:", "        cnpg.io/reload: 'true'"] if secret.type == _LOGIN_TYPE else []
        if self.trusted:
            lines += ["configMapGenerator:", "  - name: authority", "    files:"]
            lines += [f"      - ca.crt={self.trusted}", "    options:", "      disableNameSuffixHash: true"]
        replace_file(self.folder / "kustomization.yaml", ("\n".join(lines) + "\n").encode(), 0o600)


def make_secrets(overlay: Path, layout: Layout, given: Mapping[str, str]) -> Sequence[str]:
    """Names of the Secrets whose files are in OVERLAY/secrets, once they are on disk.

    Args:
        overlay: Folder with `audit.env`, which names the log.
        layout: What the overlay has of its own.
        given: Where credentials come from that others made: the environment.

    Raises:
        CommandError: The overlay names no log, or credentials are missing.
        OSError: The folder cannot be written.
    """
    origin = _origin(overlay)
    _check_given(overlay / "secrets", layout, given)
    into = _Folder(overlay / "secrets")
    _add_keys(into, origin, layout)
    _add_certificates(into, layout)
    _add_logins(into, layout)
    _add_administrators(into, layout)
    _add_stores(into, layout, given)
    into.write_kustomization()
    return sorted(into.secrets)


def _origin(overlay: Path) -> str:
    try:
        lines = (overlay / "audit.env").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise CommandError(
            f"{overlay / 'audit.env'} is not there; it names the log (PW_LOG_ORIGIN)"
        ) from None
    told = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    origin = told.get("PW_LOG_ORIGIN", "")
    if not is_origin(origin):
        raise CommandError(f"{overlay / 'audit.env'} must name the log: PW_LOG_ORIGIN=audit.example.gov/log")
    return origin


def _check_given(folder: Path, layout: Layout, given: Mapping[str, str]) -> None:
    missing = [
        variable
        for secret, variables in layout.given.items()
        for key, variable in variables.items()
        if not given.get(variable) and not (folder / secret / key).exists()
    ]
    if missing:
        raise CommandError(
            f"set {' and '.join(missing)}: credentials of the object stores, which others made"
        )


def make_witness_secrets(overlay: Path) -> Sequence[str]:
    """The same for an overlay of the witness alone, whose key is made here; the rest was carried here.

    Raises:
        CommandError: What comes from the system is not there yet.
        OSError: The folder cannot be written.
    """
    into = _Folder(overlay / "secrets")
    for secret, keys in _CARRIED.items():
        for key in keys:
            file = into.folder / secret / key
            if not file.is_file():
                raise CommandError(f"put {file} there first; it comes from where the system runs")
            into.name(secret, key, file)
    into.add("witness-keys", _WITNESS_KEY, new_signing_key)
    into.write_kustomization()
    return sorted(into.secrets)


def _add_keys(into: _Folder, origin: str, layout: Layout) -> None:
    for secret, keys in _KEYS.items():
        for key in keys:
            into.add(secret, key, lambda: secrets.token_hex(32).encode())
    signer = read_signer(origin, into.add("audit-keys", _LOG_KEY, new_signing_key))
    # It follows from the key, so it is written each time: the log's name may have been put right.
    public = into.folder / "log-keys"
    replace_file(public, f"{signer.verifier_key()}\n".encode(), 0o600)
    into.name("console-keys", "log-keys", public)
    if layout.with_witness:
        into.add("witness-keys", _WITNESS_KEY, new_signing_key)
        into.name("witness-keys", "log-keys", public)


def _add_certificates(into: _Folder, layout: Layout) -> None:
    authority = DevelopmentAuthority(into.folder / "pki", holder="Platewarden")
    into.name("sensor-ca", "tls.crt", authority.sensor_ca_file)
    into.name("sensor-ca", "tls.key", authority.sensor_ca_key_file)
    if not layout.owns_certificates:
        into.name("authority", "tls.crt", authority.ca_file)
        into.name("authority", "tls.key", authority.ca_key_file)
        into.secrets["authority"].hashed = False  # cert-manager's Issuer names it
        into.trusted = authority.ca_file.relative_to(into.folder).as_posix()
        return
    into.name("database-ca", "ca.crt", authority.ca_file)
    for name in (*_SERVICES, "console", *(("witness",) if layout.with_witness else ()), *_CLUSTERS):
        issued = authority.service(name)
        into.name(f"{name}-tls", "tls.crt", issued.cert_file)
        into.name(f"{name}-tls", "tls.key", issued.key_file)
        into.name(f"{name}-tls", "ca.crt", issued.ca_file)


def _add_logins(into: _Folder, layout: Layout) -> None:
    for spec in (spec for stage in platewarden_stages() for spec in stage):
        for login in spec.logins:
            word = into.text("database-passwords", login, _password)
            url = _url(layout, _CLUSTER_OF[spec.name], login, word)
            into.add("database", login, url.encode)


def _add_administrators(into: _Folder, layout: Layout) -> None:
    """The login that migrates and, where it is no superuser, the one that lets it in (ADR 0002)."""
    for cluster in _CLUSTERS:
        logins = {cluster: layout.administrator, f"{cluster}-superuser": _SUPERUSER}
        for key, login in logins.items():
            secret = f"{cluster}-{login}"
            word = into.text(secret, "password", _password)
            into.add(secret, "username", login.encode)
            into.secrets[secret].type = _LOGIN_TYPE
            into.secrets[secret].hashed = False  # the database cluster names it
            into.add("database-admin", key, _url(layout, cluster, login, word).encode)


def _add_stores(into: _Folder, layout: Layout, given: Mapping[str, str]) -> None:
    for secret, variables in layout.given.items():
        for key, variable in variables.items():
            into.add(secret, key, given.get(variable, "").encode)
    if "backup-store" in layout.given:
        into.secrets["backup-store"].hashed = False  # the store of backups names it
        return
    key = into.text("image-store", "AWS_ACCESS_KEY_ID", lambda: "platewarden")
    word = into.text("image-store", "AWS_SECRET_ACCESS_KEY", _password)
    identity = {
        "name": "platewarden",
        "credentials": [{"accessKey": key, "secretKey": word}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    into.add("image-store-server", "s3.json", json.dumps({"identities": [identity]}).encode)


def _url(layout: Layout, cluster: str, login: str, word: str) -> str:
    return f"postgresql://{login}:{word}@{layout.host.format(cluster)}:5432/{cluster}{_VERIFIED}"


def _password() -> str:
    return secrets.token_urlsafe(24)
