"""A running system with a person of each role and one of each thing that requests speak of."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import pkgutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import MethodDescriptor

import alpr
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import governance_service_pb2_grpc as agency_rpc
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as lists_rpc
from alpr.type.v1 import read_pb2, sensor_pb2
from services.cli import account, hotlist, unit
from services.cli.bootstrap import begin
from services.cli.conformance.requests import request_for
from services.cli.demo import cast
from services.cli.demo.material import leads_file
from services.cli.locate import locate
from services.cli.options import new_request_id
from services.cli.sensor import approve_deployment, register_sensor
from services.cli.sensor_certificate import recorded
from services.cli.session import Session
from services.cli.tokens import token_source
from services.cli.words import CERTIFICATION, ROLE
from services.common.errors import AlprError
from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.pki import DevelopmentAuthority
from services.dev.postgres import WITHOUT_SYNC
from services.dev.supervisor import Options, Supervisor
from tests.support.access_fields import fields_for
from tests.support.access_world import SERVICES, Callers, Principal, machines
from tests.support.alerts_rig import entry_message, hit_message

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "access.md"
OTHER_ORI: Final = "IL0160000"
UNIT: Final = "Statewide"
CAMERA: Final = "cam-1"
_COLUMNS: Final = 3


@dataclass
class World:
    """Who calls, and what exists to be called about."""

    callers: Callers
    principals: list[Principal]
    facts: dict[str, str]


def methods() -> list[MethodDescriptor]:
    """Every RPC of the five services, by its name."""
    found = []
    for service in SERVICES:
        package = importlib.import_module(f"{alpr.__name__}.{service}.v1")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_service_pb2"):
                file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                found += [one for made in file.services_by_name.values() for one in made.methods]
    return sorted(found, key=name_of)


def name_of(method: MethodDescriptor) -> str:
    """As the document names it, for instance "search.SearchService.GetRead"."""
    return method.full_name.removeprefix("alpr.").replace(".v1.", ".")


def documented() -> dict[str, frozenset[str]]:
    """Who is let in, by the name of the RPC."""
    rows = [line.strip("| \n").split(" | ") for line in DOCUMENT.read_text("utf-8").splitlines()]
    return {
        row[0].strip("`"): frozenset(who for cell in row[1:] for who in cell.split(", ") if who != "nobody")
        for row in rows
        if len(row) == _COLUMNS and row[0].startswith("`")
    }


@contextlib.asynccontextmanager
async def running_world(folder: Path, base_port: int, *, console: bool = False) -> AsyncIterator[World]:
    """The system, running in `folder` while the context is open."""
    options = Options(folder, base_port, console=console, database_settings=WITHOUT_SYNC)
    async with Supervisor(options) as stack:
        with contextlib.redirect_stdout(io.StringIO()):
            assert await asyncio.to_thread(begin, folder, "", cast.founding()) == 0
        people = {word: Principal(word, subject=f"the-{word}") for word in ROLE.words}
        # An agency has one statewide coordinator.
        people["statewide-coordinator"] = Principal("statewide-coordinator", subject=cast.COORDINATOR)
        callers = Callers(stack)
        facts = await _furnished(folder, callers, people)
        others = machines(DevelopmentAuthority(folder / "pki"), CAMERA, OTHER_ORI)
        try:
            yield World(callers, [Principal("anybody"), *people.values(), *others], facts)
        finally:
            await callers.close()


async def _furnished(folder: Path, callers: Callers, people: dict[str, Principal]) -> dict[str, str]:
    """People, a camera, another agency, and one of each thing that has an id."""
    async with Session(locate(folder), token_source(folder, cast.COORDINATOR), on_wait=print) as session:
        for word in ROLE.words:
            if word != "statewide-coordinator":
                await person(session, people[word].subject, word)
        await person(session, "uploader", "hot-list-manager")
        target = await person(session, "target")
        # None of the principals: an escort opens things to its vendor, some seconds beyond its stream, too.
        escorted = await person(session, "escorted", "vendor-support")
        governance = agency_rpc.GovernanceServiceStub(session.channel("audit"))
        agency = agency_pb.Agency(ori=OTHER_ORI, name="Another", email_domains=["another.illinois.gov"])
        register = agency_pb.RegisterAgencyRequest(request_id=new_request_id(), agency=agency)
        await session.call(governance.RegisterAgency, register)
        await unit.registered(session, OTHER_ORI, UNIT, "All of it", "specialty")
        await person(session, "other-head", "statewide-coordinator", OTHER_ORI, "another.illinois.gov")
        await register_sensor(session, _camera())
        await approve_deployment(session, CAMERA)
        await recorded(session, CAMERA, DevelopmentAuthority(folder / "pki").sensor(CAMERA).cert_file)
    async with Session(locate(folder), token_source(folder, "uploader"), on_wait=print) as session:
        hot_list_id, upload_id = await _listed(session, folder)
    facts = {
        **{"account_id": target, "person_account_id": target, "vendor_id": escorted},
        **{"agency_ori": cast.AGENCY_ORI, "other_ori": OTHER_ORI, "email_domain": cast.EMAIL_DOMAIN},
        **{"sensor_id": CAMERA, "sensor_group": "bridge", "hot_list_id": hot_list_id, "plate": "AB1234"},
        **{"unit": UNIT, "issuer": DEVELOPMENT_ISSUER, "upload_id": upload_id, "asset_id": ""},
    }
    by = {method.name: method for method in methods()}
    head, other_head = people["statewide-coordinator"], Principal("", subject="other-head")
    for name, who, path in (
        ("RegisterAsset", people["telecom-center"], "asset.asset_id"),
        ("AddLocalEntry", people["user"], "entry.entry_id"),
        ("PublishDocument", head, "document.document_id"),
        ("OpenIncident", head, "incident.incident_id"),
        ("OpenReview", head, "review.review_id"),
        ("RequestSupport", head, "support_request.support_request_id"),
        ("ProposeAgreement", other_head, "agreement.agreement_id"),
    ):
        request = request_for(by[name], fields_for(name, facts), facts)
        answer = await callers.answer(who, by[name], request)
        facts[path.rpartition(".")[2]] = attrgetter(path)(answer)
    return facts


async def _listed(manager: Session, folder: Path) -> tuple[str, str]:
    """Ids of a hot list with two versions, and of an upload to it that was refused."""
    made = await hotlist.create_list(manager, "LEADS", "leads")
    for content in (leads_file(("AB1234",)), leads_file(("AB1234", "CD5678")), b"no hot list"):
        file = folder / "list.txt"
        file.write_bytes(content)
        with contextlib.suppress(AlprError):
            await hotlist.upload_version(
                manager, made.hot_list_id, file, "il-leads", "made up for the occasion"
            )
    stub = lists_rpc.HotListServiceStub(manager.channel("matcher"))
    request = lists_pb.ListQuarantinedUploadsRequest(hot_list_id=made.hot_list_id)
    refused = await manager.call(stub.ListQuarantinedUploads, request)
    return made.hot_list_id, refused.uploads[0].upload_id


async def person(
    coordinator: Session,
    subject: str,
    role: str = "",
    ori: str = cast.AGENCY_ORI,
    domain: str = cast.EMAIL_DOMAIN,
) -> str:
    """Id of the person's account; enabled when there is a role."""
    made = await account.change(
        coordinator,
        "CreateAccount",
        account=account_pb.Account(
            **{"subject": subject, "issuer": DEVELOPMENT_ISSUER, "full_name": subject},
            **{"badge_number": subject},
            **{"email": f"{subject}@{domain}", "agency_ori": ori, "unit": UNIT},
        ),
    )
    if role:
        for kind in CERTIFICATION.words:
            held = account.certification_for(kind, "certificate", days=300)
            await account.change(
                coordinator, "RecordCertification", account_id=made.account_id, certification=held
            )
        if role != "work-unit-coordinator":
            await account.change(coordinator, "GrantRole", account_id=made.account_id, role=ROLE.number(role))
        if role.endswith("-coordinator"):
            appointment = unit_pb.Appointment(
                account_id=made.account_id, commander="Commander", document_sha256=bytes(32)
            )
            await unit.appointed(coordinator, ori, UNIT, appointment)
        await account.change(coordinator, "EnableAccount", account_id=made.account_id)
    return made.account_id


def _camera() -> sensor_pb2.Sensor:
    return sensor_pb2.Sensor(
        sensor_id=CAMERA,
        agency_ori=cast.AGENCY_ORI,
        sensor_group="bridge",
        deployment_type=sensor_pb2.DEPLOYMENT_TYPE_FIXED,
        place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="bridge"),
        provenance=sensor_pb2.PROVENANCE_OWN,
    )


async def things(world: World) -> dict[str, str]:
    """The facts, with an alert, a subscription and a webhook besides."""
    by, people = {method.name: method for method in methods()}, {one.name: one for one in world.principals}
    hit = hit_message(entry_message(agency=cast.AGENCY_ORI), agency=cast.AGENCY_ORI)
    raised = alert_pb.RaiseAlertsRequest(hits=[hit])
    answer = await world.callers.answer(people["service matcher"], by["RaiseAlerts"], raised)
    facts = {**world.facts, "alert_id": answer.alert_ids[0]}
    for name, who, path in (
        ("CreateSubscription", "user", "subscription.subscription_id"),
        ("CreateWebhook", "telecom-center", "webhook.webhook_id"),
    ):
        request = request_for(by[name], fields_for(name, facts), facts)
        made = await world.callers.answer(people[who], by[name], request)
        facts[path.rpartition(".")[2]] = attrgetter(path)(made)
    return facts
