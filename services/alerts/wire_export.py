"""ExportAlerts: the request's checks, and alerts as JSON objects in the words of the contract."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import dispatch_service_pb2 as dispatch_pb
from alpr.alerts.v1 import export_service_pb2 as pb
from alpr.alerts.v1 import webhook_service_pb2 as webhook_pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.alerts.checks import Checks
from services.alerts.core.export import FOREIGN_ENTRY, FOREIGN_READ, own_part
from services.alerts.core.model import StepKind
from services.alerts.rows import MATCH_COLUMNS, SIGHTING_COLUMNS, Row
from services.alerts.store_export import AlertRows
from services.alerts.store_export_parts import PARTS
from services.common.identity import AccessToken
from services.common.paged_export import Asked, plain

_MOST_ALERTS = 1000
_ALERTS = 500
_POSITION = r"([1-9][0-9]{0,17})?"
# Pages of other records than alerts say 0: those go to the end, wherever it is by then.
_UNTIL = rf"0|{_POSITION}"
# What the position of other records looks like.
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OF_MARKS = {UUID: _UUID, int: "[1-9][0-9]{0,17}"}
_POSITIONS = {
    name: f"({'/'.join(_OF_MARKS[kind] for kind in part.marks.values())})?" for name, part in PARTS.items()
}
ALERTS = "alerts"
_PARTS = {pb.AlertPart.Value(f"ALERT_PART_{name.upper()}"): name for name in (ALERTS, *PARTS)} | {
    pb.ALERT_PART_UNSPECIFIED: ALERTS
}
# Numbers of the contract by the columns that hold them.
_ENUMS: Mapping[str, Any] = {
    "source": hit_pb2.HotListSource,
    "category": hit_pb2.HotListCategory,
    "match_label": hit_pb2.MatchLabel,
    "match_grade": hit_pb2.MatchGrade,
    "verification_state": notice_pb2.VerificationState,
    "verified_state": notice_pb2.VerificationState,
    "disposition": alert_pb.Disposition,
    "reason": alert_pb.WithdrawReason,
    "entry_state": alert_pb.EntryState,
    "warnings": hit_pb2.HitWarning,
}
_OTHER_ENUMS: Mapping[str, Any] = {
    "format": webhook_pb.WebhookFormat,
    "delivery_kind": dispatch_pb.DeliveryKind,
}
_PICTURES = {"crop_key": "crop", "overview_key": "overview"}
_SIGHTING = SIGHTING_COLUMNS.split(", ")
_OF_MATCH = ("match_probability", "warnings", "match_label", "match_grade")
_ENTRY = [name for name in MATCH_COLUMNS.split(", ") if name not in _OF_MATCH]


def parse_export(request: pb.ExportAlertsRequest, token: AccessToken) -> Asked:
    """The page that is asked for; case number and purpose pass through unread, they are audit's.

    Raises:
        InvalidFieldError: Names each field that is wrong.
    """
    checks = Checks()
    part = _PARTS.get(request.part, "")
    if not part:
        checks.note("part", "must be one of the parts of alerts")
    if not 0 <= request.page_size <= _MOST_ALERTS:
        checks.note("page_size", f"must be 1 to {_MOST_ALERTS}, or 0 for {_ALERTS}")
    asked = Asked(
        request_id=checks.uuid("request_id", request.request_id),
        token=token,
        justification=request.justification,
        part=part,
        of="",
        after=checks.matching(
            "after", request.after, _POSITIONS.get(part, _POSITION), "must be `last` of the page before"
        ),
        until=checks.matching("until", request.until, _UNTIL, "must be `until` of the first page"),
        size=request.page_size or _ALERTS,
    )
    checks.raise_if_any()
    return asked


def alert_document(found: AlertRows, agency_ori: str) -> dict[str, Any]:
    """The alert as one line of the export: nothing in it is another agency's."""
    alert = {name: found.alert[name] for name in ("alert_id", "plate", "sensor_agency_ori", "raise_time")}
    state = ("acknowledged", "verification_state", "disposition")
    own = {"alert_id", "sensor_agency_ori", "raise_time"}
    return {
        **_readable(own_part(alert, alert["sensor_agency_ori"], agency_ori, frozenset(own))),
        **_readable({name: found.alert[name] for name in state}),
        "hits": [_hit(row, agency_ori) for row in found.hits],
        "steps": [_step(row) for row in found.steps],
    }


def _hit(row: Row, agency_ori: str) -> dict[str, Any]:
    read = {name: row[name] for name in _SIGHTING}
    entry = {name: row[name] for name in _ENTRY}
    document: dict[str, Any] = {
        "hit_time": plain("hit_time", row["hit_time"], _ENUMS),
        "match_revision": row["match_revision"],
        "read": _readable(own_part(read, row["sensor_agency_ori"], agency_ori, FOREIGN_READ)),
        "entry": _readable(own_part(entry, row["list_agency_ori"], agency_ori, FOREIGN_ENTRY)),
        **_readable({name: row[name] for name in _OF_MATCH if name != "warnings"}),
        "warnings": plain("warnings", row["warnings"], _ENUMS),
    }
    if row["withdraw_time"] is not None:
        document["withdrawn"] = _readable({name: row[name] for name in ("withdraw_time", "reason")})
    return document


def _step(row: Row) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if value is not None and name != "alert_id"}
    return {**_readable(values), "kind": StepKind(row["kind"]).name}


def _readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: moments in UTC, enumerations by name, pictures by day and hash."""
    readable: dict[str, Any] = {}
    for name, value in values.items():
        if name in _PICTURES:
            if value:
                readable[_PICTURES[name]] = picture_of(value)
        else:
            readable[name] = plain(name, value, _ENUMS)
    return readable


def picture_of(key: str) -> dict[str, str]:
    """Day and SHA-256 of the picture that lies under `key`."""
    _, day, digest = key.rsplit("/", 2)
    return {"day": day, "sha256": digest}


def pictures_of(found: AlertRows, agency_ori: str) -> list[str]:
    """Where the pictures of the alert's own hits lie."""
    return [
        row[name]
        for row in found.hits
        for name in _PICTURES
        if row[name] and row["sensor_agency_ori"] == agency_ori
    ]


def picture_description(key: str, picture: bytes) -> pb.ExportAlertsResponse:
    """Which picture follows."""
    named = picture_of(key)
    return pb.ExportAlertsResponse(
        picture=pb.ExportedHitPicture(
            sha256=bytes.fromhex(named["sha256"]), day=named["day"], size_bytes=len(picture)
        )
    )


def record_document(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record that belongs to alerts as one line of the export; what it does not have is left out."""
    return {
        name: value if isinstance(value, dict | list) else plain(name, value, _OTHER_ENUMS)
        for name, value in record.items()
        if value is not None
    }
