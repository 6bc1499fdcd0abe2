"""Measures of the alerts service: numbers only, never a plate, a name or an agency."""

from prometheus_client import Counter, Gauge, Histogram

ALERTS_RAISED = Counter(
    "platewarden_alerts_raised_total", "Alerts and updates put into the feed by hits", ["kind"]
)
DELIVERY_LAG = Histogram(
    "platewarden_alerts_delivery_lag_seconds",
    "From the commit's time of a live position to its hand-over to a subscriber's stream",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SUBSCRIBERS = Gauge("platewarden_alerts_subscribers", "Open subscriber streams")
OUTBOX_DEPTH = Gauge("platewarden_alerts_outbox_depth", "Items that the audit log has not heard yet")
