"""What people see of the life of a list: versions, what they differ by, and refused uploads."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from services.common.identity import AccessToken
from services.matcher.app_acts import Acts, Intent, Plan
from services.matcher.core.hot_list import (
    Change,
    Comparison,
    Difference,
    Finding,
    HotList,
    Quarantined,
    Removal,
    Version,
)
from services.matcher.store_difference import DifferenceStore
from services.matcher.store_history import HistoryStore
from services.matcher.store_lists import HotListStore


class History:
    """The history of all lists; every look is recorded before it is answered."""

    def __init__(
        self,
        *,
        acts: Acts,
        lists: HotListStore,
        history: HistoryStore,
        differences: DifferenceStore,
        removed_share: float,
    ) -> None:
        self._acts = acts
        self._lists = lists
        self._history = history
        self._differences = differences
        self._removed_share = removed_share

    def needs_approval(self, removal: Removal) -> bool:
        """True when a version that removes so much cannot be activated without a second person."""
        return removal.needs_approval(self._removed_share)

    async def versions(
        self, list_id: uuid.UUID, before: int, size: int, token: AccessToken
    ) -> tuple[tuple[Version, ...], bool]:
        """At most `size` versions below `before`, newest first, and whether more follow.

        Raises:
            HotListNotFoundError: No such list.
        """
        intent = await self._look("hot_list.list", await self._lists.get(list_id), {}, token)
        found = await self._history.versions(list_id, before, size + 1)
        await self._acts.shown(intent, len(found[:size]))
        return found[:size], len(found) > size

    async def difference(
        self, asked: Comparison, token: AccessToken
    ) -> tuple[Difference, tuple[Change, ...], bool]:
        """How much two versions differ by, a page of entries that do, and whether more follow.

        Raises:
            HotListNotFoundError: No such list or version.
        """
        hot_list = await self._lists.get(asked.list_id)
        await self._lists.require_versions(asked.list_id, asked.before, asked.after)
        details = {"from_version": str(asked.before), "to_version": str(asked.after)}
        intent = await self._look("hot_list.diff", hot_list, details, token)
        difference, found = await self._differences.read(asked)
        await self._acts.shown(intent, len(found[: asked.size]))
        return difference, found[: asked.size], len(found) > asked.size

    async def quarantined(
        self, list_id: uuid.UUID, before: tuple[datetime, uuid.UUID], size: int, token: AccessToken
    ) -> tuple[tuple[Quarantined, ...], bool]:
        """At most `size` refused uploads before time and id `before`, newest first, and whether more follow.

        Raises:
            HotListNotFoundError: No such list.
        """
        intent = await self._look("hot_list.list", await self._lists.get(list_id), {}, token)
        found = await self._history.quarantined(list_id, before, size + 1)
        await self._acts.shown(intent, len(found[:size]))
        return found[:size], len(found) > size

    async def report(
        self, upload_id: uuid.UUID, after: int, size: int, token: AccessToken
    ) -> tuple[Quarantined, tuple[Finding, ...], bool]:
        """A refused upload, at most `size` of its findings after the first `after`, and whether more follow.

        Raises:
            UploadNotFoundError: No upload of that id was refused.
        """
        upload, found = await self._history.report(upload_id, after, size + 1)
        hot_list = await self._lists.get(upload.hot_list_id)
        intent = await self._look("hot_list.list", hot_list, {"upload_id": str(upload_id)}, token)
        await self._acts.shown(intent, len(found[:size]))
        return upload, found[:size], len(found) > size

    async def _look(
        self, action: str, hot_list: HotList, details: Mapping[str, str], token: AccessToken
    ) -> Intent:
        plan = Plan(uuid.uuid4(), action, str(hot_list.hot_list_id), hot_list.agency_ori, details)
        return await self._acts.begin(plan, token)
