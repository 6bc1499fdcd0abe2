"""Posts to webhooks over HTTPS: follows no redirect, and connects to no address that may not be called."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp

from services.alerts.core.target import Network, may_call
from services.alerts.core.webhook import Answer, Failure, answer_of
from services.common.config import ConfigError

# Of an answer nothing is of interest but its status; so much is read that the connection can be used again.
_MOST_ANSWER_BYTES = 1 << 16
_LONGEST_RETRY_AFTER = timedelta(days=1)


class ForbiddenAddressError(OSError):
    """The address may not be called."""


class WebhookSender:
    """Posts bodies, one try at a time.

    The address is looked at where the connection is made to it, after the name was resolved: a name that
    resolves to something else the second time is no way round.

    Args:
        allowed: Networks that may be called although they are not the world's.
        tls: Whose certificates are believed.
        seconds: Longest time of one try.
    """

    def __init__(self, allowed: Sequence[Network], tls: ssl.SSLContext, seconds: float) -> None:
        self._allowed = allowed
        self._tls = tls
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of it; never raises for what the receiver or the network does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body)
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Answer(Failure.TLS)
        except aiohttp.ClientConnectorError as error:
            forbidden = isinstance(error.os_error, ForbiddenAddressError)
            return Answer(Failure.FORBIDDEN_ADDRESS if forbidden else Failure.UNREACHABLE)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Answer(Failure.UNREACHABLE)

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        session = self._session or self._open()
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            waits = _retry_after(answer.headers.get("Retry-After", ""))
            await answer.content.read(_MOST_ANSWER_BYTES)
            return answer_of(answer.status, waits)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self._tls, socket_factory=self._socket, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_call(str(address[0]), self._allowed):
            raise ForbiddenAddressError("the address of the webhook may not be called")
        return socket.socket(family, kind, protocol)


def tls_of(ca_file: Path | None) -> ssl.SSLContext:
    """Believes the authorities of `ca_file`, or the system's when it is None.

    Raises:
        ConfigError: The file holds no certificates.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError("PW_WEBHOOK_CA_FILE must hold PEM certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _retry_after(text: str) -> timedelta:
    """How long the receiver asks us to wait (RFC 9110, 10.2.3); nothing for what cannot be read."""
    try:
        wanted = (
            timedelta(seconds=int(text))
            if text.isascii() and text.isdigit()
            else parsedate_to_datetime(text) - datetime.now(UTC)
        )
    except (ValueError, TypeError, OverflowError):
        return timedelta()
    return max(timedelta(), min(wanted, _LONGEST_RETRY_AFTER))
