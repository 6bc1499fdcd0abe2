"""Settings of the alerts service, from the environment; a missing or unsafe value stops the start."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.alerts.core.target import parse_networks
from services.common.config import Address, ReadableFile, Target
from services.common.image_store import ImageStoreSettings


def _networks(text: str) -> str:
    try:
        parse_networks(text)
    except ValueError:
        raise ValueError("must be networks like 10.20.0.0/16, separated by commas") from None
    return text


class AlertsSettings(ImageStoreSettings):
    """PW_... variables of the alerts service besides those that every service has."""

    database_url: SecretStr
    """DSN of alerts_app: a direct or session-pooled connection, for LISTEN."""
    audit_target: Target
    """host:port of the audit service."""
    token_key_file: ReadableFile
    """Key of resume tokens, 64 hexadecimal digits; the same for every replica."""
    image_kek_file: ReadableFile
    """Key-encryption key of the pictures, 64 hexadecimal digits; this service's own, kept for ever."""
    passage_window_seconds: Annotated[float, Field(ge=0, le=3600)] = 300
    """Longest time between two captures of one passage; a later one raises a new alert."""
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=5)] = 4
    """Longest silence on a subscriber's stream."""
    feed_ring_size: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Positions of the feed kept in memory."""
    subscriber_backlog: Annotated[int, Field(ge=1)] = 2048
    """Positions that a live subscriber may be behind before its stream ends."""
    subscriber_stall_seconds: Annotated[float, Field(ge=0.5, le=300)] = 20
    """Longest time that one message may wait for the subscriber."""
    telecom_grace_seconds: Annotated[float, Field(ge=0, le=1800)] = 1800
    """How long a telecommunication centre's stream goes on while audit cannot be asked.
    Audit's setting, once heard, counts instead."""
    acknowledge_seconds: Annotated[float, Field(gt=0, le=600)] = 120
    """How long a telecommunication centre has to acknowledge an alert that sounds; then it escalates.
    Audit's setting, once heard, counts instead."""
    verify_urgent_seconds: Annotated[float, Field(gt=0, le=600)] = 600
    """How long the verification of an urgent alert may take; then it escalates.
    Audit's setting, once heard, counts instead."""
    verify_seconds: Annotated[float, Field(gt=0, le=3600)] = 3600
    """How long any other verification may take; then it escalates. Audit's setting, once heard."""
    audit_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 5
    """Deadline of one call to audit."""
    webhook_source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,100}$")] = "platewarden"
    """Name of this installation in what webhooks post; the agency's ORI follows it."""
    webhook_networks: Annotated[str, AfterValidator(_networks)] = ""
    """Networks besides the world's that webhooks may post to: CIDR, separated by commas. Empty: none."""
    webhook_ca_file: ReadableFile | None = None
    """Authorities that receivers of webhooks must be of, PEM. Unset: the system's."""
    webhook_timeout_seconds: Annotated[float, Field(ge=0.2, le=60)] = 10
    """Longest time of one try to post."""
    webhook_takeover_seconds: Annotated[float, Field(ge=0.2, le=60)] = 5
    """How long after the longest try another replica takes over from one that was killed."""
    webhook_halted_seconds: Annotated[float, Field(ge=0.2, le=600)] = 30
    """How often it is asked whether the owner of a webhook is entitled again."""
    connector_target: Address = ""
    """host:port of the connector to LEADS and NCIC (alpr.connector.v1). Empty: people ask by hand."""
    connector_name: str = ""
    """Name that the connector must prove; empty takes the host of the target."""
    connector_ca_file: ReadableFile | None = None
    """Authorities that the connector must be of, PEM. Unset: those of every service."""
    connector_timeout_seconds: Annotated[float, Field(gt=0, le=25)] = 15
    """Longest time that the connector may take for an answer."""
