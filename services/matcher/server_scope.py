"""The servicer of ScopeService: decode, call, encode."""

from __future__ import annotations

import uuid

from alpr.matcher.v1 import scope_service_pb2 as pb
from alpr.matcher.v1 import scope_service_pb2_grpc as rpc
from services.common.identity import AccessToken, Context, require_token
from services.matcher import wire_scope
from services.matcher.app_scope import Matrix


class ScopeServicer(rpc.ScopeServiceServicer):
    """See scope_service.proto."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    async def SetSensorGroup(
        self, request: pb.SetSensorGroupRequest, context: Context
    ) -> pb.SetSensorGroupResponse:
        """See scope_service.proto."""
        token = _token(context)
        row, revision = await self._matrix.set_row(wire_scope.parse_set(request), token)
        return pb.SetSensorGroupResponse(sensor_group=wire_scope.to_group(row), match_revision=revision)

    async def ListSensorGroups(
        self, request: pb.ListSensorGroupsRequest, context: Context
    ) -> pb.ListSensorGroupsResponse:
        """See scope_service.proto."""
        token = _token(context)
        rows, more = await self._matrix.page(uuid.uuid4(), *wire_scope.parse_list(request), token)
        return wire_scope.to_list_response(rows, more=more)

    async def ListComparedLists(
        self, request: pb.ListComparedListsRequest, context: Context
    ) -> pb.ListComparedListsResponse:
        """See scope_service.proto."""
        token = _token(context)
        group, partition = wire_scope.parse_compared(request)
        lists, revision = await self._matrix.compared(uuid.uuid4(), group, partition, token)
        return wire_scope.to_compared_response(lists, revision)


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 - that is what require_token promises
    return token
