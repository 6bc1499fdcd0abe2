"""Servicer of alpr.audit.v1: the system-wide settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from alpr.audit.v1 import settings_service_pb2 as pb
from alpr.audit.v1 import settings_service_pb2_grpc as rpc
from services.audit import wire_settings
from services.audit.app_settings import Settings
from services.audit.app_watch import Watch
from services.audit.callers import SERVICES, call_of
from services.audit.core.retention import Retention, statement_body
from services.audit.core.settings import Setting
from services.audit.server_streams import until_stopping
from services.common.identity import Context, require_service
from services.common.permit import signed


class SettingsServicer(rpc.SettingsServiceServicer):
    """Settings."""

    def __init__(self, settings: Settings, watch: Watch[Retention | Setting], permit_key: bytes) -> None:
        self._settings = settings
        self._watch = watch
        self._permit_key = permit_key

    async def GetRetention(
        self, request: pb.GetRetentionRequest, context: Context
    ) -> pb.GetRetentionResponse:
        """See settings_service.proto."""
        now = await self._settings.retention(call_of(context))
        return pb.GetRetentionResponse(retention=wire_settings.retention(now, self._settings.pack))

    async def SetRetention(
        self, request: pb.SetRetentionRequest, context: Context
    ) -> pb.SetRetentionResponse:
        """See settings_service.proto."""
        call, change = call_of(context, request.request_id), wire_settings.parse_set_retention(request)
        now = await self._settings.set_retention(call, change)
        return pb.SetRetentionResponse(retention=wire_settings.retention(now, self._settings.pack))

    async def ListSettings(
        self, request: pb.ListSettingsRequest, context: Context
    ) -> pb.ListSettingsResponse:
        """See settings_service.proto."""
        found = await self._settings.all(call_of(context))
        answer = pb.ListSettingsResponse(pack=self._settings.pack_name)
        answer.settings.extend(wire_settings.setting(one) for one in found)
        return answer

    async def SetSetting(self, request: pb.SetSettingRequest, context: Context) -> pb.SetSettingResponse:
        """See settings_service.proto."""
        call, change = call_of(context, request.request_id), wire_settings.parse_set(request)
        return pb.SetSettingResponse(setting=wire_settings.setting(await self._settings.set(call, change)))

    async def WatchSettings(
        self, request: pb.WatchSettingsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSettingsResponse]:
        """See settings_service.proto."""
        require_service(context, *SERVICES)
        async with aclosing(self._watch.watch()) as news:
            async for one in until_stopping(news, context):
                answer = pb.WatchSettingsResponse(revision=one.revision)
                for now in one.items:
                    self._tell(answer, now)
                yield answer

    def _tell(self, answer: pb.WatchSettingsResponse, now: Retention | Setting) -> None:
        if isinstance(now, Setting):
            answer.settings.append(wire_settings.setting(now))
            return
        answer.retention.CopyFrom(wire_settings.retention(now, self._settings.pack))
        answer.retention_statement = signed(statement_body(now), self._permit_key)
