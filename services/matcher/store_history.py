"""Versions and refused uploads as the owner of a list sees them. They show no entry."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.common.pg import Connection, Pool, connection, transaction
from services.matcher.core.hot_list import (
    Act,
    Approval,
    FileFormat,
    Finding,
    Quarantined,
    UploadHeader,
    UploadKind,
    Version,
)
from services.matcher.errors import UploadNotFoundError
from services.matcher.store_findings import add_findings, read_findings
from services.matcher.store_versions import categories_of, removal_of

if TYPE_CHECKING:
    import asyncpg

_VERSIONS: Final = (
    "SELECT v.version, v.kind, v.base_version, a.account_id, v.attestation, v.upload_time, v.source_time,"
    " v.expire_time, v.format, v.sha256, v.size_bytes, v.row_count, v.entry_count, v.categories,"
    " v.category_counts, v.added_count, v.removed_count, v.compared_version,"
    " coalesce(c.entry_count, 0) AS compared_count, v.immigration_file,"
    " (SELECT max(t.activated_at) FROM matcher.activation AS t"
    " WHERE t.hot_list_id = v.hot_list_id AND t.version = v.version) AS activated_at,"
    " l.active_version IS NOT DISTINCT FROM v.version AS active"
    " FROM matcher.hot_list_version AS v"
    " JOIN matcher.hot_list AS l ON l.hot_list_id = v.hot_list_id"
    " JOIN matcher.act AS a ON a.intent_id = v.intent_id"
    " LEFT JOIN matcher.hot_list_version AS c"
    " ON c.hot_list_id = v.hot_list_id AND c.version = v.compared_version"
    " WHERE v.hot_list_id = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT $3"
)
_APPROVALS: Final = (
    "SELECT version, account_id, approved_at, compared_version FROM matcher.version_approval"
    " WHERE hot_list_id = $1 AND version = ANY($2::bigint[]) ORDER BY approved_at"
)
_QUARANTINED: Final = (
    "upload_id, hot_list_id, account_id, attestation, upload_time, format, sha256, size_bytes, row_count,"
    " error_count, stopped"
)
_INSERT: Final = (
    f"INSERT INTO matcher.quarantined_upload (intent_id, {_QUARANTINED})"  # noqa: S608 - constants
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING true"
)
_GET: Final = f"SELECT intent_id, {_QUARANTINED} FROM matcher.quarantined_upload WHERE upload_id = $1"  # noqa: S608
_PAGE: Final = (
    f"SELECT {_QUARANTINED} FROM matcher.quarantined_upload"  # noqa: S608 - constants
    " WHERE hot_list_id = $1 AND (upload_time, upload_id) < ($2, $3)"
    " ORDER BY upload_time DESC, upload_id DESC LIMIT $4"
)


class HistoryStore:
    """What has become of a list's uploads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def versions(self, list_id: uuid.UUID, before: int, size: int) -> tuple[Version, ...]:
        """At most `size` versions below `before`, newest first."""
        async with transaction(self._pool, readonly=True) as held:
            rows = await held.fetch(_VERSIONS, list_id, before, size)
            approvals = await _approvals(held, list_id, [row["version"] for row in rows])
        return tuple(_version(row, approvals.get(row["version"], ())) for row in rows)

    async def quarantine(
        self,
        act: Act,
        header: UploadHeader,
        findings: Sequence[Finding],
        row_count: int,
        *,
        stopped: bool,
    ) -> None:
        """Returns once the refused upload and what was wrong with it are stored; again does nothing."""
        values = (act.request_id, act.hot_list_id, act.account_id, header.attestation, act.act_time)
        file = (header.format.value, header.sha256, header.size_bytes)
        async with transaction(self._pool) as held:
            counts = (row_count, len(findings), stopped)
            if await held.fetchval(_INSERT, act.intent_id, *values, *file, *counts):
                await add_findings(held, act.intent_id, findings)

    async def quarantined(
        self, list_id: uuid.UUID, before: tuple[datetime, uuid.UUID], size: int
    ) -> tuple[Quarantined, ...]:
        """At most `size` refused uploads of the list that came before time and id `before`, newest first."""
        async with connection(self._pool) as held:
            rows = await held.fetch(_PAGE, list_id, *before, size)
        return tuple(_quarantined(row) for row in rows)

    async def report(
        self, upload_id: uuid.UUID, after: int, size: int
    ) -> tuple[Quarantined, tuple[Finding, ...]]:
        """A refused upload, and at most `size` of its findings after the first `after`.

        Raises:
            UploadNotFoundError: No upload of that id was refused.
        """
        async with transaction(self._pool, readonly=True) as held:
            row = await held.fetchrow(_GET, upload_id)
            if row is None:
                raise UploadNotFoundError("no upload of that id was refused", resource=str(upload_id))
            return _quarantined(row), await read_findings(held, row["intent_id"], after, size)


async def _approvals(
    held: Connection, list_id: uuid.UUID, versions: Sequence[int]
) -> Mapping[int, Iterable[Approval]]:
    found: dict[int, list[Approval]] = {}
    for version, *rest in await held.fetch(_APPROVALS, list_id, versions):
        found.setdefault(version, []).append(Approval(*rest))
    return found


def _version(row: asyncpg.Record, approvals: Iterable[Approval]) -> Version:
    return Version(
        version=row["version"],
        kind=UploadKind(row["kind"]),
        base_version=row["base_version"],
        account_id=row["account_id"],
        attestation=row["attestation"],
        upload_time=row["upload_time"],
        source_time=row["source_time"],
        expire_time=row["expire_time"],
        format=FileFormat(row["format"]),
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        row_count=row["row_count"],
        entry_count=row["entry_count"],
        categories=categories_of(row),
        added_count=row["added_count"],
        removal=removal_of(row),
        immigration_file=row["immigration_file"],
        activated_at=row["activated_at"],
        active=row["active"],
        approvals=tuple(approvals),
    )


def _quarantined(row: asyncpg.Record) -> Quarantined:
    values = {key: value for key, value in row.items() if key != "intent_id"}
    return Quarantined(**{**values, "format": FileFormat(row["format"])})
