"""Who may do what: Cedar policies, one a clause of the directive (ADR 0006)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import cedarpy

from services.audit.core.document import DocumentKind
from services.audit.core.person import Account, CertificationKind

ROLES_CLAUSE = "III.B.3.l"
# Of so many different questions the answers are kept; one takes some kilobytes.
_MOST_ANSWERS = 4096
# A declaration in the form in which the library writes a schema: one to a line.
_DECLARED = re.compile(r'^action "([^"]+)"', re.MULTILINE)


class PolicyError(Exception):
    """The policies cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on; every part may be empty.

    `person` is the account that it is or belongs to, `role` the role that is granted or taken, `lonely` is
    true for an account of an agency that has no coordinator of its own yet, `coordinator` the account that is
    appointed to coordinate its unit, `head` is true for the account of a statewide coordinator.
    """

    name: str = ""
    agency: str = ""
    unit: str = ""
    person: str = ""
    role: str = ""
    lonely: bool = False
    coordinator: str = ""
    head: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an act is allowed, and by which clauses; for a refusal they are what stands in the way."""

    allowed: bool
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy by itself: its id, whether it forbids, and its text in Cedar's language."""

    policy_id: str
    forbids: bool
    text: str


class Policies:
    """The policies, parsed once."""

    def __init__(self, texts: Sequence[str], schema: str) -> None:
        text = "\n".join(texts)
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            raise PolicyError("; ".join(str(error) for error in result.errors))
        self._policies = cedarpy.PolicySet.from_str(text)
        self._singles = _singles(json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"])
        # What is asked is all that a decision depends on, so the same question has the same answer.
        self._answers = lru_cache(maxsize=_MOST_ANSWERS)(self._answer)
        self.actions = tuple(sorted(_DECLARED.findall(str(cedarpy.Schema.from_str(schema)))))

    @property
    def all(self) -> list[Policy]:
        """Every policy, by id; those of one id in the order of the files."""
        return [policy for policy, _ in self._singles]

    def explain(self, account: Account, action: str, thing: Thing, moment: datetime) -> list[Policy]:
        """Every policy that speaks for or against the person's `action`, those that forbid first.

        Each policy is asked by itself: of a refusal Cedar names what forbids, and not what would permit.
        """
        request, entities = _asked(_person(account, moment), action, thing)
        found = [policy for policy, alone in self._singles if _applies(request, alone, entities)]
        return sorted(found, key=lambda policy: not policy.forbids)

    def decide_person(self, account: Account, action: str, thing: Thing, moment: datetime) -> Decision:
        """Whether the person may do `action` to `thing` at `moment`."""
        return self._decide(_person(account, moment), action, thing)

    def decide_service(self, service: str, action: str, thing: Thing) -> Decision:
        """Whether the service may do `action` to `thing` by itself."""
        return self._decide(_entity("Service", service, {}), action, thing)

    def _decide(self, principal: dict[str, Any], action: str, thing: Thing) -> Decision:
        request, entities = _asked(principal, action, thing)
        return self._answers(request["principal"], request["action"], request["resource"], entities)

    def _answer(self, principal: str, action: str, resource: str, entities: str) -> Decision:
        request = {"principal": principal, "action": action, "resource": resource, "context": {}}
        result = cedarpy.is_authorized(request, self._policies, entities)
        names: Mapping[str, str] = result.diagnostics.id_annotations_by_reason
        clauses = tuple(sorted(set(names.values())))
        # A policy that could not be evaluated does not count in Cedar; here it counts as a refusal.
        allowed = result.allowed and not result.diagnostics.errors
        return Decision(allowed, clauses or (ROLES_CLAUSE,))


def _person(account: Account, moment: datetime) -> dict[str, Any]:
    held, unread = account.in_force(moment), account.unread(moment)
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
        "documents": not unread - {DocumentKind.MOTOR_CARRIER_GUIDELINES},
        "over": account.life.is_over(moment),
        "idle": account.life.is_idle(moment),
        "escort": account.escorted.scope.value if account.escorted else "",
        "outside": account.standing is not None,
        "declared": account.standing is None or account.standing.is_declared(moment),
        "address": account.has_good_address(moment),
        "guidelines": DocumentKind.MOTOR_CARRIER_GUIDELINES not in unread,
    }
    return _entity("Person", account.account_id, attributes)


def _asked(principal: dict[str, Any], action: str, thing: Thing) -> tuple[dict[str, Any], str]:
    uid = principal["uid"]
    attributes = {
        "agency": thing.agency,
        "unit": thing.unit,
        "person": thing.person,
        "role": thing.role,
        "lonely": thing.lonely,
        "coordinator": thing.coordinator,
        "head": thing.head,
    }
    request = {
        "principal": f"{uid['type']}::{json.dumps(uid['id'])}",
        "action": f"Action::{json.dumps(action)}",
        "resource": f"Thing::{json.dumps(thing.name)}",
        "context": {},
    }
    return request, json.dumps([principal, _entity("Thing", thing.name, attributes)])


def _singles(parsed: Mapping[str, Any]) -> list[tuple[Policy, cedarpy.PolicySet]]:
    found = []
    for name, policy in parsed.items():
        alone = {"staticPolicies": {name: policy}, "templates": {}, "templateLinks": []}
        made = cedarpy.PolicySet.from_json_str(json.dumps(alone))
        clause = policy.get("annotations", {}).get("id")
        if not clause:
            msg = f"{name}: every policy needs an @id, the clause that it carries out"
            raise PolicyError(msg)
        found.append(
            (Policy(clause, policy["effect"] == "forbid", cedarpy.format_policies(str(made)).strip()), made)
        )
    return sorted(found, key=lambda one: one[0].policy_id)


def _applies(request: dict[str, Any], alone: cedarpy.PolicySet, entities: str) -> bool:
    diagnostics = cedarpy.is_authorized(request, alone, entities).diagnostics
    return bool(diagnostics.reasons or diagnostics.errors)


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": dict(attributes), "parents": []}
