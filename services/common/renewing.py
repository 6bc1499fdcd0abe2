"""A channel whose certificate is renewed while it is in use.

gRPC reads a client's certificate once, when the channel is made. So when the files have changed a new channel
is made for the calls that begin from then on, and the one before is closed when its last call has ended: a
stream that is open stays open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from services.common import tracing
from services.common.tls_files import TlsFiles, TlsPair

# Looking at three files costs some microseconds, which not every call need pay.
_LOOK_SECONDS: Final = 1.0


class _Generation:
    """One channel and the number of its calls; closes itself when it is over and they have ended."""

    def __init__(self, channel: grpc.aio.Channel, closed: Callable[[_Generation], None]) -> None:
        self.channel = channel
        self._closed = closed
        self._calls = 0
        self._over = False
        self._closing: asyncio.Task[None] | None = None

    def began(self, call: Any) -> None:
        """Counts the call until it is done."""
        self._calls += 1
        call.add_done_callback(self._ended)

    def end(self) -> None:
        """No further call will begin."""
        self._over = True
        self._close_if_unused()

    def _ended(self, _: object) -> None:
        self._calls -= 1
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._over and not self._calls and self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        await self.channel.close()
        self._closed(self)


class RenewingChannel(grpc.aio.Channel):
    """The channel that `make` gives for the files' newest pair. Make and use it on one loop."""

    def __init__(self, files: TlsFiles, make: Callable[[TlsPair], grpc.aio.Channel]) -> None:
        self._files = files
        self._make = make
        self._over: set[_Generation] = set()
        self._now = _Generation(make(files.pair), self._over.discard)
        self._looked = time.monotonic()

    def current(self) -> _Generation:
        """The channel for a call that begins now."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            if (pair := self._files.renewed()) is not None:
                before, self._now = self._now, _Generation(self._make(pair), self._over.discard)
                self._over.add(before)
                before.end()
        return self._now

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """As of any channel; so are the next ones."""
        return _Calls(self, "unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:  # noqa: D102 - as above
        return _Calls(self, "unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:  # noqa: D102 - as above
        return _Calls(self, "stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:  # noqa: D102 - as above
        return _Calls(self, "stream_stream", arguments, options)

    async def close(self, grace: float | None = None) -> None:
        """Closes all; calls under way get `grace` seconds."""
        await asyncio.gather(*(one.channel.close(grace) for one in (*self._over, self._now)))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """State of the newest channel."""
        return self.current().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Returns when the newest channel has another state."""
        await self._now.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Returns when the newest channel is connected."""
        await self.current().channel.channel_ready()

    async def __aenter__(self) -> RenewingChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Calls:
    """What a stub calls for one method: on whichever channel is the current one."""

    def __init__(
        self, channel: RenewingChannel, shape: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._shape, self._arguments, self._options = shape, arguments, options
        self._of: _Generation | None = None
        self._call: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        generation = self._channel.current()
        if generation is not self._of:
            self._of = generation
            self._call = getattr(generation.channel, self._shape)(*self._arguments, **self._options)
        call = self._call(*arguments, **tracing.carried(options))
        generation.began(call)
        return call
