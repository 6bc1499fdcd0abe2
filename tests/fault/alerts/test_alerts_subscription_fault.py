"""Subscriptions while the service is killed: what was answered is there; what comes again is done once."""

import asyncio
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as rpc
from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from services.common.client import bearer, user_channel
from tests.support.alerts_process import Process, free_ports
from tests.support.alerts_rig import eventually, settings_for
from tests.support.databases import fetch

PEOPLE = ("officer", "colleague", "dispatch", "neighbour")
CHANGES = 25


@pytest.mark.clause("IV.D.1", "III.B.3.d")
@pytest.mark.timeout(150)
async def test_kill_9_loses_no_choice_makes_none_twice_and_leaves_none_out_of_the_log(
    database, audit, tls, tmp_path: Path
) -> None:
    port, user_port = free_ports(2)
    places = {"listen": f"127.0.0.1:{port}", "user_listen": f"127.0.0.1:{user_port}"}
    settings = settings_for(tmp_path, tls, database, audit.port, **places)
    process = Process(settings, tmp_path / "alerts.log")
    process.start()
    channel = user_channel(f"127.0.0.1:{user_port}", settings.tls_ca)
    stub = rpc.SubscriptionServiceStub(channel)

    async def person(token: str) -> tuple[str, list[str]]:
        """Begins a subscription and changes it again and again; its id, and the names in order."""
        made = await insist(stub.CreateSubscription, create(), token)
        names = []
        for number in range(CHANGES):
            change = pb.UpdateSubscriptionRequest(
                request_id=str(uuid4()),
                subscription_id=made.subscription.subscription_id,
                name=f"choice {number}",
                filter=filter_pb.AlertFilter(min_match_percent=number),
            )
            answer = await insist(stub.UpdateSubscription, change, token)
            # Whoever did not hear the answer sends it again, whether or not it was done.
            assert await insist(stub.UpdateSubscription, change, token) == answer
            names.append(answer.subscription.name)
        return made.subscription.subscription_id, names

    work = asyncio.gather(*(person(token) for token in PEOPLE))
    for _ in range(3):
        await asyncio.sleep(0.6)
        process.kill()
        process.start()
    done = dict(await work)

    versions = (
        "SELECT name, version, revision FROM alerts.subscription_version WHERE subscription_id = $1::uuid"
    )
    for subscription_id, names in done.items():
        assert names == [f"choice {number}" for number in range(CHANGES)]
        rows = await fetch(database.admin_url, versions + " ORDER BY version", subscription_id)
        assert [row["version"] for row in rows] == list(range(1, CHANGES + 2))
        assert [row["name"] for row in rows] == ["mine", *names]
    revisions = await fetch(database.admin_url, "SELECT revision FROM alerts.subscription_version ORDER BY 1")
    count = len(PEOPLE) * (CHANGES + 1)
    assert [row["revision"] for row in revisions] == list(range(1, count + 1))

    def all_told() -> bool:
        return {one.subject_id for one in audit.neighbour.settled()} >= intents(audit.neighbour)

    await eventually(all_told)
    assert {one.result for one in audit.neighbour.settled()} == {audit_pb.OUTCOME_RESULT_DONE}
    assert len(intents(audit.neighbour)) == count
    assert process.stop() == 0
    await channel.close()


def create() -> pb.CreateSubscriptionRequest:
    return pb.CreateSubscriptionRequest(request_id=str(uuid4()), name="mine")


def intents(neighbour) -> set[str]:
    """Ids of the intents that audit wrote down, each once however often it was sent."""
    return {neighbour._id(one.request_id) for one in neighbour.intents}


async def insist(call, request, token: str):
    """The answer, once the service is there to give it; the request is the same each time."""
    while True:
        try:
            return await call(request, metadata=(bearer(token),), timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise
            await asyncio.sleep(0.1)
