"""ListDispositions: the request's checks, and the answer."""

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.alerts.checks import Checks
from services.alerts.store_dispositions import DispositionPage, JudgedAlert
from services.common.wire import to_timestamp

_MOST_POSITIONS = 1000
_POSITIONS = 500


def parse_dispositions(request: pb.ListDispositionsRequest) -> tuple[int, int, int]:
    """Position, epoch and page size. Raises InvalidFieldError."""
    checks = Checks()
    if request.after_position < 0:
        checks.note("after_position", "0 or more")
    if request.epoch < 0:
        checks.note("epoch", "0 or more")
    if not 0 <= request.page_size <= _MOST_POSITIONS:
        checks.note("page_size", f"at most {_MOST_POSITIONS}")
    checks.raise_if_any()
    return request.after_position, request.epoch, request.page_size or _POSITIONS


def encode_dispositions(page: DispositionPage) -> pb.ListDispositionsResponse:
    """The answer; nothing of plate, place or person is in it."""
    return pb.ListDispositionsResponse(
        alerts=map(_alert, page.alerts),
        last_position=page.last_position,
        epoch=page.epoch,
        has_more=page.has_more,
    )


def _alert(alert: JudgedAlert) -> pb.JudgedAlert:
    return pb.JudgedAlert(
        alert_id=str(alert.alert_id),
        raise_time=to_timestamp(alert.raise_time),
        verification_state=notice_pb2.VerificationState.ValueType(alert.verification),
        disposition=pb.Disposition.ValueType(alert.disposition),
        matches=[
            pb.JudgedMatch(
                hot_list_id=str(match.hot_list_id),
                entry_id=str(match.entry_id),
                match_grade=hit_pb2.MatchGrade.ValueType(match.grade),
            )
            for match in alert.matches
        ],
    )
