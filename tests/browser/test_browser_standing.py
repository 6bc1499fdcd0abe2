"""The coordinator's forms on what a person stands for: approvals of addresses, vetting, the office itself."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1 import office_service_pb2 as office_pb
from tests.support.access_stack import World
from tests.support.browser import PHONE, WALL, Consoles, Desk, picture
from tests.support.browser_coordinator import (
    HEAD,
    HOSTILE,
    PAPER,
    account,
    asked,
    enabled,
    form,
    minute,
    other_house,
    paper,
    said,
    sent,
    sent_twice,
    sound,
    wrong,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_DIGEST = hashlib.sha256(PAPER).digest()


async def _kept(world: World, account_id: str) -> account_pb.Account:
    found: account_pb.Account = (await asked(world, HEAD, "GetAccount", account_id=account_id)).account
    return found


@pytest.mark.clause("III.B.3.j")
async def test_an_address_of_no_government_domain_counts_by_a_written_approval_and_for_its_time(
    consoles: Consoles, world: World
) -> None:
    now = datetime.now(UTC)
    async with consoles.at(HEAD, "/coordinator/people/new", timezone_id="UTC") as desk:
        given = {"full_name": HOSTILE, "badge_number": uuid4().hex, "subject": uuid4().hex}
        await sent(
            desk,
            "create",
            **given,
            email=f"{uuid4().hex[:8]}@gmail.com",
            unit=world.facts["unit"],
            approver="the commander",
            approval_reason=HOSTILE,
            approval_until=minute(now + timedelta(days=400)),
        )
        assert "32 bytes" in await wrong(desk, "create", "approval")
        await paper(desk, "create", "approval")
        await sent(desk, "create")
        # What was read is still there: a file need not be chosen once more.
        assert "366 days" in await wrong(desk, "create", "approval_until")
        await sound(desk)
        await sent_twice(desk, "create", approval_until=minute(now + timedelta(days=9)))
        assert "by written approval" in await desk.page.inner_text(".facts")

        account_id = desk.page.url.rpartition("/")[2].partition("?")[0]
        until = now + timedelta(days=99)
        more = {"approver": "the next commander", "approval_reason": "still needed"}
        await paper(desk, "except", "approval")
        await sent(desk, "except", **more, approval_until=minute(now - timedelta(days=1)))
        assert "ahead" in await wrong(desk, "except", "approval_until")
        await sent_twice(desk, "except", approval_until=minute(until))
        assert await said(desk) == "The approval is on record."
        await sound(desk)
    kept = await _kept(world, account_id)
    assert kept.email_until.ToDatetime(UTC) == until.replace(second=0, microsecond=0)


@pytest.mark.clause("III.B.3.g", "III.B.2.a")
async def test_data_of_other_agencies_is_opened_by_a_decision_and_taken_back(
    consoles: Consoles, world: World
) -> None:
    account_id = await account(world, f"vetted-{uuid4().hex[:6]}")
    until = datetime.now(UTC) + timedelta(days=99)
    page = f"/coordinator/people/{account_id}"
    async with consoles.at(HEAD, page, timezone_id="UTC", color_scheme="dark") as desk:
        await paper(desk, "vet", "document")
        await sent(desk, "vet", reference=HOSTILE, valid_until="2020-01-01")
        assert "future" in await wrong(desk, "vet", "valid_until")
        await sent_twice(desk, "vet", valid_until=f"{until:%Y-%m-%d}")
        assert HOSTILE in await desk.page.inner_text(".facts")
        await picture(desk.page, "coordinator-person-dark")
        await sound(desk)
        given = (await _kept(world, account_id)).non_agency_access
        assert (given.document_sha256, given.reference) == (_DIGEST, HOSTILE)
        await sent_twice(desk, "unvet", reason=HOSTILE)
        assert await said(desk) == "The access is taken back."
        assert await form(desk, "unvet").count() == 0
    assert not (await _kept(world, account_id)).HasField("non_agency_access")


@pytest.mark.clause("III.B.3.k", "III.C.2.b", "IV.A.2")
async def test_what_an_account_may_do_is_reviewed_and_taken_away_and_its_sign_ins_end(
    consoles: Consoles, world: World
) -> None:
    name = f"reviewed-{uuid4().hex[:6]}"
    account_id = await enabled(world, name, 300)
    page = f"/coordinator/people/{account_id}"
    async with (
        consoles.at(name, "/") as holder,
        consoles.at("the-work-unit-coordinator", page, PHONE) as desk,
    ):
        await sent_twice(desk, "review", finding="still on patrol, still needed")
        assert await said(desk) == "The review of what the account may do is on record."
        await sent(desk, "misuse", reason="bad")
        assert "characters" in await wrong(desk, "misuse", "reason")
        await sent_twice(desk, "misuse", reason="asked by night, and on no case that anybody knows of")
        assert await said(desk) == "The review is open."
        await sent_twice(desk, "sign-ins", reason=HOSTILE)
        assert await said(desk) == "The sign-ins are ended."
        await sent_twice(desk, "revoke", role=str(roles.ROLE_USER))
        assert "none" in await desk.page.inner_text(".facts")
        await picture(desk.page, "coordinator-person-phone")
        await sound(desk)
        await holder.open("/")
        assert "sign-in was ended" in await holder.page.inner_text("main")
    kept = await _kept(world, account_id)
    assert (list(kept.roles), kept.HasField("review_time")) == ([], True)
    reviews = (await asked(world, "the-work-unit-coordinator", "ListReviews", page_size=200)).reviews
    assert len([one for one in reviews if one.account_id == account_id]) == 1


@pytest.mark.clause("III.A")
async def test_the_office_goes_from_its_holder_to_whom_it_is_offered_to_in_one_moment(
    consoles: Consoles, world: World
) -> None:
    house = other_house(world)
    name = f"successor-{uuid4().hex[:6]}"
    unfit = await account(world, f"unfit-{uuid4().hex[:6]}", house=house)
    successor = await enabled(world, name, 300, house)
    async with (
        consoles.at(house.head, "/coordinator/office", WALL) as holder,
        consoles.at(name, "/") as other,
    ):
        try:
            await _handed_over(holder, other, unfit, (successor, name))
        finally:
            await _handed_back(world, name, house.head)


async def _handed_over(holder: Desk, other: Desk, unfit: str, successor: tuple[str, str]) -> None:
    await paper(holder, "offer", "document")
    await sent(holder, "offer", successor_account_id=unfit, official=HOSTILE)
    assert "missing" in await form(holder, "offer").locator(".refusal").inner_text()
    await sent_twice(holder, "offer", successor_account_id=successor[0])
    assert successor[1] in await holder.page.get_by_role("heading", name="Offered").inner_text()
    await picture(holder.page, "coordinator-office-wall")
    await sound(holder)

    await other.page.get_by_role("link", name="Office of the statewide").press("Enter")
    await other.page.get_by_role("heading", name="Offered").wait_for()
    await sound(other)
    await sent_twice(other, "accept")
    assert await said(other) == "You hold it."
    assert await form(other, "offer").count() == 1
    # Whoever has handed it over holds nothing of it any more.
    await holder.open("/coordinator/people")
    assert await holder.page.locator(".refusal").count() == 1


async def _handed_back(world: World, holder: str, former: str) -> None:
    if (await asked(world, holder, "GetOffice")).office.holder_name != holder:
        return
    former_id = (await asked(world, former, "GetAccount")).account.account_id
    await asked(world, holder, "GrantRole", account_id=former_id, role=roles.ROLE_USER)
    offer = office_pb.OfficeOffer(
        successor_account_id=former_id, official="the same", document_sha256=_DIGEST
    )
    made = (await asked(world, holder, "OfferOffice", offer=offer)).offer
    await asked(world, former, "AcceptOffice", offer_id=made.offer_id)
