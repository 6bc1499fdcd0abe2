"""Servicers: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1.archive_service_pb2_grpc import ArchiveServiceServicer
from alpr.search.v1.search_service_pb2_grpc import SearchServiceServicer
from services.common.identity import Context, require_service, require_token
from services.search import wire_append, wire_look_back, wire_search
from services.search.app import Search
from services.search.append import DataSets
from services.search.look_back import LookBack


class ArchiveServer(ArchiveServiceServicer):
    """See archive_service.proto."""

    def __init__(self, archive: DataSets, look_back: LookBack) -> None:
        self._archive = archive
        self._look_back = look_back

    async def AppendReads(
        self, request: archive_pb.AppendReadsRequest, context: Context
    ) -> archive_pb.AppendReadsResponse:
        """See archive_service.proto."""
        require_service(context, "matcher")
        results = await self._archive.append(wire_append.parse_append(request))
        return wire_append.build_response(results)

    async def FindForLookBack(
        self, request: archive_pb.FindForLookBackRequest, context: Context
    ) -> AsyncIterator[archive_pb.FindForLookBackResponse]:
        """See archive_service.proto."""
        require_service(context, "matcher")
        request_id, question = wire_look_back.parse_look_back(request)
        answer = await self._look_back.reads_before(request_id, question)
        for part in wire_look_back.build_parts(answer):
            yield part


class SearchServer(SearchServiceServicer):
    """See search_service.proto."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def SearchReads(
        self, request: search_pb.SearchReadsRequest, context: Context
    ) -> search_pb.SearchReadsResponse:
        """See search_service.proto."""
        token = require_token(context).access_token
        assert token is not None  # noqa: S101 -- that is what require_token promises
        search = wire_search.parse_search(request, token)
        return wire_search.build_answer(await self._search.reads_of_plate(search))
