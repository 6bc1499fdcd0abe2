"""A form that came when its sign-in had ended: sealed into the page that says so, and sent again from there.

The console keeps nothing: it lies in that page, which whoever else signs in can neither read nor send.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from services.console.sessions import Sealer

MOST_BYTES: Final = 64 * 1024
"""Longest form that is kept; who asks has not signed in."""
FIELD: Final = "kept"
"""The field that a kept form comes back in."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A sealed form: where it was to go, and whether files are missing in it."""

    path: str
    text: str
    had_files: bool


async def kept_form(
    request: Request, sealer: Sealer, read: Callable[[Request], Awaitable[Any]]
) -> Kept | None:
    """The form of the request, sealed; None where nothing was written, or a page's script waits for it."""
    if request.headers.get("sec-fetch-dest", "document") != "document":
        return None
    form = await read(request)
    path = request.url.path
    again = form.get(FIELD)
    if isinstance(again, str):  # still without a sign-in
        return Kept(path, again, had_files=False)
    if not form.keys() - {"csrf"}:  # a button alone: there is nothing to be lost
        return None
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    files = [one for _name, one in form.multi_items() if isinstance(one, UploadFile) and one.filename]
    return Kept(path, sealer.seal_form(path, fields), bool(files))


def opened_form(request: Request, sealer: Sealer, form: Any) -> Any:
    """The form itself, or the one that was kept for this address; an empty one where that does not open."""
    again = form.get(FIELD) if form else None
    if not isinstance(again, str):
        return form
    return FormData(list[tuple[str, str | UploadFile]](sealer.form(request.url.path, again)))
