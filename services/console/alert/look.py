"""The look at one alert, and the alert anew after an act. The service records each look."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from starlette.requests import Request
from starlette.responses import Response

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.audit.v1.authorization_service_pb2 import ROLE_TELECOM_CENTER
from alpr.type.v1.justification_pb2 import Justification
from services.common.errors import AlprError
from services.console import justification, words
from services.console.alert import view
from services.console.door import Person
from services.console.pages import new_id, said, status_of

# Nobody knows whether the act was recorded: the same id finds out. Any other answer is the last word.
_UNKNOWN: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN}
)


@dataclass(frozen=True, slots=True)
class Refused:
    """The form whose act was refused, and how."""

    form: str
    error: AlprError


@dataclass(frozen=True, slots=True)
class Desk:
    """Who works on which alert; `part` is "" for a page, "page" for what is new in it, "1" for the board."""

    person: Person
    alert_id: str
    part: str

    @classmethod
    def of(cls, request: Request, person: Person) -> Desk:
        """The alert of the address, and what form or address say of the part."""
        part = person.field("part") or request.query_params.get("part", "")
        return cls(person, str(request.path_params["alert_id"]), part)

    @property
    def _head(self) -> Mapping[str, Any]:
        # On the board the page's own heading stands above.
        return {
            "title": "Alert",
            "section": "/board",
            "part": bool(self.part),
            "level": 2 if self.part == "1" else 1,
        }

    @property
    def why(self) -> Justification | None:
        """Case number and purpose, where the form has some."""
        given = justification.given(self.person)
        return given if given != Justification() else None

    async def call(self, stub: Any, name: str, request: Any) -> Any:
        """The answer of a service. Raises AlprError."""
        return await self.person.call(stub, name, request)

    async def show(self, refused: Refused | None = None, **found: Any) -> Response:
        """The alert as it is now; `found` is what an act found besides: cars, deliveries, an answer.

        Raises:
            AlprError: The alert may not be seen.
        """
        request = pb.GetAlertRequest(request_id=new_id(), alert_id=self.alert_id, justification=self.why)
        try:
            answer = await self.call(rpc.AlertServiceStub, "GetAlert", request)
        except AlprError as error:
            if any(one.field.startswith("justification") for one in error.violations):
                return await self._ask_why(error)
            raise
        status = status_of(refused.error) if refused else 200
        values = {**_NOTHING_FOUND, **self._refusal(refused), **self._shown(answer), **found}
        return await self.person.show("alert/alert.html", status, **values)

    def _shown(self, answer: pb.GetAlertResponse) -> Mapping[str, Any]:
        return {
            **self._head,
            "why": self.why,
            "alert": answer.alert,
            "crop": base64.b64encode(answer.crop_image).decode("ascii"),
            "overview": base64.b64encode(answer.overview_image).decode("ascii"),
            "receipt": answer.receipt,
            "standing": view.standing(answer.alert),
            "doubts": view.doubts(answer.alert),
            "listings": view.listings(answer.alert),
            "entry_choices": view.entry_choices(answer.alert),
            "places": view.places(answer.alert),
            "history": view.history(answer.history),
            "can_dispatch": ROLE_TELECOM_CENTER,
            "states": view.DECISIONS,
            "dispositions": words.choices(pb.Disposition),
            "now": view.now(),
        }

    def _refusal(self, refused: Refused | None) -> Mapping[str, Any]:
        if refused is None:
            return {"form": "", "sent": {}, "kept_id": "", "sentence": "", "fields": (), "clauses": ""}
        kept_id = self.person.field("request_id") if refused.error.code in _UNKNOWN else ""
        return {"form": refused.form, "sent": self.person.form, "kept_id": kept_id, **said(refused.error)}

    async def _ask_why(self, error: AlprError) -> Response:
        asked = await justification.asked_for(self.person)
        # Who has not been asked yet has done nothing wrong.
        told = said(error) if self.why else {"sentence": "", "fields": (), "clauses": ""}
        status = status_of(error) if self.why else 200
        values = {**self._head, "alert_id": self.alert_id, **asked, **told}
        return await self.person.show("alert/why.html", status, **values)


_NOTHING_FOUND: Final[Mapping[str, Any]] = {"cars": None, "deliveries": None, "check": None, "done": ""}


async def page(request: Request, person: Person) -> Response:
    """The alert; one that is older than a day after case number and purpose (IV.C.5, IV.C.6)."""
    return await Desk.of(request, person).show()
