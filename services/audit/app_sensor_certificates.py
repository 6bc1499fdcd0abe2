"""Certificates of sensors: issued, recorded, revoked; those that end soon are told of (ENF-051 III.B.3.h)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.audit.app_act import Call
from services.audit.app_log import Draft, Log
from services.audit.app_sensor_desk import Permitted, SensorDesk
from services.audit.core.entry import EntryKind, rfc3339
from services.audit.core.sensor_certificate import SensorCertificate
from services.audit.looking import look_every
from services.audit.sensor_authority import (
    PublicKey,
    SensorAuthority,
    Term,
    UnfitPemError,
    key_digest,
    key_of_request,
    read_certificate,
)
from services.audit.store_sensor_certificates import SensorCertificateStore
from services.common.clock import Clock
from services.common.errors import FieldViolation, InvalidFieldError, WrongStateError

_EVERY_SECONDS: Final = 60.0
_NAMESPACE: Final = uuid.UUID("4d1f7d0e-55f5-5c2e-9c39-8a4b1f0f6a57")
# Clocks of cameras run behind.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for a certificate: PKCS #10 in PEM, and how many days it is to be good."""

    certificate_request: str
    valid_days: int


class SensorCertificates:
    """Keeps certificates. Without an `authority` only those of another one are put on record."""

    def __init__(
        self,
        desk: SensorDesk,
        store: SensorCertificateStore,
        clock: Clock,
        authority: SensorAuthority | None,
    ) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock
        self._authority = authority

    async def issue(self, call: Call, sensor_id: str, wish: Wish) -> SensorCertificate:
        """The certificate, signed by this system's authority.

        Raises:
            InvalidFieldError: The request is not fit to be signed.
            WrongStateError: There is no authority, two are good already, or the key may not be used.
        """
        async with self._desk.permitted(call, sensor_id, "certify") as asked:
            authority = self._require_authority(sensor_id)
            key = _key(wish.certificate_request)
            certificate_id = _new_id(asked)
        details = {
            "certificate": certificate_id,
            "key_sha256": key_digest(key).hex(),
            "valid_days": str(wish.valid_days),
        }
        made = self._signed(authority, key, certificate_id, (sensor_id, wish.valid_days))
        await self._desk.carry_out(asked, details, lambda act: self._store.add(act, made))
        return await self._store.by_id(certificate_id)

    async def record(self, call: Call, sensor_id: str, pem: str) -> SensorCertificate:
        """The certificate of another authority, on record.

        Raises:
            InvalidFieldError: It is none for this sensor, or has ended.
            WrongStateError: Two are good already, or its key was revoked or is another sensor's.
            CertificateExistsError: It is on record already.
        """
        async with self._desk.permitted(call, sensor_id, "certify") as asked:
            given = _certificate(pem, _new_id(asked), sensor_id)
            if given.end_time <= self._clock.now():
                raise _unfit("certificate_pem", "must not have ended")
        details = {
            "certificate": given.certificate_id,
            "key_sha256": given.key_sha256.hex(),
            "certificate_sha256": given.sha256.hex(),
            "end_time": rfc3339(given.end_time),
        }
        await self._desk.carry_out(asked, details, lambda act: self._store.add(act, given))
        return await self._store.by_id(given.certificate_id)

    async def revoke(self, call: Call, sensor_id: str, sha256: bytes, reason: str) -> SensorCertificate:
        """The certificate, good for nothing from now on.

        Raises:
            CertificateNotFoundError: The sensor has none such.
        """
        async with self._desk.permitted(call, sensor_id, "revoke") as asked:
            found = await self._store.by_digest(sensor_id, sha256)
        details = {"certificate": found.certificate_id, "certificate_sha256": sha256.hex(), "reason": reason}
        await self._desk.carry_out(
            asked, details, lambda act: self._store.revoke(act, sensor_id, sha256, reason)
        )
        return await self._store.by_digest(sensor_id, sha256)

    def _require_authority(self, sensor_id: str) -> SensorAuthority:
        if self._authority is None:
            text = "this system has no sensor authority; put a certificate of your own authority on record"
            raise WrongStateError(text, resource=sensor_id)
        return self._authority

    def _signed(
        self, authority: SensorAuthority, key: PublicKey, certificate_id: str, whose: tuple[str, int]
    ) -> SensorCertificate:
        sensor_id, days = whose
        now = self._clock.now().replace(microsecond=0)
        end_time = min(now + timedelta(days=days), authority.end_time)
        return authority.sign(key, Term(certificate_id, sensor_id, now - _SKEW, end_time))


class CertificateEnds:
    """Tells, once in the log, of certificates that end soon and have no successor."""

    def __init__(
        self,
        journal: Log,
        store: SensorCertificateStore,
        clock: Clock,
        warning: Callable[[], timedelta],
    ) -> None:
        self._log = journal
        self._store = store
        self._clock = clock
        self._warning = warning

    async def watch(self) -> None:
        """Looks every minute, without end; what fails now is done at the next look."""
        await look_every(_EVERY_SECONDS, self.look, warning="certificate_ends_not_looked_at")

    async def look(self) -> None:
        """Records what ends soon by now. Any number of replicas may: an event has a key, and is there once.

        Raises:
            StorageUnavailableError, AuditUnavailableError: It could not be read or recorded.
        """
        now = self._clock.now()
        ending = await self._store.ending(now, now + self._warning())
        for certificate_id, sensor_id, ori, end_time in ending:
            values = {
                "action": "sensor_certificate.ending",
                "resource": sensor_id,
                "agency": ori,
                "detail.certificate": certificate_id,
                "detail.end_time": rfc3339(end_time),
            }
            key = f"sensor-certificate-ending/{certificate_id}"
            await self._log.append(Draft(EntryKind.EVENT, key, values))


def _key(pem: str) -> PublicKey:
    try:
        return key_of_request(pem)
    except UnfitPemError as error:
        raise _unfit("certificate_request", str(error)) from None


def _certificate(pem: str, certificate_id: str, sensor_id: str) -> SensorCertificate:
    try:
        return read_certificate(pem, certificate_id, sensor_id)
    except UnfitPemError as error:
        raise _unfit("certificate_pem", str(error)) from None


def _unfit(field: str, why: str) -> InvalidFieldError:
    violation = FieldViolation(field, why)
    return InvalidFieldError("1 field is missing or wrong: see the details", violations=[violation])


def _new_id(asked: Permitted) -> str:
    # It follows from the request, so that the intent can name it before it exists.
    return str(uuid.uuid5(_NAMESPACE, f"{asked.account_id}/{asked.call.request_id}"))
