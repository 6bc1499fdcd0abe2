"""What tests of the coordinator's pages stand on: people, calls as somebody, and forms that are filled in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from google.protobuf import message_factory
from playwright.async_api import FilePayload, Locator

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.type.v1 import read_pb2, sensor_pb2
from services.common.wire import to_timestamp
from tests.support.access_stack import World, methods
from tests.support.access_world import Principal
from tests.support.browser import Desk, barriers
from tests.support.browser_keys import reach, write

HEAD: Final = "demo-coordinator"
PAPER: Final = b"signed by the commander"
HOSTILE: Final = '"><script>document.title="robbed"</script>'
_METHODS: Final = {method.name: method for method in methods()}


async def asked(world: World, subject: str, name: str, /, **fields: Any) -> Any:
    """The answer of the RPC `name` to the person; `request_id` is drawn where the request has one."""
    method = _METHODS[name]
    request: Any = message_factory.GetMessageClass(method.input_type)(**fields)
    if "request_id" in method.input_type.fields_by_name:
        request.request_id = str(uuid4())
    return await world.callers.answer(Principal(subject, subject=subject), method, request)


@dataclass(frozen=True)
class House:
    """An agency of the world: who holds its office, its ORI, the domain of its people's addresses."""

    head: str
    ori: str
    domain: str


def own_house(world: World) -> House:
    """The agency of most tests."""
    return House(HEAD, world.facts["agency_ori"], world.facts["email_domain"])


def other_house(world: World) -> House:
    """The other agency."""
    return House("other-head", world.facts["other_ori"], "another.illinois.gov")


async def account(world: World, name: str, unit: str = "", house: House | None = None) -> str:
    """Id of a new account, not enabled; `name` is its name, subject and badge number."""
    house = house or own_house(world)
    made = account_pb.Account(
        subject=name,
        issuer=world.facts["issuer"],
        full_name=name,
        badge_number=name,
        email=f"{uuid4().hex[:8]}@{house.domain}",
        agency_ori=house.ori,
        unit=unit or world.facts["unit"],
    )
    answer = await asked(world, house.head, "CreateAccount", account=made)
    return str(answer.account.account_id)


async def enabled(world: World, name: str, days: float, house: House | None = None) -> str:
    """Id of a new account that is enabled; its LEADS certification ends in so many days."""
    house = house or own_house(world)
    account_id = await account(world, name, house=house)
    now = datetime.now(UTC)
    for kind in account_pb.CertificationKind.values()[1:]:
        lasts = days if kind == account_pb.CERTIFICATION_KIND_LEADS else 300
        held = account_pb.Certification(
            kind=kind,
            reference=f"certificate {kind}",
            valid_from=to_timestamp(now - timedelta(days=1)),
            valid_until=to_timestamp(now + timedelta(days=lasts)),
        )
        await asked(world, house.head, "RecordCertification", account_id=account_id, certification=held)
    await asked(world, house.head, "GrantRole", account_id=account_id, role=roles.ROLE_USER)
    await asked(world, house.head, "EnableAccount", account_id=account_id)
    return account_id


async def sensor(world: World, kind: sensor_pb2.DeploymentType.ValueType) -> str:
    """Id of a new sensor, registered."""
    sensor_id = f"cam-{uuid4().hex[:8]}"
    made = sensor_pb2.Sensor(
        sensor_id=sensor_id,
        agency_ori=world.facts["agency_ori"],
        sensor_group="bridge",
        deployment_type=kind,
        place=read_pb2.Place(latitude=41.98, longitude=-87.87, description="bridge"),
        provenance=sensor_pb2.PROVENANCE_OWN,
    )
    await asked(world, HEAD, "RegisterSensor", sensor=made)
    return sensor_id


def minute(moment: datetime) -> str:
    """The moment as a form has it, in a browser whose time is UTC."""
    return f"{moment:%Y-%m-%dT%H:%M}"


def form(desk: Desk, key: str) -> Locator:
    """The form `key` of the page."""
    return desk.page.locator(f"[id='form-{key}']")


async def fill(desk: Desk, key: str, **fields: str) -> None:
    """Opens the form's drawer where it is folded away, and fills its fields in, by keys alone."""
    for name, text in fields.items():
        field = form(desk, key).locator(f"[name='{name}']")
        await reach(desk, field)
        await write(desk, field, text)


async def send(desk: Desk, key: str) -> None:
    """Presses the form's button, and waits for the page that follows."""
    button = form(desk, key).locator("button").last
    await reach(desk, button)
    async with desk.page.expect_navigation():
        await desk.page.keyboard.press("Enter")


async def sent(desk: Desk, key: str, **fields: str) -> None:
    """Fills the form in and sends it."""
    await fill(desk, key, **fields)
    await send(desk, key)


async def sent_twice(desk: Desk, key: str, **fields: str) -> None:
    """Fills the form in and sends it, and once more what the browser has sent, which changes nothing."""
    await fill(desk, key, **fields)
    action = await form(desk, key).evaluate("form => form.action")
    values = await form(desk, key).evaluate("form => [...new FormData(form)]")
    await send(desk, key)
    headers = {"Origin": desk.url, "Content-Type": "application/x-www-form-urlencoded"}
    again = await desk.page.request.post(action, data=urlencode([*map(tuple, values)]), headers=headers)
    assert again.ok, await again.text()


async def choose(desk: Desk, key: str, name: str, content: bytes) -> None:
    """Chooses a file of a hostile name, with the key that opens the browser's dialogue."""
    field = form(desk, key).locator(f"[id='f-{key}{name}']")
    await reach(desk, field)
    async with desk.page.expect_file_chooser() as chooser:
        # Else the browser may open its dialogue before Playwright has said that it is to have it.
        await desk.page.evaluate("new Promise((drawn) => requestAnimationFrame(drawn))")
        await desk.page.keyboard.press("Space")
    file = FilePayload(name=f"{HOSTILE}.pdf", mimeType="application/pdf", buffer=content)
    await (await chooser.value).set_files(file)


async def paper(desk: Desk, key: str, name: str, content: bytes = PAPER) -> None:
    """Chooses a document, and waits until the page has read it."""
    await choose(desk, key, name, content)
    await form(desk, key).get_by_text(f"SHA-256 {hashlib.sha256(content).hexdigest()}").wait_for()


async def sound(desk: Desk) -> None:
    """No barrier, no broken rule of the page, no hostile text come to life, nothing beside the screen.

    Everything that is folded away is looked at, too.
    """
    await desk.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert await barriers(desk.page) == []
    assert await desk.page.title() != "robbed"
    wide = await desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    desk.check_quiet()


async def said(desk: Desk) -> str:
    """What the page says was done."""
    return await desk.page.inner_text(".done")


async def wrong(desk: Desk, key: str, name: str) -> str:
    """What stands at the field that was found wrong, by what the field itself says describes it.

    The page starts at the head of the form, which names the field as its label does, and leads to it.
    """
    assert await desk.page.evaluate("document.activeElement.matches('.refusal')")
    field = form(desk, key).locator(f"[name='{name}']")
    at = await field.get_attribute("id")
    way = form(desk, key).locator(f".refusal a[href='#{at}']")
    label = await desk.page.locator(f"label[for='{at}']").inner_text()
    assert label.startswith(await way.inner_text())
    assert await field.get_attribute("aria-invalid") == "true"
    ids = (await field.get_attribute("aria-describedby") or "").split()
    return " ".join([await desk.page.locator(f"[id='{one}']").inner_text() for one in ids])
