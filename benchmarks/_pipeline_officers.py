"""Officers who ask, in a process of their own: where was this plate within the retention period?

The answer is there when question and outcome stand in audit's log. A question is asked at its moment,
whatever became of the ones before, and its time counts from that moment.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import uvloop

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from alpr.search.v1 import search_service_pb2
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import justification_pb2
from benchmarks._stack import say
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.client import ClientTls, service_channel
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places

_PATIENCE_SECONDS: Final = 300.0
_CALL_SECONDS: Final = 30.0
_JUSTIFICATION: Final = justification_pb2.Justification(
    case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
    case_number="26-0001",
    purpose="measuring how long an answer takes under load",
    offence_code="HOMICIDE",
)


@dataclass(frozen=True, slots=True)
class Asking:
    """So many questions a second for so long; `permits` asks audit alone, as search does."""

    seconds: float
    per_second: float
    permits: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds that each question took, in order, and the reads that came back."""

    took: tuple[float, ...]
    rows: int


class Officers:
    """The process of the officers: `async with Officers(folder, subjects, plates) as officers`."""

    def __init__(self, folder: Path, target: str, subjects: Sequence[str], plates: Sequence[str]) -> None:
        self._pipe, there = multiprocessing.get_context("spawn").Pipe()
        arguments = (folder, target, tuple(subjects), tuple(plates), there)
        self._process = multiprocessing.get_context("spawn").Process(
            target=_process, args=arguments, daemon=True
        )

    async def __aenter__(self) -> Self:
        self._process.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.join)

    async def ask(self, asking: Asking) -> Asked:
        """What became of it, once everything is answered."""
        self._pipe.send(asking)
        if not await asyncio.to_thread(self._pipe.poll, _PATIENCE_SECONDS):
            raise SystemExit("the officers do not answer")
        answer = self._pipe.recv()
        if isinstance(answer, str):
            raise SystemExit(f"an officer gave up: {answer}")
        assert isinstance(answer, Asked)  # noqa: S101 - that is what is sent for an asking
        return answer


def _process(
    folder: Path, target: str, subjects: tuple[str, ...], plates: tuple[str, ...], pipe: Connection
) -> None:
    uvloop.run(_serve(folder, target, subjects, plates, pipe))


async def _serve(
    folder: Path, target: str, subjects: tuple[str, ...], plates: tuple[str, ...], pipe: Connection
) -> None:
    connection = locate(folder)
    sessions = [Session(connection, token_source(folder, one), on_wait=say) for one in subjects]
    made = DevelopmentAuthority(Places(folder).pki).service("search")
    tls = ClientTls(made.cert_file, made.key_file, made.ca_file)
    taking_turns, passing = cycle(sessions), cycle(plates)
    async with service_channel(target, tls, server_name="audit") as audit:
        while True:
            asking = await asyncio.to_thread(pipe.recv)
            try:
                ask = _permits(audit) if asking.permits else _search
                pipe.send(
                    await _asked(asking, (ask(*one) for one in zip(taking_turns, passing, strict=False)))
                )
            except Exception as error:
                pipe.send(f"{type(error).__name__} {error}")


async def _asked(asking: Asking, questions: Iterator[Awaitable[int]]) -> Asked:
    start = time.perf_counter()
    took: list[float] = []
    rows = 0

    async def one(due: float) -> None:
        nonlocal rows
        rows += await next(questions)
        took.append(time.perf_counter() - due)

    calls = []
    for n in range(round(asking.seconds * asking.per_second)):
        due = start + n / asking.per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        calls.append(asyncio.ensure_future(one(due)))
    await asyncio.gather(*calls)
    return Asked(tuple(took), rows)


async def _search(officer: Session, plate: str) -> int:
    stub: Any = SearchServiceStub(officer.channel("search"))
    request = search_service_pb2.SearchReadsRequest(
        request_id=str(uuid4()), justification=_JUSTIFICATION, plate=plate, page_size=100
    )
    answer = await stub.SearchReads(request, metadata=await officer.metadata(), timeout=_CALL_SECONDS)
    return len(answer.reads)


def _permits(channel: Any) -> Any:
    stub: Any = AuthorizationServiceStub(channel)

    async def authorize(officer: Session, plate: str) -> int:
        arguments = [
            audit_pb.QuestionArgument(name=name, value=value)
            for name, value in (("plate", plate), ("state", "IL"), ("look_alike", "true"))
        ]
        asked = audit_pb.ArchiveQuestion(kind="reads", page_size=100, arguments=arguments)
        request = audit_pb.AuthorizeRequest(
            request_id=str(uuid4()),
            access_token=await officer.token(),
            justification=_JUSTIFICATION,
            question=audit_pb.Question(archive=asked),
        )
        await stub.Authorize(request, timeout=_CALL_SECONDS)
        return 0

    return authorize
