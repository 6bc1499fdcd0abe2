"""Calls to the services with the person's own token; the console has no rights besides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import grpc

from services.common.client import bearer, user_channel
from services.common.errors import from_rpc_error
from services.console.config import ConsoleSettings

_SECONDS: Final = 30.0


def _never() -> bool:
    return False


class Services:
    """Channels to the services, shared by everybody who has signed in.

    Args:
        settings: Where the services are.
        is_stopping: Whether the console is about to end: then no stream goes on for long.
    """

    def __init__(self, settings: ConsoleSettings, is_stopping: Callable[[], bool] = _never) -> None:
        self.is_stopping = is_stopping
        self._people_ca = settings.people_ca
        self._targets = targets = {
            "audit": settings.audit_target,
            "alerts": settings.alerts_target,
            "search": settings.search_target,
            "matcher": settings.matcher_target,
        }
        self._channels = {name: user_channel(target, settings.people_ca) for name, target in targets.items()}

    async def call(self, token: str, stub: Any, name: str, request: Any, *, seconds: float = _SECONDS) -> Any:
        """The answer of a unary call.

        Args:
            token: The person's.
            stub: Class of the contract's stub, for instance `AccountServiceStub`.
            name: Of the RPC.
            request: Its message, or an async iterator of messages.
            seconds: Longest that it may take.

        Raises:
            AlprError: The typed error of the service.
        """
        method = getattr(stub(self._channel(stub)), name)
        try:
            return await method(request, metadata=(bearer(token),), timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def stream(
        self, token: str, stub: Any, name: str, request: Any, *, alone: bool = False
    ) -> AsyncGenerator[Any, None]:
        """The messages of a server stream, until the reader stops. Raises AlprError.

        One that is `alone` has a connection of its own: after a link that died without a word the next try
        does not meet the same one again.
        """
        channel = self._lone_channel(stub) if alone else self._channel(stub)
        call = getattr(stub(channel), name)(request, metadata=(bearer(token),))
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        finally:
            call.cancel()
            if alone:
                await channel.close()

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, stub: Any) -> grpc.aio.Channel:
        return self._channels[_service_of(stub)]

    def _lone_channel(self, stub: Any) -> grpc.aio.Channel:
        return user_channel(self._targets[_service_of(stub)], self._people_ca, alone=True)


def _service_of(stub: Any) -> str:
    # Stubs are in alpr.SERVICE.v1.
    return str(stub.__module__.split(".")[1])
