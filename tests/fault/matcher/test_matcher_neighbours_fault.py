"""What becomes of reads when a neighbour, the database or the matcher itself goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio

from alpr.matcher.v1 import match_service_pb2 as match_pb
from alpr.matcher.v1 import match_service_pb2_grpc as match_grpc
from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.type.v1 import read_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.client import ClientTls, service_channel
from services.common.errors import DependencyUnavailableError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from services.matcher import app_index
from services.matcher.neighbours import ArchiveClient
from tests.matcher_kit import (
    Matcher,
    World,
    a_matcher,
    a_read,
    a_world,
    batch,
    csv_of,
    new_id,
    submit,
)
from tests.support.databases import MigratedDatabase, fetch

pytestmark = pytest.mark.asyncio(loop_scope="module")
LISTED = "AB12345"


@pytest_asyncio.fixture(loop_scope="module")
async def world(
    tls: DevelopmentAuthority,
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    database = await migrated_database("matcher")
    async with a_world(tls, database, tmp_path_factory.mktemp("spool")) as made:
        yield made


async def failure(matcher: Matcher, *batches: match_pb.SubmitReadsRequest) -> tuple[list[int], Any]:
    """Numbers of the batches that were answered, and the error that ended the stream."""
    answered: list[int] = []
    async with matcher.reads_of("ocr") as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for answer in stub.SubmitReads(iter(batches), timeout=30):
                answered.append(answer.batch_number)
    return answered, from_rpc_error(caught.value)


@pytest.mark.parametrize("name", ["alerts", "archive"])
async def test_no_answer_while_a_neighbour_is_away_and_the_resend_ends_the_same(
    world: World, name: str
) -> None:
    listed, other = a_read(LISTED), a_read("ZZ1")
    door = getattr(world, name).door

    async with a_matcher(world) as matcher, matcher.person() as person:
        await person.active_list(LISTED)
        door.down = True
        answered, error = await failure(matcher, batch(1, listed, other))
        door.down = False
        async with matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(1, listed, other))

    assert answered == []
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert error.reason == ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE
    assert error.resource == ("search" if name == "archive" else name)
    # The archive may have stored the first try while alerts was away; never are there two alerts.
    wanted = read_pb2.READ_STATUS_DUPLICATE if name == "alerts" else read_pb2.READ_STATUS_STORED
    assert [one.status for one in answer.results] == [wanted] * 2
    assert world.alerts.raised == 1
    assert set(world.archive.reads) == {listed.read.read_id, other.read.read_id}


async def test_batches_before_the_failed_one_keep_their_answers(world: World) -> None:
    bad = a_read(LISTED)
    bad.read.plate = "?"

    async with a_matcher(world) as matcher:
        answered, error = await failure(
            matcher, batch(1, a_read("A1")), batch(2, a_read("A2")), batch(3, bad), batch(4, a_read("A4"))
        )

    assert answered == [1, 2]
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT


@contextlib.asynccontextmanager
async def _archive_client(world: World) -> AsyncIterator[ArchiveClient]:
    """What the matcher calls the archive with."""
    issued = world.tls.service("matcher")
    tls = ClientTls(issued.cert_file, issued.key_file, issued.ca_file)
    async with service_channel(world.targets["search"], tls, server_name="search") as channel:
        yield ArchiveClient(channel)


async def _appended(world: World, client: ArchiveClient, plates: Sequence[str], *, away: bool = False) -> Any:
    """What became of reads, of which two were on their way when all others came, each by itself."""
    door = world.archive.door
    door.open.clear()
    before, sent = door.calls, []
    for number, plate in enumerate(plates):
        request = archive_pb.AppendReadsRequest()
        request.reads.add().read.CopyFrom(a_read(plate).read)
        sent.append(asyncio.create_task(client.append(request)))
        # The third and all after it wait for the second.
        await (door.called(before + number + 1) if number < 2 else asyncio.sleep(0))
    door.down = away
    door.open.set()
    try:
        return await asyncio.gather(*sent, return_exceptions=True)
    finally:
        door.down = False


async def test_reads_that_come_while_others_are_on_their_way_share_the_next_call(world: World) -> None:
    before, plates = world.archive.door.calls, [f"SH{number}" for number in range(7)]

    async with _archive_client(world) as client:
        found = await _appended(world, client, plates)

    assert [one.status for (one,) in found] == [read_pb2.READ_STATUS_STORED] * 7
    stored = {one.read.read_id: one.read.plate for one in world.archive.reads.values()}
    assert [stored[one.read_id] for (one,) in found] == plates
    assert world.archive.door.calls - before == 3


async def test_a_read_that_the_archive_refuses_keeps_no_other_from_it(world: World) -> None:
    world.archive.refused_plates = {"BAD4"}

    async with _archive_client(world) as client:
        found = await _appended(world, client, ["OK0", "OK1", "OK2", "OK3", "BAD4", "OK5"])

    refused = found.pop(4)
    assert [one.status for (one,) in found] == [read_pb2.READ_STATUS_STORED] * 5
    assert isinstance(refused, DependencyUnavailableError)
    assert "BAD4" not in {one.read.plate for one in world.archive.reads.values()}


async def test_reads_that_wait_for_an_archive_that_goes_away_are_not_answered(world: World) -> None:
    async with _archive_client(world) as client:
        found = await _appended(world, client, ["AW0", "AW1", "AW2", "AW3"], away=True)

    assert [one.status for (one,) in found[:2]] == [read_pb2.READ_STATUS_STORED] * 2
    assert all(isinstance(one, DependencyUnavailableError) for one in found[2:])
    assert {"AW2", "AW3"}.isdisjoint(one.read.plate for one in world.archive.reads.values())


async def test_a_matcher_that_stops_answers_what_is_under_way_and_says_so(world: World) -> None:
    door = world.archive.door
    door.open.clear()
    more = asyncio.Event()

    async def batches() -> AsyncIterator[match_pb.SubmitReadsRequest]:
        yield batch(1, a_read("A1"))
        await more.wait()

    answered: list[int] = []
    context = a_matcher(world)
    matcher = await context.__aenter__()
    async with matcher.reads_of("ocr") as stub:
        stream = stub.SubmitReads(batches(), timeout=30)
        await door.called(1)
        stopping = asyncio.create_task(context.__aexit__(None, None, None))
        await asyncio.sleep(0.2)
        door.open.set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for answer in stream:
                answered.append(answer.batch_number)
        async with asyncio.timeout(20):
            await stopping
    more.set()

    assert answered == [1]
    assert from_rpc_error(caught.value).reason == ErrorReason.ERROR_REASON_STOPPING


async def test_a_sender_that_goes_away_leaves_no_call_under_way(world: World) -> None:
    door = world.archive.door
    door.open.clear()

    async with a_matcher(world) as matcher:
        async with matcher.reads_of("ocr") as stub:
            stream = stub.SubmitReads(iter([batch(1, a_read("A1"))]), timeout=30)
            await door.called(1)
            stream.cancel()
        door.open.set()
        async with matcher.reads_of("ocr") as stub:
            (answer,) = await submit(stub, batch(2, a_read("A2")))

    assert [one.status for one in answer.results] == [read_pb2.READ_STATUS_STORED]


async def test_reads_are_refused_when_the_lists_may_be_out_of_date(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_index, "TRUSTED_S", 3.0)

    async with a_matcher(world) as matcher:
        async with matcher.reads_of("ocr") as stub:
            (before,) = await submit(stub, batch(1, a_read("A1")))
        await _as_admin(world, "REVOKE CONNECT ON DATABASE {} FROM matcher_app", _END_CONNECTIONS)
        await asyncio.sleep(4)
        _, error = await failure(matcher, batch(2, a_read("A2")))
        await _as_admin(world, "GRANT CONNECT ON DATABASE {} TO matcher_app")
        async with matcher.reads_of("ocr") as stub, asyncio.timeout(60):
            while not (after := await _tried(stub)):  # noqa: ASYNC110 - the other side is a service
                await asyncio.sleep(0.2)

    assert error.reason == ErrorReason.ERROR_REASON_DEPENDENCY_UNAVAILABLE
    assert before.results[0].status == after[0].results[0].status == read_pb2.READ_STATUS_STORED


async def _tried(stub: match_grpc.MatchServiceAsyncStub) -> Sequence[match_pb.SubmitReadsResponse]:
    """The answer to a read; nothing when it was refused."""
    try:
        return await submit(stub, batch(3, a_read("A3")))
    except grpc.aio.AioRpcError:
        return ()


_END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'matcher_app' AND datname = current_database()"
)


async def _as_admin(world: World, *statements: str) -> None:
    admin = await asyncpg.connect(world.database.admin_url)
    try:
        name = await admin.fetchval("SELECT current_database()")
        for statement in statements:
            await admin.execute(statement.format(name))
    finally:
        await admin.close()


async def a_process(world: World) -> tuple[asyncio.subprocess.Process, Matcher]:
    """`python -m services.matcher` with ports of its own, serving."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.matcher",
        env={**os.environ, **world.environment()},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while True:
            line = (await process.stderr.readline()).decode()
            assert line, "the matcher did not start"
            if "server_started" in line:
                break
    started = json.loads(line)
    drain = asyncio.create_task(process.stderr.read())
    drain.add_done_callback(lambda _: None)
    return process, Matcher(world, started["port"], started["user_port"])


@pytest.mark.clause("III.B.3.d")
async def test_an_activation_killed_before_its_outcome_is_whole_and_the_retry_completes_it(
    world: World,
) -> None:
    request_id = new_id()
    process, matcher = await a_process(world)
    async with matcher.person() as person:
        made = await person.create()
        await person.upload(made.hot_list_id, csv_of(LISTED))
        before = world.audit.outcomes.calls
        world.audit.outcomes.open.clear()
        activation = asyncio.create_task(person.activate(made.hot_list_id, 1, request_id))
        await world.audit.outcomes.called(before + 1)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await activation
    world.audit.outcomes.open.set()
    await asyncio.sleep(0.2)
    world.audit.outcome_requests.clear()

    async with a_matcher(world) as again, again.person() as person:
        async with again.reads_of("ocr") as stub:
            read = a_read(LISTED)
            await submit(stub, batch(1, read))
        answer = await person.activate(made.hot_list_id, 1, request_id)

    assert [key[0] for key in world.alerts.hits] == [read.read.read_id]
    assert (answer.match_revision, answer.hot_list.active_version) == (1, 1)
    assert len(world.audit.results(request_id)) == 1
    rows = await fetch(
        world.database.admin_url,
        "SELECT count(*) FROM matcher.activation UNION ALL SELECT match_revision FROM matcher.revision",
    )
    assert [row[0] for row in rows] == [1, 1]


@pytest.mark.clause("III.B.3.h")
async def test_a_matcher_killed_in_an_upload_keeps_nothing_of_it(world: World) -> None:
    request_id = new_id()
    content = csv_of(*(f"P{n}" for n in range(60_000)))
    process, matcher = await a_process(world)
    async with matcher.person() as person:
        made = await person.create()
        upload = asyncio.create_task(person.upload(made.hot_list_id, content, request_id=request_id))
        await _until_staged(world)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await upload

    async with a_matcher(world) as again, again.person() as person:
        listed = await fetch(world.database.admin_url, "SELECT latest_version FROM matcher.hot_list")
        stored = await person.upload(made.hot_list_id, content, request_id=request_id)

    assert [row[0] for row in listed] == [0]
    assert (stored.version, stored.row_count) == (1, 60_000)


async def _until_staged(world: World) -> None:
    """Returns when the file is being copied into the database."""
    copying = "SELECT 1 FROM pg_stat_progress_copy WHERE relid = 'matcher.stage'::regclass"
    async with asyncio.timeout(60):
        while not await fetch(world.database.admin_url, copying):
            pass


async def test_acts_that_a_crash_left_without_outcome_are_made_good(world: World) -> None:
    request_id = new_id()

    async with a_matcher(world) as matcher, matcher.person() as person:
        world.audit.outcomes.down = True
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await person.create(request_id=request_id)
        world.audit.outcomes.down = False
    assert world.audit.results(request_id) == []
    await _as_admin(world, "UPDATE matcher.act SET act_time = act_time - interval '2 minutes'")

    async with a_matcher(world), asyncio.timeout(60):
        while not world.audit.results(request_id):  # noqa: ASYNC110 - the other side is a service
            await asyncio.sleep(0.05)

    assert from_rpc_error(caught.value).reason == ErrorReason.ERROR_REASON_AUDIT_UNAVAILABLE
