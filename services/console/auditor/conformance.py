"""How the running system stood to each clause of the directive when it was asked last (ENF-051 III.B.3.q).

The command line asks; it leaves its answers in a file, which is shown here to whoever may see what is amiss
in the log.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1 import log_query_service_pb2_grpc as query_rpc
from services.console.door import Door, Person

_MOST_BYTES: Final = 4 << 20
_CLAUSE: Final = {"clause", "verdict", "text", "look_at", "findings"}
_RULE: Final = {"pack", "verdict", "rule", "why"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found: clauses, rules of other policies, and when its file was written."""

    time: Timestamp
    clauses: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many clauses stand how."""
        return Counter(str(one["verdict"]) for one in self.clauses)


def routes(door: Door, file: Path | None) -> Sequence[Route]:
    """The table of the run whose output is in `file`."""
    return (Route("/auditor/conformance", door.page(_page(file)), methods=["GET"]),)


def _page(file: Path | None) -> Callable[[Request, Person], Awaitable[Response]]:
    async def show(request: Request, person: Person) -> Response:
        # What was found may say where the system is weak: audit says who may see such things of the log.
        await person.call(query_rpc.LogQueryServiceStub, "ListUnfinished", query_pb.ListUnfinishedRequest())
        run, sentence = None, "This console has not been told where the last run is."
        if file is not None:
            try:
                run = await asyncio.to_thread(read_run, file)
            except FileNotFoundError:
                sentence = "No run has been left here yet."
            except (OSError, ValueError):
                sentence = "The last run cannot be read."
        return await person.show(
            "auditor/conformance.html",
            title="Conformance",
            section="/auditor",
            run=run,
            sentence="" if run else sentence,
            only=request.query_params.get("only", ""),
        )

    return show


def read_run(file: Path) -> Run:
    """The run in a file of JSON lines, as `platewarden conformance run` leaves it.

    Raises:
        OSError, ValueError: It cannot be read, or is something else.
    """
    with file.open("rb") as opened:
        raw = opened.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError("too long")
    found = [json.loads(line) for line in raw.splitlines()]
    clauses = [one for one in found if isinstance(one, dict) and one.keys() == _CLAUSE]
    rules = [one for one in found if isinstance(one, dict) and one.keys() == _RULE]
    if not clauses or len(clauses) + len(rules) != len(found):
        raise ValueError("no run")
    return Run(Timestamp(seconds=int(file.stat().st_mtime)), clauses, rules)
