"""Dispatchers and crews of the alerts service for its tests."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import asset_service_pb2_grpc as asset_rpc
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from alpr.alerts.v1 import dispatch_service_pb2_grpc as rpc
from alpr.alerts.v1.alert_service_pb2_grpc import AlertServiceStub
from services.common.client import bearer, user_channel
from services.common.errors import AlprError, from_rpc_error
from services.common.wire import to_timestamp
from tests.support.alerts_rig import AlertsRig


def request_id() -> str:
    """A fresh one."""
    return str(uuid4())


def call_sign() -> str:
    """One that no other test has."""
    return "P-" + uuid4().hex[:8].upper()


# Where the rig's camera stands, and places so many kilometres north of it.
HERE = (41.88, -87.63)
KILOMETRE = 1 / 111.195


class Caller:
    """One person's calls about assets, dispatch and alerts."""

    def __init__(self, rig: AlertsRig, token: str) -> None:
        channel = user_channel(f"127.0.0.1:{rig.server.user_port}", rig.settings.tls_ca)
        rig.channels.append(channel)
        self.assets = asset_rpc.AssetServiceStub(channel)
        self.dispatch = rpc.DispatchServiceStub(channel)
        self.alerts = AlertServiceStub(channel)
        self.metadata = (bearer(token),)
        self._with: dict[str, Any] = {"metadata": self.metadata, "timeout": 20}

    async def register(self, unit: str = "", sign: str = "", **fields: Any) -> asset_pb.PatrolAsset:
        """A new asset."""
        request = asset_pb.RegisterAssetRequest(
            **{"request_id": request_id(), "unit": unit, "call_sign": sign or call_sign(), **fields}
        )
        return (await self.assets.RegisterAsset(request, **self._with)).asset

    async def retire(self, asset_id: str, **fields: Any) -> None:
        """Out of use."""
        request = asset_pb.RetireAssetRequest(**{"request_id": request_id(), "asset_id": asset_id, **fields})
        await self.assets.RetireAsset(request, **self._with)

    async def all_assets(self) -> list[asset_pb.PatrolAsset]:
        """Of the agency."""
        return list((await self.assets.ListAssets(asset_pb.ListAssetsRequest(), **self._with)).assets)

    async def board(self, asset_id: str = "", **fields: Any) -> asset_pb.PatrolAsset:
        """Goes aboard."""
        request = asset_pb.BoardAssetRequest(**{"request_id": request_id(), "asset_id": asset_id, **fields})
        return (await self.assets.BoardAsset(request, **self._with)).asset

    async def leave(self, **fields: Any) -> None:
        """Leaves."""
        request = asset_pb.LeaveAssetRequest(**{"request_id": request_id(), **fields})
        await self.assets.LeaveAsset(request, **self._with)

    async def report(self, latitude: float, longitude: float, *, ago: timedelta = timedelta()) -> None:
        """Says where it is, or was so long ago."""
        position = asset_pb.AssetPosition(
            latitude=latitude, longitude=longitude, position_time=to_timestamp(datetime.now(UTC) - ago)
        )
        request = asset_pb.ReportAssetPositionRequest(position=position)
        await self.assets.ReportAssetPosition(request, **self._with)

    async def propose(self, alert_id: str, **fields: Any) -> list[pb.ProposedAsset]:
        """Candidates."""
        request = pb.ProposeAssetsRequest(request_id=request_id(), alert_id=alert_id, **fields)
        return list((await self.dispatch.ProposeAssets(request, **self._with)).assets)

    async def broadcast(self, alert_id: str, *asset_ids: str, **fields: Any) -> list[str]:
        """The assets that are told."""
        request = pb.BroadcastRequest(
            **{"request_id": request_id(), "alert_id": alert_id, "asset_ids": asset_ids, **fields}
        )
        return list((await self.dispatch.Broadcast(request, **self._with)).asset_ids)

    async def cancel(self, alert_id: str, **fields: Any) -> list[str]:
        """The assets that stand down."""
        request = pb.CancelBroadcastRequest(**{"request_id": request_id(), "alert_id": alert_id, **fields})
        return list((await self.dispatch.CancelBroadcast(request, **self._with)).asset_ids)

    async def records(self, alert_id: str) -> list[pb.DeliveryRecord]:
        """What became of each message."""
        request = pb.ListDeliveriesRequest(request_id=request_id(), alert_id=alert_id)
        return list((await self.dispatch.ListDeliveries(request, **self._with)).deliveries)

    async def received(self, delivery_id: str, **fields: Any) -> None:
        """The device has it."""
        await self._acknowledge(delivery_id, pb.DELIVERY_STAGE_RECEIVED, fields)

    async def seen(self, delivery_id: str, **fields: Any) -> None:
        """A person has seen it."""
        await self._acknowledge(delivery_id, pb.DELIVERY_STAGE_SEEN, fields)

    async def goes(self, delivery_id: str, **fields: Any) -> None:
        """The crew is on the way."""
        await self._acknowledge(delivery_id, pb.DELIVERY_STAGE_EN_ROUTE, fields)

    async def acknowledge(self, alert_id: str) -> alert_pb.Alert:
        """The alert is seen."""
        request = alert_pb.AcknowledgeAlertRequest(request_id=request_id(), alert_id=alert_id)
        return (await self.alerts.AcknowledgeAlert(request, **self._with)).alert

    async def verify(self, alert_id: str, state: int, answer: str = "") -> alert_pb.Alert:
        """A step of the verification."""
        request = alert_pb.VerifyAlertRequest(
            request_id=request_id(), alert_id=alert_id, state=state, system=answer, response_id=answer
        )
        return (await self.alerts.VerifyAlert(request, **self._with)).alert

    async def dispose(self, alert_id: str, disposition: int) -> alert_pb.Alert:
        """What was done."""
        request = alert_pb.DisposeAlertRequest(
            request_id=request_id(), alert_id=alert_id, disposition=disposition
        )
        return (await self.alerts.DisposeAlert(request, **self._with)).alert

    async def get(self, alert_id: str) -> alert_pb.GetAlertResponse:
        """The alert with its history."""
        request = alert_pb.GetAlertRequest(request_id=request_id(), alert_id=alert_id)
        return await self.alerts.GetAlert(request, **self._with)

    def messages(self) -> "Reader":
        """The stream of the asset that the person is aboard of."""
        return Reader(self.dispatch.WatchDeliveries(pb.WatchDeliveriesRequest(), metadata=self.metadata))

    def escalations(self) -> "Reader":
        """The stream of what nobody answered."""
        return Reader(self.dispatch.WatchEscalations(pb.WatchEscalationsRequest(), metadata=self.metadata))

    async def _acknowledge(self, delivery_id: str, stage: int, fields: dict[str, Any]) -> None:
        request = pb.AcknowledgeDeliveryRequest(
            **{"request_id": request_id(), "delivery_id": delivery_id, "stage": stage, **fields}
        )
        await self.dispatch.AcknowledgeDelivery(request, **self._with)


@dataclass(frozen=True)
class Scene:
    """An alert, a dispatcher, and an officer aboard of a car that is two kilometres away."""

    rig: AlertsRig
    centre: Caller
    officer: Caller
    alert_id: str
    asset_id: str


async def car(centre: Caller, member: Caller, unit: str, north: float | None = None) -> str:
    """An asset with a member aboard, so many kilometres north of the camera if it says where it is."""
    asset = await centre.register(unit)
    await member.board(asset.asset_id)
    if north is not None:
        await member.report(HERE[0] + north * KILOMETRE, HERE[1])
    return asset.asset_id


class Reader:
    """Reads a stream in the background and keeps what came; `got` without heartbeats."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.got: list[Any] = []
        self.beats = 0
        self.error: AlprError | None = None
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    async def until(self, count: int, seconds: float = 60) -> list[Any]:
        """What came, once there are so many; fails after `seconds`."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got

    async def live(self, beats: int = 1) -> "Reader":
        """Returns when so many heartbeats more have come: all that waited was sent before."""
        wanted = self.beats + beats
        async with asyncio.timeout(60):
            while self.beats < wanted:
                self._news.clear()
                await self._news.wait()
        return self

    async def ended(self) -> AlprError:
        """The error that ended the stream."""
        async with asyncio.timeout(60):
            await self._task
        assert self.error is not None
        return self.error

    async def close(self) -> None:
        """Gives the stream up."""
        self._call.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for answer in self._call:
                kind = answer.WhichOneof("event")
                if kind == "heartbeat":
                    self.beats += 1
                else:
                    self.got.append(getattr(answer, kind))
                self._news.set()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
        finally:
            self._news.set()


def kinds(messages: list[pb.AssetMessage]) -> list[str]:
    """What messages are about, in short."""
    return [pb.DeliveryKind.Name(one.kind).removeprefix("DELIVERY_KIND_") for one in messages]
