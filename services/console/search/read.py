"""One read by its id, with its pictures: two questions, each of them recorded."""

from __future__ import annotations

import base64
import uuid
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.search.v1 import search_service_pb2 as pb
from alpr.search.v1 import search_service_pb2_grpc as rpc
from services.common.errors import AlprError
from services.console import justification
from services.console.door import Person

_NO_ID: Final = uuid.UUID(int=0)


async def show(_request: Request, person: Person) -> Response:
    """The read, and what its picture shows or why it does not."""
    read_id, why = person.field("read_id"), justification.given(person)
    asked = pb.GetReadRequest(request_id=_act(person, "read"), justification=why, read_id=read_id)
    answer: pb.GetReadResponse = await person.call(rpc.SearchServiceStub, "GetRead", asked)
    return await person.show(
        "search/read.html",
        title="Read",
        section="/search",
        answer=answer,
        found=answer.read,
        **await _pictures(person, read_id),
        **await justification.asked_for(person),
    )


async def _pictures(person: Person, read_id: str) -> dict[str, Any]:
    """`pictures` is the answer, None where `sentence` says why there is none."""
    asked = pb.GetReadImageRequest(
        request_id=_act(person, "picture"), justification=justification.given(person), read_id=read_id
    )
    try:
        answer: pb.GetReadImageResponse = await person.call(rpc.SearchServiceStub, "GetReadImage", asked)
    except AlprError as error:
        return {"pictures": None, "sentence": error.message}
    return {
        "pictures": answer,
        "sentence": "",
        "crop": _inline(answer.crop_image),
        "scene": _inline(answer.overview_image),
    }


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
