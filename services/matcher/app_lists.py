"""What people do with hot lists: make them, put versions in use and out of it, look."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Final

from services.common.clock import Clock
from services.common.errors import AlreadyExistsError, NotFoundError, NotPermittedError, WrongStateError
from services.common.identity import AccessToken
from services.matcher.app_acts import Acts, Plan, act_of
from services.matcher.app_index import IndexFollower
from services.matcher.app_prepare import Versions
from services.matcher.core.entry import Source
from services.matcher.core.hot_list import Act, HotList, Removal
from services.matcher.core.index import Index
from services.matcher.store_lists import HotListStore

# Until the new index is in this replica's memory; shorter than a call may take.
_REACH_S: Final = 25.0
_NAMESPACE: Final = uuid.UUID("5b0f6a52-4f0e-5a57-9d35-0a2f4a1d7c11")
# After these nothing was changed and nothing will be by trying again.
_FOR_GOOD: Final = (AlreadyExistsError, NotFoundError, NotPermittedError, WrongStateError)


class HotLists:
    """The hot lists of all agencies; audit says for every call whether the person may make it."""

    def __init__(  # noqa: PLR0913 - a list's life goes through all of them
        self,
        *,
        acts: Acts,
        lists: HotListStore,
        index: IndexFollower,
        versions: Versions,
        clock: Clock,
        removed_share: float,
    ) -> None:
        self._acts = acts
        self._versions = versions
        self._lists = lists
        self._index = index
        self._clock = clock
        self._removed_share = removed_share

    async def create(self, request_id: uuid.UUID, name: str, source: Source, token: AccessToken) -> HotList:
        """The new, empty list of the person's agency. Raises AlreadyExistsError (name)."""
        # The list's id follows from the request, so that the intent can name it before it exists.
        hot_list_id = uuid.uuid5(_NAMESPACE, str(request_id))
        details = {"name": name, "source": source.name}
        plan = Plan(request_id, "hot_list.create", str(hot_list_id), "", details)
        intent = await self._acts.begin(plan, token)
        act = act_of(plan, intent, hot_list_id, self._clock.now())
        try:
            made = await self._lists.create(act, intent.agency_ori, name, source)
        except AlreadyExistsError:
            await self._acts.refused(intent)
            raise
        await self._acts.changed(intent.intent_id)
        return made

    async def activate(
        self, request_id: uuid.UUID, hot_list_id: uuid.UUID, version: int, token: AccessToken
    ) -> tuple[HotList, int]:
        """The list with that version active, and the revision; this replica compares reads with it.

        Raises:
            HotListNotFoundError: No such list or version.
            WrongStateError: It needs approval, has expired, or was taken with file N.
            IndexBehindError: It is active, but not in memory here yet; the same request id waits again.
        """
        details = {"version": str(version)}
        async with self._acting("hot_list.activate", request_id, hot_list_id, details, token) as act:
            # Before it counts: reads are compared with the version before it while this one is got ready.
            await self._versions.prepare(hot_list_id, version)
            active, revision = await self._lists.activate(act, version, self._removed_share)
            await self._index.reach(revision, _REACH_S)
        return active, revision

    async def approve(
        self, request_id: uuid.UUID, hot_list_id: uuid.UUID, version: int, token: AccessToken
    ) -> Removal:
        """What the version may now take the place of, and how much of it it removes.

        Raises:
            HotListNotFoundError: No such list or version.
            NotPermittedError: The person has uploaded it.
            WrongStateError: It needs no approval.
        """
        details = {"version": str(version)}
        async with self._acting("hot_list.approve", request_id, hot_list_id, details, token) as act:
            return await self._lists.approve(act, version, self._removed_share)

    async def deactivate(
        self, request_id: uuid.UUID, hot_list_id: uuid.UUID, reason: str, token: AccessToken
    ) -> tuple[HotList, int]:
        """The list out of use, and the revision; this replica compares no read with it.

        Raises:
            HotListNotFoundError: No such list.
            WrongStateError: It is out of use.
            IndexBehindError: As for `activate`.
        """
        details = {"reason": reason}
        async with self._acting("hot_list.deactivate", request_id, hot_list_id, details, token) as act:
            idle, revision = await self._lists.deactivate(act)
            await self._index.reach(revision, _REACH_S)
        return idle, revision

    async def set_immigration_file(
        self, request_id: uuid.UUID, hot_list_id: uuid.UUID, reason: str, token: AccessToken, *, allowed: bool
    ) -> HotList:
        """The list, whose new versions take NCIC's file N or leave it out.

        Raises:
            HotListNotFoundError: No such list.
            IndexBehindError: As for `activate`.
        """
        details = {"allowed": str(allowed).lower(), "reason": reason}
        async with self._acting("hot_list.immigration_file", request_id, hot_list_id, details, token) as act:
            changed, revision = await self._lists.set_immigration_file(act, allowed=allowed)
            await self._index.reach(revision, _REACH_S)
        return changed

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

    @contextlib.asynccontextmanager
    async def _acting(
        self,
        action: str,
        request_id: uuid.UUID,
        hot_list_id: uuid.UUID,
        details: Mapping[str, str],
        token: AccessToken,
    ) -> AsyncIterator[Act]:
        """The act to make the change with, once its intent is in the log; its outcome is there at the end.

        What breaks off inside has no outcome yet: the same request id completes it.
        """
        hot_list = await self._lists.get(hot_list_id)
        plan = Plan(request_id, action, str(hot_list_id), hot_list.agency_ori, details)
        intent = await self._acts.begin(plan, token)
        try:
            yield act_of(plan, intent, hot_list_id, self._clock.now())
        except _FOR_GOOD:
            await self._acts.refused(intent)
            raise
        await self._acts.changed(intent.intent_id)
