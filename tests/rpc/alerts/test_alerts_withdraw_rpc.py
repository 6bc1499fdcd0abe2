"""WithdrawAlerts over real gRPC: for the matcher alone, and seen by who watches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from services.common.client import ClientTls, service_channel
from services.common.errors import from_rpc_error
from services.common.wire import to_timestamp
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import AlertsRig, entry_message, eventually, hit_message


def request(*entry_ids: str, **changes: Any) -> pb.WithdrawAlertsRequest:
    """A complete request."""
    usual = {
        "intent_id": str(uuid4()),
        "hot_list_id": str(uuid4()),
        "match_revision": 8,
        "withdraw_time": to_timestamp(datetime.now(UTC)),
        "reason": pb.WITHDRAW_REASON_CANCELLED,
        "entry_ids": entry_ids,
    }
    return pb.WithdrawAlertsRequest(**{**usual, **changes})


@pytest.mark.clause("III.D.4", "IV.D.1")
async def test_who_watches_hears_that_an_alert_is_withdrawn(rig: AlertsRig, audit) -> None:
    entry = entry_message()
    subscriber = await rig.subscribe("officer").live()
    (alert_id,) = await rig.raise_hits(hit_message(entry))
    await subscriber.until(lambda s: len(s.alerts) == 1)

    await rig.matcher.WithdrawAlerts(request(entry.entry_id), timeout=60)
    await subscriber.until(lambda s: len(s.alerts) == 2)

    raised, updated = subscriber.alerts
    assert (raised.alert_id, updated.alert_id) == (alert_id, alert_id)
    assert not raised.HasField("withdraw_time")
    assert updated.HasField("withdraw_time")
    assert updated.severity == pb.SEVERITY_NOTICE
    assert updated.withdrawn_entries[0].reason == pb.WITHDRAW_REASON_CANCELLED
    await eventually(lambda: "alert.withdrawn" in [one.action for one in audit.neighbour.events])
    await subscriber.close()


@pytest.mark.parametrize("service", ["search", "ocr"])
async def test_no_other_service_may_withdraw(rig: AlertsRig, tls: DevelopmentAuthority, service: str) -> None:
    made = tls.service(service)
    client = ClientTls(made.cert_file, made.key_file, made.ca_file)
    async with service_channel(f"127.0.0.1:{rig.server.port}", client, server_name="alerts") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.AlertServiceStub(channel).WithdrawAlerts(request(str(uuid4())), timeout=10)

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("intent_id", "x"),
        ("hot_list_id", ""),
        ("match_revision", 0),
        ("withdraw_time", None),
        ("reason", 0),
        ("reason", 99),
        ("entry_ids", []),
        ("entry_ids[0]", ["x"]),
    ],
)
async def test_a_malformed_withdrawal_is_sent_back_by_field(rig: AlertsRig, field: str, value: Any) -> None:
    asked = request(str(uuid4()), **{field.partition("[")[0]: value})

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rig.matcher.WithdrawAlerts(asked, timeout=10)

    error = from_rpc_error(caught.value)
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == [field]
