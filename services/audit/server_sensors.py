"""Servicers of alpr.audit.v1: where sensors stand, and with which certificates they come."""

from __future__ import annotations

from alpr.audit.v1 import sensor_certificate_service_pb2 as certificate_pb
from alpr.audit.v1 import sensor_certificate_service_pb2_grpc as certificate_rpc
from alpr.audit.v1 import sensor_placement_service_pb2 as placement_pb
from alpr.audit.v1 import sensor_placement_service_pb2_grpc as placement_rpc
from services.audit import wire_sensors
from services.audit.app_placements import Placements
from services.audit.app_sensor_certificates import SensorCertificates
from services.audit.callers import call_of
from services.common.identity import Context


class SensorCertificateServicer(certificate_rpc.SensorCertificateServiceServicer):
    """Certificates of sensors."""

    def __init__(self, certificates: SensorCertificates) -> None:
        self._certificates = certificates

    async def IssueSensorCertificate(
        self, request: certificate_pb.IssueSensorCertificateRequest, context: Context
    ) -> certificate_pb.IssueSensorCertificateResponse:
        """See sensor_certificate_service.proto."""
        call = call_of(context, request.request_id)
        made = await self._certificates.issue(call, *wire_sensors.parse_issue(request))
        return certificate_pb.IssueSensorCertificateResponse(
            certificate=wire_sensors.certificate(made), certificate_pem=made.pem
        )

    async def RecordSensorCertificate(
        self, request: certificate_pb.RecordSensorCertificateRequest, context: Context
    ) -> certificate_pb.RecordSensorCertificateResponse:
        """See sensor_certificate_service.proto."""
        call = call_of(context, request.request_id)
        made = await self._certificates.record(call, *wire_sensors.parse_record(request))
        return certificate_pb.RecordSensorCertificateResponse(certificate=wire_sensors.certificate(made))

    async def RevokeSensorCertificate(
        self, request: certificate_pb.RevokeSensorCertificateRequest, context: Context
    ) -> certificate_pb.RevokeSensorCertificateResponse:
        """See sensor_certificate_service.proto."""
        call = call_of(context, request.request_id)
        revoked = await self._certificates.revoke(call, *wire_sensors.parse_revoke(request))
        return certificate_pb.RevokeSensorCertificateResponse(certificate=wire_sensors.certificate(revoked))


class SensorPlacementServicer(placement_rpc.SensorPlacementServiceServicer):
    """Places of sensors."""

    def __init__(self, placements: Placements) -> None:
        self._placements = placements

    async def ApprovePlacement(
        self, request: placement_pb.ApprovePlacementRequest, context: Context
    ) -> placement_pb.ApprovePlacementResponse:
        """See sensor_placement_service.proto."""
        call = call_of(context, request.request_id)
        placed = await self._placements.approve(call, *wire_sensors.parse_period(request))
        return placement_pb.ApprovePlacementResponse(sensor=wire_sensors.sensor(placed))

    async def EndPlacement(
        self, request: placement_pb.EndPlacementRequest, context: Context
    ) -> placement_pb.EndPlacementResponse:
        """See sensor_placement_service.proto."""
        call = call_of(context, request.request_id)
        ended = await self._placements.end(call, *wire_sensors.parse_period_end(request))
        return placement_pb.EndPlacementResponse(sensor=wire_sensors.sensor(ended))

    async def RecordSurvey(
        self, request: placement_pb.RecordSurveyRequest, context: Context
    ) -> placement_pb.RecordSurveyResponse:
        """See sensor_placement_service.proto."""
        call = call_of(context, request.request_id)
        surveyed = await self._placements.survey(call, *wire_sensors.parse_survey(request))
        return placement_pb.RecordSurveyResponse(sensor=wire_sensors.sensor(surveyed))
