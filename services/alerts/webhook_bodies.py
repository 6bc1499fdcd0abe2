"""What is posted: an alert as a CloudEvent or a CAP document, with its type and its signature."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict

from services.alerts import wire
from services.alerts.core.cap import Sent, cap_document
from services.alerts.core.signature import signature
from services.alerts.core.webhook import Format, Message, Webhook

_CONTENT_TYPES = {
    Format.CLOUD_EVENTS: "application/cloudevents+json; charset=utf-8",
    Format.CAP: "application/cap+xml; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Post:
    """One request: headers and body."""

    headers: dict[str, str]
    body: bytes


def body_of(hook: Webhook, message: Message, source: str, before: Sent | None) -> bytes:
    """The message in the webhook's format; the same bytes at every try of one state of the alert.

    Args:
        hook: Whose message it is.
        message: The alert as the webhook's agency sees it.
        source: Name of this installation.
        before: The last message of the same alert that the receiver has.
    """
    sender = f"{source}/{hook.agency_ori}"
    if hook.format is Format.CAP:
        return cap_document(message, sender, wire.encode_alert(message.alert).notice.text, before)
    return _cloud_event(message, sender)


def signed(
    hook: Webhook, message: Message, body: bytes, secrets: tuple[bytes, ...], moment: datetime
) -> Post:
    """The request of one try at `moment`, signed with all of `secrets`."""
    message_id, seconds = str(message.event_id), int(moment.timestamp())
    headers = {
        "Content-Type": _CONTENT_TYPES[hook.format],
        "User-Agent": "platewarden",
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(secrets, message_id, seconds, body),
    }
    return Post(headers, body)


def _cloud_event(message: Message, source: str) -> bytes:
    kind = "raised" if message.is_first else "updated"
    document = {
        "specversion": "1.0",
        "id": str(message.event_id),
        "source": source,
        "type": f"platewarden.alert.{kind}.v1",
        "subject": str(message.alert.alert_id),
        "time": message.event_time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        # Of the extension for sequences: what is missing between two messages was given up.
        "sequence": str(message.sequence),
        **({"quiet": True} if message.is_quiet else {}),
        "data": MessageToDict(wire.encode_alert(message.alert), preserving_proto_field_name=True),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
