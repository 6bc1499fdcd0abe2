"""Requests about webhooks into words of the service, with every check; webhooks into the contract."""

from dataclasses import dataclass
from uuid import UUID

from alpr.alerts.v1 import webhook_service_pb2 as pb
from services.alerts.checks import Checks
from services.alerts.core.subscription import Filter, widened
from services.alerts.core.target import TargetError, check_url
from services.alerts.core.webhook import Format, Health, Letter
from services.alerts.store_webhooks import Kept
from services.alerts.wire_filter import filter_message, filter_text, parse_filter
from services.common.wire import to_timestamp

_LONGEST_NAME = 64
_FORMATS: frozenset[int] = frozenset(Format)
_MOST_LETTERS = 500
_USUAL_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """A webhook that somebody wants; `chosen_text` is the filter as it is stored."""

    request_id: UUID
    name: str
    url: str
    format: Format
    chosen: Filter
    chosen_text: str


@dataclass(frozen=True, slots=True)
class About:
    """A request about one webhook."""

    request_id: UUID
    webhook_id: UUID


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Which dead letters are asked for."""

    about: About
    before: int
    size: int


def parse_create(request: pb.CreateWebhookRequest) -> Wish:
    """The webhook that is wanted.

    Raises:
        InvalidFieldError: A field is missing or wrong; the address is never repeated.
    """
    checks = Checks()
    try:
        check_url(request.url)
    except TargetError as error:
        checks.note("url", str(error))
    if request.format not in _FORMATS:
        checks.note("format", "a format of the contract")
    wish = Wish(
        request_id=checks.uuid("request_id", request.request_id),
        name=checks.text("name", request.name, longest=_LONGEST_NAME),
        url=request.url,
        format=Format(request.format) if request.format in _FORMATS else Format.CLOUD_EVENTS,
        chosen=parse_filter(request.filter, checks.within("filter")),
        chosen_text=filter_text(request.filter),
    )
    checks.raise_if_any()
    return wish


def parse_about(
    request: pb.ApproveWebhookRequest | pb.EndWebhookRequest | pb.RotateWebhookSecretRequest,
) -> About:
    """Which webhook is meant. Raises InvalidFieldError."""
    checks = Checks()
    about = About(
        checks.uuid("request_id", request.request_id), checks.uuid("webhook_id", request.webhook_id)
    )
    checks.raise_if_any()
    return about


def parse_list(request: pb.ListWebhooksRequest) -> UUID:
    """The request's id. Raises InvalidFieldError."""
    checks = Checks()
    request_id = checks.uuid("request_id", request.request_id)
    checks.raise_if_any()
    return request_id


def parse_letters(request: pb.ListDeadLettersRequest) -> LetterPage:
    """Which dead letters are asked for. Raises InvalidFieldError."""
    checks = Checks()
    if not 0 <= request.page_size <= _MOST_LETTERS:
        checks.note("page_size", f"0 to {_MOST_LETTERS}")
    if request.before_sequence < 0:
        checks.note("before_sequence", "0 or more")
    about = About(
        checks.uuid("request_id", request.request_id), checks.uuid("webhook_id", request.webhook_id)
    )
    checks.raise_if_any()
    return LetterPage(about, request.before_sequence, request.page_size or _USUAL_LETTERS)


def parse_retry(request: pb.RetryDeadLettersRequest) -> tuple[About, tuple[int, ...]]:
    """Which dead letters are to be posted once more. Raises InvalidFieldError."""
    checks = Checks()
    if len(request.sequences) > _MOST_LETTERS or any(one < 1 for one in request.sequences):
        checks.note("sequences", f"at most {_MOST_LETTERS}, each 1 or more")
    about = About(
        checks.uuid("request_id", request.request_id), checks.uuid("webhook_id", request.webhook_id)
    )
    checks.raise_if_any()
    return about, tuple(request.sequences)


def encode_webhook(kept: Kept, health: Health) -> pb.Webhook:
    """The webhook, without its secret."""
    hook, approved, ended = kept.webhook, kept.approved, kept.ended
    return pb.Webhook(
        webhook_id=str(hook.webhook_id),
        agency_ori=hook.agency_ori,
        name=hook.name,
        url=hook.url,
        format=pb.WebhookFormat.ValueType(hook.format),
        filter=filter_message(kept.chosen),
        state=pb.WebhookState.ValueType(kept.state),
        owner_account_id=hook.owner_id,
        create_time=to_timestamp(hook.create_time),
        approve_time=to_timestamp(approved.act_time) if approved else None,
        approver_account_id=approved.account_id if approved else "",
        end_time=to_timestamp(ended.act_time) if ended else None,
        health=_health(health),
        widened=widened(hook.chosen),
    )


def encode_letter(letter: Letter) -> pb.DeadLetter:
    """A dead letter; it shows no plate."""
    return pb.DeadLetter(
        event_id=str(letter.event_id),
        sequence=letter.sequence,
        alert_id=str(letter.alert_id),
        event_time=to_timestamp(letter.event_time),
        dead_time=to_timestamp(letter.dead_time),
        tries=letter.tries,
        failure=pb.DeliveryFailure.ValueType(letter.failure),
        status=letter.status,
        delivery_time=to_timestamp(letter.taken_at) if letter.taken_at else None,
        retrying=letter.waiting,
    )


def _health(health: Health) -> pb.WebhookHealth:
    last, following, halt = health.last_delivery, health.next_try, health.halt_time
    return pb.WebhookHealth(
        delivered=health.delivered,
        dead_letters=health.dead_letters,
        last_delivery_time=to_timestamp(last) if last else None,
        failed_tries=health.failed_tries,
        last_failure=pb.DeliveryFailure.ValueType(health.failure),
        last_status=health.status,
        next_try_time=to_timestamp(following) if following else None,
        halt_time=to_timestamp(halt) if halt else None,
    )
