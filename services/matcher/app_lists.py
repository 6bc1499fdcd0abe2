"""What people do with hot lists: create, upload, activate, look."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Final

from services.common.clock import Clock
from services.common.errors import AlreadyExistsError
from services.common.identity import AccessToken
from services.matcher.app_acts import Acts, Intent, Plan
from services.matcher.app_index import IndexFollower
from services.matcher.core.entry import ParseOptions, Source
from services.matcher.core.hot_list import Act, HotList, UploadHeader, VersionSummary
from services.matcher.core.index import Index
from services.matcher.errors import BadHotListError, HotListNotFoundError
from services.matcher.spool import Spool
from services.matcher.store_lists import HotListStore
from services.matcher.store_versions import VersionStore
from services.matcher.upload_file import UploadedFile

# Until the new index is in this replica's memory; shorter than a call may take.
_REACH_S: Final = 25.0
_NAMESPACE: Final = uuid.UUID("5b0f6a52-4f0e-5a57-9d35-0a2f4a1d7c11")


class HotLists:
    """The hot lists of all agencies; audit says for every call whether the person may make it."""

    def __init__(  # noqa: PLR0913 - the use cases share them
        self,
        *,
        acts: Acts,
        lists: HotListStore,
        versions: VersionStore,
        index: IndexFollower,
        spool: Spool,
        clock: Clock,
    ) -> None:
        self._acts = acts
        self._lists = lists
        self._versions = versions
        self._index = index
        self._spool = spool
        self._clock = clock

    async def create(self, request_id: uuid.UUID, name: str, source: Source, token: AccessToken) -> HotList:
        """The new, empty list of the person's agency. Raises AlreadyExistsError (name)."""
        # The list's id follows from the request, so that the intent can name it before it exists.
        hot_list_id = uuid.uuid5(_NAMESPACE, str(request_id))
        details = {"name": name, "source": source.name}
        plan = Plan(request_id, "hot_list.create", str(hot_list_id), "", details)
        intent = await self._acts.begin(plan, token)
        try:
            made = await self._lists.create(
                self._act(plan, intent, hot_list_id), intent.agency_ori, name, source
            )
        except AlreadyExistsError:
            await self._acts.refused(intent)
            raise
        await self._acts.changed(intent.intent_id)
        return made

    async def upload(
        self, header: UploadHeader, chunks: AsyncIterator[bytes], token: AccessToken
    ) -> VersionSummary:
        """The stored version in numbers; it is not active yet.

        The intent is recorded on the header alone: nothing of the file is taken from who may not send it.
        An upload that breaks off leaves an intent without outcome, which the same request id completes.

        Raises:
            HotListNotFoundError: No such list.
            InvalidFieldError: Size or SHA-256 is not what the header says.
            BadHotListError: Wrong rows; nothing is stored, for good (ENF-051 III.B.3.h).
        """
        hot_list = await self._lists.get(header.hot_list_id)
        plan = self._plan(header.request_id, "hot_list.upload", hot_list, _file_details(header))
        intent = await self._acts.begin(plan, token)
        summary = await self._versions.find(intent.intent_id)
        if summary is None:
            async with self._spool.receive(header, chunks) as file:
                act = self._act(plan, intent, hot_list.hot_list_id)
                rows = UploadedFile(file, header.format, ParseOptions(self._clock.now().date()))
                summary = await self._store(act, header, rows, intent)
        await self._acts.changed(intent.intent_id)
        return summary

    async def activate(
        self, request_id: uuid.UUID, hot_list_id: uuid.UUID, version: int, token: AccessToken
    ) -> tuple[HotList, int]:
        """The list with that version active, and the revision; this replica compares reads with it.

        Raises:
            HotListNotFoundError: No such list or version.
            IndexBehindError: It is active, but not in memory here yet; the same request id waits again.
        """
        hot_list = await self._lists.get(hot_list_id)
        plan = self._plan(request_id, "hot_list.activate", hot_list, {"version": str(version)})
        intent = await self._acts.begin(plan, token)
        try:
            active, revision = await self._lists.activate(self._act(plan, intent, hot_list_id), version)
        except HotListNotFoundError:
            await self._acts.refused(intent)
            raise
        await self._index.reach(revision, _REACH_S)
        await self._acts.changed(intent.intent_id)
        return active, revision

    async def page(
        self, request_id: uuid.UUID, after: str, size: int, token: AccessToken
    ) -> tuple[tuple[HotList, ...], bool]:
        """At most `size` lists of the person's agency after the name `after`, and whether more follow."""
        intent = await self._acts.begin(Plan(request_id, "hot_list.list", "hot_lists", "", {}), token)
        found = await self._lists.page(intent.agency_ori, after, size + 1)
        lists = found[:size]
        await self._acts.shown(intent, len(lists))
        return lists, len(found) > size

    async def state(self, request_id: uuid.UUID, token: AccessToken) -> Index:
        """What is in memory, for a person."""
        intent = await self._acts.begin(Plan(request_id, "matcher.state", "matcher", "", {}), token)
        index = self._index.current()
        await self._acts.shown(intent, 0)
        return index

    async def _store(
        self, act: Act, header: UploadHeader, file: UploadedFile, intent: Intent
    ) -> VersionSummary:
        """Checks every row before the first is stored."""
        report = await asyncio.to_thread(file.check)
        if report.errors:
            await self._acts.refused(intent)
            raise BadHotListError(
                "the file has wrong rows; nothing was stored",
                resource=str(header.hot_list_id),
                violations=report.violations,
            )
        return await self._versions.add(act, header, file.rows())

    def _act(self, plan: Plan, intent: Intent, hot_list_id: uuid.UUID) -> Act:
        return Act(
            intent_id=intent.intent_id,
            request_id=plan.request_id,
            action=plan.action,
            hot_list_id=hot_list_id,
            account_id=intent.account_id,
            details=plan.details,
            act_time=self._clock.now(),
        )

    @staticmethod
    def _plan(request_id: uuid.UUID, action: str, hot_list: HotList, details: Mapping[str, str]) -> Plan:
        return Plan(request_id, action, str(hot_list.hot_list_id), hot_list.agency_ori, details)


def _file_details(header: UploadHeader) -> dict[str, str]:
    return {
        "attestation": header.attestation,
        "format": header.format.name,
        "sha256": header.sha256.hex(),
        "size_bytes": str(header.size_bytes),
    }
