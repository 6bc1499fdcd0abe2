"""People of another agency with the ids of this one's things in hand, and tokens that are not good."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from joserfc import jwt
from joserfc.jwk import OctKey

from alpr.audit.v1.log_query_service_pb2 import ListEntriesResponse
from services.cli.conformance.requests import request_for
from services.cli.demo import cast
from services.cli.locate import locate
from services.cli.session import Session
from services.cli.tokens import token_source
from services.cli.words import ROLE
from services.common.client import bearer
from services.dev.issuer import DevelopmentIssuer
from services.dev.places import Places
from tests.attack.calls import RawCalls
from tests.attack.state import Stored, changed
from tests.support.access_fields import FOLLOWS, fields_for
from tests.support.access_stack import (
    OTHER_ORI,
    World,
    documented,
    methods,
    name_of,
    person,
    running_world,
    things,
)
from tests.support.access_world import Principal
from tests.support.ports import free_base_port

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
HEAD: Final = "statewide-coordinator"
# Fields by which a request names something that one agency has. Names of units and groups of sensors are not
# among them: each agency gives its own, and where another's are meant its ORI stands beside them.
IDS: Final = frozenset(
    {
        *("account_id", "person_account_id", "vendor_account_id", "successor_account_id", "sensor_id"),
        *("sensor_ids", "hot_list_id", "upload_id", "asset_id", "entry_id", "incident_id", "review_id"),
        *("support_request_id", "alert_id", "subscription_id", "webhook_id", "agency_ori"),
    }
)
REFUSED: Final = frozenset({"PERMISSION_DENIED", "NOT_FOUND"})
# Narrowed by what they name, and answered out of what the caller may see or have anyway.
NARROWED: Final = frozenset(
    {
        *("audit.LogQueryService.ListEntries", "audit.LogService.ExportLog"),
        *("matcher.HotListExportService.ExportHotLists", "matcher.LocalListService.AddLocalEntry"),
        *("search.AnalysisService.FindStakeout", "search.AnalysisService.Summarize"),
        *("search.MotorCarrierService.SearchMotorCarrierReads", "search.SearchService.SearchReads"),
        *("search.ReportService.ExportReport", "search.RetentionService.PlaceHold"),
        *("alerts.SubscriptionService.CreateSubscription", "alerts.WebhookService.CreateWebhook"),
    }
)
OWN_QUESTIONS: Final = "audit.LogQueryService.ListEntries"
# No connector to the state's files is set up here, which is said before the alert is looked at.
NOT_SET_UP: Final = {"alerts.VerificationService.AskRecord": "FAILED_PRECONDITION"}


# An RPC of each service that people call.
ASKED: Final = {
    "audit": "audit.LogQueryService.ListOwnEntries",
    "alerts": "alerts.AlertSearchService.ListAlerts",
    "matcher": "matcher.HotListService.ListHotLists",
    "ocr": "ocr.OcrService.ListModels",
    "search": "search.SearchService.SearchReads",
}


@dataclass
class Intrusion:
    """This agency's things, and people of another agency by their role."""

    world: World
    facts: Mapping[str, str]
    intruders: Mapping[str, Principal]
    stored: Stored
    issuer: DevelopmentIssuer


def names_something(message: Descriptor, depth: int = 2) -> bool:
    """Whether the request, or a part of it, names a thing that one agency has."""
    return any(
        field.name in IDS
        or (field.message_type is not None and depth and names_something(field.message_type, depth - 1))
        for field in message.fields
    )


def aimed() -> Iterator[MethodDescriptor]:
    """Every RPC that people may call and that names something of an agency."""
    for method in methods():
        if documented()[name_of(method)] & set(ROLE.words) and names_something(method.input_type):
            yield method


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def intrusion(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Intrusion]:
    """The system, with another agency that has people of every role."""
    folder = tmp_path_factory.mktemp("intrusion")
    async with running_world(folder, free_base_port()) as world:
        intruders = await _intruders(folder)
        database = await asyncpg.connect(world.callers.stack.admin_url)
        try:
            issuer = DevelopmentIssuer(Places(folder).issuer)
            yield Intrusion(world, await things(world), intruders, Stored(database), issuer)
        finally:
            await database.close()


async def _intruders(folder: Path) -> dict[str, Principal]:
    people = {word: Principal(word, subject=f"other-{word}") for word in ROLE.words if word != HEAD}
    async with Session(locate(folder), token_source(folder, "other-head"), on_wait=print) as session:
        for word, who in people.items():
            await person(session, who.subject, word, OTHER_ORI, "another.illinois.gov")
    return {**people, HEAD: Principal(HEAD, subject="other-head")}


@pytest.mark.clause("III.D.1", "III.B.3.l")
@pytest.mark.parametrize("method", list(aimed()), ids=name_of)
async def test_another_agencys_people_get_nowhere_with_the_ids_of_this_one(
    intrusion: Intrusion, method: MethodDescriptor
) -> None:
    calls = RawCalls(intrusion.world.callers, stream_seconds=30)
    before = await intrusion.stored.settled()

    found = {
        word: await calls.end_of(who, method, requests(method, intrusion.facts))
        for word, who in intrusion.intruders.items()
        if word in documented()[name_of(method)]
    }

    name, codes = name_of(method), {end.code for end in found.values()}
    assert not [end.wrong for end in found.values() if end.wrong]
    assert codes <= REFUSED | {NOT_SET_UP.get(name, "")} | ({"OK"} if name in NARROWED else set()), found
    answers = [answer for end in found.values() for answer in end.answers]
    # The receipts of a question to the log hold what they asked themselves, ids and all.
    shown = b"".join(map(_entries, answers) if name == OWN_QUESTIONS else answers)
    secrets = [cast.AGENCY_ORI, *_own(intrusion.facts)]
    assert [secret for secret in secrets if secret.encode() in shown] == []
    if "OK" not in codes:
        assert changed(before, await intrusion.stored.look()) == []


def _entries(answer: bytes) -> bytes:
    """What an answer of the log found."""
    return ListEntriesResponse(entries=ListEntriesResponse.FromString(answer).entries).SerializeToString()


def _bad_tokens(issuer: DevelopmentIssuer, subject: str) -> dict[str, str]:
    """Tokens that a person, or a thief, may come with, by what is wrong with them."""
    header, payload, signature = issuer.token(subject).split(".")
    secret = OctKey.import_key(json.dumps(issuer.jwks["keys"][0]))
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    now = int(claims["iat"])
    return {
        "algorithm none": f"{_part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "algorithm none, signature kept": f"{_part({'alg': 'None'})}.{payload}.{signature}",
        "the public key as a secret": jwt.encode({"alg": "HS256"}, claims, secret, algorithms=["HS256"]),
        "another's signature": f"{header}.{payload}.{issuer.token('somebody').split('.')[2]}",
        "another's name": f"{header}.{_part({**claims, 'sub': cast.COORDINATOR})}.{signature}",
        "another audience": issuer.token(subject, aud="https://cad.example.gov"),
        "no audience": issuer.token(subject, aud=None),
        "another issuer": issuer.token(subject, iss="https://idp.example.gov"),
        "ended": issuer.token(subject, iat=now - 700, exp=now - 100),
        "no end": issuer.token(subject, exp=None),
        "an hour long": issuer.token(subject, exp=now + 3600),
        "one factor": issuer.token(subject, acr="urn:example:password"),
    }


def _part(claims: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


@pytest.mark.clause("III.B.3.k")
@pytest.mark.parametrize("service", sorted(ASKED))
async def test_no_service_takes_a_token_that_is_not_good(intrusion: Intrusion, service: str) -> None:
    method = next(one for one in methods() if name_of(one) == ASKED[service])
    (sent,) = requests(method, intrusion.facts)
    service_name, path = (
        method.containing_service.full_name,
        f"/{method.containing_service.full_name}/{method.name}",
    )
    call = intrusion.world.callers.channel(Principal("anybody"), service_name.split(".")[1]).unary_unary(path)

    codes = {}
    for wrong, token in _bad_tokens(intrusion.issuer, "the-user").items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(sent, metadata=(bearer(token),), timeout=30)
        codes[wrong] = caught.value.code().name
        assert token not in str(caught.value)

    assert set(codes.values()) == {"UNAUTHENTICATED"}, codes


def requests(method: MethodDescriptor, facts: Mapping[str, str]) -> list[bytes]:
    """A sound request about what this agency has."""
    fields = [fields_for(method.name, facts), *([FOLLOWS[method.name]] if method.name in FOLLOWS else [])]
    return [request_for(method, one, facts).SerializeToString() for one in fields]


def _own(facts: Mapping[str, str]) -> list[str]:
    """Ids of things that exist; they are UUIDs."""
    return [value for name, value in facts.items() if name in IDS and len(value) == len(str(UUID(int=0)))]
