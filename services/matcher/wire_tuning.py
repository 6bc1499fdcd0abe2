"""Between the messages of TuningService and the matcher's own values."""

from __future__ import annotations

import uuid

from alpr.matcher.v1 import tuning_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.wire import parse_uuid, raise_violations, to_timestamp
from services.matcher.app_tuning import ListTuning
from services.matcher.core.tuning import Evidence
from services.matcher.store_tuning import ListBudget, TuningChange
from services.matcher.wire_lists import to_hot_list


def parse_list(request: pb.GetHotListTuningRequest) -> uuid.UUID:
    """The list that is asked for. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    hot_list_id = parse_uuid("hot_list_id", request.hot_list_id, wrong)
    raise_violations(wrong)
    return hot_list_id


def to_response(tuning: ListTuning) -> pb.GetHotListTuningResponse:
    """The answer; it shows no entry and no plate."""
    return pb.GetHotListTuningResponse(
        hot_list=to_hot_list(tuning.hot_list),
        budgets=[_budget(one, per_million) for one, per_million in tuning.budgets],
        changes=map(_change, tuning.changes),
    )


def _budget(budget: ListBudget, per_million: float) -> pb.ListBudget:
    return pb.ListBudget(
        kind=pb.BudgetKind.ValueType(budget.kind.value),
        per_million=per_million,
        factor=budget.factor,
        evidence=_evidence(budget.evidence),
    )


def _evidence(evidence: Evidence) -> pb.TuningEvidence:
    return pb.TuningEvidence(
        read_count=evidence.reads,
        match_count=evidence.matches,
        right_count=evidence.right,
        wrong_count=evidence.wrong,
    )


def _change(change: TuningChange) -> pb.TuningChange:
    return pb.TuningChange(
        kind=pb.BudgetKind.ValueType(change.kind.value),
        number=change.number,
        factor_before=change.before,
        factor_after=change.after,
        evidence=_evidence(change.evidence),
        change_time=to_timestamp(change.set_at),
        match_revision=change.revision,
        intent_id=str(change.intent_id),
    )
