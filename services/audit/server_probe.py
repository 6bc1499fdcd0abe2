"""Servicer of alpr.audit.v1: probes of effective access."""

from __future__ import annotations

from alpr.audit.v1 import probe_service_pb2 as pb
from alpr.audit.v1 import probe_service_pb2_grpc as rpc
from services.audit.app_probe import Probes
from services.audit.callers import call_of
from services.audit.core.probe import Shown
from services.audit.wire import Wrong, parse_ori
from services.common.errors import FieldViolation
from services.common.identity import Context
from services.common.wire import parse_uuid, raise_violations

_MOST = 1000


class ProbeServicer(rpc.ProbeServiceServicer):
    """Probes."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    async def ReportProbe(self, request: pb.ReportProbeRequest, context: Context) -> pb.ReportProbeResponse:
        """See probe_service.proto."""
        shown = _parse(request)
        call = call_of(context, request.request_id)
        found = await self._probes.report(call, request.question_entry_id, shown)
        answer = pb.ReportProbeResponse(expected_agency_oris=found.expected)
        for ori, kind in found.differences:
            number = pb.AccessDifferenceKind.Value(f"ACCESS_DIFFERENCE_KIND_{kind.value}")
            answer.differences.add(agency_ori=ori, kind=number)
        return answer


def _parse(request: pb.ReportProbeRequest) -> Shown:
    """What was shown. Raises InvalidFieldError."""
    wrong: Wrong = []
    parse_uuid("request_id", request.request_id, wrong)
    parse_uuid("question_entry_id", request.question_entry_id, wrong)
    lists = []
    for name in ("seen_agency_oris", "agency_oris_with_reads", "limited_agency_oris"):
        given = getattr(request, name)
        if len(given) > _MOST:
            wrong.append(FieldViolation(name, f"must be at most {_MOST}"))
        lists.append(
            frozenset(parse_ori(f"{name}[{at}]", ori, wrong) for at, ori in enumerate(given[:_MOST]))
        )
    raise_violations(wrong)
    return Shown(*lists)
