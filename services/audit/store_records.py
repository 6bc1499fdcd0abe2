"""Incidents, contracts, requests for support. One method is one transaction, made once for each intent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from services.audit.core.records import (
    Contract,
    ContractKind,
    Incident,
    IncidentKind,
    IncidentNotice,
    IncidentRecipient,
    SupportCategory,
    SupportRequest,
)
from services.audit.core.registry import Partition
from services.audit.errors import RecordNotFoundError
from services.audit.store_reader import AnyConnection, Reader
from services.common.errors import WrongStateError
from services.common.pg import transaction

_INCIDENT = """
    SELECT incident_id, agency_ori, kind, summary, discover_time, open_time, close_time,
           coalesce(finding, '') AS found,
           ARRAY(SELECT (recipient, name, way, notice_time, account_id) FROM audit.incident_notice AS told
                 WHERE told.incident_id = incident.incident_id ORDER BY notice_time)
    FROM audit.incident AS incident
"""
_INCIDENT_BY_ID = _INCIDENT + "WHERE incident_id = $1::uuid"
_INCIDENTS = _INCIDENT + (
    "WHERE agency_ori = $1 AND (open_time, incident_id) < ($2, $3::uuid) "
    "ORDER BY open_time DESC, incident_id DESC LIMIT $4"
)
_OPEN_INCIDENTS = _INCIDENT + "WHERE close_time IS NULL ORDER BY open_time"
_INSERT_INCIDENT = """
    INSERT INTO audit.incident (incident_id, agency_ori, kind, summary, discover_time, open_time, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7::uuid)
"""
_INSERT_NOTICE = """
    INSERT INTO audit.incident_notice (incident_id, recipient, name, way, notice_time, account_id, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid, $7::uuid)
"""
_LOCK_INCIDENT = "SELECT close_time FROM audit.incident WHERE incident_id = $1::uuid FOR NO KEY UPDATE"
_CLOSE_INCIDENT = """
    UPDATE audit.incident SET finding = $2, close_time = $3
    WHERE incident_id = $1::uuid AND close_time IS NULL RETURNING true
"""
_CONTRACT = """
    SELECT contract_id, agency_ori, kind, party, subject, document_sha256, start_time, end_time, warning_days,
           partition
    FROM audit.contract
"""
_CONTRACT_BY_ID = _CONTRACT + "WHERE contract_id = $1::uuid"
_CONTRACTS = _CONTRACT + "WHERE agency_ori = $1 ORDER BY end_time, contract_id LIMIT 1000"
_ENDING_CONTRACTS = _CONTRACT + (
    "WHERE end_time > $1 AND end_time <= $1 + warning_days * interval '1 day' ORDER BY end_time"
)
_INSERT_CONTRACT = """
    INSERT INTO audit.contract (contract_id, agency_ori, kind, party, subject, document_sha256, start_time,
                                end_time, warning_days, partition, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid)
"""
_REQUEST = """
    SELECT support_request_id, agency_ori, category, details, open_time, account_id, coalesce(resolution, ''),
           close_time
    FROM audit.support_request
"""
_REQUEST_BY_ID = _REQUEST + "WHERE support_request_id = $1::uuid"
_REQUESTS = _REQUEST + (
    "WHERE agency_ori = $1 AND (open_time, support_request_id) < ($2, $3::uuid) "
    "ORDER BY open_time DESC, support_request_id DESC LIMIT $4"
)
_INSERT_REQUEST = """
    INSERT INTO audit.support_request (support_request_id, agency_ori, category, details, open_time,
                                       account_id, intent_id)
    VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid, $7::uuid)
"""
_CLOSE_REQUEST = """
    UPDATE audit.support_request SET resolution = $2, close_time = $3
    WHERE support_request_id = $1::uuid AND close_time IS NULL RETURNING true
"""
_CLAIM = "INSERT INTO audit.change (intent_id) VALUES ($1::uuid) ON CONFLICT DO NOTHING RETURNING true"
Before = tuple[datetime, str]
"""Time and id before which a page begins, newest first."""


class _Changing(Reader):
    @asynccontextmanager
    async def _changing(self, intent_id: str) -> AsyncIterator[AnyConnection | None]:
        """A transaction for the change of this intent, or None when it has been made before."""
        async with transaction(self._pool) as connection:
            yield connection if await connection.fetchval(_CLAIM, intent_id) else None


class IncidentStore(_Changing):
    """Incidents and notices."""

    async def by_id(self, incident_id: str) -> Incident:
        """The incident. Raises RecordNotFoundError."""
        return _incident(_found(await self._fetchrow(_INCIDENT_BY_ID, incident_id), incident_id))

    async def page(self, ori: str, before: Before, limit: int) -> list[Incident]:
        """Up to `limit` incidents of the agency, newest first."""
        return [_incident(row) for row in await self._fetch(_INCIDENTS, ori, *before, limit)]

    async def open(self) -> list[Incident]:
        """The incidents of all agencies that are not closed."""
        return [_incident(row) for row in await self._fetch(_OPEN_INCIDENTS)]

    async def insert(self, intent_id: str, one: Incident) -> None:
        """Stores the incident."""
        parts = (
            one.incident_id,
            one.agency_ori,
            one.kind.value,
            one.summary,
            one.discover_time,
            one.open_time,
        )
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_INSERT_INCIDENT, *parts, intent_id)

    async def tell(self, intent_id: str, incident_id: str, one: IncidentNotice) -> None:
        """Stores the notice. Raises WrongStateError when the incident is closed."""
        parts = (one.recipient.value, one.name, one.way, one.notice_time, one.account_id)
        async with self._changing(intent_id) as connection:
            if connection:
                if await connection.fetchval(_LOCK_INCIDENT, incident_id):
                    raise WrongStateError("the incident is closed", resource=incident_id)
                await connection.execute(_INSERT_NOTICE, incident_id, *parts, intent_id)

    async def close(self, intent_id: str, incident_id: str, finding: str, moment: datetime) -> None:
        """Closes the incident. Raises WrongStateError when it is closed."""
        async with self._changing(intent_id) as connection:
            if connection and not await connection.fetchval(_CLOSE_INCIDENT, incident_id, finding, moment):
                raise WrongStateError("the incident is closed already", resource=incident_id)


class ContractStore(_Changing):
    """Contracts."""

    async def by_id(self, contract_id: str) -> Contract:
        """The contract. Raises RecordNotFoundError."""
        return _contract(_found(await self._fetchrow(_CONTRACT_BY_ID, contract_id), contract_id))

    async def of_agency(self, ori: str) -> list[Contract]:
        """The agency's contracts by their end, at most 1,000."""
        return [_contract(row) for row in await self._fetch(_CONTRACTS, ori)]

    async def ending(self, moment: datetime) -> list[Contract]:
        """The contracts of all agencies that end within the days of their warning."""
        return [_contract(row) for row in await self._fetch(_ENDING_CONTRACTS, moment)]

    async def insert(self, intent_id: str, one: Contract) -> None:
        """Stores the contract."""
        parts = (
            *(one.contract_id, one.agency_ori, one.kind.value, one.party, one.subject, one.document_sha256),
            *(one.start_time, one.end_time, one.warning_days, one.partition.value),
        )
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_INSERT_CONTRACT, *parts, intent_id)


class SupportStore(_Changing):
    """Requests for support."""

    async def by_id(self, support_request_id: str) -> SupportRequest:
        """The request. Raises RecordNotFoundError."""
        row = await self._fetchrow(_REQUEST_BY_ID, support_request_id)
        return _request(_found(row, support_request_id))

    async def page(self, ori: str, before: Before, limit: int) -> list[SupportRequest]:
        """Up to `limit` requests of the agency, newest first."""
        return [_request(row) for row in await self._fetch(_REQUESTS, ori, *before, limit)]

    async def insert(self, intent_id: str, one: SupportRequest) -> None:
        """Stores the request."""
        parts = (
            *(one.support_request_id, one.agency_ori, one.category.value, one.details),
            *(one.open_time, one.account_id),
        )
        async with self._changing(intent_id) as connection:
            if connection:
                await connection.execute(_INSERT_REQUEST, *parts, intent_id)

    async def close(self, intent_id: str, request_id: str, resolution: str, moment: datetime) -> None:
        """Closes the request. Raises WrongStateError when it is closed."""
        async with self._changing(intent_id) as connection:
            if connection and not await connection.fetchval(_CLOSE_REQUEST, request_id, resolution, moment):
                raise WrongStateError("the request is closed already", resource=request_id)


def _found(row: Any, record_id: str) -> Any:
    if row is None:
        raise RecordNotFoundError("your agency has no such record", resource=record_id)
    return row


def _incident(row: Any) -> Incident:
    told = row[-1]
    notices = tuple(
        IncidentNotice(IncidentRecipient(recipient), name, way, moment, str(account_id))
        for recipient, name, way, moment, account_id in told
    )
    return Incident(
        incident_id=str(row["incident_id"]),
        agency_ori=row["agency_ori"],
        kind=IncidentKind(row["kind"]),
        summary=row["summary"],
        discover_time=row["discover_time"],
        open_time=row["open_time"],
        finding=row["found"],
        close_time=row["close_time"],
        notices=notices,
    )


def _contract(row: Any) -> Contract:
    return Contract(
        contract_id=str(row["contract_id"]),
        agency_ori=row["agency_ori"],
        kind=ContractKind(row["kind"]),
        party=row["party"],
        subject=row["subject"],
        document_sha256=row["document_sha256"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        warning_days=row["warning_days"],
        partition=Partition(row["partition"]),
    )


def _request(row: Any) -> SupportRequest:
    request_id, ori, category, details, opened, account_id, *rest = row
    return SupportRequest(
        str(request_id), ori, SupportCategory(category), details, opened, str(account_id), *rest
    )
