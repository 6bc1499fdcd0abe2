"""Who may do what: Cedar policies, one a clause of the directive (ADR 0006)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cedarpy

from services.audit.core.person import Account, CertificationKind

ROLES_CLAUSE = "III.B.3.l"


class PolicyError(Exception):
    """The policies cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on; every part may be empty.

    `person` is the account that it is or belongs to, `role` the role that is granted or taken, `lonely` is
    true for an account of an agency that has no coordinator of its own yet.
    """

    name: str = ""
    agency: str = ""
    unit: str = ""
    person: str = ""
    role: str = ""
    lonely: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an act is allowed, and by which clauses; for a refusal they are what stands in the way."""

    allowed: bool
    clauses: tuple[str, ...]


class Policies:
    """The policies, parsed once."""

    def __init__(self, texts: Sequence[str], schema: str) -> None:
        text = "\n".join(texts)
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            raise PolicyError("; ".join(str(error) for error in result.errors))
        self._policies = cedarpy.PolicySet.from_str(text)

    def decide_person(self, account: Account, action: str, thing: Thing, moment: datetime) -> Decision:
        """Whether the person may do `action` to `thing` at `moment`."""
        held = account.in_force(moment)
        attributes = {
            "account": account.account_id,
            "agency": account.profile.agency_ori,
            "unit": account.profile.unit,
            "state": account.state.value,
            "roles": sorted(role.value for role in account.roles),
            "training": CertificationKind.ALPR_TRAINING in held,
            "leads": CertificationKind.LEADS in held,
            "awareness": CertificationKind.SECURITY_AWARENESS in held,
            "background": CertificationKind.BACKGROUND_CHECK in held,
            "motor_carrier": CertificationKind.MOTOR_CARRIER_TRAINING in held,
        }
        return self._decide(_entity("Person", account.account_id, attributes), action, thing)

    def decide_service(self, service: str, action: str, thing: Thing) -> Decision:
        """Whether the service may do `action` to `thing` by itself."""
        return self._decide(_entity("Service", service, {}), action, thing)

    def _decide(self, principal: dict[str, Any], action: str, thing: Thing) -> Decision:
        uid = principal["uid"]
        attributes = {
            "agency": thing.agency,
            "unit": thing.unit,
            "person": thing.person,
            "role": thing.role,
            "lonely": thing.lonely,
        }
        request = {
            "principal": f"{uid['type']}::{json.dumps(uid['id'])}",
            "action": f"Action::{json.dumps(action)}",
            "resource": f"Thing::{json.dumps(thing.name)}",
            "context": {},
        }
        entities = json.dumps([principal, _entity("Thing", thing.name, attributes)])
        result = cedarpy.is_authorized(request, self._policies, entities)
        names: Mapping[str, str] = result.diagnostics.id_annotations_by_reason
        clauses = tuple(sorted(set(names.values())))
        # A policy that could not be evaluated does not count in Cedar; here it counts as a refusal.
        allowed = result.allowed and not result.diagnostics.errors
        return Decision(allowed, clauses or (ROLES_CLAUSE,))


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []}
