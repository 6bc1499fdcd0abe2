"""What tests of the coordinator's pages stand on: people, calls as somebody, and forms that are filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from google.protobuf import message_factory
from playwright.async_api import Locator

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as roles
from services.common.wire import to_timestamp
from tests.support.access_stack import World, methods
from tests.support.access_world import Principal
from tests.support.browser import Desk

HEAD: Final = "demo-coordinator"
HOSTILE: Final = '"><script>document.title="robbed"</script>'
_METHODS: Final = {method.name: method for method in methods()}


async def asked(world: World, subject: str, name: str, **fields: Any) -> Any:
    """The answer of the RPC `name` to the person; `request_id` is drawn where the request has one."""
    method = _METHODS[name]
    request: Any = message_factory.GetMessageClass(method.input_type)(**fields)
    if "request_id" in method.input_type.fields_by_name:
        request.request_id = str(uuid4())
    return await world.callers.answer(Principal(subject, subject=subject), method, request)


async def account(world: World, name: str, unit: str = "") -> str:
    """Id of a new account of the agency, not enabled; `name` is its name, subject and badge number."""
    made = account_pb.Account(
        subject=name,
        issuer=world.facts["issuer"],
        full_name=name,
        badge_number=name,
        email=f"{uuid4().hex[:8]}@{world.facts['email_domain']}",
        agency_ori=world.facts["agency_ori"],
        unit=unit or world.facts["unit"],
    )
    answer = await asked(world, HEAD, "CreateAccount", account=made)
    return str(answer.account.account_id)


async def enabled(world: World, name: str, days: float) -> str:
    """Id of a new account that is enabled; its LEADS certification ends in so many days."""
    account_id = await account(world, name)
    now = datetime.now(UTC)
    for kind in account_pb.CertificationKind.values()[1:]:
        lasts = days if kind == account_pb.CERTIFICATION_KIND_LEADS else 300
        held = account_pb.Certification(
            kind=kind,
            reference=f"certificate {kind}",
            valid_from=to_timestamp(now - timedelta(days=1)),
            valid_until=to_timestamp(now + timedelta(days=lasts)),
        )
        await asked(world, HEAD, "RecordCertification", account_id=account_id, certification=held)
    await asked(world, HEAD, "GrantRole", account_id=account_id, role=roles.ROLE_USER)
    await asked(world, HEAD, "EnableAccount", account_id=account_id)
    return account_id


def form(desk: Desk, key: str) -> Locator:
    """The form `key` of the page."""
    return desk.page.locator(f"[id='form-{key}']")


async def fill(desk: Desk, key: str, **fields: str) -> None:
    """Opens the form's drawer where it is folded away, and fills its fields in, by their names."""
    found = form(desk, key)
    await found.evaluate("form => form.closest('details')?.setAttribute('open', '')")
    for name, text in fields.items():
        field = found.locator(f"[name='{name}']")
        if await field.evaluate("one => one.tagName") == "SELECT":
            await field.select_option(text)
        else:
            await field.fill(text)


async def send(desk: Desk, key: str) -> None:
    """Presses the form's button, and waits for the page that follows."""
    async with desk.page.expect_navigation():
        await form(desk, key).locator("button").last.click()


async def sent(desk: Desk, key: str, **fields: str) -> None:
    """Fills the form in and sends it."""
    await fill(desk, key, **fields)
    await send(desk, key)


async def said(desk: Desk) -> str:
    """What the page says was done."""
    return await desk.page.inner_text(".done")


async def wrong(desk: Desk, key: str, name: str) -> str:
    """What stands at the field that was found wrong, by what the field itself says describes it."""
    field = form(desk, key).locator(f"[name='{name}']")
    assert await field.get_attribute("aria-invalid") == "true"
    ids = (await field.get_attribute("aria-describedby") or "").split()
    return " ".join([await desk.page.locator(f"[id='{one}']").inner_text() for one in ids])
