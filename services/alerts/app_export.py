"""Use case: a page of the agency's alerts, in an open format (ENF-051 IV.A.3)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.alerts.pictures import Pictures
from services.alerts.store_export import ExportStore
from services.alerts.wire_export import alert_document, pictures_of
from services.common.paged_export import Asked, Look, Page, PagedExport, Rows


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """A page that may leave, and where the pictures that go with it lie, each once."""

    page: Page
    pictures: tuple[str, ...]


class AlertExports:
    """Looks, makes the page, and lets it leave once the log has it."""

    def __init__(self, records: PagedExport, store: ExportStore, pictures: Pictures) -> None:
        self._records = records
        self._store = store
        self._pictures = pictures

    async def page(self, asked: Asked) -> AlertsPage:
        """The page, once the look at it and its leaving are recorded.

        Raises:
            AlprError: As `PagedExport`, or the database does not answer.
        """
        look = await self._records.begin(asked)
        try:
            rows, pictures = await self._rows(asked, look)
        except BaseException:
            await self._records.give_up(look)
            raise
        return AlertsPage(await self._records.leave(asked, look, rows), pictures)

    async def _rows(self, asked: Asked, look: Look) -> tuple[Rows, tuple[str, ...]]:
        agency = look.agency_ori
        until = int(asked.until) if asked.until else None
        found = await self._store.page(agency, int(asked.after or 0), until, asked.size)
        last = str(found.alerts[-1].alert["position"]) if found.alerts else ""
        documents = [alert_document(one, agency) for one in found.alerts]
        pictures = dict.fromkeys(key for one in found.alerts for key in pictures_of(one, agency))
        return Rows(documents, str(found.until), last, found.has_more), tuple(pictures)

    async def pictures(self, page: AlertsPage) -> AsyncIterator[tuple[str, bytes]]:
        """The pictures of a page that has been recorded, with where they lie, one at a time.

        Raises:
            StorageUnavailableError: One cannot be read or opened.
        """
        for key in page.pictures:
            yield key, await self._pictures.open(key)
