"""Servicer of alpr.audit.v1: the policies, and how they decide."""

from __future__ import annotations

from alpr.audit.v1 import policy_service_pb2 as pb
from alpr.audit.v1 import policy_service_pb2_grpc as rpc
from services.audit import wire_policy
from services.audit.app_policy import Explainer
from services.audit.callers import call_of
from services.common.identity import Context


class PolicyServicer(rpc.PolicyServiceServicer):
    """Policies."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    async def ExplainPolicy(
        self, request: pb.ExplainPolicyRequest, context: Context
    ) -> pb.ExplainPolicyResponse:
        """See policy_service.proto."""
        found = await self._explainer.explain(call_of(context), wire_policy.parse_explain(request))
        return wire_policy.explanation(found)

    async def ListPolicies(
        self, request: pb.ListPoliciesRequest, context: Context
    ) -> pb.ListPoliciesResponse:
        """See policy_service.proto."""
        policies, actions = await self._explainer.policies(call_of(context))
        return pb.ListPoliciesResponse(policies=map(wire_policy.policy, policies), actions=actions)
