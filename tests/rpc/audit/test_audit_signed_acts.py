"""Acts that audit signs for the archive: only those, as recorded, and by the key of their data set."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from tests.support.audit_kit import (
    COORDINATOR,
    ORI,
    RunningAudit,
    authorizations,
    justification,
    refused,
    request_id,
)
from tests.support.databases import MCS_PERMIT_KEY, PERMIT_KEY
from tests.support.search_kit import canonical, now, us

DETAILS = {"reason": "preservation letter", "plates": "AB1234", "sensors": ""}


def act(token: str, action: str, **changes: Any) -> pb.RecordIntentRequest:
    usual = {
        "request_id": request_id(),
        "access_token": token,
        "action": action,
        "resource": str(uuid4()),
        "details": DETAILS,
        "justification": justification(),
    }
    return pb.RecordIntentRequest(**{**usual, **changes})


def digest_of(request: pb.RecordIntentRequest) -> str:
    """The digest of the act, spelt a second time."""
    fields = [("resource", request.resource), ("case_number_kind", "CAD"), ("case_number", "2026-004711")]
    fields += sorted(request.details.items())
    return sha256(canonical(*((name, value) for name, value in fields if value)).encode()).hexdigest()


@pytest.mark.clause("IV.E.3")
@pytest.mark.parametrize(
    ("action", "role", "key"),
    [
        ("hold.place", pb.ROLE_STATEWIDE_COORDINATOR, PERMIT_KEY),
        ("hold.release", pb.ROLE_STATEWIDE_COORDINATOR, PERMIT_KEY),
        ("mcs_hold.place", pb.ROLE_CVEO_SUPERVISOR, MCS_PERMIT_KEY),
        ("mcs_hold.release", pb.ROLE_CVEO_SUPERVISOR, MCS_PERMIT_KEY),
    ],
    ids=["place", "release", "mcs-place", "mcs-release"],
)
async def test_a_hold_and_its_release_are_signed_as_recorded_for_a_minute_with_the_houses_own_key(
    audit: RunningAudit, action: str, role: pb.Role.ValueType, key: bytes
) -> None:
    who = await audit.person(role)
    request = act(who.token(), action)

    answer = await authorizations(audit).RecordIntent(request)
    again = await authorizations(audit).RecordIntent(request)

    body, _, mac = answer.statement.rpartition("|")
    assert mac == hmac.digest(key, body.encode(), "sha256").hex()
    form, intent_id, signed, account_id, agency, digest, expires_us = body.split("|")
    assert (form, intent_id, signed) == ("act/v1", answer.intent_id, action)
    assert (account_id, agency, digest) == (who.account_id, ORI, digest_of(request))
    assert 0 < int(expires_us) - us(now()) <= 60_000_000
    # A retry gets the same act, for a minute from then.
    assert again.intent_id == answer.intent_id
    assert again.statement.split("|")[:6] == answer.statement.split("|")[:6]


@pytest.mark.clause("IV.E.3", "III.B.3.l")
async def test_nobody_elses_act_is_signed_and_none_of_another_kind(audit: RunningAudit) -> None:
    user = await audit.person(pb.ROLE_USER)
    for action in ("hold.place", "hold.release", "mcs_hold.place"):
        error = await refused(authorizations(audit).RecordIntent(act(user.token(), action)))
        assert error.code.name == "PERMISSION_DENIED"
    without = act(audit.token(COORDINATOR), "hold.place")
    without.ClearField("justification")
    assert (await refused(authorizations(audit).RecordIntent(without))).code.name == "INVALID_ARGUMENT"

    listed = await authorizations(audit).RecordIntent(act(audit.token(COORDINATOR), "hold.list"))

    assert listed.statement == ""
