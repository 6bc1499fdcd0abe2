"""Keys of pictures of reports and evidence: the question login of a data set, with the question's permit."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.common.canonical import to_microseconds
from services.common.pg import Pool
from services.search.core.answer import Authorization, FoundRead, StoredImage
from services.search.core.houses import Schema
from services.search.road import Put
from services.search.store_question import asking

_COLUMNS: Final = "read_id, image_sha256, image_day, image_media_type, image_size, image_key"
_OF_REPORT: Final = "SELECT " + _COLUMNS + " FROM %s.report_pictures($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608
_OF_EXPORT: Final = "SELECT " + _COLUMNS + " FROM %s.export_pictures($1, $2, $3, $4, $5, $6)"  # noqa: S608
_OF_EVIDENCE: Final = "SELECT " + _COLUMNS + " FROM %s.evidence_picture($1)"  # noqa: S608


class ReportPictureStore:
    """Exchanges a permit that was used for the keys of the pictures that its question asked for."""

    def __init__(self, pool: Pool, schema: Schema = "archive") -> None:
        self._pool = pool
        self._schema = schema

    async def of_report(
        self, authorization: Authorization, page_size: int, put: Put, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The pictures of the first reads of a report, by read; as many as the question says.

        Raises:
            PermitRefusedError: The permit is for another question, or has ended.
            StorageUnavailableError: The database did not answer.
        """
        window = to_microseconds(authorization.from_time), to_microseconds(authorization.to_time)
        async with asking(self._pool) as held:
            rows = await held.fetch(
                _OF_REPORT % self._schema, authorization.permit, *window, page_size, *put.arguments
            )
        return _by_read(rows, reads)

    async def of_export(
        self, authorization: Authorization, page_size: int, put: Put, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The pictures of a page of the full export, by read. Errors as for `of_report`."""
        window = to_microseconds(authorization.from_time), to_microseconds(authorization.to_time)
        async with asking(self._pool) as held:
            rows = await held.fetch(
                _OF_EXPORT % self._schema, authorization.permit, *window, page_size, *put.arguments
            )
        return _by_read(rows, reads)

    async def of_evidence(
        self, authorization: Authorization, reads: list[FoundRead]
    ) -> dict[UUID, StoredImage]:
        """The picture of the read of an evidence package, by read. Errors as for `of_report`."""
        async with asking(self._pool) as held:
            rows = await held.fetch(_OF_EVIDENCE % self._schema, authorization.permit)
        return _by_read(rows, reads)


def _by_read(rows: list[Any], reads: list[FoundRead]) -> dict[UUID, StoredImage]:
    recognitions = {read.read_id: read.recognition for read in reads}
    return {
        row["read_id"]: StoredImage(
            sha256=row["image_sha256"],
            day=row["image_day"],
            media_type=row["image_media_type"],
            size_bytes=row["image_size"],
            key=row["image_key"],
            recognition=recognitions[row["read_id"]],
        )
        for row in rows
        if row["read_id"] in recognitions
    }
