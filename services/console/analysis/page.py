"""One page that asks an analysis: the form with its reasons first, then the answer with its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.search.v1 import analysis_service_pb2_grpc as rpc
from services.common.errors import AlprError, FieldViolation
from services.common.wire import raise_violations
from services.console import justification, moments
from services.console.answers import once_more
from services.console.door import Person

# The longest that search itself lets an analysis take, and what the way there takes.
_SECONDS: Final = 150.0

Parse = Callable[[Person, list[FieldViolation]], Any]
"""The request out of the form; adds to the list what cannot be read."""
Ask = Callable[[Person, Any], Awaitable[Any]]
"""The answer of the service. Raises AlprError."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A question of AnalysisService, its form and its answer.

    Attributes:
        path: Of the page.
        title: Of the page; says nothing of what is asked.
        template: Extends analysis/page.html, and knows `answer`, `when` and `written`.
        parse: Request out of form.
        ask: Request to answer.
        more: More for the template, out of form and answer; the answer is None where nothing was asked.
    """

    path: str
    title: str
    template: str
    parse: Parse
    ask: Ask
    more: Callable[[Person, Any], dict[str, Any]] = lambda _person, _answer: {}

    async def page(self, _request: Request, person: Person) -> Response:
        """The form, or the answer to it."""
        values = {
            "title": self.title,
            "section": "/search",
            "here": self.path,
            "written": person.field,
            "when": partial(moments.written, person),
            **await justification.asked_for(person),
        }
        if not person.field("ask"):
            return await self._shown(person, None, values)
        try:
            wrong: list[FieldViolation] = []
            request = self.parse(person, wrong)
            raise_violations(wrong)
            answer = await self.ask(person, request)
        except AlprError as error:
            return await person.refused(
                once_more(error), self.template, answer=None, **values, **self.more(person, None)
            )
        return await self._shown(person, answer, values)

    async def _shown(self, person: Person, answer: Any, values: dict[str, Any]) -> Response:
        more = self.more(person, answer)
        return await person.show(
            self.template, answer=answer, sentence="", fields=(), clauses="", **values, **more
        )


def asked_by(name: str) -> Ask:
    """Asks that method of AnalysisService."""

    async def ask(person: Person, request: Any) -> Any:
        return await person.call(rpc.AnalysisServiceStub, name, request, seconds=_SECONDS)

    return ask


def fields_of(person: Person) -> dict[str, Any]:
    """What every request has: the id of the act, why it is asked, of whose reads, and in which zone."""
    return {
        "request_id": person.field("request_id"),
        "justification": justification.given(person),
        "own_agency_only": bool(person.field("own_only")),
        "time_zone": person.field("time_zone"),
    }
