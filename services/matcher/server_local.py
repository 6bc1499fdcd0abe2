"""The servicer of local lists: decode, call, encode."""

from __future__ import annotations

from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.matcher.v1 import local_list_service_pb2_grpc as rpc
from services.common.clock import Clock
from services.common.identity import AccessToken, Context, require_token
from services.matcher import wire_local
from services.matcher.app_local import LocalLists


class LocalListServicer(rpc.LocalListServiceServicer):
    """See local_list_service.proto."""

    def __init__(self, local_lists: LocalLists, clock: Clock) -> None:
        self._local_lists = local_lists
        self._clock = clock

    async def AddLocalEntry(
        self, request: pb.AddLocalEntryRequest, context: Context
    ) -> pb.AddLocalEntryResponse:
        """See local_list_service.proto."""
        token = _token(context)
        added = await self._local_lists.add(wire_local.parse_add(request), token)
        return wire_local.to_add_response(*added, self._clock.now())

    async def RemoveLocalEntry(
        self, request: pb.RemoveLocalEntryRequest, context: Context
    ) -> pb.RemoveLocalEntryResponse:
        """See local_list_service.proto."""
        token = _token(context)
        entry, revision = await self._local_lists.remove(*wire_local.parse_remove(request), token)
        shown = wire_local.to_entry(entry, self._clock.now())
        return pb.RemoveLocalEntryResponse(entry=shown, match_revision=revision)

    async def ListLocalEntries(
        self, request: pb.ListLocalEntriesRequest, context: Context
    ) -> pb.ListLocalEntriesResponse:
        """See local_list_service.proto."""
        token = _token(context)
        shown = await self._local_lists.page(wire_local.parse_list(request), token)
        return wire_local.to_list_response(shown, self._clock.now())


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 - that is what require_token promises
    return token
