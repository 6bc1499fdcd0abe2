"""What every answer says to the browser: what it may load, who may frame it, what it may keep."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self), payment=(), usb=()",
    # Browsers send no Origin with a form where nothing is to be said of where it came from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Nothing from anywhere else, no inline script or style, no plug-in, no frame.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:{images}; form-action 'self'{forms}; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)


class Headers:
    """Adds the headers. Pages are kept by no cache; its files are, and are asked after each time.

    Args:
        app: What answers.
        tiles: Origin of map tiles, empty for none.
        provider: Origin that the sign-in form is redirected to.
        loopback: Whether the console is on the browser's own machine, where other ports speak plain HTTP.
    """

    def __init__(self, app: ASGIApp, *, tiles: str, provider: str, loopback: bool = False) -> None:
        self._app = app
        policy = _POLICY.format(images=tiles and f" {tiles}", forms=provider and f" {provider}")
        self._headers = {**_ALWAYS, "Content-Security-Policy": policy}
        if not loopback:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        keep = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", keep)
            await send(message)

        await self._app(scope, receive, with_headers)
