"""Certificates of sensors. One method is one transaction, made once for each intent."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from services.audit.core.registry import SensorAct
from services.audit.core.sensor_certificate import SensorCertificate, blocks, is_revoked_key
from services.audit.errors import CertificateExistsError, CertificateNotFoundError
from services.audit.store_reader import AnyConnection, Reader
from services.audit.store_sensors import claimed, note
from services.common.errors import WrongStateError
from services.common.pg import transaction

_CERTIFICATE: Final = """
    SELECT certificate_id::text, sensor_id, sha256, key_sha256, pem, start_time, end_time, revoke_time
    FROM audit.sensor_certificate
"""
_BY_ID: Final = _CERTIFICATE + "WHERE certificate_id = $1::uuid"
_BY_DIGEST: Final = _CERTIFICATE + "WHERE sensor_id = $1 AND sha256 = $2"
_RELATED: Final = _CERTIFICATE + "WHERE sensor_id = $1 OR key_sha256 = $2"
_INSERT: Final = """
    INSERT INTO audit.sensor_certificate
        (certificate_id, sensor_id, sha256, key_sha256, pem, start_time, end_time, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::uuid)
"""
_REVOKE: Final = """
    UPDATE audit.sensor_certificate SET revoke_time = $3, reason = $4
    WHERE sensor_id = $1 AND sha256 = $2 AND revoke_time IS NULL RETURNING true
"""
# Those with a successor that lasts longer are no longer missed.
_ENDING: Final = """
    SELECT certificate_id::text, held.sensor_id, agency_ori, end_time
    FROM audit.sensor_certificate AS held JOIN audit.sensor AS sensor USING (sensor_id)
    WHERE revoke_time IS NULL AND end_time > $1 AND end_time <= $2 AND status <> 'SUSPENDED'
      AND NOT EXISTS (SELECT FROM audit.sensor_certificate AS newer
                      WHERE newer.sensor_id = held.sensor_id AND newer.revoke_time IS NULL
                        AND newer.end_time > held.end_time)
    ORDER BY end_time LIMIT 1000
"""


class SensorCertificateStore(Reader):
    """Certificates on record."""

    async def by_id(self, certificate_id: str) -> SensorCertificate:
        """The certificate.

        Raises:
            CertificateNotFoundError: There is none.
        """
        row = await self._fetchrow(_BY_ID, certificate_id)
        if row is None:
            raise CertificateNotFoundError("there is no such certificate", resource=certificate_id)
        return SensorCertificate(*row.values())

    async def by_digest(self, sensor_id: str, sha256: bytes) -> SensorCertificate:
        """The sensor's certificate.

        Raises:
            CertificateNotFoundError: It has none such.
        """
        row = await self._fetchrow(_BY_DIGEST, sensor_id, sha256)
        if row is None:
            raise CertificateNotFoundError("the sensor has no such certificate", resource=sensor_id)
        return SensorCertificate(*row.values())

    async def add(self, act: SensorAct, given: SensorCertificate) -> None:
        """Puts it on record.

        Raises:
            WrongStateError: Its key is another sensor's or was revoked, or two are good already.
            CertificateExistsError: It is on record already.
        """
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            await _check(connection, given, act.act_time)
            named = (given.certificate_id, given.sensor_id, given.sha256, given.key_sha256, given.pem)
            lasts = (given.start_time, given.end_time)
            try:
                await connection.execute(_INSERT, *named, *lasts, act.intent_id)
            except asyncpg.UniqueViolationError:
                text = "this certificate is on record already"
                raise CertificateExistsError(text, resource=given.sensor_id) from None
            await note(connection, act, given.sensor_id, revision)

    async def revoke(self, act: SensorAct, sensor_id: str, sha256: bytes, reason: str) -> None:
        """Revokes the certificate at the moment of the act; one that is revoked stays as it is."""
        async with transaction(self._pool) as connection:
            revision = await claimed(connection, act)
            if revision is None:
                return
            if await connection.fetchval(_REVOKE, sensor_id, sha256, act.act_time, reason):
                await note(connection, act, sensor_id, revision)

    async def ending(self, now: datetime, until: datetime) -> list[tuple[str, str, str, datetime]]:
        """Id, sensor, agency and end of certificates that end by `until` and have no successor yet."""
        return [tuple(row.values()) for row in await self._fetch(_ENDING, now, until)]


async def _check(connection: AnyConnection, given: SensorCertificate, now: datetime) -> None:
    rows = await connection.fetch(_RELATED, given.sensor_id, given.key_sha256)
    related = [SensorCertificate(*row.values()) for row in rows]
    if is_revoked_key(related, given.key_sha256):
        text = "a certificate with this key was revoked; make a new key"
        raise WrongStateError(text, resource=given.sensor_id)
    if any(one.sha256 == given.sha256 for one in related):
        raise CertificateExistsError("this certificate is on record already", resource=given.sensor_id)
    if problem := blocks(related, given.sensor_id, now):
        raise WrongStateError(problem, resource=given.sensor_id)
