"""People at work: officers who ask, a centre that follows alerts and works on them, a manager of lists."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.alerts.v1.alert_service_pb2_grpc import AlertServiceStub
from alpr.audit.v1.log_service_pb2 import GetCheckpointRequest
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import local_list_service_pb2 as local_pb
from alpr.matcher.v1.hot_list_service_pb2_grpc import HotListServiceStub
from alpr.matcher.v1.local_list_service_pb2_grpc import LocalListServiceStub
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1.search_service_pb2_grpc import SearchServiceStub
from alpr.type.v1 import hit_pb2, justification_pb2, notice_pb2
from platewarden_client import AlertEvent, EventKind, Gap
from services.cli.session import Session
from services.cli.watch.feed import alert_stream
from services.common.wire import to_datetime, to_timestamp
from tests.chaos.answers import KEPT, AnsweredAct, AnsweredQuestion, Answers, Delivered
from tests.chaos.calls import RefusedError, insist
from tests.chaos.plates import Plates

REASON: Final = justification_pb2.Justification(
    case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
    case_number="2026-004711",
    offence_code="STOLEN_VEHICLE",
    purpose="Stolen vehicle seen on I-90, looking for where it was before",
)
_CHUNK: Final = 1 << 16
_LOOK_ONE_IN: Final = 4
_WATCH_HOURS: Final = 2
_PAUSE_SECONDS: Final = 1.0


@dataclass
class Person:
    """Somebody signed in, whose answers are kept."""

    session: Session
    answers: Answers
    chance: random.Random

    async def call(self, kind: str, method: Any, request: Any) -> Any:
        """The answer, or None when it was refused for good."""
        try:
            return await insist(self.answers, kind, self.session, method, request)
        except RefusedError:
            return None


@dataclass
class Officer(Person):
    """Asks about plates that were answered before, and looks at pictures."""

    every_seconds: float = 1.0

    async def run(self, stop: asyncio.Event) -> None:
        """Asks until told to stop."""
        while not stop.is_set():
            kept = [one for one in list(self.answers.reads.values())[-3_000:] if one.status in KEPT]
            if kept:
                one = self.chance.choice(kept)
                await self._ask(one.plate)
                pictured = [one for one in kept if one.image]
                if pictured and self.chance.randrange(_LOOK_ONE_IN) == 0:
                    await self._look(self.chance.choice(pictured).read_id)
            await _pause(stop, self.every_seconds)

    async def _ask(self, plate: str) -> None:
        stub: Any = SearchServiceStub(self.session.channel("search"))
        request = search_pb.SearchReadsRequest(
            request_id=str(uuid4()), plate=plate, justification=REASON, page_size=1000
        )
        asked = time.monotonic()
        answer = await self.call("questions", stub.SearchReads, request)
        if answer is not None:
            self.answers.questions.append(
                AnsweredQuestion(
                    request_id=request.request_id,
                    plate=plate,
                    asked_at=asked,
                    searched_to=to_datetime(answer.searched_to),
                    read_ids=tuple(found.read.read_id for found in answer.reads),
                    is_whole=not answer.next_page_token and not answer.left_out,
                    receipts=(answer.question_receipt, answer.outcome_receipt),
                )
            )

    async def _look(self, read_id: str) -> None:
        stub: Any = SearchServiceStub(self.session.channel("search"))
        request = search_pb.GetReadImageRequest(
            request_id=str(uuid4()), read_id=read_id, justification=REASON
        )
        answer = await self.call("pictures", stub.GetReadImage, request)
        if answer is not None:
            self.answers.looks.append((read_id, answer.outcome_receipt))


@dataclass
class Follower(Person):
    """Follows alerts without end, and works on some of them."""

    name: str = ""
    works: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, _: asyncio.Event) -> None:
        """Follows until cancelled."""
        got = self.answers.delivered.setdefault(self.name, [])
        async with alert_stream(self.session) as stream:
            async for event in stream:
                if isinstance(event, Gap):
                    self.answers.gaps.append(f"{self.name}: {event}")
                else:
                    self._arrived(event, got)

    def _arrived(self, event: AlertEvent, got: list[Delivered]) -> None:
        raised = event.kind is EventKind.RAISED
        got.append(Delivered(event.alert.alert_id, event.position.number, event.position.epoch, raised))
        self.answers.ok(f"alerts to {self.name}")
        if raised and self.works and len(self._tasks) < 4:
            task = asyncio.create_task(self._work(event.alert.alert_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Returns when what was begun is done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, alert_id: str) -> None:
        stub: Any = AlertServiceStub(self.session.channel("alerts"))
        verify, states = alerts_pb.VerifyAlertRequest, notice_pb2
        steps: list[tuple[str, Any, Any]] = [
            ("alert.acknowledge", stub.AcknowledgeAlert, alerts_pb.AcknowledgeAlertRequest()),
            ("alert.verify", stub.VerifyAlert, verify(state=states.VERIFICATION_STATE_VERIFYING)),
            (
                "alert.verify",
                stub.VerifyAlert,
                verify(state=states.VERIFICATION_STATE_CONFIRMED, system="LEADS", response_id="R1"),
            ),
            (
                "alert.dispose",
                stub.DisposeAlert,
                alerts_pb.DisposeAlertRequest(disposition=alerts_pb.DISPOSITION_STOPPED),
            ),
        ]
        for what, method, request in steps:
            request.request_id, request.alert_id = str(uuid4()), alert_id
            if await self.call(what, method, request) is None:
                return
            self.answers.acts.append(AnsweredAct(request.request_id, what, alert_id))


@dataclass
class Manager(Person):
    """Brings new versions of a list into use; each has all that the one before has, and a plate more."""

    plates: Plates = field(default_factory=lambda: Plates(random.Random(0)))
    hot_list_id: str = ""
    every_seconds: float = 10.0
    own: list[str] = field(default_factory=list)

    async def create(self, name: str) -> None:
        """Makes the list."""
        stub: Any = HotListServiceStub(self.session.channel("matcher"))
        request = lists_pb.CreateHotListRequest(
            request_id=str(uuid4()), name=name, source=hit_pb2.HOT_LIST_SOURCE_AGENCY
        )
        self.hot_list_id = (await self.call("lists", stub.CreateHotList, request)).hot_list.hot_list_id

    async def run(self, stop: asyncio.Event) -> None:
        """Changes the list until told to stop."""
        while not stop.is_set():
            await self.change([self.plates.new()])
            await _pause(stop, self.every_seconds)

    async def change(self, more: list[str]) -> None:
        """A version with `more` plates is uploaded and taken into use; they pass from then on."""
        stub: Any = HotListServiceStub(self.session.channel("matcher"))
        rows = "".join(f"{plate},IL,STOLEN_VEHICLE,V{n:06d}\n" for n, plate in enumerate([*self.own, *more]))
        data = f"plate,state,category,record_number\n{rows}".encode("ascii")
        header = lists_pb.UploadHeader(
            request_id=str(uuid4()),
            hot_list_id=self.hot_list_id,
            format=lists_pb.HOT_LIST_FORMAT_CSV,
            sha256=sha256(data).digest(),
            size_bytes=len(data),
            attestation="Made for a test of faults; no row is of a real plate.",
            kind=lists_pb.UPLOAD_KIND_FULL,
        )
        uploaded = await self.call("lists", stub.UploadHotListVersion, _parts(header, data))
        if uploaded is None:
            return
        self.own += more
        self.answers.acts.append(
            AnsweredAct(header.request_id, "hot_list.upload", self.hot_list_id, uploaded.version)
        )
        request = lists_pb.ActivateHotListVersionRequest(
            request_id=str(uuid4()), hot_list_id=self.hot_list_id, version=uploaded.version
        )
        active = await self.call("lists", stub.ActivateHotListVersion, request)
        if active is not None:
            act = AnsweredAct(
                request.request_id, "hot_list.activate", self.hot_list_id, active.match_revision
            )
            self.answers.acts.append(act)
            self.plates.listed += more


@dataclass
class Watcher(Person):
    """Puts plates on a local list, lets each pass once, and takes some off again."""

    plates: Plates = field(default_factory=lambda: Plates(random.Random(0)))
    every_seconds: float = 10.0

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until told to stop."""
        stub: Any = LocalListServiceStub(self.session.channel("matcher"))
        while not stop.is_set():
            add = local_pb.AddLocalEntryRequest(
                request_id=str(uuid4()),
                owner_kind=local_pb.LOCAL_LIST_OWNER_KIND_USER,
                pattern=self.plates.new(),
                state="IL",
                category=hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
                justification=REASON,
                expire_time=to_timestamp(
                    (datetime.now(UTC) + timedelta(hours=_WATCH_HOURS)).replace(microsecond=0)
                ),
            )
            added = await self.call("local lists", stub.AddLocalEntry, add)
            if added is not None:
                entry = added.entry.entry_id
                self.answers.acts.append(
                    AnsweredAct(add.request_id, "local_list.add", entry, added.match_revision)
                )
                self.plates.watched.append(add.pattern)
                await _pause(stop, self.every_seconds)
                end = local_pb.RemoveLocalEntryRequest(request_id=str(uuid4()), entry_id=entry)
                removed = await self.call("local lists", stub.RemoveLocalEntry, end)
                if removed is not None:
                    self.answers.acts.append(
                        AnsweredAct(end.request_id, "local_list.remove", entry, removed.match_revision)
                    )
            await _pause(stop, _PAUSE_SECONDS)


@dataclass
class Doubter(Person):
    """Keeps every checkpoint that the log shows, to hold the log to it later."""

    every_seconds: float = 2.0

    async def run(self, stop: asyncio.Event) -> None:
        """Asks until told to stop."""
        stub: Any = LogServiceStub(self.session.channel("audit"))
        while not stop.is_set():
            answer = await self.call("checkpoints", stub.GetCheckpoint, GetCheckpointRequest())
            if answer is not None and answer.checkpoint not in self.answers.checkpoints[-1:]:
                self.answers.checkpoints.append(answer.checkpoint)
            await _pause(stop, self.every_seconds)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _parts(
    header: lists_pb.UploadHeader, data: bytes
) -> Callable[[], AsyncIterator[lists_pb.UploadHotListVersionRequest]]:
    async def parts() -> AsyncIterator[lists_pb.UploadHotListVersionRequest]:
        yield lists_pb.UploadHotListVersionRequest(header=header)
        for start in range(0, len(data), _CHUNK):
            yield lists_pb.UploadHotListVersionRequest(chunk=data[start : start + _CHUNK])

    return parts
