"""The demo's seven steps. Each method does one thing over the public contracts and prints it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from alpr.alerts.v1 import alert_service_pb2 as alerts_pb
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1 import search_service_pb2_grpc as search_rpc
from alpr.type.v1 import justification_pb2, read_pb2, sensor_pb2
from platewarden_client import AlertEvent, EventKind, Gap, LinkState
from services.cli import alert, hotlist, search
from services.cli.camera import Camera
from services.cli.capture import show as show_capture
from services.cli.demo import cast
from services.cli.demo.material import Material, leads_file
from services.cli.demo.patrol import send_car
from services.cli.locate import CommandError, Connection
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.question import write_receipts
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import certified_here
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session
from services.cli.tokens import token_source
from services.cli.watch import lines
from services.cli.watch.feed import alert_stream, refusals
from services.common.errors import AlprError

SENSOR_ID = "demo-i90-eastbound"
_PLACE = read_pb2.Place(latitude=41.98, longitude=-87.87, description="I-90 at mile 79, eastbound")
_ALERT_SECONDS = 20.0


@dataclass
class Seen:
    """What the steps hand on to later ones."""

    alerts: list[alerts_pb.Alert] = field(default_factory=list)
    stored_plates: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Story:
    """The story on a running stack, with a session for each person."""

    def __init__(
        self,
        connection: Connection,
        material: Material,
        output: Output,
        *,
        issuer: str,
        question_url: str,
        evidence: Path,
    ) -> None:
        self._connection = connection
        self._material = material
        self._output = output
        self._issuer = issuer
        self._question_url = question_url
        self._evidence = evidence
        self._stack = AsyncExitStack()
        self._seen = Seen()

    async def tell(self, after_step: Callable[[str], None] = lambda _: None) -> None:
        """Tells steps 2 to 6; calls `after_step` with each step's name when it is done.

        Raises:
            CommandError: Something did not happen that must.
            AlprError: A call was refused that must be allowed.
        """
        async with self._stack:
            await self._enrol()
            after_step("enrol")
            await self._upload_hot_list()
            after_step("hot list")
            dispatcher = asyncio.create_task(self._dispatch())
            try:
                await self._photograph()
                after_step("photographs")
                await self._await_alert(dispatcher)
            finally:
                dispatcher.cancel()
                await asyncio.gather(dispatcher, return_exceptions=True)
            after_step("alert")
            await self._verify_and_dispose()
            after_step("disposition")
            await self._ask()
            after_step("question")

    async def _session(self, subject: str) -> Session:
        data_dir = self._connection.data_dir
        if data_dir is None:
            raise CommandError("the demo needs the stack of this machine")
        source = token_source(data_dir, subject)
        return await self._stack.enter_async_context(
            Session(self._connection, source, on_wait=self._output.note)
        )

    async def _enrol(self) -> None:
        coordinator = await self._session(cast.COORDINATOR)
        for person in cast.PEOPLE:
            await cast.enrol(coordinator, person, self._issuer)
        sensor = sensor_pb2.Sensor(
            sensor_id=SENSOR_ID,
            agency_ori=cast.AGENCY_ORI,
            sensor_group="expressway",
            deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
            place=_PLACE,
            provenance=sensor_pb2.PROVENANCE_OWN,
        )
        await register_sensor(coordinator, sensor)
        await approve_deployment(coordinator, SENSOR_ID)
        issued = await certified_here(coordinator, SENSOR_ID)
        roles = ", ".join(person.role for person in cast.PEOPLE)
        self._say(
            f"The coordinator enrolled {len(cast.PEOPLE)} people ({roles}) and approved sensor {SENSOR_ID}, "
            f"which comes with a certificate of its own until {issued.end_time.ToDatetime():%Y-%m-%d}."
        )

    async def _upload_hot_list(self) -> None:
        self._title(
            2, "A hot list in the Illinois LEADS layout is uploaded, validated, counted and activated"
        )
        manager = await self._session(cast.LIST_MANAGER.subject)
        file = self._evidence / "hot-list.txt"
        file.write_bytes(leads_file(self._material.listed))
        made = await hotlist.create_list(manager, "LEADS stolen vehicles", "leads")
        answer = await hotlist.upload_version(
            manager, made.hot_list_id, file, "il-leads", "Demonstration file; its rows are invented."
        )
        self._say(
            f"Version {answer.version}: {answer.row_count:,} rows accepted ({hotlist.categories(answer)})."
        )
        active = await hotlist.activate_version(manager, made.hot_list_id, answer.version)
        self._say(f"Active from match revision {active.match_revision}.")

    async def _dispatch(self) -> None:
        dispatcher = await self._session(cast.DISPATCHER.subject)
        with refusals():
            async with alert_stream(dispatcher, on_link=self._on_link) as stream:
                async for event in stream:
                    self._arrived(event)

    def _on_link(self, state: LinkState) -> None:
        if state is LinkState.LIVE:
            self._seen.arrived.set()  # a heartbeat at least: the subscription stands

    def _arrived(self, event: AlertEvent | Gap) -> None:
        lines.show(event, self._output)
        if isinstance(event, AlertEvent) and event.kind is EventKind.RAISED:
            self._seen.alerts.append(event.alert)
            delay = datetime.now(UTC) - event.alert.raise_time.ToDatetime(UTC)
            milliseconds = delay.total_seconds() * 1000
            self._say(f"  [dim]with the dispatcher {milliseconds:.0f} ms after it was raised[/]")

    async def _photograph(self) -> None:
        self._title(3, f"Photographs go to the ocr service: {self._material.origin}")
        await asyncio.wait_for(self._seen.arrived.wait(), _ALERT_SECONDS)
        started, plates = time.monotonic(), 0
        async with sensor_channel(self._connection, SENSOR_ID, None, None) as channel:
            camera = Camera(channel, None, on_wait=self._output.note)
            async for frame, answer in camera.send(self._material.pictures):
                show_capture(frame, answer, self._output)
                plates += len(answer.plates)
                self._seen.stored_plates += [
                    p.read.plate for p in answer.plates if p.status == read_pb2.READ_STATUS_STORED
                ]
        took = time.monotonic() - started
        self._say(f"{len(self._material.pictures)} pictures, {plates} plates, {took:.1f} s.")

    async def _await_alert(self, dispatcher: asyncio.Task[None]) -> None:
        self._title(4, "A hit raises an alert at the dispatch client that was already connected")
        give_up = time.monotonic() + _ALERT_SECONDS
        while not self._seen.alerts:
            if dispatcher.done():
                dispatcher.result()
            if time.monotonic() > give_up:
                raise CommandError("no alert came: none of the listed plates was read in these pictures")
            await asyncio.sleep(0.05)
        self._say(f"{len(self._seen.alerts)} alert(s) came, each printed above as it arrived.")
        centre = await self._session(cast.DISPATCHER.subject)
        crew = await self._session(cast.OFFICER.subject)
        self._say(await send_car(centre, crew, self._seen.alerts[0].alert_id, cast.UNIT, self._output))

    async def _verify_and_dispose(self) -> None:
        self._title(5, "No enforcement before verification")
        officer = await self._session(cast.OFFICER.subject)
        raised = self._seen.alerts[0]
        try:
            await alert.dispose(officer, raised.alert_id, "stopped", "")
        except AlprError as error:
            self._say(f"Stopping the vehicle before verification: [red]refused[/], {error.message}")
        else:
            raise CommandError("a disposition was accepted before the verification")
        await alert.verify(officer, raised.alert_id, "verifying", "", "")
        confirmed = await alert.verify(officer, raised.alert_id, "confirmed", "LEADS", "demo-response-1")
        self._say(f"LEADS confirmed it: {confirmed.notice.text}")
        await alert.dispose(officer, raised.alert_id, "stopped", "DEMO-0001")
        self._say("Now the disposition is recorded: stopped, report DEMO-0001.")

    async def _ask(self) -> None:
        self._title(6, "A plate search needs a case number and a purpose")
        officer = await self._session(cast.OFFICER.subject)
        plate = self._seen.alerts[0].plate
        good = justification_pb2.Justification(
            case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
            case_number="2026-004711",
            offence_code="STOLEN_VEHICLE",
            purpose="Stolen vehicle seen on I-90, looking for where it was before the stop",
        )
        await self._must_refuse(officer, plate, "without a case number", good, case_number="")
        await self._must_refuse(
            officer, plate, "with the purpose 'investigation'", good, purpose="investigation"
        )
        stub = search_rpc.SearchServiceStub(officer.channel("search"))
        answer = await officer.call(
            stub.SearchReads,
            search_pb.SearchReadsRequest(request_id=new_request_id(), plate=plate, justification=good),
        )
        self._say("With case number and purpose:")
        search.show(answer, self._output)
        write_receipts(answer, self._evidence)
        if not answer.reads:
            raise CommandError("the search found no read of the plate that was just stored")
        await self._try_the_database()

    async def _must_refuse(
        self, officer: Session, plate: str, how: str, good: justification_pb2.Justification, **changed: str
    ) -> None:
        justification = justification_pb2.Justification()
        justification.CopyFrom(good)
        for name, value in changed.items():
            setattr(justification, name, value)
        stub = search_rpc.SearchServiceStub(officer.channel("search"))
        request = search_pb.SearchReadsRequest(
            request_id=new_request_id(), plate=plate, justification=justification
        )
        try:
            await officer.call(stub.SearchReads, request)
        except AlprError as error:
            self._say(f"A search {how}: [red]refused[/], {error.message}")
            for violation in error.violations:
                self._say(f"    {violation.field}: {violation.description}")
        else:
            raise CommandError(f"a search {how} was answered")

    async def _try_the_database(self) -> None:
        connection = await asyncpg.connect(self._question_url)
        try:
            await connection.fetch("SELECT plate FROM archive.read")
        except asyncpg.InsufficientPrivilegeError as error:
            self._say(f"The search service's own database login, tried directly: [red]refused[/], {error}")
        else:
            raise CommandError("the search service's database login could read the archive")
        finally:
            await connection.close()

    def _title(self, number: int, text: str) -> None:
        self._say(f"\n[bold cyan]{number}. {text}[/]")

    def _say(self, text: str) -> None:
        self._output.say(text)
