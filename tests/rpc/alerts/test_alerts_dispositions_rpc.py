"""ListDispositions over real gRPC: what people found, for the matcher alone, each once and nothing missed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.type.v1 import hit_pb2, notice_pb2
from services.common.client import ClientTls, bearer, service_channel
from services.dev.pki import DevelopmentAuthority
from tests.support.alerts_rig import AlertsRig, entry_message, hit_message

OFFICER = (bearer("officer"),)


async def verified(rig: AlertsRig, alert_id: str, *states: int) -> None:
    for state in states:
        request = pb.VerifyAlertRequest(request_id=str(uuid4()), alert_id=alert_id, state=state)
        if state not in (notice_pb2.VERIFICATION_STATE_VERIFYING, notice_pb2.VERIFICATION_STATE_MISREAD):
            request.system, request.response_id = "LEADS", "R-1"
        await rig.person.VerifyAlert(request, metadata=OFFICER, timeout=60)


async def pages(rig: AlertsRig, after: int, epoch: int, size: int) -> list[pb.ListDispositionsResponse]:
    """All pages from there on."""
    found = []
    while True:
        request = pb.ListDispositionsRequest(after_position=after, epoch=epoch, page_size=size)
        answer = await rig.matcher.ListDispositions(request, timeout=60)
        found.append(answer)
        if not answer.has_more:
            return found
        after, epoch = answer.last_position, answer.epoch


async def where(rig: AlertsRig) -> tuple[int, int]:
    """Position and epoch at the end of the feed."""
    last = (await pages(rig, 0, 0, 1000))[-1]
    return last.last_position, last.epoch


@pytest.mark.clause("III.B.3.o", "III.D.4")
async def test_the_matcher_hears_what_people_found_of_each_alert(rig: AlertsRig) -> None:
    start = await where(rig)
    sounds, checks = entry_message(), entry_message()
    checks.match_grade = hit_pb2.MATCH_GRADE_CHECK
    right, wrong, untouched = await rig.raise_hits(
        hit_message(sounds, checks), hit_message(checks), hit_message()
    )
    await verified(
        rig, right, notice_pb2.VERIFICATION_STATE_VERIFYING, notice_pb2.VERIFICATION_STATE_CONFIRMED
    )
    await verified(rig, wrong, notice_pb2.VERIFICATION_STATE_VERIFYING, notice_pb2.VERIFICATION_STATE_MISREAD)
    dispose = pb.DisposeAlertRequest(
        request_id=str(uuid4()), alert_id=wrong, disposition=pb.DISPOSITION_FALSE_ALARM
    )
    await rig.person.DisposeAlert(dispose, metadata=OFFICER, timeout=60)

    (page,) = await pages(rig, *start, 1000)

    found = {one.alert_id: one for one in page.alerts}
    assert set(found) == {right, wrong}
    assert untouched not in found
    assert found[right].verification_state == notice_pb2.VERIFICATION_STATE_CONFIRMED
    assert {one.entry_id: one.match_grade for one in found[right].matches} == {
        sounds.entry_id: hit_pb2.MATCH_GRADE_SOUND,
        checks.entry_id: hit_pb2.MATCH_GRADE_CHECK,
    }
    assert found[wrong].verification_state == notice_pb2.VERIFICATION_STATE_MISREAD
    assert found[wrong].disposition == pb.DISPOSITION_FALSE_ALARM
    (match,) = found[wrong].matches
    assert (match.hot_list_id, match.match_grade) == (checks.hot_list_id, hit_pb2.MATCH_GRADE_CHECK)


@pytest.mark.clause("III.B.3.o")
async def test_pages_of_any_size_miss_nothing_and_go_on_where_they_ended(rig: AlertsRig) -> None:
    after, epoch = await where(rig)
    alerts = await rig.raise_hits(*(hit_message() for _ in range(7)))
    for alert_id in alerts:
        await verified(rig, alert_id, notice_pb2.VERIFICATION_STATE_VERIFYING)

    found = await pages(rig, after, epoch, 2)
    again = await pages(rig, found[-1].last_position, epoch, 2)

    assert {one.alert_id for page in found for one in page.alerts} == set(alerts)
    assert [list(page.alerts) for page in again] == [[]]
    assert again[-1].last_position == found[-1].last_position


@pytest.mark.clause("III.B.3.o")
async def test_a_position_of_another_epoch_begins_again(rig: AlertsRig) -> None:
    (alert_id,) = await rig.raise_hits(hit_message())
    await verified(rig, alert_id, notice_pb2.VERIFICATION_STATE_VERIFYING)
    after, epoch = await where(rig)

    same = await pages(rig, after, epoch, 1000)
    restored = await pages(rig, after, epoch - 1, 1000)

    assert not same[0].alerts
    assert alert_id in {one.alert_id for page in restored for one in page.alerts}


@pytest.mark.parametrize("service", ["search", "ocr"])
async def test_no_other_service_hears_it(rig: AlertsRig, tls: DevelopmentAuthority, service: str) -> None:
    made = tls.service(service)
    client = ClientTls(made.cert_file, made.key_file, made.ca_file)
    async with service_channel(f"127.0.0.1:{rig.server.port}", client, server_name="alerts") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.AlertServiceStub(channel).ListDispositions(pb.ListDispositionsRequest(), timeout=10)

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "fields", [{"after_position": -1}, {"epoch": -1}, {"page_size": 1001}, {"page_size": -1}]
)
async def test_a_request_that_makes_no_sense_is_refused(rig: AlertsRig, fields: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rig.matcher.ListDispositions(pb.ListDispositionsRequest(**fields), timeout=10)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
