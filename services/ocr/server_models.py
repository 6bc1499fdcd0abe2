"""The RPCs about models: decode, call, encode."""

from __future__ import annotations

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.common.errors import UnauthenticatedError
from services.common.identity import NOBODY, AccessToken, Context, caller_of, require_token
from services.ocr import wire_models
from services.ocr.app_models import ModelRollOut


class ModelRpcs:
    """A part of OcrService; see ocr_service.proto."""

    def __init__(self, roll_out: ModelRollOut) -> None:
        self._roll_out = roll_out

    async def ListModels(self, _request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """See ocr_service.proto."""
        caller = caller_of(context)
        if caller.peer == NOBODY and caller.access_token is None:
            raise UnauthenticatedError("this call needs a client certificate or an access token")
        # A person comes with a token, through whichever address.
        change = await self._roll_out.listed(caller.access_token)
        return wire_models.to_list_response(self._roll_out.versions, change)

    async def ActivateModel(
        self, request: pb.ActivateModelRequest, context: Context
    ) -> pb.ActivateModelResponse:
        """See ocr_service.proto."""
        token = _token(context)
        change = await self._roll_out.activate(wire_models.parse_activation(request), token)
        return pb.ActivateModelResponse(roll_out=wire_models.to_roll_out(change))

    async def RollBackModel(
        self, request: pb.RollBackModelRequest, context: Context
    ) -> pb.RollBackModelResponse:
        """See ocr_service.proto."""
        token = _token(context)
        request_id, reason = wire_models.parse_roll_back(request)
        change = await self._roll_out.roll_back(request_id, reason, token)
        return pb.RollBackModelResponse(roll_out=wire_models.to_roll_out(change))


def _token(context: Context) -> AccessToken:
    token = require_token(context).access_token
    assert token is not None  # noqa: S101 - that is what require_token promises
    return token
