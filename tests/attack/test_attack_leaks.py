"""Recognisable plates, names, case numbers, places and tokens go through every RPC, errors included.

Then all that is written for operators is searched for them: logs of services and database, metrics, traces.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.matcher.v1 import match_service_pb2 as match_pb
from services.cli.conformance.requests import request_for
from services.cli.demo import cast
from services.dev.places import Places
from tests.attack import marks
from tests.attack.calls import RawCalls
from tests.attack.marks import marked
from tests.attack.messages import Requests
from tests.attack.values import Values
from tests.matcher_kit import a_read
from tests.support.access_fields import FOLLOWS, fields_for
from tests.support.access_stack import CAMERA, World, documented, methods, name_of, running_world, things
from tests.support.access_world import Principal
from tests.support.alerts_rig import entry_message, hit_message
from tests.support.ports import free_base_port
from tests.support.spans import Collector, collecting

pytestmark = pytest.mark.timeout(600)
AT_ONCE: Final = 16
HOSTILE_EACH: Final = 3


@dataclass
class Written:
    """What the system wrote for its operators while everything was sent through it."""

    world: World
    folder: Path
    collector: Collector
    codes: dict[str, set[str]]
    metrics: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def written(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Written]:
    """The system, traced and with its logs at their most talkative, after everything was sent to it."""
    folder = tmp_path_factory.mktemp("leaks")
    with pytest.MonkeyPatch.context() as environment, collecting() as (collector, url):
        environment.setenv("PW_OTLP_ENDPOINT", url)
        environment.setenv("PW_TRACE_SHARE", "1")
        environment.setenv("PW_LOG_LEVEL", "debug")
        async with running_world(folder, free_base_port()) as world:
            world.facts |= await things(world)
            codes = await _sent(world)
            await asyncio.sleep(6)  # spans leave every five seconds
            metrics = {
                name: await asyncio.to_thread(_fetched, f"http://{target}/metrics")
                for name, target in world.callers.stack.metrics_targets.items()
            }
            yield Written(world, folder, collector, codes, metrics)


def _fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - this machine's
        return str(answer.read().decode())


async def _sent(world: World) -> dict[str, set[str]]:
    """Sends sound, spoiled and broken requests with marks as everybody; status codes by method."""
    calls, random, turns = RawCalls(world.callers), Random(7), asyncio.Semaphore(AT_ONCE)
    values = Values(random, tuple(sorted(filter(None, world.facts.values()))))
    codes: dict[str, set[str]] = {}

    async def one(who: Principal, method: MethodDescriptor, messages: tuple[bytes, ...]) -> None:
        async with turns:
            end = await calls.end_of(who, method, messages)
            codes.setdefault(name_of(method), set()).add(end.code)

    for method in methods():
        sound = _sound(method, world)
        requests = Requests(random, values, sound)
        sent = tuple(message.SerializeToString() for message in sound)
        own = [who for who in world.principals if who.name in documented()[name_of(method)]]
        shots = [(who, sent) for who in [*own, *random.sample(world.principals, 3)]]
        shots += [(who, requests.draw(method)) for who in own[:HOSTILE_EACH]]
        shots += [(world.principals[0], requests.broken(method))]
        await asyncio.gather(*(one(who, method, messages) for who, messages in shots))
    await _with_bad_metadata(world)
    return codes


def _sound(method: MethodDescriptor, world: World) -> list[Message]:
    """Requests that are in order, with marks."""
    if method.name == "SubmitReads":
        reads = [a_read(marks.PLATE, sensor_id=CAMERA), a_read("??", sensor_id=CAMERA)]
        return [marked(match_pb.SubmitReadsRequest(batch_number=1, reads=reads))]
    if method.name == "RaiseAlerts":
        hit = hit_message(entry_message(agency=cast.AGENCY_ORI), agency=cast.AGENCY_ORI, plate=marks.PLATE)
        return [marked(alert_pb.RaiseAlertsRequest(hits=[hit]))]
    fields = [fields_for(method.name, world.facts)]
    fields += [FOLLOWS[method.name]] if method.name in FOLLOWS else []
    return [marked(request_for(method, one, world.facts)) for one in fields]


async def _with_bad_metadata(world: World) -> None:
    """Calls with marks where there is no message: tokens, request ids, unknown methods."""
    metadata: Any = (
        (("authorization", f"Bearer {marks.TOKEN}"),),
        (("authorization", f"Basic {marks.CANARY}"),),
        (("x-request-id", marks.PLATE), ("x-forwarded-for", marks.CANARY), ("user-agent", marks.NAME)),
        (
            ("traceparent", f"00-{marks.CANARY}"),
            ("tracestate", f"pw={marks.PLATE}"),
            ("baggage", f"n={marks.CASE}"),
        ),
    )
    for service in world.callers.stack.targets:
        channel = world.callers.channel(Principal("anybody"), service)
        for path in (
            f"/alpr.{service}.v1.{marks.CANARY}/{marks.PLATE}",
            "/alpr.audit.v1.AccountService/GetOwnAccount",
            "/alpr.search.v1.SearchService/SearchReads",
        ):
            for one in metadata:
                with suppress(grpc.aio.AioRpcError):
                    await channel.unary_unary(path)(marks.CANARY.encode(), metadata=one, timeout=10)


def _found(text: str) -> list[str]:
    return [f"{mark} {_line(text, mark)}" for mark in marks.ALL if mark in text]


def _line(text: str, mark: str) -> str:
    return next(line for line in text.splitlines() if mark in line)[:600]


@pytest.mark.parametrize("mark", marks.ALL)
def test_a_mark_is_found_wherever_it_stands(mark: str) -> None:
    assert _found(f'{{"event": "call"}}\n{{"event": "call", "what": "a{mark}b"}}\n')
    assert not _found('{"event": "call", "code": "OK"}')


async def test_everything_was_let_in_and_refused_before_anything_is_searched(written: Written) -> None:
    assert set(written.codes) == {name_of(method) for method in methods()}
    assert sum("OK" in codes or "OPEN" in codes for codes in written.codes.values()) > 100
    # Streams that look at who calls before they take a message off the wire end before it.
    streams = sum(method.client_streaming for method in methods())
    broken = sum("INVALID_ARGUMENT" in codes for codes in written.codes.values())
    assert broken >= len(methods()) - streams


async def test_logs_hold_nothing_of_what_was_sent_error_paths_included(written: Written) -> None:
    places = Places(written.folder)
    files = [*places.logs.iterdir(), *places.postgres.rglob("*.log"), *places.postgres.rglob("*log*/*")]
    texts = {path.name: path.read_bytes().decode("utf-8", "replace") for path in files if path.is_file()}

    assert {f"{name}.log" for name in written.world.callers.stack.targets} <= set(texts)
    assert {
        name: found for name, text in texts.items() if "wal" not in name and (found := _found(text))
    } == {}


async def test_metrics_hold_nothing_of_what_was_sent(written: Written) -> None:
    assert all("grpc_server_handled_total" in text for text in written.metrics.values())
    assert {name: found for name, text in written.metrics.items() if (found := _found(text))} == {}


async def test_traces_hold_nothing_of_what_was_sent(written: Written) -> None:
    texts = [raw.decode("utf-8", "replace") for raw in written.collector.raw]

    assert len(written.collector.spans) > len(methods())
    assert [found for text in texts if (found := _found(text))] == []


def test_no_process_that_holds_plates_and_keys_writes_its_memory_to_a_file_when_it_dies(
    written: Written,
) -> None:
    limits = {
        name: Path(f"/proc/{pid}/limits").read_text("ascii")
        for name, pid in written.world.callers.stack.pids.items()
        if name in written.world.callers.stack.targets
    }

    for name, text in limits.items():
        (line,) = [line.split() for line in text.splitlines() if line.startswith("Max core file size")]
        assert line[4:6] == ["0", "0"], name
