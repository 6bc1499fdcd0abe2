"""Certificates with which sensors come (ENF-051 III.B.3.h)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

# One in use and one to follow it: a sensor gets its new certificate before the old one ends.
MOST_GOOD = 2
USUAL_DAYS = 90
MOST_DAYS = 398


@dataclass(frozen=True, slots=True)
class SensorCertificate:
    """A certificate on record, good from `start_time` up to, not including, `end_time` unless revoked.

    Attributes:
        certificate_id: UUID; of one that was issued here, its serial number as well.
        sensor_id: Whose it is.
        sha256: Of the certificate as it is sent (DER).
        key_sha256: Of its public key.
        pem: The certificate.
        start_time: It is good from then on.
        end_time: Until before then.
        revoke_time: When it was revoked, or None.
    """

    certificate_id: str
    sensor_id: str
    sha256: bytes
    key_sha256: bytes
    pem: str
    start_time: datetime
    end_time: datetime
    revoke_time: datetime | None = None

    def may_come(self, moment: datetime) -> bool:
        """Whether it is good at `moment`, or will be."""
        return self.revoke_time is None and moment < self.end_time


def blocks(others: Iterable[SensorCertificate], sensor_id: str, moment: datetime) -> str:
    """Why no certificate with a key can be added for the sensor; "" when one can.

    Args:
        others: All of the sensor, and all with the key whosever they are.
        sensor_id: The sensor.
        moment: Now.
    """
    known = list(others)
    if any(one.sensor_id != sensor_id for one in known):
        return "the key is another sensor's: make a key of its own for each"
    if sum(one.may_come(moment) for one in known) >= MOST_GOOD:
        return "two certificates are good already: revoke one, or wait until it has ended"
    return ""


def is_revoked_key(others: Iterable[SensorCertificate], key_sha256: bytes) -> bool:
    """Whether a certificate with that key was revoked: the key may be in somebody else's hands."""
    return any(one.key_sha256 == key_sha256 and one.revoke_time is not None for one in others)
