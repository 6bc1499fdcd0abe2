"""What one agency may see of an alert."""

from dataclasses import replace

from services.alerts.core.model import Alert, Partition


def visible_to(alert: Alert, agency_ori: str, partition: Partition = Partition.GENERAL) -> Alert | None:
    """`alert` as `agency_ori` may see it, or None when it may not know of it.

    Who looks into one data set sees nothing of the other (II.H).

    The sensor's agency sees every entry. A list's agency sees the passage with the entries of its own lists
    only: another agency's record is not its business because the same plate stands on two lists. Nor is the
    unit that the sensor belongs to.
    """
    if alert.partition is not partition:
        return None
    if alert.sighting.sensor_agency_ori == agency_ori:
        return alert
    own = tuple(match for match in alert.matches if match.entry.list_agency_ori == agency_ori)
    if not own:
        return None
    sighting = replace(alert.sighting, sensor_unit="")
    facets = tuple(replace(facet, sensor_unit="") for facet in alert.facets)
    return replace(alert, matches=own, sighting=sighting, facets=facets)
