"""One connection to the service and the one call on it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from platewarden_client.errors import Failure, failure_of

_OPTIONS: Final = (
    # A connection that died without a word must not be shared with the next try.
    ("grpc.use_local_subchannel_pool", 1),
    # Subscribers spread over the replicas behind a name, and the name's own records change nothing here.
    (
        "grpc.service_config",
        json.dumps({"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": True}}]}),
    ),
    ("grpc.service_config_disable_resolution", 1),
)


class BrokenError(Exception):
    """The link is over; `failure` says why. Never leaves the package."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code.name)
        self.failure = failure


class Link:
    """A stream of alerts over a connection of its own. Made by `opened`, ended by `close`."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        call: grpc.aio.UnaryStreamCall[pb.SubscribeAlertsRequest, pb.SubscribeAlertsResponse],
    ) -> None:
        self._channel = channel
        self._call = call

    @classmethod
    def opened(
        cls, target: str, ca_file: Path | None, access_token: str, request: pb.SubscribeAlertsRequest
    ) -> Link:
        """A link to `target` (`host:port`); the first `read` says whether it came to be.

        Raises:
            OSError: `ca_file` cannot be read.
            ValueError: `access_token` cannot stand in a header. Its text does not show the token.
        """
        if not (access_token.isascii() and access_token.isprintable() and access_token):
            raise ValueError("the access token is empty or has characters that a header cannot carry")
        authorities = None if ca_file is None else ca_file.read_bytes()
        channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(authorities), options=_OPTIONS)
        metadata = (("authorization", f"Bearer {access_token}"),)
        return cls(channel, rpc.AlertServiceStub(channel).SubscribeAlerts(request, metadata=metadata))

    async def read(self, quiet_seconds: float) -> pb.SubscribeAlertsResponse:
        """The next message. After an error or a cancellation the link is of no more use.

        Raises:
            BrokenError: The stream ended, or nothing came for `quiet_seconds`.
        """
        try:
            async with asyncio.timeout(quiet_seconds):
                message = await self._call.read()
        except TimeoutError:
            raise BrokenError(Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the link is dead")) from None
        except grpc.aio.AioRpcError as error:
            # Without its cause, whose text names hosts.
            raise BrokenError(failure_of(error)) from None
        if not isinstance(message, pb.SubscribeAlertsResponse):
            raise BrokenError(Failure(grpc.StatusCode.UNAVAILABLE, "the service ended the stream"))
        return message

    async def close(self) -> None:
        """Ends call and connection."""
        self._call.cancel()
        await self._channel.close()
