"""Measures of the alerts service: numbers only, never a plate, a name or an agency."""

from prometheus_client import Counter, Gauge, Histogram

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
WEBHOOK_POSTS = Counter(
    "platewarden_alerts_webhook_posts", "Tries to post to webhooks, by what came of them.", ["result"]
)
WEBHOOKS_HELD = Gauge("platewarden_alerts_webhooks_held", "Webhooks that this process posts for.")
