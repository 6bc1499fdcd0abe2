"""`platewarden webhook`: alerts posted to dispatch systems that do not speak gRPC."""

from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import webhook_service_pb2 as pb
from alpr.alerts.v1 import webhook_service_pb2_grpc as rpc
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output, folded, message_to_dict
from services.cli.session import Session
from services.cli.words import CATEGORY, Words
from services.common.durable import replace_file

app = typer.Typer(no_args_is_help=True, help="Webhooks: alerts for dispatch systems, as CloudEvents or CAP.")
WebhookId = Annotated[str, typer.Argument(help="Id of the webhook; `platewarden webhook list` shows it.")]
SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", help="Write the signing secret into this file, mode 0600, not on screen."),
]
FORMAT = Words(pb.WebhookFormat, "WEBHOOK_FORMAT_", "format")
STATE = Words(pb.WebhookState, "WEBHOOK_STATE_", "state")
FAILURE = Words(pb.DeliveryFailure, "DELIVERY_FAILURE_", "failure")
SEVERITY = Words(alert_pb.Severity, "SEVERITY_", "severity")
_COLUMNS = folded("webhook", "name", "posts to", "format", "state", "taken", "dead", "now")
_LETTER_COLUMNS = folded("number", "alert", "raised", "tries", "why", "since")


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where to post: https://...")],
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    shape: Annotated[str, typer.Option("--format", help="cloud-events or cap.")] = "cloud-events",
    categories: Annotated[
        list[str] | None, typer.Option("--category", help="Only this category besides the floor; repeatable.")
    ] = None,
    severity: Annotated[
        str, typer.Option("--min-severity", help="At least so loud: notice, high or urgent.")
    ] = "",
    secret_file: SecretFile = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Proposes a webhook that you own; it posts once the statewide coordinator has approved it."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CreateWebhookRequest(
            request_id=new_request_id(),
            name=name,
            url=url,
            format=FORMAT.number(shape),
            filter=filter_pb.AlertFilter(
                categories=[CATEGORY.number(word) for word in categories or ()],
                min_severity=SEVERITY.number(severity) if severity else alert_pb.SEVERITY_UNSPECIFIED,
            ),
        )
        answer = await session.call(_stub(session).CreateWebhook, request)
        shown = _keep_secret(answer.secret, secret_file)
        if answer.webhook.widened:
            output.note(f"the floor comes whatever the filter says: {', '.join(answer.webhook.widened)}")
        sentence = f"Webhook [bold]{answer.webhook.webhook_id}[/] waits for its approval. Secret: {shown}"
        output.result(message_to_dict(answer) | {"secret": shown}, sentence)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def approve(
    webhook_id: WebhookId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Lets a webhook post, from the next alert on; for the statewide coordinator."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ApproveWebhookRequest(request_id=new_request_id(), webhook_id=webhook_id)
        answer = await session.call(_stub(session).ApproveWebhook, request)
        output.result(answer, f"It posts to {answer.webhook.url} from now on")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def end(webhook_id: WebhookId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Ends a webhook for good."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndWebhookRequest(request_id=new_request_id(), webhook_id=webhook_id)
        answer = await session.call(_stub(session).EndWebhook, request)
        output.result(answer, "Ended; it posts no more")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def rotate(
    webhook_id: WebhookId,
    secret_file: SecretFile = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Makes a new signing secret; the old one signs beside it for a day."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RotateWebhookSecretRequest(request_id=new_request_id(), webhook_id=webhook_id)
        answer = await session.call(_stub(session).RotateWebhookSecret, request)
        shown = _keep_secret(answer.secret, secret_file)
        sentence = f"New secret: {shown}. The one before signs too until {_time(answer.previous_until)}"
        output.result(message_to_dict(answer) | {"secret": shown}, sentence)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_webhooks(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The webhooks of your agency, and how each does."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListWebhooksRequest(request_id=new_request_id())
        answer = await session.call(_stub(session).ListWebhooks, request)
        output.table(answer.webhooks, _COLUMNS, map(_row, answer.webhooks))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("dead-letters")
def dead_letters(
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most letters of a page.")] = 100,
    before: Annotated[int, typer.Option("--before", help="Only letters with a smaller number.")] = 0,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What the receiver did not take, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListDeadLettersRequest(
            request_id=new_request_id(), webhook_id=webhook_id, page_size=limit, before_sequence=before
        )
        answer = await session.call(_stub(session).ListDeadLetters, request)
        output.table(answer.letters, _LETTER_COLUMNS, map(_letter_row, answer.letters))
        if answer.has_more:
            output.note(f"more: --before {answer.letters[-1].sequence}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def retry(
    webhook_id: WebhookId,
    sequences: Annotated[
        list[int] | None, typer.Option("--number", help="Number of a letter; repeatable. Without: all.")
    ] = None,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Posts dead letters of the last 24 hours once more."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RetryDeadLettersRequest(
            request_id=new_request_id(), webhook_id=webhook_id, sequences=sequences or []
        )
        answer = await session.call(_stub(session).RetryDeadLetters, request)
        output.result(answer, f"{answer.retried} posted once more, {answer.left_out} left out")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _keep_secret(secret: str, file: Path | None) -> str:
    """What is shown of the secret: itself, or where it was written."""
    if file is None or not secret:
        return secret
    replace_file(file, secret.encode(), 0o600)
    return str(file)


def _row(hook: pb.Webhook) -> tuple[str, ...]:
    health = hook.health
    return (
        hook.webhook_id,
        hook.name,
        hook.url,
        FORMAT.word(hook.format),
        STATE.word(hook.state),
        str(health.delivered),
        str(health.dead_letters),
        _now(health),
    )


def _now(health: pb.WebhookHealth) -> str:
    if health.HasField("halt_time"):
        return f"halted since {_time(health.halt_time)}: its owner is not entitled"
    if health.failed_tries:
        why = FAILURE.word(health.last_failure) + (f" {health.last_status}" if health.last_status else "")
        return f"{health.failed_tries} tries failed ({why}); next {_time(health.next_try_time)}"
    return "-"


def _letter_row(letter: pb.DeadLetter) -> tuple[str, ...]:
    why = FAILURE.word(letter.failure) + (f" {letter.status}" if letter.status else "")
    since = f"taken {_time(letter.delivery_time)}" if letter.HasField("delivery_time") else ""
    return (
        str(letter.sequence),
        letter.alert_id,
        _time(letter.event_time),
        str(letter.tries),
        why,
        since or ("waits to be posted" if letter.retrying else "-"),
    )


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(tzinfo=UTC):%Y-%m-%d %H:%M:%S}"


def _stub(session: Session) -> rpc.WebhookServiceStub:
    return rpc.WebhookServiceStub(session.channel("alerts"))
