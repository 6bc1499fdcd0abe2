"""Calls to the services with a person's token: patient with restarts, typed in failure."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import grpc

from services.cli.locate import Connection
from services.common.client import bearer, user_channel
from services.common.errors import AlprError, from_rpc_error

TokenSource = Callable[[], Awaitable[str]]
# A killed service is back within seconds; a call that is safe to repeat waits for it this long.
PATIENCE_SECONDS = 45.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


class Session:
    """Channels to the services and a source of tokens. Use it as an async context."""

    def __init__(
        self, connection: Connection, token_source: TokenSource, *, on_wait: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._token_source = token_source
        self._on_wait = on_wait
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels.values():
            await channel.close()

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel to `service`, made at its first use."""
        if service not in self._channels:
            self._channels[service] = user_channel(self._connection.target(service), self._connection.ca_file)
        return self._channels[service]

    def lone_channel(self, service: str) -> grpc.aio.Channel:
        """A channel to `service` that shares no connection; who asks for it closes it."""
        return user_channel(self._connection.target(service), self._connection.ca_file, alone=True)

    @property
    def connection(self) -> Connection:
        """Where the services are."""
        return self._connection

    async def token(self) -> str:
        """A token that is still good."""
        return await self._token_source()

    async def metadata(self) -> Any:
        """Call metadata with a token that is still good."""
        return (bearer(await self.token()),)

    async def call(self, method: Any, request: Any, *, deadline: float = 30.0) -> Any:
        """The response of a unary or client-streaming call.

        A call that answers UNAVAILABLE is sent again with the same request for up to `PATIENCE_SECONDS`.
        Every request that changes something carries a request id, so this is safe.

        Args:
            method: Method of a stub made on one of this session's channels.
            request: Message, or a function that makes the async iterator of a client stream.
            deadline: Of one try, seconds.

        Raises:
            AlprError: The typed error of the service.
        """
        give_up = time.monotonic() + PATIENCE_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                body = request() if callable(request) else request
                return await method(body, metadata=await self.metadata(), timeout=deadline)
            except grpc.aio.AioRpcError as error:
                typed = from_rpc_error(error)
                if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > give_up:
                    raise typed from None
                self._on_wait("A service is not reachable just now; trying again")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def stream(self, method: Any, request: Any) -> AsyncIterator[Any]:
        """The messages of a server stream.

        Raises:
            AlprError: The typed error that ended it.
        """
        try:
            async for message in method(request, metadata=await self.metadata()):
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


def is_passing(error: AlprError) -> bool:
    """Whether the same call may succeed a moment later: service restarting or not reachable."""
    return error.code is grpc.StatusCode.UNAVAILABLE
