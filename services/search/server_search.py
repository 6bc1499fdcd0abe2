"""Servicer of SearchService: decode, call, encode."""

from __future__ import annotations

from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1.search_service_pb2_grpc import SearchServiceServicer
from services.common.identity import AccessToken, Context, require_token
from services.search import wire_read, wire_search
from services.search.app import Search
from services.search.app_read import OneRead


class SearchServer(SearchServiceServicer):
    """See search_service.proto."""

    def __init__(self, search: Search, one_read: OneRead) -> None:
        self._search = search
        self._one_read = one_read

    async def SearchReads(self, request: pb.SearchReadsRequest, context: Context) -> pb.SearchReadsResponse:
        """See search_service.proto."""
        search = wire_search.parse_search(request, token_of(context))
        return wire_search.build_answer(await self._search.page_of_reads(search))

    async def GetRead(self, request: pb.GetReadRequest, context: Context) -> pb.GetReadResponse:
        """See search_service.proto."""
        return wire_read.build_read(
            await self._one_read.read(wire_read.parse_read(request, token_of(context)))
        )

    async def GetReadImage(
        self, request: pb.GetReadImageRequest, context: Context
    ) -> pb.GetReadImageResponse:
        """See search_service.proto."""
        answer = await self._one_read.image(wire_read.parse_read(request, token_of(context)))
        return wire_read.build_image(answer, with_original=request.with_original)


def token_of(context: Context) -> AccessToken:
    """The token of the person who calls.

    Raises:
        UnauthenticatedError: There is none.
    """
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 -- that is what require_token promises
    return token
