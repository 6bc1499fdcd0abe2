"""Fetches the pictures that a message names by address, from hosts that the operator named and no other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from services.common.errors import DependencyUnavailableError
from services.ocr.core.picture_limits import MOST_BYTES, PictureError
from services.ocr.errors import BadImageError

_SECONDS: Final = 8.0
_CHUNK: Final = 1 << 16
# The sender took the picture away, or never let us have it: asking again brings nothing.
_GONE: Final = frozenset({401, 403, 404, 410})
_OK: Final = 200


class PictureFetcher:
    """Gets pictures over HTTPS; follows no redirect, which could lead into our own network.

    Args:
        hosts: `host` or `host:port`, as they stand in addresses.
        tls: Whose certificates are believed; None takes the system's.
    """

    def __init__(self, hosts: Collection[str], tls: ssl.SSLContext | None = None) -> None:
        self._hosts = frozenset(hosts)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> bytes:
        """The picture; empty when its host was not named, or the sender does not have it any more.

        Raises:
            DependencyUnavailableError: The host does not answer; try again.
            BadImageError: The picture is larger than 16 MiB.
        """
        if not self._is_named(url):
            return b""
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._fetch(self._session, url)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise DependencyUnavailableError(
                "the picture could not be fetched; send the read again"
            ) from None

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()

    def _is_named(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "https" and parts.netloc in self._hosts

    async def _fetch(self, session: aiohttp.ClientSession, url: str) -> bytes:
        async with session.get(url, allow_redirects=False, ssl=self._tls or True) as answer:
            if answer.status in _GONE:
                return b""
            if answer.status != _OK:
                raise DependencyUnavailableError("the picture could not be fetched; send the read again")
            picture = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                picture += chunk
                if len(picture) > MOST_BYTES:
                    raise BadImageError.of(PictureError("is larger than 16 MiB: send it smaller"))
            return bytes(picture)
