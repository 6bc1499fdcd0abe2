"""Servicer of AnalysisService: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.analysis_service_pb2_grpc import AnalysisServiceServicer
from services.common.identity import AccessToken, Context, require_token
from services.search import (
    wire_compare,
    wire_convoy,
    wire_corridor,
    wire_pattern,
    wire_stakeout,
    wire_summary,
)
from services.search.app_analysis import Analysis
from services.search.core.compare import PlatesQuestion


class AnalysisServer(AnalysisServiceServicer):
    """See analysis_service.proto. `time_zone` is that of requests which name none."""

    def __init__(self, analysis: Analysis, time_zone: str) -> None:
        self._analysis = analysis
        self._time_zone = time_zone

    async def FindStakeout(
        self, request: pb.FindStakeoutRequest, context: Context
    ) -> pb.FindStakeoutResponse:
        """See analysis_service.proto."""
        asking, question = wire_stakeout.parse_stakeout(request, _token(context), self._time_zone)
        return wire_stakeout.build_stakeout(question, await self._analysis.answer(asking, question))

    async def FindConvoy(self, request: pb.FindConvoyRequest, context: Context) -> pb.FindConvoyResponse:
        """See analysis_service.proto."""
        asking, question = wire_convoy.parse_convoy(request, _token(context), self._time_zone)
        return wire_convoy.build_convoy(await self._analysis.answer(asking, question))

    async def GetPattern(self, request: pb.GetPatternRequest, context: Context) -> pb.GetPatternResponse:
        """See analysis_service.proto."""
        asking, question = wire_pattern.parse_pattern(request, _token(context), self._time_zone)
        return wire_pattern.build_pattern(question, await self._analysis.answer(asking, question))

    async def Summarize(self, request: pb.SummarizeRequest, context: Context) -> pb.SummarizeResponse:
        """See analysis_service.proto."""
        asking, question = wire_summary.parse_summary(request, _token(context), self._time_zone)
        return wire_summary.build_summary(question, await self._analysis.answer(asking, question))

    async def FindCorridor(
        self, request: pb.FindCorridorRequest, context: Context
    ) -> pb.FindCorridorResponse:
        """See analysis_service.proto."""
        asking, question = wire_corridor.parse_corridor(request, _token(context))
        return wire_corridor.build_corridor(await self._analysis.answer(asking, question))

    async def CompareDataSet(
        self, request_iterator: AsyncIterator[pb.CompareDataSetRequest], context: Context
    ) -> pb.CompareDataSetResponse:
        """See analysis_service.proto."""
        token = _token(context)
        header, file = await wire_compare.read_upload(request_iterator)
        asking, question = wire_compare.parse_compare(header, file, token, self._time_zone)
        if isinstance(question, PlatesQuestion):
            return wire_compare.build_seen(question, await self._analysis.answer(asking, question))
        return wire_compare.build_near(question, await self._analysis.answer(asking, question))


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 -- that is what require_token promises
    return token
