"""The hot lists of an agency, and one of them with its versions and refused uploads."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from alpr.audit.v1.authorization_service_pb2 import ROLE_HOT_LIST_MANAGER
from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as rpc
from alpr.matcher.v1 import tuning_service_pb2 as tuning_pb
from alpr.matcher.v1 import tuning_service_pb2_grpc as tuning_rpc
from alpr.type.v1 import hit_pb2
from services.console import words
from services.console.door import Person

SECTION: Final = "/hot-lists"
_PAGE: Final = 200
STUB: Final = rpc.HotListServiceStub


async def show(request: Request, person: Person) -> Response:
    """The lists of the person's agency, and the form for a new one."""
    return await show_with(person, page_token=request.query_params.get("after", ""))


async def show_with(person: Person, status: int = 200, page_token: str = "", **values: Any) -> Response:
    """The same page, after something was refused on it too. Raises AlprError."""
    asked = pb.ListHotListsRequest(page_size=_PAGE, page_token=page_token)
    listed = await person.call(STUB, "ListHotLists", asked)
    usual = {"sentence": "", "fields": (), "clauses": "", "name": "", "source": ""}
    return await person.show(
        "hot_lists/lists.html",
        status,
        title="Hot lists",
        section=SECTION,
        lists=listed.hot_lists,
        after=listed.next_page_token,
        sources=words.choices(hit_pb2.HotListSource),
        request_id=str(uuid.uuid4()),
        now=time.time(),
        **{**usual, **values},
    )


async def show_one(request: Request, person: Person) -> Response:
    """One list."""
    return await show_one_with(request, person)


async def show_one_with(request: Request, person: Person, status: int = 200, **values: Any) -> Response:
    """One list, with what was refused on its page or with what became of an act. Raises AlprError."""
    hot_list_id = str(request.path_params["hot_list_id"])
    versions, refused, tuning = await asyncio.gather(
        person.call(
            STUB,
            "ListHotListVersions",
            pb.ListHotListVersionsRequest(
                hot_list_id=hot_list_id, page_token=request.query_params.get("after", "")
            ),
        ),
        person.call(
            STUB, "ListQuarantinedUploads", pb.ListQuarantinedUploadsRequest(hot_list_id=hot_list_id)
        ),
        person.call(
            tuning_rpc.TuningServiceStub,
            "GetHotListTuning",
            tuning_pb.GetHotListTuningRequest(hot_list_id=hot_list_id),
        ),
    )
    usual: dict[str, Any] = {"sentence": "", "fields": (), "clauses": "", "sent": {}, "done": None}
    return await person.show(
        "hot_lists/one.html",
        status,
        title="Hot list",
        section=SECTION,
        hot_list=tuning.hot_list,
        versions=versions.versions,
        after=versions.next_page_token,
        refused=refused.uploads,
        budgets=tuning.budgets,
        formats=words.choices(pb.HotListFormat),
        kinds=words.choices(pb.UploadKind),
        request_id=str(uuid.uuid4()),
        now=time.time(),
        manages=ROLE_HOT_LIST_MANAGER in (await person.account()).roles,
        **{**usual, **values},
    )
