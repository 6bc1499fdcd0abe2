"""The office of the statewide coordinator: one holds it, hands it over in a moment; vacancies are filled."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

import asyncpg
import grpc
import pytest

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import office_service_pb2 as pb
from alpr.audit.v1.account_service_pb2_grpc import AccountServiceStub
from alpr.audit.v1.office_service_pb2_grpc import OfficeServiceStub
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.audit.succession import Designation, SuccessionError, succeed
from services.common.client import bearer
from tests.support.audit_kit import (
    ADMINISTRATOR,
    COORDINATOR,
    ORI,
    Officer,
    RunningAudit,
    log_size,
    refused,
    request_id,
)
from tests.support.databases import fetch

DOCUMENT = bytes(range(32))


def office(audit: RunningAudit) -> Any:
    return audit.people(OfficeServiceStub)


def accounts(audit: RunningAudit) -> Any:
    return audit.people(AccountServiceStub)


def offering(successor: Officer, **changes: Any) -> pb.OfferOfficeRequest:
    usual = {
        "successor_account_id": successor.account_id,
        "official": "Deputy Director B. Stone, DOP",
        "document_sha256": DOCUMENT,
    }
    return pb.OfferOfficeRequest(request_id=request_id(), offer=pb.OfficeOffer(**{**usual, **changes}))


async def offered(audit: RunningAudit, successor: Officer) -> pb.AcceptOfficeRequest:
    """The request that accepts an offer made now."""
    answer = await office(audit).OfferOffice(offering(successor), metadata=audit.bearer(COORDINATOR))
    return pb.AcceptOfficeRequest(request_id=request_id(), offer_id=answer.offer.offer_id)


async def holders(audit: RunningAudit) -> list[str]:
    rows = await fetch(
        audit.database.admin_url,
        "SELECT account_id FROM audit.account_role WHERE role = 'STATEWIDE_COORDINATOR' AND agency_ori = $1",
        ORI,
    )
    return [str(row["account_id"]) for row in rows]


async def head(audit: RunningAudit) -> Officer:
    """Whoever holds the office now."""
    request = account_pb.GetAccountRequest()
    own = (await accounts(audit).GetAccount(request, metadata=audit.bearer(COORDINATOR))).account
    return Officer(audit, own.subject, own.account_id)


def own_token(officer: Officer) -> tuple[tuple[str, str]]:
    """Of the person, also when the kit takes the name for whoever holds the office now."""
    return (bearer(officer.audit.issuer.token(officer.subject)),)


async def entries(audit: RunningAudit, action: str) -> list[dict[str, str]]:
    """The entries of that action, oldest first."""
    rows = await fetch(
        audit.database.admin_url,
        "SELECT field.log_index, field.name, field.value FROM audit.log_field AS field"
        " JOIN audit.log_field AS act ON act.log_index = field.log_index AND act.name = 'action'"
        " WHERE act.value = $1 ORDER BY field.log_index",
        action,
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["log_index"], {})[row["name"]] = row["value"]
    return list(found.values())


def designation(successor: Officer, **changes: str) -> Designation:
    usual = {
        "agency_ori": ORI,
        "account_id": successor.account_id,
        "official": "Deputy Director B. Stone, DOP",
        "document_sha256": hashlib.sha256(b"designation").hexdigest(),
        "reason": "the holder has died",
    }
    return Designation(**{**usual, **changes})


async def fills(audit: RunningAudit, given: Designation) -> str:
    return await succeed(audit.database.admin_url, given, audit.settings.signer(), datetime.now(UTC))


@pytest.mark.clause("III.A")
async def test_the_office_goes_from_one_to_the_other_in_one_moment_and_both_are_on_record(
    audit: RunningAudit,
) -> None:
    former, successor = await head(audit), await audit.person(audit_pb.ROLE_USER)
    accept = await offered(audit, successor)
    meanwhile = await holders(audit)

    taken = (await office(audit).AcceptOffice(accept, metadata=successor.metadata)).office
    audit.is_handed_to(successor)

    assert meanwhile == [former.account_id]
    assert taken.holder_account_id == successor.account_id
    assert not taken.HasField("offer")
    assert await holders(audit) == [successor.account_id]
    offer, acceptance = (
        (await entries(audit, "office.offer"))[-2],
        (await entries(audit, "office.accept"))[-2],
    )
    assert (offer["actor"], offer["resource"]) == (former.account_id, successor.account_id)
    assert (acceptance["actor"], acceptance["detail.former"]) == (successor.account_id, former.account_id)
    assert offer["detail.document_sha256"] == acceptance["detail.document_sha256"] == DOCUMENT.hex()
    lost = await refused(office(audit).OfferOffice(offering(former), metadata=own_token(former)))
    assert lost.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("III.A")
async def test_an_acceptance_that_comes_again_is_done_once(audit: RunningAudit) -> None:
    successor = await audit.person(audit_pb.ROLE_USER)
    accept = await offered(audit, successor)

    first = await office(audit).AcceptOffice(accept, metadata=successor.metadata)
    before = await log_size(audit)
    again = await office(audit).AcceptOffice(accept, metadata=successor.metadata)
    audit.is_handed_to(successor)

    assert again == first
    assert await log_size(audit) == before


@pytest.mark.clause("III.A")
async def test_a_second_statewide_coordinator_is_not_granted(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    grant = account_pb.GrantRoleRequest(
        request_id=request_id(), account_id=officer.account_id, role=audit_pb.ROLE_STATEWIDE_COORDINATOR
    )

    error = await refused(accounts(audit).GrantRole(grant, metadata=audit.bearer(COORDINATOR)))

    assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert error.metadata["clauses"] == "III.A"
    assert len(await holders(audit)) == 1


@pytest.mark.clause("III.A")
async def test_the_database_itself_has_one_statewide_coordinator_of_an_agency(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    connection = await asyncpg.connect(audit.database.admin_url)

    try:
        for role in ("audit_app", "audit_owner", "NONE"):
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.UniqueViolationError, match="one_statewide_coordinator"):
                await connection.execute(
                    "INSERT INTO audit.account_role (account_id, role, intent_id, agency_ori)"
                    " VALUES ($1, 'STATEWIDE_COORDINATOR', gen_random_uuid(), 'IL0000009')",
                    officer.account_id,
                )
    finally:
        await connection.close()


@pytest.mark.clause("III.A")
async def test_of_two_who_accept_at_once_one_holds_the_office(audit: RunningAudit) -> None:
    one, other = await audit.person(audit_pb.ROLE_USER), await audit.person(audit_pb.ROLE_USER)
    first, second = await offered(audit, one), await offered(audit, other)

    results = await asyncio.gather(
        office(audit).AcceptOffice(first, metadata=one.metadata),
        office(audit).AcceptOffice(second, metadata=other.metadata),
        return_exceptions=True,
    )
    audit.is_handed_to(other)

    assert isinstance(results[0], grpc.aio.AioRpcError)  # a later offer takes the place of an earlier one
    assert results[0].code() is grpc.StatusCode.FAILED_PRECONDITION
    assert await holders(audit) == [other.account_id]


@pytest.mark.clause("III.A", "III.C.2.b", "III.D.1", "IV.A.4", "III.B.3.a")
async def test_the_office_is_offered_to_nobody_who_lacks_a_gate_or_administers_the_system(
    audit: RunningAudit,
) -> None:
    held = (account_pb.CERTIFICATION_KIND_ALPR_TRAINING, account_pb.CERTIFICATION_KIND_SECURITY_AWARENESS)
    lacking = await audit.person(audit_pb.ROLE_USER, certifications=held, enable=False)
    administrator = await audit.person(audit_pb.ROLE_SYSTEM_ADMINISTRATOR)

    async def missing(officer: Officer) -> str:
        call = office(audit).OfferOffice(offering(officer), metadata=audit.bearer(COORDINATOR))
        error = await refused(call)
        assert error.reason == ErrorReason.ERROR_REASON_WRONG_STATE
        return str(error.metadata["missing"])

    assert await missing(lacking) == "background_check,enabled,leads"
    assert await missing(administrator) == "not_system_administrator"


@pytest.mark.clause("III.A", "IV.A.4")
async def test_whoever_is_suspended_after_the_offer_does_not_take_it(audit: RunningAudit) -> None:
    former, successor = await head(audit), await audit.person(audit_pb.ROLE_USER)
    accept = await offered(audit, successor)
    suspend = account_pb.SuspendAccountRequest(
        request_id=request_id(), account_id=successor.account_id, reason="under inquiry"
    )
    await accounts(audit).SuspendAccount(suspend, metadata=audit.bearer(COORDINATOR))

    error = await refused(office(audit).AcceptOffice(accept, metadata=successor.metadata))

    assert error.metadata["clauses"] == "IV.A.2"
    assert await holders(audit) == [former.account_id]


@pytest.mark.clause("III.A")
async def test_an_offer_is_its_successors_alone_and_is_over_after_a_week(audit: RunningAudit) -> None:
    former, successor = await head(audit), await audit.person(audit_pb.ROLE_USER)
    other = await audit.person(audit_pb.ROLE_USER)
    accept = await offered(audit, successor)

    stolen = await refused(office(audit).AcceptOffice(accept, metadata=other.metadata))
    await fetch(
        audit.database.admin_url,
        "UPDATE audit.office_offer SET offer_time = offer_time - interval '8 days' WHERE offer_id = $1",
        accept.offer_id,
    )
    late = await refused(office(audit).AcceptOffice(accept, metadata=successor.metadata))
    shown = await office(audit).GetOffice(pb.GetOfficeRequest(), metadata=other.metadata)

    assert stolen.reason == ErrorReason.ERROR_REASON_NOT_FOUND
    assert late.reason == ErrorReason.ERROR_REASON_WRONG_STATE
    assert shown.office.holder_account_id == former.account_id
    assert not shown.office.HasField("offer")


@pytest.mark.clause("III.A", "III.B.3.g")
async def test_nobody_but_the_holder_offers_the_office(audit: RunningAudit) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)

    for by in (officer.subject, ADMINISTRATOR):
        call = office(audit).OfferOffice(offering(officer), metadata=audit.bearer(by))
        assert (await refused(call)).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"document_sha256": b"short"}, "offer.document_sha256"),
        ({"official": ""}, "offer.official"),
        ({"successor_account_id": "x"}, "offer.successor_account_id"),
        ({"offer_id": "something"}, "offer"),
    ],
)
async def test_an_offer_without_its_paper_is_an_error_of_its_field(
    audit: RunningAudit, changes: dict[str, Any], field: str
) -> None:
    officer = await audit.person(audit_pb.ROLE_USER)
    call = office(audit).OfferOffice(offering(officer, **changes), metadata=audit.bearer(COORDINATOR))

    assert [one.field for one in (await refused(call)).violations] == [field]


@pytest.mark.clause("III.A")
async def test_a_vacancy_is_filled_on_an_officials_word_and_the_former_holder_is_out(
    audit: RunningAudit,
) -> None:
    former, successor = await head(audit), await audit.person(audit_pb.ROLE_USER)

    told = await fills(audit, designation(successor))
    audit.is_handed_to(successor)

    assert told == former.account_id
    assert await holders(audit) == [successor.account_id]
    error = await refused(
        accounts(audit).ListAccounts(account_pb.ListAccountsRequest(), metadata=own_token(former))
    )
    assert error.metadata["clauses"] == "IV.A.2"
    entry = (await entries(audit, "office.fill"))[-1]
    assert (entry["kind"], entry["actor"]) == ("event", "Deputy Director B. Stone, DOP")
    assert (entry["resource"], entry["detail.former"]) == (successor.account_id, former.account_id)
    # The service goes on, and the successor acts.
    await accounts(audit).ListAccounts(account_pb.ListAccountsRequest(), metadata=successor.metadata)


@pytest.mark.clause("III.A", "III.B.3.g")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"official": " "}, "the designating official must be named"),
        ({"document_sha256": "ab"}, "the document's SHA-256 must be"),
        ({"reason": ""}, "say why"),
        ({"agency_ori": "IL0000099"}, "the agency has no such account"),
        ({"account_id": "x"}, "must be named by its id"),
    ],
)
async def test_a_designation_that_is_not_complete_changes_nothing(
    audit: RunningAudit, changes: dict[str, str], sentence: str
) -> None:
    former, successor = await head(audit), await audit.person(audit_pb.ROLE_USER)
    before = await log_size(audit)

    with pytest.raises(SuccessionError, match=sentence):
        await fills(audit, designation(successor, **changes))

    assert await holders(audit) == [former.account_id]
    assert await log_size(audit) == before


@pytest.mark.clause("III.A", "III.B.3.g")
async def test_no_vacancy_is_filled_with_somebody_who_may_not_hold_the_office(audit: RunningAudit) -> None:
    former = await head(audit)
    pending = await audit.person(audit_pb.ROLE_USER, enable=False)
    administrator = await audit.person(audit_pb.ROLE_SYSTEM_ADMINISTRATOR)

    for officer, sentence in (
        (pending, "not enabled"),
        (administrator, "administers the system"),
        (former, "holds the office already"),
    ):
        with pytest.raises(SuccessionError, match=sentence):
            await fills(audit, designation(officer))
    assert await holders(audit) == [former.account_id]
