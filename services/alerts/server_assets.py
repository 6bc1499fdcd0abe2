"""The servicer of alpr.alerts.v1.AssetService: decode, call, encode."""

from alpr.alerts.v1 import asset_service_pb2 as pb
from alpr.alerts.v1 import asset_service_pb2_grpc as rpc
from services.alerts import wire_assets as wire
from services.alerts.app_assets import Assets
from services.alerts.callers import token_of
from services.common.clock import Clock
from services.common.identity import Context


class AssetServicer(rpc.AssetServiceServicer):
    """See asset_service.proto."""

    def __init__(self, assets: Assets, clock: Clock) -> None:
        self._assets = assets
        self._clock = clock

    async def RegisterAsset(
        self, request: pb.RegisterAssetRequest, context: Context
    ) -> pb.RegisterAssetResponse:
        """See asset_service.proto."""
        asset = await self._assets.register(wire.parse_register(request), token_of(context))
        return pb.RegisterAssetResponse(asset=wire.encode_asset(asset))

    async def RetireAsset(self, request: pb.RetireAssetRequest, context: Context) -> pb.RetireAssetResponse:
        """See asset_service.proto."""
        await self._assets.retire(*wire.parse_retire(request), token_of(context))
        return pb.RetireAssetResponse()

    async def ListAssets(self, request: pb.ListAssetsRequest, context: Context) -> pb.ListAssetsResponse:
        """See asset_service.proto."""
        found = await self._assets.list(token_of(context))
        return pb.ListAssetsResponse(assets=map(wire.encode_asset, found))

    async def BoardAsset(self, request: pb.BoardAssetRequest, context: Context) -> pb.BoardAssetResponse:
        """See asset_service.proto."""
        asset = await self._assets.board(wire.parse_board(request), token_of(context))
        return pb.BoardAssetResponse(asset=wire.encode_asset(asset))

    async def LeaveAsset(self, request: pb.LeaveAssetRequest, context: Context) -> pb.LeaveAssetResponse:
        """See asset_service.proto."""
        await self._assets.leave(wire.parse_leave(request), token_of(context))
        return pb.LeaveAssetResponse()

    async def ReportAssetPosition(
        self, request: pb.ReportAssetPositionRequest, context: Context
    ) -> pb.ReportAssetPositionResponse:
        """See asset_service.proto."""
        position = wire.parse_report(request, self._clock.now())
        await self._assets.report(position, token_of(context))
        return pb.ReportAssetPositionResponse()
