"""Messages of a stream in two halves: what all subscribers of an agency get, and the token that is one's own.

Two encodings one after the other are the encoding of both together (protobuf merges them), so an alert is
encoded once and not once for each subscriber.
"""

from datetime import datetime

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.alerts.core.model import Alert, FeedItem, FeedKind
from services.alerts.wire import encode_alert
from services.common.wire import to_timestamp


def encode_event(item: FeedItem, alert: Alert, epoch: int) -> bytes:
    """A SubscribeAlertsResponse about `alert`, which is the item's as one agency sees it; without a token."""
    message = pb.SubscribeAlertsResponse(position=item.mark, epoch=epoch)
    event = message.raised if item.kind == FeedKind.RAISED else message.updated
    event.CopyFrom(encode_alert(alert))
    return message.SerializeToString()


def encode_heartbeat(epoch: int, now: datetime) -> bytes:
    """A SubscribeAlertsResponse that says that nothing is new; without a token."""
    message = pb.SubscribeAlertsResponse(epoch=epoch)
    message.heartbeat.server_time.CopyFrom(to_timestamp(now))
    return message.SerializeToString()


def with_token(body: bytes, token: str, *, quiet: bool = False) -> bytes:
    """The whole message; `quiet` when the person wants it without sound now."""
    return pb.SubscribeAlertsResponse(resume_token=token, quiet=quiet).SerializeToString() + body
