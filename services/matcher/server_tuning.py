"""The servicer of TuningService: decode, call, encode."""

from __future__ import annotations

from alpr.matcher.v1 import tuning_service_pb2 as pb
from alpr.matcher.v1 import tuning_service_pb2_grpc as rpc
from services.common.identity import Context, require_token
from services.matcher import wire_tuning
from services.matcher.app_tuning import TuningView


class TuningServicer(rpc.TuningServiceServicer):
    """See tuning_service.proto."""

    def __init__(self, view: TuningView) -> None:
        self._view = view

    async def GetHotListTuning(
        self, request: pb.GetHotListTuningRequest, context: Context
    ) -> pb.GetHotListTuningResponse:
        """See tuning_service.proto."""
        token = require_token(context).access_token
        assert token is not None  # noqa: S101 - that is what require_token promises
        return wire_tuning.to_response(await self._view.of_list(wire_tuning.parse_list(request), token))
