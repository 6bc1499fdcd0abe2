"""Steady load on a fleet, with a ledger: cameras, people who ask, dispatchers, list managers."""

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.matcher.v1 import local_list_service_pb2 as local_pb
from alpr.matcher.v1 import local_list_service_pb2_grpc as local_rpc
from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1 import match_service_pb2_grpc as match_rpc
from alpr.ocr.v1 import ocr_service_pb2 as ocr_pb
from alpr.ocr.v1 import ocr_service_pb2_grpc as ocr_rpc
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1 import search_service_pb2_grpc as search_rpc
from alpr.type.v1 import hit_pb2, justification_pb2, read_pb2
from platewarden_client import AlertEvent, EventKind, LinkState
from services.cli import alert, hotlist
from services.cli.camera import Camera
from services.cli.demo import cast
from services.cli.frames import Picture
from services.cli.locate import Connection
from services.cli.options import new_request_id
from services.cli.question import write_receipts
from services.cli.scenes import draw_scene
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session, TokenSource
from services.cli.tokens import token_source
from services.cli.watch.feed import alert_stream
from services.common.client import ClientTls, service_channel
from services.common.errors import AlprError
from services.common.wire import to_timestamp
from tests.rolling.cars import listed_plates, passing
from tests.rolling.ledger import Ledger
from tests.rolling.scene import CAMERA, SENSORS, World

_BATCH = 10
_WINDOW = 4
_BATCHES_PER_SECOND = 2.0
_QUESTIONS_PER_SECOND = 2.0
_FRAMES_PER_SECOND = 0.5
_LOOKS_PER_SECOND = 2.0
_LIST_EVERY_SECONDS = 4.0
_ALERTS_PER_SECOND = 1.0
_PAUSE_SECONDS = 0.2
_SETTLED = {read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE}


class Impatient(Session):
    """A person's session that sends nothing again by itself: the transport's retries must do."""

    def __init__(self, connection: Connection, source: TokenSource) -> None:
        super().__init__(connection, source, on_wait=lambda _: None)

    async def call(self, method: Any, request: Any, *, deadline: float = 30.0) -> Any:
        """The response of one call. Raises AioRpcError."""
        body = request() if callable(request) else request
        return await method(body, metadata=await self.metadata(), timeout=deadline)


@dataclass
class Load:
    """All of it. `run` goes on until `end` is set, and returns when all that was begun is answered."""

    world: World
    connection: Connection
    ledger: Ledger
    end: asyncio.Event = field(default_factory=asyncio.Event)
    _stored: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=200))
    _raised: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _listed: Iterator[str] = field(default_factory=listed_plates)

    async def run(self) -> None:
        """Raises the first error of the load itself; what services answered is in the ledger."""
        async with asyncio.TaskGroup() as followers:
            following = [
                followers.create_task(self._follow(who.subject)) for who in (cast.DISPATCHER, cast.OFFICER)
            ]
            async with asyncio.TaskGroup() as work:
                for sensor in SENSORS:
                    work.create_task(self._sensor(sensor))
                work.create_task(self._camera())
                work.create_task(self._questions())
                work.create_task(self._looks())
                work.create_task(self._lists())
                work.create_task(self._local_entries())
                work.create_task(self._alert_work())
            await self._all_delivered()
            for task in following:
                task.cancel()

    async def _sensor(self, sensor_id: str) -> None:
        """Sends finished reads; a batch without an answer is sent again on the next stream."""
        issued = self.world.certificate(sensor_id)
        tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
        target = self.world.fleet.names_target("matcher")
        async with service_channel(target, tls, server_name="matcher") as channel:
            stub = match_rpc.MatchServiceStub(channel)
            pending: deque[match_pb.SubmitReadsRequest] = deque()
            numbers = itertools.count()
            while not self.end.is_set() or pending:
                try:
                    await self._one_stream(stub, sensor_id, pending, numbers)
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.UNAVAILABLE:
                        self.ledger.went_on("SubmitReads")
                    else:
                        self.ledger.failed("SubmitReads", error)
                    await asyncio.sleep(_PAUSE_SECONDS)

    async def _one_stream(
        self,
        stub: Any,
        sensor_id: str,
        pending: deque[match_pb.SubmitReadsRequest],
        numbers: Iterator[int],
    ) -> None:
        call = stub.SubmitReads()
        writing = asyncio.create_task(self._write(call, sensor_id, pending, numbers))
        try:
            while (answer := await call.read()) is not grpc.aio.EOF:
                batch = pending.popleft()
                self._settle(batch, answer)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            call.cancel()

    async def _write(
        self,
        call: Any,
        sensor_id: str,
        pending: deque[match_pb.SubmitReadsRequest],
        numbers: Iterator[int],
    ) -> None:
        for batch in list(pending):
            await call.write(batch)
        while not self.end.is_set():
            if len(pending) < _WINDOW:
                batch = self._batch(sensor_id, next(numbers))
                pending.append(batch)
                await call.write(batch)
            await self._pause(1 / _BATCHES_PER_SECOND)
        await call.done_writing()

    def _batch(self, sensor_id: str, number: int) -> match_pb.SubmitReadsRequest:
        plates = [f"{random.randrange(10**6, 10**7)}" for _ in range(_BATCH)]
        if sensor_id == SENSORS[0] and number % round(_BATCHES_PER_SECOND / _ALERTS_PER_SECOND) == 0:
            plates[0] = next(self._listed, plates[0])
        reads = [passing(sensor_id, plate) for plate in plates]
        return match_pb.SubmitReadsRequest(batch_number=number, reads=reads)

    def _settle(self, batch: match_pb.SubmitReadsRequest, answer: match_pb.SubmitReadsResponse) -> None:
        self.ledger.answered("SubmitReads")
        if answer.batch_number != batch.batch_number or len(answer.results) != len(batch.reads):
            self.ledger.failed("SubmitReads", "an answer that is not of its batch")
        for sent, result in zip(batch.reads, answer.results, strict=False):
            if result.status not in _SETTLED or result.read_id != sent.read.read_id:
                self.ledger.failed("SubmitReads", f"status {result.status}: {result.status_reason}")
                continue
            self.ledger.reads[result.read_id] = sent.read.plate
            self._stored.append((result.read_id, sent.read.plate))
            if not sent.read.plate.isdigit():
                self.ledger.listed.add(sent.read.plate)

    async def _camera(self) -> None:
        """Sends photographs; every plate that ocr answers is in the archive."""
        async with sensor_channel(self.connection, CAMERA, *self.world.files(CAMERA)) as channel:
            camera = Camera(channel, None, on_wait=lambda _: self.ledger.went_on("RecognizeStream"))
            try:
                async for _, answer in camera.send(self._pictures()):
                    self.ledger.answered("RecognizeStream")
                    if answer.HasField("error"):
                        self.ledger.failed("RecognizeStream", answer.error.message)
                    for one in answer.plates:
                        if one.status not in _SETTLED:
                            self.ledger.failed("RecognizeStream", f"status {one.status}")
                        self.ledger.reads[one.read.read_id] = one.read.plate
            except AlprError as error:
                self.ledger.failed("RecognizeStream", error)

    async def _pictures(self) -> AsyncIterator[Picture]:
        scenes = [draw_scene(seed).image for seed in range(500, 504)]
        for number in itertools.count():
            if self.end.is_set():
                return
            yield Picture(f"rolling-{number}", scenes[number % len(scenes)], None)
            await self._pause(1 / _FRAMES_PER_SECOND)

    async def _questions(self) -> None:
        """Asks for plates whose reads were answered; each must be found."""
        async with self._person(cast.OFFICER.subject) as officer:
            stub = search_rpc.SearchServiceStub(officer.channel("search"))
            while not self.end.is_set():
                await self._pause(1 / _QUESTIONS_PER_SECOND)
                if not self._stored:
                    continue
                read_id, plate = random.choice(self._stored)
                request = search_pb.SearchReadsRequest(
                    request_id=new_request_id(), plate=plate, justification=_why()
                )
                answer = await self._call("SearchReads", officer.call(stub.SearchReads, request))
                if answer is None:
                    continue
                write_receipts(answer, self.world.folder / "receipts")
                if read_id not in {found.read.read_id for found in answer.reads}:
                    self.ledger.failed("SearchReads", "a read that was stored is not found")

    async def _looks(self) -> None:
        """Plain calls of people: to audit for an account, to ocr for the models."""
        async with self._person(cast.ADMINISTRATOR) as person:
            accounts = account_rpc.AccountServiceStub(person.channel("audit"))
            models = ocr_rpc.OcrServiceStub(person.channel("ocr_people"))
            while not self.end.is_set():
                await self._pause(1 / _LOOKS_PER_SECOND)
                own = account_pb.GetAccountRequest()
                await self._call("GetAccount", person.call(accounts.GetAccount, own))
                versions = ocr_pb.ListModelsRequest()
                await self._call("ListModels", person.call(models.ListModels, versions))

    async def _lists(self) -> None:
        """Uploads and activates versions of a list that no read is on."""
        async with self._person(cast.LIST_MANAGER.subject) as manager:
            for number in itertools.count(1):
                if self.end.is_set():
                    return
                file = self.world.folder / "moving.csv"
                await asyncio.to_thread(_write_list, file, number)
                made = await self._call("UploadHotListVersion", self._upload(manager, file))
                if made is not None:
                    await self._call(
                        "ActivateHotListVersion",
                        hotlist.activate_version(manager, self.world.moving_list, made.version),
                    )
                await self._pause(_LIST_EVERY_SECONDS)

    async def _local_entries(self) -> None:
        """Watches for a plate that nobody drives, and stops watching."""
        async with self._person(cast.OFFICER.subject) as officer:
            stub = local_rpc.LocalListServiceStub(officer.channel("matcher"))
            while not self.end.is_set():
                request = local_pb.AddLocalEntryRequest(
                    request_id=new_request_id(),
                    owner_kind=local_pb.LOCAL_LIST_OWNER_KIND_USER,
                    pattern="WW99999",
                    category=hit_pb2.HOT_LIST_CATEGORY_OTHER,
                    justification=_why(),
                    expire_time=to_timestamp(datetime.now(UTC) + timedelta(hours=1)),
                )
                made = await self._call("AddLocalEntry", officer.call(stub.AddLocalEntry, request))
                await self._pause(_LIST_EVERY_SECONDS)
                if made is not None:
                    over = local_pb.RemoveLocalEntryRequest(
                        request_id=new_request_id(), entry_id=made.entry.entry_id
                    )
                    await self._call("RemoveLocalEntry", officer.call(stub.RemoveLocalEntry, over))

    def _upload(self, manager: Session, file: Path) -> Awaitable[Any]:
        return hotlist.upload_version(
            manager, self.world.moving_list, file, "csv", "Made for a test; no row is of a real plate."
        )

    async def _alert_work(self) -> None:
        """Acknowledges and verifies each alert once it was delivered."""
        async with (
            self._person(cast.DISPATCHER.subject) as centre,
            self._person(cast.OFFICER.subject) as crew,
        ):
            while not (self.end.is_set() and self._raised.empty()):
                try:
                    alert_id = await asyncio.wait_for(self._raised.get(), 0.5)
                except TimeoutError:
                    continue
                await self._call("AcknowledgeAlert", alert.acknowledge(centre, alert_id))
                await self._call("VerifyAlert", alert.verify(crew, alert_id, "verifying", "", ""))

    async def _follow(self, subject: str) -> None:
        """Follows alerts as another agency's program does; each must come, once."""
        count: Counter[str] = Counter()
        self.ledger.delivered[subject] = count
        lost = False

        def on_link(state: LinkState) -> None:
            nonlocal lost
            if state is LinkState.BROKEN and not lost:
                self.ledger.went_on("SubscribeAlerts")
            lost = state is LinkState.BROKEN

        async with (
            self._person(subject) as person,
            alert_stream(person, hours=0.01, on_link=on_link) as stream,
        ):
            async for event in stream:
                if not isinstance(event, AlertEvent):
                    self.ledger.failed("SubscribeAlerts", f"a gap: {event.reason}")
                elif event.kind is EventKind.RAISED:
                    count[event.alert.plate] += 1
                    if subject == cast.DISPATCHER.subject:
                        self._raised.put_nowait(event.alert.alert_id)

    async def _all_delivered(self) -> None:
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            if all(self.ledger.listed <= set(count) for count in self.ledger.delivered.values()):
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        await asyncio.sleep(1)  # what comes twice comes now

    async def _call(self, what: str, call: Awaitable[Any]) -> Any:
        began = time.monotonic()
        try:
            answer = await call
        except (AlprError, grpc.aio.AioRpcError) as error:
            self.ledger.failed(what, error)
            return None
        self.ledger.answered(what, time.monotonic() - began)
        return answer

    def _person(self, subject: str) -> Session:
        return Impatient(self.connection, token_source(self.world.fleet.places.data_dir, subject))

    async def _pause(self, seconds: float) -> None:
        """Waits so long, or until the load is to end."""
        try:
            await asyncio.wait_for(self.end.wait(), seconds)
        except TimeoutError:
            return


def _why() -> justification_pb2.Justification:
    return justification_pb2.Justification(
        case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
        case_number="2026-004711",
        offence_code="STOLEN_VEHICLE",
        purpose="Stolen vehicle seen on I-90, looking for where it was before",
    )


def _write_list(file: Path, number: int) -> None:
    rows = "".join(f"QQ{(number + n) % 100000:05d},IL,STOLEN_VEHICLE,M{number + n:09d}\n" for n in range(200))
    file.write_text("plate,state,category,record_number\n" + rows, encoding="ascii")
