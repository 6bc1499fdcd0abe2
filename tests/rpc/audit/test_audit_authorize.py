"""Questions are decided and recorded before they run."""

import pytest

from alpr.audit.v1 import authorization_service_pb2 as pb
from tests.support.audit_kit import RunningAudit, authorizations, plate_request


@pytest.mark.clause("IV.C.5", "IV.C.6")
async def test_a_question_with_case_number_and_purpose_is_allowed(audit: RunningAudit) -> None:
    officer = await audit.person(pb.ROLE_USER)

    answer = await authorizations(audit).Authorize(plate_request(officer.token()))

    assert answer.actor.account_id == officer.account_id
    assert answer.permit.startswith("v1|")
