"""Who comes with a request: a sign-in that is whole, unlocked and renewed; forms of our own pages alone."""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console.config import ConsoleSettings
from services.console.kept import MOST_BYTES, kept_form, opened_form
from services.console.navigation import links_of
from services.console.pages import Pages, said, status_of
from services.console.provider import Provider, ProviderError
from services.console.services import Services
from services.console.sessions import Sealer, Session

_MOST_BODY: Final = 64 * 1024
_MOST_FIELDS: Final = 400
_MOST_DIGITS: Final = 9  # fits every number of the contracts
_MOST_FILES: Final = 4
# Documents, where the browser does not make their digest itself.
_MOST_REQUEST: Final = 32 * 1024 * 1024
_SAFE: Final = frozenset({"GET", "HEAD"})
_HEADER: Final = "x-platewarden"
BY_ITSELF: Final = "by-itself"
"""Header X-Platewarden of what a page asks for by itself: no touch of the person's."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the sign-in, the form that was sent, and a way to call services as that person."""

    session: Session
    services: Services
    pages: Pages
    form: Any
    idle_seconds: float

    async def call(self, stub: Any, name: str, request: Any, **options: Any) -> Any:
        """The answer of a service; `options` are those of `Services.call`. Raises AlprError."""
        return await self.services.call(self.session.access_token, stub, name, request, **options)

    def stream(self, stub: Any, name: str, request: Any, *, alone: bool = False) -> AsyncGenerator[Any, None]:
        """The messages of a server stream, until the reader stops; `alone` on a connection of its own.

        Raises AlprError.
        """
        return self.services.stream(self.session.access_token, stub, name, request, alone=alone)

    async def account(self) -> account_pb.Account:
        """The person's own account. Raises AlprError."""
        answer = await self.call(account_rpc.AccountServiceStub, "GetAccount", account_pb.GetAccountRequest())
        account: account_pb.Account = answer.account
        return account

    def field(self, name: str) -> str:
        """One field of the form without blanks at its ends; "" where it was not sent."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str) -> Any:
        """One field of the form as a whole number from 0 on, or the number of a choice; 0 where it is empty.

        Raises:
            InvalidFieldError: It is none.
        """
        text = self.field(name)
        if text and not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            wrong = FieldViolation(name, "must be a whole number")
            raise InvalidFieldError("a field cannot be read", violations=[wrong])
        return int(text or 0)

    def fields(self, name: str) -> list[str]:
        """All values of one field of the form."""
        return [one for one in self.form.getlist(name) if isinstance(one, str)]

    async def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of the console with its head: who is signed in, and where the person may go."""
        return self.pages.make(template, status, **await self._head(), **values)

    async def refused(self, error: AlprError, template: str = "", **values: Any) -> HTMLResponse:
        """What a service refused: on a page of its own, or on the page `template` with the form as it was.

        The template gets `sentence`, `fields` (each with `field` and `description`) and `clauses`.
        """
        if not template:
            return self.pages.refused(error, **await self._head())
        return await self.show(template, status_of(error), **said(error), **values)

    async def _head(self) -> Mapping[str, Any]:
        try:
            account = await self.account()
        except AlprError:  # who may do nothing at all still has to read why
            account = account_pb.Account()
        return {
            "person": account,
            "links": links_of(account),
            "csrf": self.session.csrf,
            "locks_after": 0 if self.session.exempt else int(self.idle_seconds),
        }


Page = Callable[[Request, Person], Awaitable[Response]]


class Door:
    """Lets people in who have signed in, and turns everybody else to the sign-in."""

    def __init__(
        self, settings: ConsoleSettings, sealer: Sealer, provider: Provider, services: Services, pages: Pages
    ) -> None:
        self._origin = settings.console_url
        self._idle_seconds = 60.0 * settings.console_idle_minutes
        self._sealer = sealer
        self._provider = provider
        self._services = services
        self._pages = pages

    def person(self, session: Session, form: Any = None) -> Person:
        """A person by the session, who has come in."""
        return Person(session, self._services, self._pages, form or {}, self._idle_seconds)

    def page(
        self, answer: Page, *, locked_too: bool = False, most_bytes: int = _MOST_REQUEST
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a page for people who have signed in, on a screen that is not locked.

        Args:
            answer: Makes the page.
            locked_too: On a locked screen, too.
            most_bytes: Longest form with its files; a longer one is refused unread.
        """

        async def endpoint(request: Request) -> Response:
            session = self._sealer.session(request.cookies)
            if session is None or session.is_over() or self._provider.has_ended(session):
                return await self._turned_away(request)
            if session.is_locked(self._idle_seconds) and not locked_too:
                return await self._turned_away(request, session)
            try:
                fresh = await self._provider.fresh(session)
            except ProviderError:
                return await self._turned_away(request)
            unread = await self._unread(request, most_bytes)
            if unread is not None:
                return unread
            form = opened_form(request, self._sealer, await _form(request))
            if request.method not in _SAFE and not self._has_word(request, fresh, form):
                return self._not_ours()
            return await self._answered(request, session, self.person(fresh, form), answer)

        return endpoint

    async def _unread(self, request: Request, most_bytes: int) -> Response | None:
        """The refusal of a form of which nothing is kept; None for others."""
        if request.method in _SAFE:
            return None
        if request.headers.get("origin", "") != self._origin:
            return self._not_ours()
        if not _fits(request, most_bytes):
            async for _part in request.stream():
                pass  # browsers show an answer only to what they could send to its end
            return self._pages.error("This is more than can be sent here. Nothing was kept.", 413)
        return None

    async def _answered(self, request: Request, was: Session, person: Person, answer: Page) -> Response:
        try:
            response = await answer(request, person)
        except AlprError as error:
            response = await person.refused(error)
        if "set-cookie" in response.headers:  # the answer has seen to the session itself
            return response
        if request.headers.get(_HEADER) != BY_ITSELF:
            self._sealer.keep(response, replace(person.session, used_at=time.time()))
        elif person.session != was:
            self._sealer.keep(response, person.session)
        return response

    def _not_ours(self) -> Response:
        return self._pages.error(
            "This did not come from a page of the console that was made for you. Nothing was done.", 403
        )

    def _has_word(self, request: Request, session: Session, form: Any) -> bool:
        """Whether form or script knows the word of a sign-in of this person, of this one or of one before."""
        given = form.get("csrf") or request.headers.get("x-csrf", "")
        if not isinstance(given, str):
            return False
        if hmac.compare_digest(given.encode(), session.csrf.encode()):
            return True
        return self._sealer.is_of_same_account(given, session.csrf)

    async def _turned_away(self, request: Request, locked: Session | None = None) -> Response:
        """To the sign-in. A form that came is kept in the page, to be sent again afterwards."""
        own = request.method not in _SAFE and request.headers.get("origin", "") == self._origin
        if own and _fits(request, MOST_BYTES):
            kept = await kept_form(request, self._sealer, _form)
            if kept is not None:
                title = "Locked" if locked else "Your sign-in has ended"
                return self._pages.make("kept.html", 401, title=title, kept=kept)
        return self._locked(request, locked) if locked else self._to_sign_in(request)

    def _locked(self, request: Request, session: Session) -> Response:
        response = self._pages.make(
            "locked.html", 401, title="Locked", page=came_for(request), csrf=session.csrf
        )
        response.headers[_HEADER] = "locked"  # lock.js tells it from a sign-in that has ended
        return response

    def _to_sign_in(self, request: Request) -> Response:
        by_itself = request.headers.get(_HEADER) == BY_ITSELF
        if by_itself or request.method not in _SAFE:
            return self._pages.error("Your sign-in has ended. Nothing was sent.", 401)
        return RedirectResponse(f"/sign-in?page={quote(came_for(request), safe='')}", 303)


def came_for(request: Request) -> str:
    """The path that the person came for: to come back to; without a query, which could say too much."""
    return request.url.path if request.method in _SAFE else "/"


def _fits(request: Request, most_bytes: int) -> bool:
    """Whether the body says how long it is, and is short enough; browsers always say it of a form."""
    length = request.headers.get("content-length", "" if "transfer-encoding" in request.headers else "0")
    return length.isascii() and length.isdecimal() and int(length) <= most_bytes


async def _form(request: Request) -> Any:
    if request.method in _SAFE:
        return {}
    return await request.form(max_fields=_MOST_FIELDS, max_files=_MOST_FILES, max_part_size=_MOST_BODY)
