"""What the person at the board does, on its way to the real service."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest_asyncio

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import notice_pb2
from services.cli.locate import Connection
from services.cli.session import Session
from services.cli.watch.acts import Act, Acts, acknowledging, verifying
from services.common.errors import AlprError, NotFoundError
from tests.support.alerts_rig import AlertsRig, eventually, hit_message
from tests.support.cutting_proxy import cutting_proxy


class Told:
    """What came of the acts."""

    def __init__(self) -> None:
        self.answers: list[tuple[Act, AlprError | None]] = []

    def __call__(self, act: Act, error: AlprError | None) -> None:
        self.answers.append((act, error))


async def officer() -> str:
    return "officer"


def session_of(tls: Any, target: str) -> Session:
    return Session(Connection({"alerts": target}, tls.ca_file, None), officer, on_wait=lambda _: None)


@pytest_asyncio.fixture(loop_scope="session")
async def session(rig: AlertsRig, tls: Any):
    async with session_of(tls, f"127.0.0.1:{rig.server.user_port}") as opened:
        yield opened


async def test_what_was_acknowledged_here_counts_as_seen_before_the_feed_tells_of_it(rig, session) -> None:
    (alert_id,) = await rig.raise_hits(hit_message())
    told = Told()
    acts = Acts(session, told)

    acts.put(acknowledging(alert_id))
    on_the_way = (acts.words(alert_id), acts.has_seen(alert_id))
    await eventually(lambda: told.answers)

    assert on_the_way == (("acknowledge",), True)
    assert told.answers[0][1] is None
    assert (acts.words(alert_id), acts.count) == ((), 0)
    assert acts.has_seen(alert_id)


async def test_what_waits_behind_a_refused_act_is_given_up_with_it(session) -> None:
    told = Told()
    acts = Acts(session, told)
    unknown = pb.Alert(alert_id=str(uuid4()))

    acts.put(*verifying(unknown, notice_pb2.VERIFICATION_STATE_CONFIRMED, "LEADS", "R-1"))
    await eventually(lambda: told.answers and not acts.count)

    ((act, error),) = told.answers
    assert error is not None
    assert (error.code, error.reason) == (NotFoundError.code, NotFoundError.reason)
    assert act.request.state == notice_pb2.VERIFICATION_STATE_VERIFYING  # type: ignore[union-attr]
    assert not acts.has_seen(unknown.alert_id)


async def test_an_act_is_sent_until_the_service_answers_and_recorded_once(rig, audit, tls) -> None:
    (alert_id,) = await rig.raise_hits(hit_message())
    told = Told()
    async with cutting_proxy(1) as proxy, session_of(tls, proxy.target) as behind:
        acts = Acts(behind, told)
        acts.put(acknowledging(alert_id))
        await eventually(lambda: proxy.connections > 3, 60)
        before = list(told.answers)
        proxy.port = rig.server.user_port
        await eventually(lambda: told.answers, 60)

    assert before == []
    assert [error for _, error in told.answers] == [None]
    assert len([one for one in audit.neighbour.intents if one.action == "alert.acknowledge"]) == 1


async def test_who_leaves_gives_up_what_is_on_its_way(tls) -> None:
    told = Told()
    async with session_of(tls, "127.0.0.1:1") as nowhere:
        acts = Acts(nowhere, told)
        acts.put(acknowledging(str(uuid4())))
        await asyncio.sleep(0.1)
        await acts.close()

    assert told.answers == []
    assert acts.count == 0
