"""The demo's agency and people, and the steps by which they get their roles."""

import hashlib
import json
from dataclasses import dataclass

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2_grpc as rpc
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from services.cli import account, unit
from services.cli.session import Session
from services.cli.words import ROLE

AGENCY_ORI = "ILISP0000"
AGENCY_NAME = "Illinois State Police (demonstration)"
EMAIL_DOMAIN = "isp.illinois.gov"
UNIT = "Zone 1"
COORDINATOR = "demo-coordinator"
ADMINISTRATOR = "demo-administrator"
_CERTIFICATIONS = ("alpr-training", "leads", "security-awareness", "background-check")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who gets an account from the coordinator."""

    subject: str
    name: str
    role: str
    badge: str


OFFICER = Person("demo-officer", "Demo Officer", "user", "1001")
DISPATCHER = Person("demo-dispatcher", "Demo Dispatcher", "telecom-center", "1002")
LIST_MANAGER = Person("demo-list-manager", "Demo List Manager", "hot-list-manager", "1003")
AUDITOR = Person("demo-auditor", "Demo Auditor", "auditor", "1004")
PEOPLE = (OFFICER, DISPATCHER, LIST_MANAGER, AUDITOR)


def founding() -> list[str]:
    """Arguments of the bootstrap: the demo's agency, coordinator and administrator."""
    document = hashlib.sha256(b"Demonstration: there is no appointing document.").hexdigest()
    people = [
        {
            "office": office,
            "subject": subject,
            "full_name": f"Demo {office.title()}",
            "badge_number": badge,
            "email": f"{subject}@{EMAIL_DOMAIN}",
            "unit": "Statewide",
        }
        for office, subject, badge in (
            ("coordinator", COORDINATOR, "1"),
            ("administrator", ADMINISTRATOR, "2"),
        )
    ]
    arguments = ["--agency-ori", AGENCY_ORI, "--agency-name", AGENCY_NAME, "--email-domain", EMAIL_DOMAIN]
    arguments += ["--official", "Deputy Director, Division of Patrol (demonstration)"]
    arguments += ["--document-sha256", document]
    for person in people:
        arguments += ["--person", json.dumps(person)]
    return arguments


async def enrol(coordinator: Session, person: Person, issuer: str) -> None:
    """Gives `person` an enabled account: made, certified, granted, enabled, in that order.

    Nobody is enabled in a unit without a coordinator, so the first one sees to that, too.
    """
    if UNIT not in {one.code for one in await unit.all_units(coordinator)}:
        await _open_unit(coordinator)
    made = await account.change(
        coordinator,
        "CreateAccount",
        account=pb.Account(
            subject=person.subject,
            issuer=issuer,
            full_name=person.name,
            badge_number=person.badge,
            email=f"{person.subject}@{EMAIL_DOMAIN}",
            agency_ori=AGENCY_ORI,
            unit=UNIT,
        ),
    )
    for kind in _CERTIFICATIONS:
        certification = account.certification_for(kind, f"demo-{kind}-{person.badge}", days=365)
        await account.change(
            coordinator, "RecordCertification", account_id=made.account_id, certification=certification
        )
    await account.change(coordinator, "GrantRole", account_id=made.account_id, role=ROLE.number(person.role))
    await account.change(coordinator, "EnableAccount", account_id=made.account_id)


async def _open_unit(coordinator: Session) -> None:
    """The demo's unit, whose commander appoints the coordinator of the agency to coordinate it, too."""
    await unit.registered(coordinator, AGENCY_ORI, UNIT, UNIT, "zone")
    stub = rpc.AccountServiceStub(coordinator.channel("audit"))
    own = await coordinator.call(stub.GetAccount, pb.GetAccountRequest())
    appointment = unit_pb.Appointment(
        account_id=own.account.account_id,
        commander=f"Commander of {UNIT} (demonstration)",
        document_sha256=hashlib.sha256(b"Demonstration: there is no appointing document.").digest(),
    )
    await unit.appointed(coordinator, AGENCY_ORI, UNIT, appointment)
