"""In which entries two versions of a list differ."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from services.console.door import Person
from services.console.hot_lists.lists import SECTION, STUB

# Two versions of ten million rows.
_LONGEST_SECONDS: Final = 300.0


async def difference(request: Request, person: Person) -> Response:
    """A page of the difference. It is asked for by a form: it shows plates, and looking is recorded."""
    asked = pb.DiffHotListVersionsRequest(
        hot_list_id=str(request.path_params["hot_list_id"]),
        from_version=person.number("from_version"),
        to_version=person.number("to_version"),
        page_token=person.field("after"),
    )
    found = await person.call(STUB, "DiffHotListVersions", asked, seconds=_LONGEST_SECONDS)
    return await person.show(
        "hot_lists/difference.html",
        title="Difference of two versions",
        section=SECTION,
        asked=asked,
        found=found,
    )
