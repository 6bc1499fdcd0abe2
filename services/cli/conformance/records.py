"""Checks of what is on record: people, papers, settings, sensors, incidents, reviews, what was given away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.audit.v1 import authorization_service_pb2 as role_pb
from alpr.audit.v1 import contract_service_pb2 as contract_pb
from alpr.audit.v1 import contract_service_pb2_grpc as contract_rpc
from alpr.audit.v1 import declaration_service_pb2 as declaration_pb
from alpr.audit.v1 import declaration_service_pb2_grpc as declaration_rpc
from alpr.audit.v1 import document_service_pb2 as document_pb
from alpr.audit.v1 import document_service_pb2_grpc as document_rpc
from alpr.audit.v1 import escort_service_pb2 as escort_pb
from alpr.audit.v1 import escort_service_pb2_grpc as escort_rpc
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import governance_service_pb2_grpc as agency_rpc
from alpr.audit.v1 import government_request_service_pb2 as request_pb
from alpr.audit.v1 import government_request_service_pb2_grpc as request_rpc
from alpr.audit.v1 import incident_service_pb2 as incident_pb
from alpr.audit.v1 import incident_service_pb2_grpc as incident_rpc
from alpr.audit.v1 import office_service_pb2 as office_pb
from alpr.audit.v1 import office_service_pb2_grpc as office_rpc
from alpr.audit.v1 import packet_service_pb2 as packet_pb
from alpr.audit.v1 import packet_service_pb2_grpc as packet_rpc
from alpr.audit.v1 import review_service_pb2 as review_pb
from alpr.audit.v1 import review_service_pb2_grpc as review_rpc
from alpr.audit.v1 import settings_service_pb2 as settings_pb
from alpr.audit.v1 import settings_service_pb2_grpc as settings_rpc
from alpr.audit.v1 import support_service_pb2 as support_pb
from alpr.audit.v1 import support_service_pb2_grpc as support_rpc
from alpr.audit.v1 import transparency_service_pb2 as report_pb
from alpr.audit.v1 import transparency_service_pb2_grpc as report_rpc
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.audit.v1 import unit_service_pb2_grpc as unit_rpc
from services.cli.conformance.asker import Asker, Check, Checked, failed, for_a_person, passed

_HEAD: Final = "statewide-coordinator"
_AUDITOR: Final = "auditor"
_WEEK: Final = timedelta(days=7)
_LEAST_BADGE: Final = 1


async def _accounts(asker: Asker) -> list[account_pb.Account]:
    request = account_pb.ListAccountsRequest()
    found: list[account_pb.Account] = await asker.pages(
        _AUDITOR, account_rpc.AccountServiceStub, "ListAccounts", request, "accounts"
    )
    return found


async def _enabled(asker: Asker) -> list[account_pb.Account]:
    return [one for one in await _accounts(asker) if one.state == account_pb.ACCOUNT_STATE_ENABLED]


async def _office(asker: Asker) -> Checked:
    office = (
        await asker.answer(_AUDITOR, office_rpc.OfficeServiceStub, "GetOffice", office_pb.GetOfficeRequest())
    ).office
    role = role_pb.ROLE_STATEWIDE_COORDINATOR
    heads = [
        one for one in await _enabled(asker) if role in one.roles and one.agency_ori == office.agency_ori
    ]
    line = f"{len(heads)} enabled accounts with the office in agency {office.agency_ori}"
    if len(heads) != 1 or heads[0].account_id != office.holder_account_id:
        return failed("the agency has not exactly one statewide coordinator", line)
    return passed("the agency has exactly one statewide coordinator", line)


async def _units(asker: Asker) -> Checked:
    request = unit_pb.ListUnitsRequest()
    units = await asker.pages(_AUDITOR, unit_rpc.UnitServiceStub, "ListUnits", request, "units")
    alone = [one.code for one in units if one.enabled_accounts and not one.served]
    line = f"{len(units)} units, {sum(one.enabled_accounts for one in units)} enabled accounts"
    if alone:
        return failed("units with enabled people have no coordinator", line, *alone)
    return passed("every unit with enabled people has an appointed coordinator", line)


async def _profiles(asker: Asker) -> Checked:
    enabled = await _enabled(asker)
    lacking = [one.account_id for one in enabled if not _is_whole(one)]
    line = f"{len(enabled)} enabled accounts"
    if lacking:
        return failed("enabled accounts lack a part of their profile", line, *lacking)
    return passed("every enabled account has name, badge number, agency, unit and address", line)


def _is_whole(account: account_pb.Account) -> bool:
    return all((account.full_name, account.badge_number, account.agency_ori, account.unit, account.email))


async def _shared(asker: Asker) -> Checked:
    enabled = await _enabled(asker)
    people = Counter((one.issuer, one.subject) for one in enabled)
    badges = Counter((one.agency_ori, one.badge_number) for one in enabled)
    twice = [count for count in (*people.values(), *badges.values()) if count > _LEAST_BADGE]
    settings = await _all_settings(asker)
    limits = [
        f"{name} {settings[name].value}"
        for name in ("sign_ins_at_once", "devices_at_once")
        if name in settings
    ]
    if twice or len(limits) != len(("sign-ins", "devices")):
        return failed(
            "accounts may be shared", f"{len(twice)} people or badges with more than one account", *limits
        )
    return passed(
        "one account a person, with limits on sign-ins and devices",
        f"{len(enabled)} enabled accounts",
        *limits,
    )


async def _all_settings(asker: Asker) -> dict[str, settings_pb.Setting]:
    request = settings_pb.ListSettingsRequest()
    answer = await asker.answer(_AUDITOR, settings_rpc.SettingsServiceStub, "ListSettings", request)
    return {one.name: one for one in answer.settings}


async def _bounds(asker: Asker) -> Checked:
    settings = await _all_settings(asker)
    outside = [one.name for one in settings.values() if not one.least <= one.value <= one.most]
    if outside:
        return failed("settings are outside of their policy's bounds", *outside)
    return passed(
        "all settings are within their policy's bounds",
        *(f"{one.name} {one.value}, {one.least} to {one.most}" for one in settings.values()),
    )


def _paper(kind: Any, what: str) -> Callable[[Asker], Awaitable[Checked]]:
    async def run(asker: Asker) -> Checked:
        stub = document_rpc.DocumentServiceStub
        answer = await asker.answer(_AUDITOR, stub, "ListDocuments", document_pb.ListDocumentsRequest())
        in_force = [one.document for one in answer.documents if one.in_force and one.document.kind == kind]
        if not in_force:
            return for_a_person(f"{what} is not published: platewarden document publish")
        request = document_pb.ListAcknowledgementsRequest(document_id=in_force[0].document_id)
        given = await asker.pages(_AUDITOR, stub, "ListAcknowledgements", request, "acknowledgements")
        lines = (
            f"version {in_force[0].version}, SHA-256 {in_force[0].sha256.hex()}",
            f"{len(given)} acknowledgements",
        )
        return passed(f"{what} is in force, and who has acknowledged it is on record", *lines)

    return run


def _contract(kinds: tuple[Any, ...], what: str) -> Callable[[Asker], Awaitable[Checked]]:
    async def run(asker: Asker) -> Checked:
        request = contract_pb.ListContractsRequest()
        answer = await asker.answer(_AUDITOR, contract_rpc.ContractServiceStub, "ListContracts", request)
        own = [one for one in answer.contracts if one.kind in kinds]
        over = sum(one.standing == contract_pb.CONTRACT_STANDING_OVER for one in own)
        if len(own) == over:
            return for_a_person(
                f"no {what} in force is on record: platewarden contract record", f"{over} are over"
            )
        return passed(
            f"a {what} is on record and warns before its end", f"{len(own) - over} in force, {over} over"
        )

    return run


async def _agreements(asker: Asker) -> Checked:
    request = agency_pb.ListAgreementsRequest()
    found = await asker.pages(
        _AUDITOR, agency_rpc.GovernanceServiceStub, "ListAgreements", request, "agreements"
    )
    unsigned = [one.agreement_id for one in found if not one.document_sha256]
    if unsigned:
        return failed("agreements have no document", *unsigned)
    if not found:
        return for_a_person(
            "no agreement is on record, so nothing crosses agencies; `platewarden probe run` shows it"
        )
    states = Counter(agency_pb.AgreementState.Name(one.state).rpartition("_")[2].lower() for one in found)
    return passed(
        "agreements are on record with their documents",
        *(f"{count} {state}" for state, count in states.items()),
    )


async def _declarations(asker: Asker) -> Checked:
    request = declaration_pb.ListDeclarationsRequest()
    answer = await asker.answer(_AUDITOR, declaration_rpc.DeclarationServiceStub, "ListDeclarations", request)
    law = answer.law
    if not (law.name and law.home_state and law.uses):
        return failed("no law about declarations of other states' agencies is in force")
    in_force = sum(one.in_force for one in answer.declarations)
    lines = (f"{law.name}: agencies outside of {law.home_state}", f"{in_force} declarations in force")
    return passed("agencies of other states are answered under a written declaration only", *lines)


async def _requests(asker: Asker) -> Checked:
    stub = request_rpc.GovernmentRequestServiceStub
    found = await asker.pages(
        _AUDITOR,
        stub,
        "ListGovernmentRequests",
        request_pb.ListGovernmentRequestsRequest(),
        "government_requests",
    )
    if not found:
        return for_a_person("no government entity has asked yet")
    decided = sum(bool(one.decider_account_id) for one in found)
    return passed(
        "requests of government entities are on record with who decided", f"{decided} of {len(found)} decided"
    )


async def _incidents(asker: Asker) -> Checked:
    stub = incident_rpc.IncidentServiceStub
    found = await asker.pages(
        _AUDITOR, stub, "ListIncidents", incident_pb.ListIncidentsRequest(), "incidents"
    )
    late = [one.incident_id for one in found if one.overdue and not one.close_time.seconds]
    if late:
        return failed("incidents were not notified within their hour", *late)
    if not found:
        return for_a_person("no incident is on record; hold an exercise: platewarden incident open")
    slowest = max(one.notified_after_seconds for one in found)
    return passed(
        "incidents are recorded and their notification is timed",
        f"{len(found)} incidents, the slowest notified after {slowest} s",
    )


async def _contacts(asker: Asker) -> Checked:
    stub = support_rpc.SupportServiceStub
    answer = await asker.answer(_HEAD, stub, "ListSupport", support_pb.ListSupportRequest())
    tier = answer.first_tier
    lacking = [name for name in ("name", "email", "telephone", "url") if not getattr(tier, name)]
    if lacking:
        return failed("the first-tier contact is not complete", *lacking)
    return passed(
        "the first-tier contact has name, e-mail, telephone and address for tickets",
        f"{len(answer.support_requests)} tickets on the first page",
    )


async def _reviews(asker: Asker) -> Checked:
    stub = review_rpc.ReviewServiceStub
    found = await asker.pages(_AUDITOR, stub, "ListReviews", review_pb.ListReviewsRequest(), "reviews")
    late = [one.review_id for one in found if one.overdue]
    if late:
        return failed("reviews of possible misuse were not concluded in time", *late)
    closed = sum(bool(one.signer_account_id) for one in found)
    line = f"{len(found)} reviews, {closed} concluded and signed"
    if not found:
        return for_a_person("no review has been opened yet", line)
    return passed("reviews of possible misuse are taken, concluded and signed in time", line)


async def _packets(asker: Asker) -> Checked:
    units = await asker.pages(
        _AUDITOR, unit_rpc.UnitServiceStub, "ListUnits", unit_pb.ListUnitsRequest(), "units"
    )
    today = datetime.now(UTC).date()
    week = str(today - timedelta(days=today.weekday()) - _WEEK)
    late, signed = [], 0
    served = [one for one in units if one.enabled_accounts]
    for unit in served:
        request = packet_pb.GetWeeklyPacketRequest(unit=unit.code, week=week)
        packet = (
            await asker.answer(_AUDITOR, packet_rpc.PacketServiceStub, "GetWeeklyPacket", request)
        ).packet
        late += [unit.code] if packet.overdue else []
        signed += bool(packet.signer_account_id)
    line = f"week of {week}: {signed} of {len(served)} units signed"
    if late:
        return failed("weekly packets were not signed in time", line, *late)
    return passed("each unit has its weekly packet, and none is overdue", line)


async def _escorts(asker: Asker) -> Checked:
    found = await asker.pages(
        _AUDITOR, escort_rpc.EscortServiceStub, "ListEscorts", escort_pb.ListEscortsRequest(), "escorts"
    )
    now = datetime.now(UTC)
    open_ones = [one for one in found if not one.ended_time.seconds]
    over = [one.escort_id for one in open_ones if one.end_time.ToDatetime(UTC) < now]
    vendors = [one for one in await _enabled(asker) if role_pb.ROLE_VENDOR_SUPPORT in one.roles]
    both = [one.account_id for one in vendors if len(one.roles) > 1]
    lines = (
        f"{len(found)} escorts, {len(open_ones)} open now",
        f"{len(vendors)} accounts of the vendor's support",
    )
    if over or both:
        return failed("support goes on beyond its escort, or has rights of its own", *lines, *over, *both)
    return passed("the vendor's support has no right but under an escort that is open", *lines)


async def _reports(asker: Asker) -> Checked:
    stub = report_rpc.TransparencyServiceStub
    found = await asker.pages(_AUDITOR, stub, "ListReports", report_pb.ListReportsRequest(), "reports")
    if not found:
        return for_a_person("no transparency report is published yet: platewarden transparency publish")
    return passed(
        "what is published is counts that anybody can count anew",
        f"{len(found)} reports, the last of {found[0].to.ToJsonString()}",
    )


CHECKS: Final = (
    Check("the office", ("III.A",), (_AUDITOR,), _office),
    Check("units", ("III.C.1",), (_AUDITOR,), _units),
    Check("profiles", ("III.C.2.b", "III.B.3.a"), (_AUDITOR,), _profiles),
    Check("no shared accounts", ("III.B.3.k",), (_AUDITOR,), _shared),
    Check("bounds of settings", ("III.B.3.o", "IV.E.1.b"), (_AUDITOR,), _bounds),
    Check(
        "the directive",
        ("III.D.2",),
        (_AUDITOR,),
        _paper(document_pb.DOCUMENT_KIND_DIRECTIVE, "the directive"),
    ),
    Check(
        "the use banner",
        ("III.D.3",),
        (_AUDITOR,),
        _paper(document_pb.DOCUMENT_KIND_USE_BANNER, "the use banner"),
    ),
    Check(
        "the addendum",
        ("III.B.3.b",),
        (_AUDITOR,),
        _paper(document_pb.DOCUMENT_KIND_SECURITY_ADDENDUM, "the security addendum"),
    ),
    Check(
        "Motor Carrier guidelines",
        ("III.E.3",),
        (_AUDITOR,),
        _paper(document_pb.DOCUMENT_KIND_MOTOR_CARRIER_GUIDELINES, "the Motor Carrier Safety guideline"),
    ),
    Check(
        "contracts",
        ("III.B.2",),
        (_AUDITOR,),
        _contract(
            (
                contract_pb.CONTRACT_KIND_CONTRACT,
                contract_pb.CONTRACT_KIND_WARRANTY,
                contract_pb.CONTRACT_KIND_LICENCE,
            ),
            "contract",
        ),
    ),
    Check(
        "the lease",
        ("III.E.2",),
        (_AUDITOR,),
        _contract((contract_pb.CONTRACT_KIND_LEASE,), "lease of the Motor Carrier Safety system"),
    ),
    Check("agreements", ("III.B.1", "IV.B.2"), (_AUDITOR,), _agreements),
    Check("declarations", ("III.B.1", "IV.B.2"), (_AUDITOR,), _declarations),
    Check("government requests", ("IV.B.3",), (_AUDITOR,), _requests),
    Check("incidents", ("III.B.3.c",), (_AUDITOR,), _incidents),
    Check("contacts", ("IV.F.1", "IV.F.2", "IV.F.2.a", "IV.F.2.b", "IV.F.2.c"), (_HEAD,), _contacts),
    Check("reviews", ("IV.A.2",), (_AUDITOR,), _reviews),
    Check("weekly packets", ("III.C.2.d",), (_AUDITOR,), _packets),
    Check("escorts", ("III.B.3.p",), (_AUDITOR,), _escorts),
    Check("transparency", ("IV.B.1",), (_AUDITOR,), _reports),
)
