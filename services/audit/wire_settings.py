"""Between the messages of settings and this service's own values."""

from __future__ import annotations

import re

from alpr.audit.v1 import settings_service_pb2 as pb
from services.audit.core.retention import Retention, RetentionChange, RetentionPack
from services.audit.core.settings import Setting, SettingChange
from services.common.errors import FieldViolation
from services.common.wire import parse_text, parse_uuid, raise_violations, to_timestamp

_MOST_REASON = 500
_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")


def parse_set_retention(request: pb.SetRetentionRequest) -> RetentionChange:
    """The change that is asked for. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    for field in ("days", "days_before"):
        if getattr(request, field) < 1:
            wrong.append(FieldViolation(field, "must be at least 1"))
    raise_violations(wrong)
    return RetentionChange(request.days, request.days_before, reason, request.confirm_days)


def parse_set(request: pb.SetSettingRequest) -> SettingChange:
    """The change that is asked for. Raises InvalidFieldError."""
    wrong: list[FieldViolation] = []
    parse_uuid("request_id", request.request_id, wrong)
    if not _NAME.fullmatch(request.name):
        wrong.append(FieldViolation("name", "must be the name of a setting, as ListSettings gives it"))
    reason = parse_text("reason", request.reason, wrong, most=_MOST_REASON)
    for field in ("value", "value_before"):
        if getattr(request, field) < 0:
            wrong.append(FieldViolation(field, "must not be negative"))
    raise_violations(wrong)
    return SettingChange(request.name, request.value, request.value_before, reason)


def setting(now: Setting) -> pb.Setting:
    """The message."""
    declared, bounds = now.declared, now.bounds
    return pb.Setting(
        name=now.name,
        title=declared.title,
        clause=declared.clause,
        unit=pb.SettingUnit.Value(f"SETTING_UNIT_{declared.unit.value}"),
        value=now.value,
        least=bounds.least,
        most=bounds.most,
        usual=bounds.usual,
        revision=now.revision,
        change_time=to_timestamp(now.changed_at) if now.changed_at else None,
    )


def retention(now: Retention, pack: RetentionPack) -> pb.Retention:
    """The message."""
    return pb.Retention(
        days=now.days,
        revision=now.revision,
        change_time=to_timestamp(now.changed_at) if now.changed_at else None,
        pack=pb.RetentionPack(
            name=pack.name,
            least_days=pack.least_days,
            most_days=pack.most_days,
            records_series=pack.records_series,
        ),
    )
