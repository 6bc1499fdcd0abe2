"""A running alerts service with a neighbour that speaks audit's contract, for RPC and fault tests."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.alerts.v1 import subscription_service_pb2 as subscription_pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as subscription_rpc
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_rpc
from alpr.audit.v1 import health_service_pb2 as health_pb
from alpr.audit.v1 import health_service_pb2_grpc as health_rpc
from alpr.type.v1 import hit_pb2, read_pb2, receipt_pb2, sensor_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.alerts.__main__ import build
from services.alerts.config import AlertsSettings
from services.common.client import ClientTls, bearer, service_channel, user_channel
from services.common.clock import Clock, SystemClock
from services.common.config import ServiceSettings
from services.common.errors import (
    AlprError,
    DependencyUnavailableError,
    InvalidFieldError,
    NotPermittedError,
    StorageUnavailableError,
    UnauthenticatedError,
    from_rpc_error,
)
from services.common.server import Server, ServerBuilder
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_kit import OTHER, OWN, STRANGER
from tests.support.databases import MigratedDatabase
from tests.support.serving import until_serving

TOKENS = {
    "officer": audit_pb.Actor(account_id="account-officer", agency_ori=OWN, roles=[audit_pb.ROLE_USER]),
    "colleague": audit_pb.Actor(account_id="account-colleague", agency_ori=OWN, roles=[audit_pb.ROLE_USER]),
    "neighbour": audit_pb.Actor(account_id="account-neighbour", agency_ori=OTHER, roles=[audit_pb.ROLE_USER]),
    "stranger": audit_pb.Actor(
        account_id="account-stranger", agency_ori=STRANGER, roles=[audit_pb.ROLE_USER]
    ),
    "dispatch": audit_pb.Actor(
        account_id="account-dispatch", agency_ori=OWN, roles=[audit_pb.ROLE_TELECOM_CENTER]
    ),
    "head": audit_pb.Actor(
        account_id="account-head", agency_ori=OWN, roles=[audit_pb.ROLE_STATEWIDE_COORDINATOR]
    ),
    "cveo": audit_pb.Actor(account_id="account-cveo", agency_ori=OWN, roles=[audit_pb.ROLE_CVEO]),
    "cveo-supervisor": audit_pb.Actor(
        account_id="account-cveo-supervisor", agency_ori=OWN, roles=[audit_pb.ROLE_CVEO_SUPERVISOR]
    ),
    "cveo-stranger": audit_pb.Actor(
        account_id="account-cveo-stranger", agency_ori=STRANGER, roles=[audit_pb.ROLE_CVEO]
    ),
    "both": audit_pb.Actor(
        account_id="account-both", agency_ori=OWN, roles=[audit_pb.ROLE_USER, audit_pb.ROLE_CVEO]
    ),
}
# What must come sometime may take its time: a busy machine stands still for seconds.
_PATIENCE = 60.0
MOTOR_CARRIER_ROLES = {audit_pb.ROLE_CVEO, audit_pb.ROLE_CVEO_SUPERVISOR}


class AuditNeighbour(audit_rpc.AuthorizationServiceServicer, health_rpc.HealthServiceServicer):
    """Speaks audit's contract as far as alerts needs it, and remembers what it heard."""

    def __init__(self) -> None:
        self.lease = timedelta(seconds=60)
        self.ended: set[str] = set()
        self.intents: list[audit_pb.RecordIntentRequest] = []
        self.questions: list[audit_pb.AuthorizeRequest] = []
        self.outcomes: list[audit_pb.RecordOutcomeRequest] = []
        self.events: list[audit_pb.Event] = []
        self.refused: list[str] = []
        self._ids: dict[str, str] = {}
        self._founders: dict[str, str] = {}
        self._news = asyncio.Event()

    def end(self, token: str) -> None:
        """Ends the entitlement of `token`, and with it its streams."""
        self.ended.add(token)
        self._tell()

    def restore(self, token: str) -> None:
        """The person is entitled again."""
        self.ended.discard(token)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def settled(self) -> list[audit_pb.RecordOutcomeRequest]:
        """Outcomes of what began here, each once; an earlier process may have left others in the outbox."""
        mine = {one.request_id: one for one in self.outcomes if one.subject_id in self._ids.values()}
        return list(mine.values())

    async def WatchEntitlements(  # noqa: N802
        self, request: health_pb.WatchEntitlementsRequest, _context: Any
    ) -> AsyncIterator[health_pb.WatchEntitlementsResponse]:
        token = self._founders.get(request.intent_id, request.access_token)
        while True:
            actor = self._actor(token, request.action)
            until = to_timestamp(datetime.now(UTC) + self.lease)
            yield health_pb.WatchEntitlementsResponse(actor=actor, lease_until=until)
            try:
                async with asyncio.timeout(self.lease.total_seconds() / 3):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def RecordIntent(  # noqa: N802
        self, request: audit_pb.RecordIntentRequest, _context: Any
    ) -> audit_pb.RecordIntentResponse:
        actor = self._actor(request.access_token, request.action)
        somebody_elses = request.resource_account_id not in {"", actor.account_id}
        if actor.agency_ori != request.resource_agency_ori or somebody_elses:
            self.refused.append(request.resource)
            raise NotPermittedError("not of your agency", metadata={"clauses": "I"})
        self.intents.append(request)
        self._founders[self._id(request.request_id)] = request.access_token
        return audit_pb.RecordIntentResponse(intent_id=self._id(request.request_id), actor=actor)

    async def Authorize(  # noqa: N802
        self, request: audit_pb.AuthorizeRequest, _context: Any
    ) -> audit_pb.AuthorizeResponse:
        motor_carrier = request.question.alerts.partition == sensor_pb2.PARTITION_MOTOR_CARRIER
        actor = self._actor(request.access_token, "mcs_" if motor_carrier else "")
        if not request.justification.case_number:
            error = InvalidFieldError("a case number is required")
            error.reason = ErrorReason.ERROR_REASON_CASE_NUMBER_REQUIRED
            raise error
        self.questions.append(request)
        return audit_pb.AuthorizeResponse(authorization_id=self._id(request.request_id), actor=actor)

    async def RecordOutcome(  # noqa: N802
        self, request: audit_pb.RecordOutcomeRequest, _context: Any
    ) -> audit_pb.RecordOutcomeResponse:
        self.outcomes.append(request)
        receipt = receipt_pb2.AuditReceipt(entry_id=request.subject_id)
        return audit_pb.RecordOutcomeResponse(subject_receipt=receipt)

    async def RecordEvents(  # noqa: N802
        self, request: audit_pb.RecordEventsRequest, _context: Any
    ) -> audit_pb.RecordEventsResponse:
        known = {event.event_id for event in self.events}
        self.events += [event for event in request.events if event.event_id not in known]
        return audit_pb.RecordEventsResponse(log_size=len(self.events))

    def _id(self, request_id: str) -> str:
        return self._ids.setdefault(request_id, str(uuid4()))

    def _actor(self, token: str, action: str = "") -> audit_pb.Actor:
        if token in self.ended:
            raise NotPermittedError("the account is suspended", metadata={"clauses": "IV.A.4"})
        if token not in TOKENS:
            raise UnauthenticatedError("no such token")
        roles = set(TOKENS[token].roles)
        entitled = roles & MOTOR_CARRIER_ROLES if action.startswith("mcs_") else roles - MOTOR_CARRIER_ROLES
        if not entitled:
            raise NotPermittedError("none of your roles", metadata={"clauses": "III.B.3.l"})
        return TOKENS[token]


class AuditHost:
    """Serves a neighbour on one port; `stop` and `start` make audit go away and come back."""

    def __init__(self, neighbour: AuditNeighbour, tls: DevelopmentAuthority) -> None:
        self.neighbour = neighbour
        self._tls = tls
        self._server: Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Serves, on the same port as before."""
        files = self._tls.service("audit")
        settings = ServiceSettings(
            listen=f"127.0.0.1:{self.port}",
            tls_cert=files.cert_file,
            tls_key=files.key_file,
            tls_ca=files.ca_file,
            shutdown_grace_seconds=0,
        )
        builder = ServerBuilder(settings, name="audit")
        builder.add(
            "alpr.audit.v1.AuthorizationService",
            audit_rpc.add_AuthorizationServiceServicer_to_server,
            self.neighbour,
        )
        builder.add(
            "alpr.audit.v1.HealthService", health_rpc.add_HealthServiceServicer_to_server, self.neighbour
        )
        self._server = builder.build()
        await self._server.start()
        self.port = self._server.port

    async def stop(self) -> None:
        """Nobody answers any more."""
        if self._server is not None:
            await self._server.stop()
            self._server = None


@dataclass
class AlertsRig:
    """One running alerts process (in this one), and channels to it."""

    server: Server
    settings: AlertsSettings
    matcher: rpc.AlertServiceStub
    person: rpc.AlertServiceStub
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    async def stop(self) -> None:
        """Ends it as SIGTERM would."""
        await self.server.stop()
        for channel in self.channels:
            await channel.close()

    async def raise_hits(self, *hits: pb.Hit) -> list[str]:
        """Ids of the alerts.

        The call waits longer than any part of the service does: it is the service that says what is wrong.
        """
        response = await self.matcher.RaiseAlerts(pb.RaiseAlertsRequest(hits=hits), timeout=_PATIENCE)
        return list(response.alert_ids)

    def subscribe(self, token: str, **fields: Any) -> "Subscriber":
        """An open stream of the person with `token`."""
        call = self.person.SubscribeAlerts(pb.SubscribeAlertsRequest(**fields), metadata=(bearer(token),))
        return Subscriber(call)


class Subscriber:
    """Reads a stream in the background and keeps what came."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.messages: list[pb.SubscribeAlertsResponse] = []
        self.error: AlprError | None = None
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    @property
    def token(self) -> str:
        """The last resume token."""
        return self.messages[-1].resume_token

    @property
    def alerts(self) -> list[pb.Alert]:
        """Alerts that came, raised or updated, in order."""
        kinds = [(message.WhichOneof("event"), message) for message in self.messages]
        return [getattr(message, str(kind)) for kind, message in kinds if kind != "heartbeat"]

    async def until(self, holds: Callable[["Subscriber"], bool], seconds: float = _PATIENCE) -> None:
        """Returns when `holds`; fails after `seconds`."""
        async with asyncio.timeout(seconds):
            while not holds(self):
                self._news.clear()
                await self._news.wait()

    async def live(self) -> "Subscriber":
        """Returns when the first message has come."""
        await self.until(lambda s: bool(s.messages))
        return self

    async def ended(self, seconds: float = _PATIENCE) -> AlprError:
        """The error that ended the stream."""
        await self.until(lambda s: s._task.done(), seconds)
        assert self.error is not None
        return self.error

    async def close(self) -> None:
        """Gives the stream up."""
        self.call.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for message in self.call:
                self.messages.append(message)
                self._news.set()
        except grpc.aio.AioRpcError as error:
            self.error = from_rpc_error(error)
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)


def settings_for(
    folder: Path, tls: DevelopmentAuthority, database: MigratedDatabase, audit_port: int, **changes: Any
) -> AlertsSettings:
    """Settings of an alerts process; the keys lie in `folder` and are shared by all that use it."""
    files = tls.service("alerts")
    for name in ("token.key", "kek.key"):
        if not (folder / name).exists():
            (folder / name).write_text(secrets.token_hex(32))
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "user_listen": "127.0.0.1:0",
        "tls_cert": files.cert_file,
        "tls_key": files.key_file,
        "tls_ca": files.ca_file,
        "shutdown_grace_seconds": 2,
        "database_url": database.url("alerts_app"),
        "audit_target": f"127.0.0.1:{audit_port}",
        "token_key_file": folder / "token.key",
        "image_store_dir": folder / "images",
        "image_kek_file": folder / "kek.key",
        "audit_timeout_seconds": 2,
    }
    return AlertsSettings(**{**values, **changes})


def stubs(
    tls: DevelopmentAuthority, port: int, user_port: int, *, peer: str = "matcher"
) -> tuple[rpc.AlertServiceStub, rpc.AlertServiceStub, list[grpc.aio.Channel]]:
    """Stubs of service `peer` and of a person, and their channels."""
    files = tls.service(peer)
    client = ClientTls(files.cert_file, files.key_file, files.ca_file)
    service = service_channel(f"127.0.0.1:{port}", client, server_name="alerts")
    user = user_channel(f"127.0.0.1:{user_port}", files.ca_file)
    return rpc.AlertServiceStub(service), rpc.AlertServiceStub(user), [service, user]


async def start_rig(
    settings: AlertsSettings, tls: DevelopmentAuthority, clock: Clock | None = None
) -> AlertsRig:
    """A running service with `settings`."""
    server = (await build(settings, clock or SystemClock())).build()
    await server.start()
    await until_serving(server)
    matcher, person, channels = stubs(tls, server.port, server.user_port)
    return AlertsRig(server, settings, matcher, person, channels)


async def eventually(holds: Callable[[], object], seconds: float = _PATIENCE) -> None:
    """Returns when `holds`; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is looked at sends no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def refused() -> AsyncIterator[list[AlprError]]:
    """Catches the error of the call inside; it stands in the list afterwards."""
    caught: list[AlprError] = []
    try:
        yield caught
    except grpc.aio.AioRpcError as error:
        caught.append(from_rpc_error(error))
    assert caught, "the call was not refused"


def reason(error: AlprError) -> tuple[object, int]:
    """Code and reason of an error."""
    return (error.code, error.reason)


def kind(error: type[AlprError]) -> tuple[object, int]:
    """Code and reason of a class of errors."""
    return (error.code, error.reason)


def is_without_database(error: AlprError) -> bool:
    """Whether that is what callers get of a service without its database: from itself or from its health."""
    return reason(error) in {kind(StorageUnavailableError), kind(DependencyUnavailableError)}


def hit_message(
    *entries: hit_pb2.MatchedEntry,
    plate: str = "",
    agency: str = OWN,
    at: datetime | None = None,
    pictures: tuple[bytes, bytes] = (b"", b""),
) -> pb.Hit:
    """A hit as the matcher sends it."""
    moment = at or datetime.now(UTC)
    read = read_pb2.Read(
        read_id=str(uuid4()),
        sensor_id="cam-north-1",
        capture_time=to_timestamp(moment),
        receive_time=to_timestamp(moment),
        place=read_pb2.Place(latitude=41.88, longitude=-87.63, description="I-90 at mile 12"),
        plate=plate or "T" + uuid4().hex[:7].upper(),
        states=[read_pb2.StateProbability(state="IL", probability=0.9)],
        model_version="plates-1",
    )
    return pb.Hit(
        captured_read=read_pb2.CapturedRead(read=read, crop_image=pictures[0], overview_image=pictures[1]),
        matches=[
            pb.MatchedHit(entry=entry, match_probability=0.97) for entry in entries or (entry_message(),)
        ],
        sensor_agency_ori=agency,
        sensor_group="expressway-north",
        sensor_unit="District 15",
    )


def entry_message(
    category: "hit_pb2.HotListCategory.ValueType" = hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE,
    agency: str = OWN,
) -> hit_pb2.MatchedEntry:
    """An entry of a list of `agency`."""
    return hit_pb2.MatchedEntry(
        entry_id=str(uuid4()),
        hot_list_id=str(uuid4()),
        hot_list_name="LEADS hot file",
        list_agency_ori=agency,
        list_version=3,
        list_activated_at=to_timestamp(datetime.now(UTC) - timedelta(hours=1)),
        source=hit_pb2.HOT_LIST_SOURCE_LEADS,
        category=category,
        plate="AB12345",
        state="IL",
        record_number="L26-0001",
    )


def dot_entry(agency: str = OWN) -> hit_pb2.MatchedEntry:
    """An entry of a list of the Motor Carrier Safety data set."""
    entry = entry_message(hit_pb2.HOT_LIST_CATEGORY_SUSPENDED, agency)
    entry.source = hit_pb2.HOT_LIST_SOURCE_FEDERAL_DOT
    return entry


async def wants_quiet(rig: AlertsRig, token: str) -> None:
    """The person subscribes to everything, and never wants a sound."""
    always = filter_pb.WeeklyHours(begin="00:00", end="00:00", time_zone="UTC")
    request = subscription_pb.CreateSubscriptionRequest(
        request_id=str(uuid4()), name="mine", filter=filter_pb.AlertFilter(quiet_hours=[always])
    )
    # The second channel is the one of people.
    stub = subscription_rpc.SubscriptionServiceStub(rig.channels[1])
    await stub.CreateSubscription(request, metadata=(bearer(token),), timeout=60)
