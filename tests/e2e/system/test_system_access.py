"""Every kind of principal calls every RPC of a running system; docs/access.md says who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor

from alpr.audit.v1 import log_query_service_pb2 as log_pb
from services.cli.conformance.requests import request_for
from services.cli.options import new_request_id
from services.cli.words import ROLE
from tests.support.access_entries import ACT_BY_ACT, FEEDS, NOTHING_THERE, is_look
from tests.support.access_fields import FOLLOWS, fields_for
from tests.support.access_stack import World, documented, methods, name_of, running_world, things
from tests.support.access_world import OPEN, REFUSED, Principal
from tests.support.ports import free_base_port

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
NOT_JUDGED = {grpc.StatusCode.UNIMPLEMENTED.name, grpc.StatusCode.INTERNAL.name, grpc.StatusCode.UNKNOWN.name}
AT_A_TIME = 6
OWN_ENTRIES = "audit.LogQueryService.ListOwnEntries"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running_world(tmp_path_factory.mktemp("access"), free_base_port()) as running:
        yield running


def row(name: str, let_in: set[str]) -> str:
    """The line of the document for `let_in`."""
    people = [word for word in ROLE.words if word in let_in]
    others = sorted(let_in - set(ROLE.words))
    return f"| `{name}` | {', '.join(people) or 'nobody'} | {', '.join(others) or 'nobody'} |"


async def outcomes(world: World, method: MethodDescriptor) -> dict[str, str]:
    """Status code by principal; each sends a request of its own."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def one(who: Principal) -> str:
        async with turns:
            fields = [fields_for(method.name, world.facts)]
            fields += [FOLLOWS[method.name]] if method.name in FOLLOWS else []
            requests = [request_for(method, one, world.facts) for one in fields]
            return await world.callers.outcome(who, method, *requests)

    found = await asyncio.gather(*map(one, world.principals))
    return {who.name: code for who, code in zip(world.principals, found, strict=True)}


@pytest.mark.clause("III.B.3.l", "III.B.3.f", "IV.A.1", "I")
@pytest.mark.parametrize("method", methods(), ids=name_of)
async def test_nobody_is_let_in_but_who_is_meant_to_be(world: World, method: MethodDescriptor) -> None:
    found = await outcomes(world, method)
    let_in = {who for who, code in found.items() if code not in {status.name for status in REFUSED}}

    assert not NOT_JUDGED & set(found.values()), found
    assert let_in == documented().get(name_of(method)), f"{row(name_of(method), let_in)} {found}"


async def test_the_document_speaks_of_no_rpc_that_is_not_there() -> None:
    assert set(documented()) == {name_of(method) for method in methods()}


async def newest(world: World, who: Principal) -> int:
    """Place in the log of the newest entry under the person's account; -1 for none."""
    method = log_pb.DESCRIPTOR.services_by_name["LogQueryService"].methods_by_name["ListOwnEntries"]
    request = log_pb.ListOwnEntriesRequest(request_id=new_request_id(), page_size=1)
    answer = await world.callers.answer(who, method, request)
    return int(answer.entries[0].log_index) if answer.entries else -1


@pytest.mark.clause("III.B.3.o", "IV.E.2", "III.B.3.q")
async def test_what_a_person_does_or_is_refused_is_an_entry_of_the_log(world: World) -> None:
    """Every RPC that people may call, by one who may; a new one is tried without anybody's thinking of it."""
    facts, people = await things(world), {one.name: one for one in world.principals}
    seen = {word: await newest(world, people[word]) for word in ROLE.words if word != "vendor-support"}
    lacking = {}
    for method in methods():
        word = next((word for word in seen if word in documented().get(name_of(method), ())), "")
        if not word or is_look(method) or name_of(method) in {*ACT_BY_ACT, *FEEDS, OWN_ENTRIES}:
            continue
        fields = [fields_for(method.name, facts)]
        fields += [FOLLOWS[method.name]] if method.name in FOLLOWS else []
        requests = [request_for(method, one, facts) for one in fields]
        code = await world.callers.outcome(people[word], method, *requests)
        now = await newest(world, people[word])
        if now == seen[word]:
            lacking[name_of(method)] = code
        seen[word] = now

    done = {name for name, code in lacking.items() if code in {grpc.StatusCode.OK.name, OPEN}}
    assert not done
    assert set(lacking) <= NOTHING_THERE
