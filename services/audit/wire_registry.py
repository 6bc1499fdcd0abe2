"""Between the messages of accounts and agencies and this service's own values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import authorization_service_pb2 as pb
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from services.audit.core.email import EmailException, is_domain
from services.audit.core.person import Account, Certification, CertificationKind, Profile, Role, Vetting
from services.audit.core.profile import Correction, ProfileChange
from services.audit.core.registry import Agency
from services.audit.wire import Wrong, parse_ori, role_number
from services.common.errors import FieldViolation
from services.common.wire import parse_moment, parse_text, parse_uuid, raise_violations, to_timestamp

_DIGEST_BYTES = 32
_MOST_TEXT = 200
_MOST_SUBJECT = 255
_MOST_DOMAINS = 20
_MOST_REASON = 500


def parse_create_account(request: account_pb.CreateAccountRequest) -> Profile:
    """The new person's profile."""
    given, wrong = request.account, _request_id(request.request_id)
    if given.account_id or given.roles or given.certifications or given.state:
        text = "account_id, roles, certifications and state must be unset; they have RPCs of their own"
        wrong.append(FieldViolation("account", text))
    profile = Profile(
        subject=parse_text("account.subject", given.subject, wrong, most=_MOST_SUBJECT),
        issuer=parse_text("account.issuer", given.issuer, wrong, most=_MOST_SUBJECT),
        full_name=parse_text("account.full_name", given.full_name, wrong, most=_MOST_TEXT),
        badge_number=parse_text("account.badge_number", given.badge_number, wrong, most=_MOST_TEXT),
        email=parse_text("account.email", given.email, wrong, most=_MOST_TEXT),
        agency_ori=parse_ori("account.agency_ori", given.agency_ori, wrong),
        unit=parse_text("account.unit", given.unit, wrong, most=_MOST_TEXT),
    )
    raise_violations(wrong)
    return profile


def parse_exception(request: account_pb.CreateAccountRequest) -> EmailException | None:
    """The approval of the new account's address; None without one."""
    wrong: Wrong = []
    made = _exception(request.email_exception, wrong) if request.HasField("email_exception") else None
    raise_violations(wrong)
    return made


def parse_extended(request: account_pb.ExtendEmailExceptionRequest) -> EmailException:
    """The further approval of an account's address."""
    wrong = _change(request.request_id, request.account_id)
    made = _exception(request.email_exception, wrong)
    raise_violations(wrong)
    return made


def _exception(given: account_pb.EmailException, wrong: Wrong) -> EmailException:
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the approval, 32 bytes"
        wrong.append(FieldViolation("email_exception.document_sha256", text))
    return EmailException(
        approver=parse_text("email_exception.approver", given.approver, wrong, most=_MOST_TEXT),
        document_sha256=given.document_sha256,
        reason=parse_text("email_exception.reason", given.reason, wrong, most=_MOST_REASON),
        valid_until=parse_moment("email_exception.valid_until", given, wrong),
    )


def parse_certification(request: account_pb.RecordCertificationRequest) -> Certification:
    """What is to go on record."""
    given, wrong = request.certification, _change(request.request_id, request.account_id)
    kind = named(account_pb.CertificationKind, given.kind, "CERTIFICATION_KIND_")
    if not kind:
        wrong.append(FieldViolation("certification.kind", "must be set"))
    valid_from = parse_moment("certification.valid_from", given, wrong)
    valid_until = parse_moment("certification.valid_until", given, wrong)
    if valid_from >= valid_until:
        wrong.append(FieldViolation("certification.valid_until", "must be after valid_from"))
    reference = parse_text("certification.reference", given.reference, wrong, most=_MOST_TEXT)
    raise_violations(wrong)
    return Certification(CertificationKind(kind), valid_from, valid_until, reference)


def parse_role(request: account_pb.GrantRoleRequest | account_pb.RevokeRoleRequest) -> Role:
    """The role to grant or revoke."""
    wrong = _change(request.request_id, request.account_id)
    role = role_name(request.role)
    if not role:
        wrong.append(FieldViolation("role", "must be set"))
    raise_violations(wrong)
    return Role(role)


def role_name(number: int) -> str:
    """The role's name; "" for none."""
    return named(pb.Role, number, "ROLE_")


def check_enable(request: account_pb.EnableAccountRequest) -> None:
    """Returns when the request's shape is right."""
    raise_violations(_change(request.request_id, request.account_id))


def parse_vetting(request: account_pb.GrantNonAgencyAccessRequest) -> Vetting:
    """The decision that the person may see data of other agencies."""
    given, wrong = request.decision, _change(request.request_id, request.account_id)
    if given.decided_by or given.HasField("decide_time"):
        wrong.append(FieldViolation("decision", "decided_by and decide_time must be unset"))
    if len(given.document_sha256) != _DIGEST_BYTES:
        text = "must be the SHA-256 of the document, 32 bytes"
        wrong.append(FieldViolation("decision.document_sha256", text))
    vetting = Vetting(
        document_sha256=given.document_sha256,
        reference=parse_text("decision.reference", given.reference, wrong, most=_MOST_REASON),
        valid_until=parse_moment("decision.valid_until", given, wrong),
    )
    raise_violations(wrong)
    return vetting


def parse_reason(
    request: account_pb.SuspendAccountRequest | account_pb.RevokeNonAgencyAccessRequest,
) -> str:
    """Why the account is to be suspended, or loses access."""
    wrong = _change(request.request_id, request.account_id)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return reason


def parse_account_id(account_id: str) -> str:
    """The account asked for; "" is the caller's own."""
    wrong: Wrong = []
    if account_id:
        parse_uuid("account_id", account_id, wrong)
    raise_violations(wrong)
    return account_id


def parse_agency(request: agency_pb.RegisterAgencyRequest) -> Agency:
    """The agency to register."""
    given, wrong = request.agency, _request_id(request.request_id)
    domains = tuple(given.email_domains)
    if not 1 <= len(domains) <= _MOST_DOMAINS or not all(map(is_domain, domains)):
        text = f"must be 1 to {_MOST_DOMAINS} domains in lower case, for instance isp.illinois.gov"
        wrong.append(FieldViolation("agency.email_domains", text))
    agency = Agency(
        ori=parse_ori("agency.ori", given.ori, wrong),
        name=parse_text("agency.name", given.name, wrong, most=_MOST_TEXT),
        email_domains=domains,
    )
    raise_violations(wrong)
    return agency


def parse_end(request: account_pb.EndAccountRequest) -> tuple[datetime | None, str]:
    """When the account ends, and why."""
    wrong = _change(request.request_id, request.account_id)
    end_time = parse_moment("end_time", request, wrong) if request.HasField("end_time") else None
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return end_time, reason


def parse_review(request: account_pb.ReviewAccountRequest) -> str:
    """What was found."""
    wrong = _change(request.request_id, request.account_id)
    finding = parse_text("finding", request.finding, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return finding


def parse_profile(request: account_pb.UpdateProfileRequest) -> Correction:
    """What is to change in a profile, and why."""
    wrong, given = _change(request.request_id, request.account_id), request
    texts = {name: getattr(given, name) for name in ("full_name", "badge_number", "email", "unit")}
    new = {name: parse_text(name, text, wrong, most=_MOST_TEXT) for name, text in texts.items() if text}
    if not new:
        wrong.append(FieldViolation("full_name", "one of full_name, badge_number, email, unit must be set"))
    exception = None
    if given.HasField("email_exception"):
        exception = _exception(given.email_exception, wrong)
        if not given.email:
            wrong.append(FieldViolation("email", "must be set: it is what the approval is of"))
    reason = parse_text("reason", given.reason, wrong, most=_MOST_REASON)
    raise_violations(wrong)
    return Correction(ProfileChange(**new), reason, exception)


def parse_end_time(request: account_pb.CreateAccountRequest) -> datetime | None:
    """When a new account ends; None for no end."""
    wrong: Wrong = []
    has_end = request.account.HasField("end_time")
    end_time = parse_moment("account.end_time", request.account, wrong) if has_end else None
    raise_violations(wrong)
    return end_time


def account(given: Account, moment: datetime) -> account_pb.Account:
    """The message for an account as it stands at `moment`."""
    who, life = given.profile, given.life
    return account_pb.Account(
        account_id=given.account_id,
        subject=who.subject,
        issuer=who.issuer,
        full_name=who.full_name,
        badge_number=who.badge_number,
        email=who.email,
        agency_ori=who.agency_ori,
        unit=who.unit,
        roles=sorted(map(role_number, given.roles)),
        certifications=map(_certification, given.certifications),
        state=account_pb.AccountState.Value(f"ACCOUNT_STATE_{given.state.value}"),
        non_agency_access=_vetting(given.vetting) if given.vetting else None,
        end_time=to_timestamp(life.end_time) if life.end_time else None,
        use_time=to_timestamp(life.use_time) if life.use_time else None,
        review_time=to_timestamp(life.review_time) if life.review_time else None,
        review_due=life.is_review_due(moment),
        email_until=to_timestamp(given.email_until) if given.email_until else None,
    )


def agency(given: Agency) -> agency_pb.Agency:
    """The message for an agency."""
    return agency_pb.Agency(ori=given.ori, name=given.name, email_domains=given.email_domains)


def _certification(held: Certification) -> account_pb.Certification:
    return account_pb.Certification(
        kind=account_pb.CertificationKind.Value(f"CERTIFICATION_KIND_{held.kind.value}"),
        valid_from=to_timestamp(held.valid_from),
        valid_until=to_timestamp(held.valid_until),
        reference=held.reference,
    )


def _vetting(held: Vetting) -> account_pb.VettingDecision:
    return account_pb.VettingDecision(
        document_sha256=held.document_sha256,
        reference=held.reference,
        valid_until=to_timestamp(held.valid_until),
        decided_by=held.decided_by,
        decide_time=to_timestamp(held.decided_at) if held.decided_at else None,
    )


def _request_id(request_id: str) -> Wrong:
    wrong: Wrong = []
    parse_uuid("request_id", request_id, wrong)
    return wrong


def _change(request_id: str, account_id: str) -> Wrong:
    wrong = _request_id(request_id)
    parse_uuid("account_id", account_id, wrong)
    return wrong


def named(enum: Any, number: int, prefix: str) -> str:
    """The value's name without its prefix; "" for UNSPECIFIED and for numbers of a newer contract."""
    name = enum.Name(number).removeprefix(prefix) if number in enum.values() else ""
    return "" if name == "UNSPECIFIED" else name
