"""Uploads of a version, row errors of those that were refused."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from services.common.errors import AlprError
from services.console import moments
from services.console.door import Person
from services.console.hot_lists.lists import SECTION, STUB, show_one_with
from services.console.pages import said, status_of

MOST_BYTES: Final = (2048 + 1) * 1024 * 1024
"""The longest version that the matcher takes, and the form around it."""
_CHUNK_BYTES: Final = 512 * 1024
# As long as the matcher works on one: ten million rows take some ten minutes.
_LONGEST_SECONDS: Final = 3600.0
_KEPT: Final = ("format", "kind", "base_version", "attestation")
_MOMENTS: Final = ("source_time", "expire_time")


async def upload(request: Request, person: Person) -> Response:
    """Uploads a version, all of it or nothing: what was counted in it, or which rows are wrong."""
    file = person.form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
        sentence = "Choose the file of the version. Nothing was sent."
        return await show_one_with(request, person, 422, sentence=sentence, sent=_sent(person))
    try:
        header = await _header(request, person, file)
        answer = await person.call(
            STUB, "UploadHotListVersion", _parts(header, file), seconds=_LONGEST_SECONDS
        )
    except AlprError as error:
        return await show_one_with(request, person, status_of(error), sent=_sent(person), **said(error))
    finally:
        await file.close()
    return await show_one_with(request, person, done=answer)


async def refused_upload(request: Request, person: Person) -> Response:
    """One refused upload, with its wrong rows."""
    asked = pb.GetQuarantinedUploadRequest(
        upload_id=str(request.path_params["upload_id"]), page_token=request.query_params.get("after", "")
    )
    found = await person.call(STUB, "GetQuarantinedUpload", asked)
    return await person.show(
        "hot_lists/refused.html",
        title="A refused upload",
        section=SECTION,
        upload=found.upload,
        errors=found.errors,
        after=found.next_page_token,
    )


async def _header(request: Request, person: Person, file: UploadFile) -> pb.UploadHeader:
    digest = hashlib.sha256()
    while chunk := await file.read(_CHUNK_BYTES):
        digest.update(chunk)
    await file.seek(0)
    header = pb.UploadHeader(
        request_id=person.field("request_id"),
        hot_list_id=str(request.path_params["hot_list_id"]),
        format=person.number("format"),
        sha256=digest.digest(),
        size_bytes=file.size or 0,
        attestation=person.field("attestation"),
        kind=person.number("kind"),
        base_version=person.number("base_version"),
    )
    for field in _MOMENTS:
        at = moments.moment(person, field)
        if at is not None:
            getattr(header, field).CopyFrom(at)
    return header


async def _parts(header: pb.UploadHeader, file: UploadFile) -> AsyncIterator[pb.UploadHotListVersionRequest]:
    yield pb.UploadHotListVersionRequest(header=header)
    while chunk := await file.read(_CHUNK_BYTES):
        yield pb.UploadHotListVersionRequest(chunk=chunk)


def _sent(person: Person) -> Mapping[str, Any]:
    written = {name: moments.written(person, name) for name in _MOMENTS}
    return {**{name: person.field(name) for name in _KEPT}, **written}
