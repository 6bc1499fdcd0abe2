"""What one agency may see of an alert."""

from dataclasses import replace

from services.alerts.core.model import Alert


def visible_to(alert: Alert, agency_ori: str) -> Alert | None:
    """`alert` as `agency_ori` may see it, or None when it may not know of it.

    The sensor's agency sees every entry. A list's agency sees the passage with the entries of its own lists
    only: another agency's record is not its business because the same plate stands on two lists.
    """
    if alert.sighting.sensor_agency_ori == agency_ori:
        return alert
    own = tuple(match for match in alert.matches if match.entry.list_agency_ori == agency_ori)
    return replace(alert, matches=own) if own else None
