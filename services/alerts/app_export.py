"""Use case: a page of the agency's alerts, in an open format (ENF-051 IV.A.3)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from services.alerts.pictures import Pictures
from services.alerts.store_export import ExportStore
from services.alerts.store_export_parts import PartStore
from services.alerts.wire_export import ALERTS, alert_document, pictures_of, record_document
from services.common.paged_export import Asked, Look, Page, PagedExport, Rows


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """A page that may leave, and where the pictures that go with it lie, each once."""

    page: Page
    pictures: tuple[str, ...]


class AlertExports:
    """Looks, makes the page, and lets it leave once the log has it."""

    def __init__(
        self, records: Mapping[bool, PagedExport], stores: tuple[ExportStore, PartStore], pictures: Pictures
    ) -> None:
        """`records` of Motor Carrier Safety are True: its pages leave by actions of their own (II.H)."""
        self._records = records
        self._store, self._parts = stores
        self._pictures = pictures

    async def page(self, asked: Asked, *, motor_carrier: bool) -> AlertsPage:
        """The page, once the look at it and its leaving are recorded.

        Raises:
            AlprError: As `PagedExport`, or the database does not answer.
        """
        records = self._records[motor_carrier]
        look = await records.begin(asked)
        try:
            if asked.part == ALERTS:
                rows, pictures = await self._alerts(asked, look, motor_carrier=motor_carrier)
            else:
                rows, pictures = await self._others(asked, look, motor_carrier=motor_carrier), ()
        except BaseException:
            await records.give_up(look)
            raise
        return AlertsPage(await records.leave(asked, look, rows), pictures)

    async def _others(self, asked: Asked, look: Look, *, motor_carrier: bool) -> Rows:
        found, last, has_more = await self._parts.page(
            asked.part, look.agency_ori, asked.after, asked.size, motor_carrier=motor_carrier
        )
        return Rows([record_document(one) for one in found], "0", last, has_more)

    async def _alerts(self, asked: Asked, look: Look, *, motor_carrier: bool) -> tuple[Rows, tuple[str, ...]]:
        agency = look.agency_ori
        until = int(asked.until) if asked.until else None
        found = await self._store.page(
            agency, int(asked.after or 0), until, asked.size, motor_carrier=motor_carrier
        )
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
