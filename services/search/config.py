"""Settings of search, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from services.common.config import Address, ReadableFile, Target
from services.common.image_store import ImageStoreSettings
from services.search.core.notice import is_address
from services.search.core.time_zones import known_time_zones


class SearchSettings(ImageStoreSettings):
    """PW_... variables of search besides those that every service has."""

    append_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_append."""
    question_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_question."""
    purge_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_purge."""
    mcs_append_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_mcs_append; the Motor Carrier Safety data set has logins of its own (ENF-051 II.H)."""
    mcs_question_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_mcs_question."""
    mcs_purge_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_mcs_purge."""
    mcs_register_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_mcs_register, which keeps that of the Motor Carrier Safety data set."""
    register_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_register, which keeps the register of what left (ENF-051 III.B.3.m)."""
    health_database_url: str = Field(min_length=1, repr=False)
    """DSN of search_health."""
    health_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    """How often sensors are judged."""
    audit_target: Target
    audit_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 5
    """Longest that audit may take for one answer; later it counts as unreachable, and nothing is shown."""
    case_directory_target: Address = ""
    """host:port of the agency's case directory (alpr.cad.v1); empty when it has none."""
    case_directory_name: str = ""
    """Name in the directory's certificate, where it is not that of its host."""
    case_directory_ca: ReadableFile | None = None
    """Authority of the directory's certificate, where it is not ours."""
    case_directory_timeout_seconds: Annotated[float, Field(gt=0, le=10)] = 2
    """Longest that the directory may take for one answer."""
    case_directory_when_away: Literal["refuse", "mark"] = "refuse"
    """Whether questions are refused while the directory does not answer, or asked with a mark in the log."""
    hold_kek_file: ReadableFile
    """Key that the keys of legal holds are wrapped with: 32 bytes as hexadecimal digits. Whoever loses it
    loses what the holds keep."""
    mcs_hold_kek_file: ReadableFile
    """The same for holds on reads of the Motor Carrier Safety data set; another key."""
    backup_days: Annotated[int, Field(ge=0, le=3660)]
    """How long backups and archived write-ahead logs of database and image store are kept; 0 when there are
    none. It stands on every purge certificate: until then a purged read may be in a backup."""
    evidence_kek_file: ReadableFile
    """Key that the keys of kept evidence packages are wrapped with: 32 bytes as hexadecimal digits. Whoever
    loses it loses the packages."""
    mcs_evidence_kek_file: ReadableFile
    """The same for packages of the Motor Carrier Safety data set; another key."""
    home_state: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "IL"
    """Agencies whose ORI begins otherwise are of another state, and need a declaration (625 ILCS 5/2-130)."""
    smtp_target: Address = ""
    """host:port of the mail server that takes notices to recipients; empty when people tell them."""
    smtp_tls: Literal["starttls", "tls"] = "starttls"
    """How TLS begins: after the greeting (port 587 or 25) or at once (465). There is no way without it."""
    smtp_ca: ReadableFile | None = None
    """Authority of the mail server's certificate, where it is none that the operating system knows."""
    smtp_user: str = ""
    smtp_password_file: ReadableFile | None = None
    """The file of the user's password; both or neither."""
    smtp_from: str = ""
    """Address that notices come from."""
    notice_seconds: Annotated[float, Field(gt=0, le=3600)] = 20
    """How often it is looked whether a notice is due."""
    notice_first_wait_seconds: Annotated[float, Field(gt=0, le=3600)] = 60
    """Time after a first attempt that failed; then four times as long each, a day at most, ten attempts."""
    token_key_file: ReadableFile
    """Key that seals page tokens: 32 bytes as hexadecimal digits, the same for all replicas."""
    question_connections: Annotated[int, Field(ge=1, le=100)] = 8
    """Connections for questions, all made and warmed at the start."""
    time_zone: str = "America/Chicago"
    """Time zone of days and times of day in analyses that name none; Illinois by default."""

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        if name not in known_time_zones():
            raise ValueError('must be a name of the IANA data base, as "America/Chicago"')
        return name

    @model_validator(mode="after")
    def _whole_relay(self) -> Self:
        if self.smtp_target and not is_address(self.smtp_from):
            raise ValueError("PW_SMTP_FROM must be the address that notices come from")
        if bool(self.smtp_user) != (self.smtp_password_file is not None):
            raise ValueError("PW_SMTP_USER and PW_SMTP_PASSWORD_FILE belong together")
        return self

    @model_validator(mode="after")
    def _own_logins(self) -> Self:
        """Each login may do one thing only; an administrator's DSN would undo all that the schema guards."""
        for name, login in (
            ("append", "search_append"),
            ("question", "search_question"),
            ("purge", "search_purge"),
            ("health", "search_health"),
            ("mcs_append", "search_mcs_append"),
            ("mcs_question", "search_mcs_question"),
            ("mcs_purge", "search_mcs_purge"),
            ("register", "search_register"),
            ("mcs_register", "search_mcs_register"),
        ):
            if urlsplit(getattr(self, f"{name}_database_url")).username != login:
                raise ValueError(f"PW_{name.upper()}_DATABASE_URL must log in as {login}")
        return self
