"""Requests about patrol assets, with every check of them; assets into the contract."""

import math
from datetime import datetime, timedelta
from uuid import UUID

from alpr.alerts.v1 import asset_service_pb2 as pb
from services.alerts.app_assets import Boarding, NewAsset
from services.alerts.checks import Checks
from services.alerts.core.dispatch import Asset, Position
from services.common.wire import to_timestamp

LONGEST_UNIT = 64
CALL_SIGN = r"[A-Z0-9-]{1,32}"
_CALL_SIGN_TEXT = "1 to 32 of A-Z, 0-9 and -"
_AHEAD = timedelta(minutes=1)
_MOST_LATITUDE, _MOST_LONGITUDE = 90.0, 180.0


def parse_register(request: pb.RegisterAssetRequest) -> NewAsset:
    """The asset that is asked for. Raises InvalidFieldError."""
    checks = Checks()
    new = NewAsset(
        request_id=checks.uuid("request_id", request.request_id),
        unit=checks.text("unit", request.unit, longest=LONGEST_UNIT),
        call_sign=checks.matching("call_sign", request.call_sign, CALL_SIGN, _CALL_SIGN_TEXT),
    )
    checks.raise_if_any()
    return new


def parse_retire(request: pb.RetireAssetRequest) -> tuple[UUID, UUID]:
    """The request's id and the asset's. Raises InvalidFieldError."""
    checks = Checks()
    ids = checks.uuid("request_id", request.request_id), checks.uuid("asset_id", request.asset_id)
    checks.raise_if_any()
    return ids


def parse_board(request: pb.BoardAssetRequest) -> Boarding:
    """Who wants to go aboard of what. Raises InvalidFieldError unless it is named in one way."""
    checks = Checks()
    request_id = checks.uuid("request_id", request.request_id)
    if bool(request.asset_id) == bool(request.call_sign):
        checks.note("asset_id", "name the asset by its id or by its call sign, not both")
    asset_id = checks.uuid("asset_id", request.asset_id) if request.asset_id else None
    if request.call_sign:
        checks.matching("call_sign", request.call_sign, CALL_SIGN, _CALL_SIGN_TEXT)
    checks.raise_if_any()
    return Boarding(request_id, asset_id, request.call_sign)


def parse_leave(request: pb.LeaveAssetRequest) -> UUID:
    """The request's id. Raises InvalidFieldError."""
    checks = Checks()
    request_id = checks.uuid("request_id", request.request_id)
    checks.raise_if_any()
    return request_id


def parse_report(request: pb.ReportAssetPositionRequest, now: datetime) -> Position:
    """Where the asset is. Raises InvalidFieldError."""
    checks = Checks()
    if not request.HasField("position"):
        checks.note("position", "must be set")
        checks.raise_if_any()
    within, position = checks.within("position"), request.position
    moment = within.time(position, "position_time")
    if moment > now + _AHEAD:
        within.note("position_time", "must not lie ahead: set the clock of the device")
    _check_degrees(within, "latitude", position.latitude, _MOST_LATITUDE)
    _check_degrees(within, "longitude", position.longitude, _MOST_LONGITUDE)
    checks.raise_if_any()
    return Position(position.latitude, position.longitude, moment)


def encode_asset(asset: Asset) -> pb.PatrolAsset:
    """`asset` for a dispatcher or its crew."""
    position = asset.position
    return pb.PatrolAsset(
        asset_id=str(asset.asset_id),
        agency_ori=asset.agency_ori,
        unit=asset.unit,
        call_sign=asset.call_sign,
        crew_account_ids=asset.crew,
        position=None
        if position is None
        else pb.AssetPosition(
            latitude=position.latitude,
            longitude=position.longitude,
            position_time=to_timestamp(position.moment),
        ),
    )


def _check_degrees(checks: Checks, field: str, value: float, most: float) -> None:
    if not (math.isfinite(value) and -most <= value <= most):
        checks.note(field, f"must be -{most:.0f} to {most:.0f} degrees")
