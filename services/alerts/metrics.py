"""Measures of the alerts service: numbers only, never a plate, a name or an agency."""

from prometheus_client import Counter, Gauge, Histogram

from services.alerts.core.model import EscalationKind, FeedKind
from services.alerts.core.webhook import Failure

FEED_ITEMS = Counter(
    "platewarden_alerts_feed_items", "Alerts raised and updated: positions of the feed.", ["kind"]
)
ESCALATIONS = Counter("platewarden_alerts_escalations", "What was not done about alerts in time.", ["kind"])
DELIVERY_LAG = Histogram(
    "platewarden_alerts_delivery_lag_seconds",
    "From the time of a position to its hand-over to a subscriber that is live.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SUBSCRIBERS = Gauge("platewarden_alerts_subscribers", "Open subscriber streams.")
OUTBOX_DEPTH = Gauge("platewarden_alerts_outbox_depth", "Items that the audit log has not heard yet.")
OUTBOX_AGE = Gauge(
    "platewarden_alerts_outbox_age_seconds",
    "Age of the oldest item that the audit log has not heard; 0: none.",
)
WAITING = Gauge("platewarden_alerts_waiting", "Alerts with something still to be done in time.", ["kind"])
WAITING_AGE = Gauge(
    "platewarden_alerts_waiting_age_seconds", "Age of the oldest of them; 0 for none.", ["kind"]
)
ESCALATED_OPEN = Gauge(
    "platewarden_alerts_escalated_open", "Alerts escalated within a day that still wait.", ["kind"]
)
WEBHOOK_POSTS = Counter(
    "platewarden_alerts_webhook_posts", "Tries to post to webhooks, by what came of them.", ["result"]
)
WEBHOOKS_HELD = Gauge("platewarden_alerts_webhooks_held", "Webhooks that this process posts for.")

for _kind in EscalationKind:
    ESCALATIONS.labels(_kind.name.lower())
for _feed_kind in FeedKind:
    FEED_ITEMS.labels(_feed_kind.name.lower())
WEBHOOK_POSTS.labels("taken")
for _failure in Failure:
    if _failure is not Failure.NONE:
        WEBHOOK_POSTS.labels(_failure.name.lower())
