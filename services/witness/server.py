"""The witness's HTTPS address (c2sp.org/tlog-witness), and what it gives to whoever asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from services.common.tlog import NoteError, VerifierKey
from services.witness.app import Witness
from services.witness.core.add_checkpoint import Verdict, parse_request

_MOST_BYTES = 1 << 16
_SIZE_TYPE = "text/x.tlog.size"


class Pages:
    """`POST /add-checkpoint`; `GET /checkpoints` and `GET /refused` of a log, `GET /public-key`."""

    def __init__(self, witness: Witness, logs: Mapping[str, VerifierKey]) -> None:
        self._witness = witness
        self._logs = logs

    def application(self) -> web.Application:
        """The pages. They hold sizes, hashes and signatures only, so anybody may read them."""
        made = web.Application(client_max_size=_MOST_BYTES)
        made.router.add_post("/add-checkpoint", self._add)
        made.router.add_get("/checkpoints", self._checkpoints)
        made.router.add_get("/refused", self._refused)
        made.router.add_get("/public-key", self._public_key)
        return made

    async def _add(self, request: web.Request) -> web.Response:
        try:
            asked = parse_request(await request.read())
        except NoteError as error:
            return web.Response(status=Verdict.MALFORMED.value, text=f"{error}\n")
        answer = await self._witness.add(asked)
        if answer.signature is not None:
            return web.Response(text=answer.signature.line())
        if answer.verdict is Verdict.CONFLICT:
            body = f"{answer.size}\n".encode()
            return web.Response(
                status=Verdict.CONFLICT.value, body=body, headers={"Content-Type": _SIZE_TYPE}
            )
        return web.Response(status=answer.verdict.value, text=f"{answer.verdict.name.lower()}\n")

    async def _checkpoints(self, request: web.Request) -> web.Response:
        found = await self._witness.witnessed(self._origin(request))
        return _lines([{"checkpoint": one} for one in found])

    async def _refused(self, request: web.Request) -> web.Response:
        found = await self._witness.refused(self._origin(request))
        return _lines([{"checkpoint": one.note, "known": one.known, "time": one.time} for one in found])

    async def _public_key(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{self._witness.public_key.text()}\n")

    def _origin(self, request: web.Request) -> str:
        """The log that is asked about; without a name the only one there is."""
        named = request.query.get("origin", "")
        if not named and len(self._logs) == 1:
            return next(iter(self._logs))
        if named not in self._logs:
            raise web.HTTPNotFound(text="name one of this witness's logs with ?origin=\n")
        return named


def _lines(items: list[dict[str, Any]]) -> web.Response:
    text = "".join(json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in items)
    return web.Response(text=text, content_type="application/jsonl")
