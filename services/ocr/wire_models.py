"""Between the messages about models and what they stand for, with every check of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp
from services.ocr.app_models import Activation
from services.ocr.models import ModelFile, ModelSet
from services.ocr.store_rollout import Change

_MOST_VERSION: Final = 64
_LEAST_REASON: Final = 10
_MOST_REASON: Final = 500


def parse_activation(request: pb.ActivateModelRequest) -> Activation:
    """What is to be activated. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    request_id = parse_uuid("request_id", request.request_id, wrong)
    version = parse_text("version", request.version, wrong, most=_MOST_VERSION)
    reason = _parse_reason(request.reason, wrong)
    # Written so that NaN fails.
    if not 0 <= request.sensor_share <= 1:
        wrong.append(FieldViolation("sensor_share", "must be 0 to 1"))
    raise_violations(wrong)
    return Activation(request_id, version, request.sensor_share, reason)


def parse_roll_back(request: pb.RollBackModelRequest) -> tuple[UUID, str]:
    """Request id and reason. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parsed = parse_uuid("request_id", request.request_id, wrong), _parse_reason(request.reason, wrong)
    raise_violations(wrong)
    return parsed


def to_roll_out(change: Change) -> pb.RollOut:
    """The message for what is rolled out."""
    state = change.state
    return pb.RollOut(
        steady_version=state.steady,
        trial_version=state.trial,
        trial_share=state.share,
        earlier_version=state.steady if state.trial else next(iter(state.earlier), ""),
        revision=change.number,
        change_time=to_timestamp(change.change_time),
    )


def to_list_response(versions: Mapping[str, ModelSet], change: Change) -> pb.ListModelsResponse:
    """The versions that are here, newest first, and which of them reads what."""
    state = change.state
    in_use = [one for name, one in versions.items() if name in state.versions]
    return pb.ListModelsResponse(
        models=[_to_model(model, file) for model in in_use for file in model.files],
        versions=[_to_version(one, state.share_of(one.version)) for one in reversed(list(versions.values()))],
        roll_out=to_roll_out(change),
    )


def _to_version(model: ModelSet, share: float) -> pb.ModelVersion:
    return pb.ModelVersion(
        version=model.version,
        made_on=model.made_on.isoformat(),
        licence=model.licence,
        files=[_to_model(model, file) for file in model.files],
        issuers=model.issuers,
        sensor_share=share,
    )


def _to_model(model: ModelSet, file: ModelFile) -> pb.Model:
    return pb.Model(
        name=file.name,
        version=model.version,
        sha256=file.sha256,
        licence=model.licence,
        size_bytes=file.size_bytes,
    )


def _parse_reason(text: str, wrong: list[FieldViolation]) -> str:
    reason = text.strip()
    if not _LEAST_REASON <= len(reason) <= _MOST_REASON or any(ord(one) < ord(" ") for one in reason):
        wrong.append(
            FieldViolation(
                "reason", "must say why, in 10 to 500 characters, none of them a control character"
            )
        )
    return reason
