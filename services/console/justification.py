"""Why a person asks: the first step of every question, and what goes along with what follows from it.

Whether it is good enough, audit decides (ENF-051 IV.C.5, IV.C.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.audit.v1 import authorization_service_pb2_grpc as audit_rpc
from alpr.type.v1 import justification_pb2 as pb
from services.console import words
from services.console.door import Person

# Names that officers write themselves; the contract's capitals give "i case" and "leads ncic".
_NAMES: Final[Mapping[int, str]] = {
    pb.CASE_NUMBER_KIND_CAD: "CAD",
    pb.CASE_NUMBER_KIND_FIELD_REPORT: "Field report",
    pb.CASE_NUMBER_KIND_TRACS: "TraCS",
    pb.CASE_NUMBER_KIND_I_CASE: "I-Case",
    pb.CASE_NUMBER_KIND_CRASH_REPORT: "Crash report",
    pb.CASE_NUMBER_KIND_LEADS_NCIC: "LEADS or NCIC",
    pb.CASE_NUMBER_KIND_OUTSIDE_AGENCY: "Case of another agency",
}
KINDS: Final = [(number, _NAMES.get(number, text)) for number, text in words.choices(pb.CaseNumberKind)]
"""Number and name of each kind of case number."""


def given(person: Person) -> pb.Justification:
    """What the person wrote in the form; fields that were not sent are empty."""
    kinds = {str(number): number for number in pb.CaseNumberKind.values()}
    return pb.Justification(
        case_number_kind=kinds.get(person.field("case_number_kind"), pb.CASE_NUMBER_KIND_UNSPECIFIED),
        case_number=person.field("case_number"),
        outside_agency=person.field("outside_agency"),
        purpose=person.field("purpose"),
        offence_code=person.field("offence_code"),
    )


async def asked_for(person: Person) -> Mapping[str, Any]:
    """What the step's template needs: `why` (as written so far), `kinds`, `codes`. Raises AlprError."""
    answer = await person.call(
        audit_rpc.AuthorizationServiceStub, "GetPurposeCatalogue", audit_pb.GetPurposeCatalogueRequest()
    )
    codes = [(one.code, one.title) for one in answer.codes]
    return {"why": given(person), "kinds": KINDS, "codes": codes}
