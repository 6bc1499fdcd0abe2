"""Requests of dispatchers and crews that are wrong, and what is said of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from alpr.alerts.v1 import asset_service_pb2 as asset_pb
from alpr.alerts.v1 import dispatch_service_pb2 as pb
from services.alerts import wire_assets, wire_dispatch
from services.alerts.core.dispatch import DeliveryStage, Wish
from services.common.errors import InvalidFieldError
from tests.support.alerts_kit import NOON

ID = "7c1e4a52-6d5f-4f7e-9d56-000000000001"
OTHER_ID = "7c1e4a52-6d5f-4f7e-9d56-000000000002"
ASK = {"request_id": ID, "alert_id": OTHER_ID}
Parse = Callable[[Any], object]


def wrong(parse: Parse, request: Message) -> list[str]:
    """Fields that `parse` refuses; its text repeats nothing of the request."""
    with pytest.raises(InvalidFieldError) as caught:
        parse(request)
    assert "SECRET" not in f"{caught.value.message} {caught.value.violations}"
    return [one.field for one in caught.value.violations]


@pytest.mark.parametrize(
    ("parse", "request_", "fields"),
    [
        (wire_dispatch.parse_ask, pb.CancelBroadcastRequest(), ["request_id", "alert_id"]),
        (wire_dispatch.parse_ask, pb.ListDeliveriesRequest(request_id="SECRET", alert_id=ID), ["request_id"]),
        (wire_dispatch.parse_propose, pb.ProposeAssetsRequest(**ASK, radius_metres=-1), ["radius_metres"]),
        (
            wire_dispatch.parse_propose,
            pb.ProposeAssetsRequest(**ASK, radius_metres=500_001),
            ["radius_metres"],
        ),
        (wire_dispatch.parse_propose, pb.ProposeAssetsRequest(**ASK, most=101), ["most"]),
        (wire_dispatch.parse_propose, pb.ProposeAssetsRequest(**ASK, units=["D1"] * 51), ["units"]),
        (wire_dispatch.parse_propose, pb.ProposeAssetsRequest(**ASK, units=["D1", "  "]), ["units[1]"]),
        (wire_dispatch.parse_broadcast, pb.BroadcastRequest(**ASK), ["asset_ids"]),
        (wire_dispatch.parse_broadcast, pb.BroadcastRequest(**ASK, asset_ids=[ID, ID]), ["asset_ids"]),
        (wire_dispatch.parse_broadcast, pb.BroadcastRequest(**ASK, asset_ids=["SECRET"]), ["asset_ids[0]"]),
        (
            wire_dispatch.parse_acknowledge,
            pb.AcknowledgeDeliveryRequest(request_id=ID, delivery_id=ID),
            ["stage"],
        ),
        (
            wire_dispatch.parse_acknowledge,
            pb.AcknowledgeDeliveryRequest(request_id=ID, delivery_id=ID, stage=9),
            ["stage"],
        ),
        (wire_assets.parse_leave, asset_pb.LeaveAssetRequest(request_id="{" + ID + "}"), ["request_id"]),
        (
            wire_assets.parse_register,
            asset_pb.RegisterAssetRequest(request_id=ID, unit="U" * 65, call_sign="P-1"),
            ["unit"],
        ),
        (
            wire_assets.parse_board,
            asset_pb.BoardAssetRequest(request_id=ID, asset_id=ID, call_sign="P-1"),
            ["asset_id"],
        ),
        (
            wire_assets.parse_board,
            asset_pb.BoardAssetRequest(request_id=ID, call_sign="SECRET 1"),
            ["call_sign"],
        ),
    ],
)
def test_what_is_wrong_is_named_and_never_repeated(
    parse: Parse, request_: Message, fields: list[str]
) -> None:
    assert wrong(parse, request_) == fields


def test_nothing_wished_for_is_the_usual_wish() -> None:
    ask, wish = wire_dispatch.parse_propose(pb.ProposeAssetsRequest(**ASK))

    assert (str(ask.request_id), str(ask.alert_id)) == (ID, OTHER_ID)
    assert wish == Wish()


@pytest.mark.parametrize("stage", list(DeliveryStage))
def test_every_stage_is_taken(stage: DeliveryStage) -> None:
    request = pb.AcknowledgeDeliveryRequest(request_id=ID, delivery_id=OTHER_ID, stage=int(stage))

    assert wire_dispatch.parse_acknowledge(request)[2] is stage


def parse_report(request: asset_pb.ReportAssetPositionRequest) -> object:
    return wire_assets.parse_report(request, NOON)


def test_a_position_needs_all_its_parts() -> None:
    empty = asset_pb.ReportAssetPositionRequest()
    timeless = asset_pb.ReportAssetPositionRequest(position=asset_pb.AssetPosition(latitude=1))

    assert wrong(parse_report, empty) == ["position"]
    assert wrong(parse_report, timeless) == ["position.position_time"]


@given(latitude=st.floats(), longitude=st.floats(), seconds=st.integers(-(2**40), 2**40))
def test_whatever_position_comes_it_is_a_place_on_earth_or_refused(
    latitude: float, longitude: float, seconds: int
) -> None:
    request = asset_pb.ReportAssetPositionRequest()
    request.position.latitude, request.position.longitude = latitude, longitude
    request.position.position_time.seconds = seconds
    try:
        position = wire_assets.parse_report(request, NOON)
    except InvalidFieldError as error:
        assert error.violations
    else:
        assert -90 <= position.latitude <= 90
        assert -180 <= position.longitude <= 180
        assert datetime(2000, 1, 1, tzinfo=UTC) <= position.moment <= NOON.replace(minute=1)


def test_a_broadcast_may_tell_a_hundred_assets() -> None:
    ids = [str(uuid4()) for _ in range(100)]

    _, asset_ids = wire_dispatch.parse_broadcast(pb.BroadcastRequest(**ASK, asset_ids=ids))

    assert [str(one) for one in asset_ids] == ids
