"""Requests for lists of alerts into words of the service, and lists into the contract."""

from dataclasses import dataclass
from uuid import UUID

from alpr.alerts.v1 import alert_search_service_pb2 as pb
from alpr.type.v1 import justification_pb2, notice_pb2, receipt_pb2
from services.alerts.checks import Checks
from services.alerts.core.listing import Wanted
from services.alerts.core.model import Alert, Category, Verification
from services.alerts.wire import encode_alert, parse_partition

_MOST = 200
_USUAL = 50
_CATEGORIES: frozenset[int] = frozenset(Category)
_STATES: frozenset[int] = frozenset(Verification)
NOTICE = notice_pb2.Notice(
    lead_only=True,
    verification_state=notice_pb2.VERIFICATION_STATE_NEW,
    text="Leads only: each alert says how far it is verified; confirm with LEADS/NCIC before any action",
)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A page that is asked for; case number and purpose pass through unread, they are audit's."""

    request_id: UUID
    justification: justification_pb2.Justification | None
    wanted: Wanted
    size: int
    page_token: str


def parse_list_alerts(request: pb.ListAlertsRequest) -> ListRequest:
    """The page that is asked for. Raises InvalidFieldError, which names each field that is wrong."""
    checks = Checks()
    if not 0 <= request.page_size <= _MOST:
        checks.note("page_size", f"1 to {_MOST}, or 0 for {_USUAL}")
    for name, values, known in (
        ("categories", request.categories, _CATEGORIES),
        ("verification_states", request.verification_states, _STATES),
    ):
        for number, value in enumerate(values):
            if value not in known:
                checks.note(f"{name}[{number}]", "one of the contract")
    wanted = Wanted(
        partition=parse_partition(request.partition, checks),
        start=checks.time(request, "from") if request.HasField("from") else None,
        end=checks.time(request, "to") if request.HasField("to") else None,
        categories=tuple(sorted(Category(one) for one in {*request.categories} & _CATEGORIES)),
        states=tuple(sorted(Verification(one) for one in {*request.verification_states} & _STATES)),
        only_unacknowledged=request.only_unacknowledged,
        plate=checks.matching(
            "plate", request.plate, r"([A-Z0-9]{1,12})?", "A-Z and 0-9, at most 12 characters"
        ),
    )
    asked = ListRequest(
        request_id=checks.uuid("request_id", request.request_id),
        justification=request.justification if request.HasField("justification") else None,
        wanted=wanted,
        size=request.page_size or _USUAL,
        page_token=request.page_token,
    )
    checks.raise_if_any()
    return asked


def encode_list(
    alerts: tuple[Alert, ...], next_page_token: str, receipt: receipt_pb2.AuditReceipt
) -> pb.ListAlertsResponse:
    """The page."""
    return pb.ListAlertsResponse(
        alerts=[encode_alert(alert) for alert in alerts],
        next_page_token=next_page_token,
        receipt=receipt,
        notice=NOTICE,
    )
