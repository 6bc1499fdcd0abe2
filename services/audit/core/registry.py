"""Agencies and sensors, as the registry knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.audit.core.placement import Place, Placement
from services.audit.core.sensor_certificate import SensorCertificate


class DeploymentType(StrEnum):
    """How a sensor is mounted (ENF-051 II.C, II.G, II.I)."""

    FIXED = "FIXED"
    MOBILE = "MOBILE"
    PORTABLE = "PORTABLE"


class Provenance(StrEnum):
    """Whose reads a sensor's are (ENF-051 II.F)."""

    OWN = "OWN"
    PARTNER = "PARTNER"
    COMMERCIAL = "COMMERCIAL"


class DeploymentStatus(StrEnum):
    """Whether a sensor's reads are accepted (ENF-051 III.B.3.e)."""

    REGISTERED = "REGISTERED"
    APPROVED = "APPROVED"
    SUSPENDED = "SUSPENDED"


class Partition(StrEnum):
    """Data sets that never meet (ENF-051 II.H)."""

    GENERAL = "GENERAL"
    MOTOR_CARRIER = "MOTOR_CARRIER"


@dataclass(frozen=True, slots=True)
class Agency:
    """A police agency; `email_domains` are lower case DNS names."""

    ori: str
    name: str
    email_domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A camera and where and when it may stand; `vehicle` carries a mobile one."""

    sensor_id: str
    agency_ori: str
    sensor_group: str
    deployment_type: DeploymentType
    place: Place
    provenance: Provenance
    status: DeploymentStatus
    approved_from: datetime | None
    approved_until: datetime | None
    partition: Partition = Partition.GENERAL
    unit: str = ""
    vehicle: str = ""
    placements: tuple[Placement, ...] = ()
    certificates: tuple[SensorCertificate, ...] = ()


@dataclass(frozen=True, slots=True)
class SensorAct:
    """Something that was done about a sensor: by what intent, what, by whom, when."""

    intent_id: str
    action: str
    account_id: str
    act_time: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """A coordinator's word on a sensor's deployment."""

    status: DeploymentStatus
    approved_from: datetime | None
    approved_until: datetime | None
