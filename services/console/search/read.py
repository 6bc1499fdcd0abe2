"""One read by its id, with its pictures: two questions, each of them recorded."""

from __future__ import annotations

import base64
import uuid
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alpr.search.v1 import motor_carrier_service_pb2 as apart_pb
from alpr.search.v1 import motor_carrier_service_pb2_grpc as apart_rpc
from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console import justification
from services.console.answers import once_more
from services.console.door import Person
from services.console.pages import said
from services.console.search import motor_carrier
from services.console.search.shapes import points

_NO_ID: Final = uuid.UUID(int=0)
_NOTHING: Final[dict[str, Any]] = {"sentence": "", "fields": (), "clauses": ""}


async def show(_request: Request, person: Person) -> Response:
    """The read, and what its picture shows or why it does not."""
    values = {
        "title": "Read",
        "section": "/search",
        "read_id": person.field("read_id"),
        "data_set": person.field("data_set"),
        **await justification.asked_for(person),
    }
    answer, pictures, refusal = None, None, _NOTHING
    try:
        # Of the Motor Carrier Safety data set there are pictures by id, and no reads.
        if not motor_carrier.is_meant(person):
            answer = await _read(person)
        pictures = await _pictures(person)
    except AlprError as error:
        if answer is None:
            return await person.refused(
                once_more(error), "search/read.html", answer=None, pictures=None, **values
            )
        refusal = dict(said(once_more(error)))
    return await person.show(
        "search/read.html",
        answer=answer,
        pictures=pictures,
        crop=_inline(pictures.crop_image) if pictures else "",
        scene=_inline(pictures.overview_image) if pictures else "",
        point=points([answer.read]) if answer else [],
        **values,
        **refusal,
    )


async def elsewhere(_request: Request, _person: Person) -> Response:
    """A read has no address: who comes by one asks."""
    return RedirectResponse("/search", 303)


async def _read(person: Person) -> pb.GetReadResponse:
    asked = pb.GetReadRequest(
        request_id=_act(person, "read"),
        justification=justification.given(person),
        read_id=person.field("read_id"),
    )
    answer: pb.GetReadResponse = await person.call(rpc.SearchServiceStub, "GetRead", asked)
    return answer


async def _pictures(person: Person) -> pb.GetReadImageResponse | apart_pb.GetMotorCarrierReadImageResponse:
    fields: dict[str, Any] = {
        "request_id": _act(person, "picture"),
        "justification": justification.given(person),
        "read_id": person.field("read_id"),
    }
    if motor_carrier.is_meant(person):
        apart: apart_pb.GetMotorCarrierReadImageResponse = await person.call(
            apart_rpc.MotorCarrierServiceStub,
            "GetMotorCarrierReadImage",
            apart_pb.GetMotorCarrierReadImageRequest(**fields),
        )
        return apart
    answer: pb.GetReadImageResponse = await person.call(
        rpc.SearchServiceStub, "GetReadImage", pb.GetReadImageRequest(**fields)
    )
    return answer


def _act(person: Person, what: str) -> str:
    """Id of the act, out of the form's and the read's: the list has one form for all its reads."""
    try:
        form = uuid.UUID(person.field("request_id"))
    except ValueError:
        form = _NO_ID
    return str(uuid.uuid5(form, f"{what}/{person.field('read_id')}")) if form != _NO_ID else ""


def _inline(jpeg: bytes) -> str:
    """The picture inside of the page, so that no address stands for it; "" for none."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""
