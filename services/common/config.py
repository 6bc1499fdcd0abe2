"""Settings from the environment. A missing or unsafe value stops the start, with a sentence that names it."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.client import ClientTls
from services.common.sensor_ca import read_sensor_cas

_PREFIX: Final = "PW_"
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]/]+):(\d{1,5})")
_HIGHEST_PORT: Final = 65535


class StartError(Exception):
    """The process cannot start; the text is one sentence for whoever runs it."""


class ConfigError(StartError):
    """A setting is missing or unsafe; the sentence names the variable, never a secret."""


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if text and (match is None or int(match[2]) > _HIGHEST_PORT):
        raise ValueError("must be host:port")
    return text


def _target(text: str) -> str:
    for address in text.split(","):
        _address(address or "nowhere")
    return text


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {(error.strerror or 'it is no file').lower()}") from None


Address = Annotated[str, AfterValidator(_address)]
"""host:port, with brackets round an IPv6 address; port 0 takes a free one."""
Target = Annotated[str, Field(min_length=1), AfterValidator(_target)]
"""Where another service answers: host:port of a name, or its replicas' addresses with commas between."""
ReadableFile = Annotated[Path, AfterValidator(_readable)]
"""A file that exists and that this process may read."""


class ServiceSettings(BaseSettings):
    """What every service is told; subclasses add their own. The variable is `PW_` and the field's name."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    listen: Annotated[Address, Field(min_length=1)]
    """Address for services, sensors and agencies: mutual TLS."""
    user_listen: Address = ""
    """Address for people: server TLS and a token. Empty: none."""
    tls_cert: ReadableFile
    """Certificate chain, PEM; for both directions."""
    tls_key: ReadableFile
    tls_ca: ReadableFile
    """Certificates of the authority that both sides of mutual TLS must come from, PEM."""
    sensor_ca: ReadableFile | None = None
    """Certificate of an authority of sensors alone, PEM; trusted for sensors and for nobody else. Two while
    one takes the other's place."""
    metrics_listen: Address = ""
    """Address of Prometheus metrics over plain HTTP; they name methods and codes only. Empty: none."""
    health_listen: Address = ""
    """Address of grpc.health.v1 alone, without TLS: probes of Kubernetes know none. Empty: none."""
    otlp_endpoint: Annotated[str, Field(pattern=r"^(https?://[^\s/@?#]+:\d{1,5})?$")] = ""
    """Collector of traces that speaks OTLP over gRPC, for instance https://collector:4317; https shows the
    service's own certificate. Empty: none, and nothing is traced."""
    otlp_ca: ReadableFile | None = None
    """Certificates of the authority that the collector's must be of, PEM; without it the machine's own."""
    trace_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The part of pictures and questions that is traced."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    shutdown_grace_seconds: Annotated[float, Field(ge=0, le=300)] = 10
    """Longest time that calls under way get to end."""
    max_message_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 28)] = 20 << 20
    """Largest message taken or sent."""
    max_call_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    """Longest a unary call may take, whatever its deadline."""
    max_concurrent_calls: Annotated[int, Field(ge=1)] = 4096
    """Calls and streams under way; more are answered RESOURCE_EXHAUSTED."""
    max_connection_age_seconds: Annotated[float, Field(ge=1)] = 60
    """A connection gets no new calls after this time, so that clients find new replicas."""

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls_cert, self.tls_key)
        except ssl.SSLError:
            raise ValueError("PW_TLS_CERT and PW_TLS_KEY must be a PEM certificate and its own key") from None
        try:
            context.load_verify_locations(self.tls_ca)
        except ssl.SSLError:
            raise ValueError("PW_TLS_CA must hold PEM certificates") from None
        return self

    @field_validator("sensor_ca")
    @classmethod
    def _is_bound(cls, file: Path | None) -> Path | None:
        if file is not None:
            read_sensor_cas(file)
        return file

    def require_bound_sensors(self) -> None:
        """Returns when the authorities of sensors, as their file is now, can make nothing else.

        Raises:
            OSError, ValueError: They can, or the file cannot be read.
        """
        self._is_bound(self.sensor_ca)

    @property
    def client_tls(self) -> ClientTls:
        """What this service shows when it calls another one."""
        return ClientTls(certificate=self.tls_cert, key=self.tls_key, ca=self.tls_ca)

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the environment gives.

        Raises:
            ConfigError: Names every variable that is missing or unsafe, in one sentence.
        """
        try:
            return cls()
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    missing, unsafe = [], []
    for one in error.errors(include_input=False, include_url=False):
        name = _PREFIX + str(one["loc"][0]).upper() if one["loc"] else ""
        said = one["msg"].removeprefix("Value error, ")
        if one["type"] == "missing":
            missing.append(name)
        else:
            unsafe.append(f"{name}: {said}" if name else said)
    parts = [f"{' and '.join(missing)} must be set"] if missing else []
    return "; ".join([*parts, *unsafe])
