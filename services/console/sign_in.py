"""The way to the provider and back, and out again."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from alpr.audit.v1.account_service_pb2 import Account
from alpr.audit.v1.authorization_service_pb2 import ROLE_TELECOM_CENTER
from services.common.errors import AlprError
from services.console.door import Door, Person
from services.console.pages import Pages
from services.console.provider import Provider, ProviderError
from services.console.sessions import Sealer, TooLongError, Way
from services.console.sign_ins import end_own

_BAD: Final = 400
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+|/")
_AWAY: Final = 502


class SignIn:
    """The addresses of a sign-in."""

    def __init__(self, provider: Provider, sealer: Sealer, pages: Pages) -> None:
        self._provider = provider
        self._sealer = sealer
        self._pages = pages

    def routes(self, door: Door) -> Sequence[Route]:
        """Begin, come back, leave."""
        return (
            Route("/sign-in", self.begin, methods=["GET"]),
            Route("/signed-in", self._back(door), methods=["GET"]),
            Route("/signed-in-again", door.page(_again), methods=["GET"]),
            Route("/sign-out", door.page(self.leave, locked_too=True), methods=["POST"]),
        )

    async def begin(self, request: Request) -> Response:
        """Sends the person to the provider."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        try:
            anew = request.query_params.get("anew") == "1"
            response = RedirectResponse(await self._provider.page(state, verifier, anew=anew), 303)
        except ProviderError as error:
            return self._pages.error(str(error), _AWAY)
        page = _inside(request.query_params.get("page", "/"))
        self._sealer.keep_way(response, Way(state, verifier, page, time.time()))
        return response

    def _back(self, door: Door) -> Callable[[Request], Awaitable[Response]]:
        async def come_back(request: Request) -> Response:
            return await self.come_back(request, door)

        return come_back

    async def come_back(self, request: Request, door: Door) -> Response:
        """Takes the person in whom the provider sends back, if this browser began the way."""
        given, way = request.query_params, self._sealer.way(request.cookies)
        if way is None or not hmac.compare_digest(given.get("state", "").encode(), way.state.encode()):
            return self._pages.error("This sign-in was not begun here, or too long ago.", _BAD)
        if "code" not in given:
            return self._pages.error("The identity provider did not sign you in.", _BAD)
        try:
            session = await self._provider.finish(given["code"], way.verifier, given.get("iss", ""))
            account = await _account_of(door.person(session))
            if account.account_id:
                word = self._sealer.word(account.account_id)
                session = replace(session, csrf=word, exempt=ROLE_TELECOM_CENTER in account.roles)
            # A page of our own that goes on: strict cookies are not sent along with another site's redirect.
            response = self._pages.make("signed_in.html", title="Signed in", page=way.page)
            self._sealer.forget(response)
            self._sealer.keep(response, session)
        except ProviderError as error:
            return self._pages.error(str(error), _AWAY)
        except TooLongError:
            return self._pages.error("The identity provider's tokens are too long to be kept.", _AWAY)
        return response

    async def leave(self, request: Request, person: Person) -> Response:
        """Forgets the sign-in, here and at the provider."""
        sentence = "You are signed out."
        try:
            await end_own(person)
        except AlprError as error:
            sentence = f"You are signed out here, and the sign-in could not be ended: {error.message}"
        try:
            await self._provider.leave(person.session)
        except ProviderError as error:
            sentence = str(error)
        response = self._pages.make("signed_out.html", title="Signed out", sentence=sentence)
        self._sealer.forget(response)
        return response


async def _again(_request: Request, person: Person) -> Response:
    """Where a sign-in ends that was made beside a page with a form (services.console.kept)."""
    return await person.show("signed_in_again.html", title="Signed in again")


async def _account_of(person: Person) -> Account:
    """Who has signed in, for the screens of telecommunication centres (CJIS AC-11); empty for nobody."""
    try:
        return await person.account()
    except AlprError:
        return Account()


def _inside(page: str) -> str:
    """A path of the console, whatever was asked for: browsers drop tabs and line feeds out of an address."""
    return page if _PATH.fullmatch(page) else "/"
