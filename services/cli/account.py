"""`platewarden account`, `agency` and `sensor`: who and what may act."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.audit.v1 import account_service_pb2 as pb
from alpr.audit.v1 import account_service_pb2_grpc as rpc
from services.cli.hotlist import parse_moment
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import ACCOUNT_STATE, CERTIFICATION, ROLE

app = typer.Typer(
    no_args_is_help=True, help="Accounts: create, update, certify, grant, vet, enable, suspend, review, list."
)
AccountId = Annotated[str, typer.Argument(help="Id of the account.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
EmailApproval = Annotated[
    Path | None,
    typer.Option(
        "--email-approval",
        exists=True,
        dir_okay=False,
        help="Written approval of an address of no government domain; needs --approver and --reason.",
    ),
]
Approver = Annotated[str, typer.Option("--approver", help="Who approved it, with title.")]
ApprovalDays = Annotated[int, typer.Option("--days", min=1, max=366, help="Days for which it counts.")]


def stamp(moment: datetime) -> Timestamp:
    """The moment as a protobuf timestamp; a moment without zone is taken as UTC."""
    result = Timestamp()
    result.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return result


@app.command()
def create(
    person: Annotated[str, typer.Argument(help="Subject at the identity provider.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Issuer of the identity provider's tokens.")],
    name: Annotated[str, typer.Option("--name", help="Name as on the badge.")],
    badge: Annotated[str, typer.Option("--badge", help="Badge or employee number.")],
    email: Annotated[str, typer.Option("--email", help="Government e-mail address.")],
    agency: Annotated[str, typer.Option("--agency", help="ORI of the agency.")],
    unit: Annotated[str, typer.Option("--unit", help="District, zone or specialty unit.")],
    hours: Annotated[
        int, typer.Option("--hours", min=0, max=72, help="For somebody who is here for so long only.")
    ] = 0,
    approval: EmailApproval = None,
    approver: Approver = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it was approved.")] = "",
    days: ApprovalDays = 365,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Makes an account, not yet enabled. It holds no password."""

    async def work(session: Session, output: Output) -> None:
        account = pb.Account(
            subject=person,
            issuer=issuer,
            full_name=name,
            badge_number=badge,
            email=email,
            agency_ori=agency,
            unit=unit,
        )
        if hours:
            account.end_time.CopyFrom(stamp(datetime.now(UTC) + timedelta(hours=hours)))
        excepted = exception_for(approval, approver, reason, days) if approval else None
        show(await change(session, "CreateAccount", account=account, email_exception=excepted), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def update(
    account_id: AccountId,
    reason: Reason,
    name: Annotated[str, typer.Option("--name", help="Name as on the badge.")] = "",
    badge: Annotated[str, typer.Option("--badge", help="Badge or employee number.")] = "",
    email: Annotated[str, typer.Option("--email", help="Government e-mail address.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="The unit that the person joins.")] = "",
    approval: EmailApproval = None,
    approver: Approver = "",
    days: ApprovalDays = 365,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Corrects an account, or moves it to another unit; what is left out stays as it is."""

    async def work(session: Session, output: Output) -> None:
        wanted: dict[str, Any] = {"full_name": name, "badge_number": badge, "email": email, "unit": unit}
        if approval:
            wanted["email_exception"] = exception_for(approval, approver, reason, days)
        show(await change(session, "UpdateProfile", account_id=account_id, reason=reason, **wanted), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def certify(
    account_id: AccountId,
    kind: Annotated[
        str, typer.Argument(help="alpr-training, leads, security-awareness or background-check.")
    ],
    reference: Annotated[str, typer.Option("--reference", help="Certificate number or document id.")],
    days: Annotated[int, typer.Option("--days", min=1, help="Days from now until it ends.")] = 365,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a training, certification or screening with its life."""

    async def work(session: Session, output: Output) -> None:
        held = certification_for(kind, reference, days)
        changed = await change(session, "RecordCertification", account_id=account_id, certification=held)
        show(changed, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def grant(
    account_id: AccountId,
    role: Annotated[
        str, typer.Argument(help="For instance user, telecom-center, hot-list-manager, auditor.")
    ],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Grants a role. Nobody grants to himself."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "GrantRole", account_id=account_id, role=ROLE.number(role)), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def revoke(
    account_id: AccountId,
    role: Annotated[str, typer.Argument(help="The role to take away.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Takes a role away; open streams end within a lease."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "RevokeRole", account_id=account_id, role=ROLE.number(role)), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def vet(
    account_id: AccountId,
    document: Annotated[
        Path, typer.Option("--document", exists=True, dir_okay=False, help="The document of the decision.")
    ],
    reference: Annotated[str, typer.Option("--reference", help="Where it is, and what was considered.")],
    days: Annotated[int, typer.Option("--days", min=1, help="Days until it is decided anew.")] = 365,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Lets a person see data of other agencies, on a vetting decision of its own."""

    async def work(session: Session, output: Output) -> None:
        decision = pb.VettingDecision(
            document_sha256=hashlib.sha256(document.read_bytes()).digest(),
            reference=reference,
            valid_until=stamp(datetime.now(UTC) + timedelta(days=days)),
        )
        show(await change(session, "GrantNonAgencyAccess", account_id=account_id, decision=decision), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def unvet(
    account_id: AccountId,
    reason: Reason,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Takes back that a person sees data of other agencies."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "RevokeNonAgencyAccess", account_id=account_id, reason=reason), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("except")
def except_email(
    account_id: AccountId,
    approval: Annotated[
        Path, typer.Option("--approval", exists=True, dir_okay=False, help="The written approval.")
    ],
    approver: Approver,
    reason: Reason,
    days: ApprovalDays = 365,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records a further written approval of an address of no government domain."""

    async def work(session: Session, output: Output) -> None:
        given = exception_for(approval, approver, reason, days)
        changed = await change(session, "ExtendEmailException", account_id=account_id, email_exception=given)
        show(changed, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def enable(
    account_id: AccountId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Enables an account whose profile, training, screening and certification are complete."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "EnableAccount", account_id=account_id), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def suspend(
    account_id: AccountId,
    reason: Reason,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Suspends an account at once."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "SuspendAccount", account_id=account_id, reason=reason), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def end(
    account_id: AccountId,
    reason: Reason,
    moment: Annotated[
        str, typer.Option("--at", help="When, as 2026-12-01T00:00Z; left out takes an end back.")
    ] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Says when an account ends, for instance of somebody who leaves."""

    async def work(session: Session, output: Output) -> None:
        at = {"end_time": parse_moment(moment)} if moment else {}
        show(await change(session, "EndAccount", account_id=account_id, reason=reason, **at), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def review(
    account_id: AccountId,
    finding: Annotated[str, typer.Option("--finding", help="Whether it is still needed, and why.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Records the yearly look at what an account may do."""

    async def work(session: Session, output: Output) -> None:
        show(await change(session, "ReviewAccount", account_id=account_id, finding=finding), output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("show")
def show_account(
    account_id: Annotated[str, typer.Argument(help="Id of the account; your own when left out.")] = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """One account."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.AccountServiceStub(session.channel("audit"))
        answer = await session.call(stub.GetAccount, pb.GetAccountRequest(account_id=account_id))
        show(answer.account, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_accounts(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The accounts of your agency."""

    async def work(session: Session, output: Output) -> None:
        stub = rpc.AccountServiceStub(session.channel("audit"))
        accounts: list[pb.Account] = []
        request = pb.ListAccountsRequest()
        while True:
            answer = await session.call(stub.ListAccounts, request)
            accounts.extend(answer.accounts)
            if not answer.next_page_token:
                break
            request = pb.ListAccountsRequest(page_token=answer.next_page_token)
        rows = (
            (
                a.full_name,
                a.account_id,
                a.unit,
                ", ".join(map(ROLE.word, a.roles)),
                ACCOUNT_STATE.word(a.state),
                "due" if a.review_due else "-",
            )
            for a in accounts
        )
        output.table(accounts, ("name", "id", "unit", "roles", "state", "review"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


async def change(session: Session, rpc_name: str, **fields: Any) -> pb.Account:
    """The account after AccountService's `rpc_name` with `fields`. Raises AlprError when refused."""
    stub = rpc.AccountServiceStub(session.channel("audit"))
    request = getattr(pb, f"{rpc_name}Request")(request_id=new_request_id(), **fields)
    answer = await session.call(getattr(stub, rpc_name), request)
    account: pb.Account = answer.account
    return account


def certification_for(kind: str, reference: str, days: int) -> pb.Certification:
    """A certification that begins now and lasts `days` days. Raises CommandError for an unknown kind."""
    now = datetime.now(UTC)
    return pb.Certification(
        kind=CERTIFICATION.number(kind),
        reference=reference,
        valid_from=stamp(now),
        valid_until=stamp(now + timedelta(days=days)),
    )


def exception_for(approval: Path, approver: str, reason: str, days: int) -> pb.EmailException:
    """A written approval that counts for so many days from now."""
    return pb.EmailException(
        approver=approver,
        document_sha256=hashlib.sha256(approval.read_bytes()).digest(),
        reason=reason,
        valid_until=stamp(datetime.now(UTC) + timedelta(days=days)),
    )


def _address(account: pb.Account) -> str:
    if not account.HasField("email_until"):
        return ""
    return f"\n  an address by written approval, until {account.email_until.ToDatetime():%Y-%m-%d}"


def _others(account: pb.Account) -> str:
    if not account.HasField("non_agency_access"):
        return "data of the own agency only"
    until = account.non_agency_access.valid_until.ToDatetime()
    return f"data of other agencies until {until:%Y-%m-%d}, by a decision on record"


def show(account: pb.Account, output: Output) -> None:
    """Prints an account in two lines."""
    certified = ", ".join(
        f"{CERTIFICATION.word(c.kind)} until {c.valid_until.ToDatetime():%Y-%m-%d}"
        for c in account.certifications
    )
    output.result(
        account,
        f"[bold]{account.full_name}[/] ({account.account_id}), {account.agency_ori} {account.unit}: "
        f"{ACCOUNT_STATE.word(account.state)}; roles {', '.join(map(ROLE.word, account.roles)) or 'none'}"
        f"\n  {certified or 'no certification on record'}"
        f"\n  {_others(account)}{_address(account)}",
    )
