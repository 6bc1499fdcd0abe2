"""Who asks the running system, and how what it answers becomes evidence."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

import alpr
from alpr.type.v1.justification_pb2 import Justification
from services.cli.conformance.verdicts import Finding, Verdict
from services.cli.locate import Connection
from services.cli.session import Session
from services.common.client import bearer, user_channel
from services.common.errors import AlprError, from_rpc_error

# The service of each contract, as people reach it.
PEOPLES_ADDRESS: Final = {
    "audit": "audit",
    "alerts": "alerts",
    "search": "search",
    "matcher": "matcher",
    "ocr": "ocr_people",
}
_SECONDS: Final = 20.0
_HEARS_AT_ONCE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Checked:
    """How one check ended: verdict, what it is in a sentence, and the evidence."""

    verdict: Verdict
    sentence: str
    evidence: tuple[str, ...] = ()


def passed(sentence: str, *evidence: str) -> Checked:
    """A check that passed."""
    return Checked(Verdict.PASSED, sentence, evidence)


def failed(sentence: str, *evidence: str) -> Checked:
    """A check that failed."""
    return Checked(Verdict.FAILED, sentence, evidence)


def for_a_person(sentence: str, *evidence: str) -> Checked:
    """A check that only a person can end."""
    return Checked(Verdict.NEEDS_PERSON, sentence, evidence)


@dataclass
class Asker:
    """Sessions of the people who lend their accounts, and what is asked with.

    Args:
        connection: Where the services are.
        sessions: By role, for instance "auditor".
        why: Case number and purpose of every question that is asked; it stands in the log.
        key: The log's public key, one line; empty when nobody gave it.
    """

    connection: Connection
    sessions: Mapping[str, Session]
    why: Justification
    key: str
    _channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    async def raw(self, method: MethodDescriptor, request: Message, token: str | None) -> AlprError | None:
        """Why the call was refused, None when it was let in; `token` None is a call without any."""
        metadata = () if token is None else (bearer(token),)
        make = self._made(method)
        if method.client_streaming:
            call = make(metadata=metadata, timeout=_SECONDS)
        else:
            call = make(request, metadata=metadata, timeout=_SECONDS)
        try:
            if method.client_streaming:
                await _write(call, request)
            if method.server_streaming:
                await call.read()
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        finally:
            call.cancel()
        return None

    async def as_role(self, role: str, method: MethodDescriptor, request: Message) -> AlprError | None:
        """Why the person of that role was refused, None when he was let in."""
        return await self.raw(method, request, await self.sessions[role].token())

    async def answer(self, role: str, stub: Any, name: str, request: Message) -> Any:
        """The answer that the person of that role gets.

        Raises:
            AlprError: Refused, or not reachable.
        """
        session = self.sessions[role]
        service = stub.__module__.split(".")[1]
        method = getattr(stub(session.channel(PEOPLES_ADDRESS[service])), name)
        return await session.call(method, request)

    async def pages(self, role: str, stub: Any, name: str, request: Any, items: str) -> list[Any]:
        """All items of a list, page by page. Raises AlprError."""
        found: list[Any] = []
        while True:
            answer = await self.answer(role, stub, name, request)
            found += getattr(answer, items)
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    async def close(self) -> None:
        """Closes the channels that are nobody's."""
        for channel in self._channels.values():
            await channel.close()

    def channel(self, service: str) -> grpc.aio.Channel:
        """A channel to people's address of that contract, which carries no token by itself."""
        if service not in self._channels:
            target = self.connection.target(PEOPLES_ADDRESS[service])
            self._channels[service] = user_channel(target, self.connection.ca_file)
        return self._channels[service]

    def _made(self, method: MethodDescriptor) -> Any:
        service = method.containing_service.full_name
        ways = (method.client_streaming, method.server_streaming)
        kind = "_".join("stream" if way else "unary" for way in ways)
        answer = message_factory.GetMessageClass(method.output_type)
        return getattr(self.channel(service.split(".")[1]), kind)(
            f"/{service}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )


async def _write(call: Any, request: Message) -> None:
    """Sends one message, unless the call has ended: who writes then is told so by the transport alone."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(call.code())), _HEARS_AT_ONCE)
    if not call.done():
        await call.write(request)
        await call.done_writing()


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to find out.

    Args:
        name: In a few words.
        clauses: Ids of the clauses it speaks of.
        roles: Roles whose people it asks as.
        run: Finds out; what it raises as AlprError fails the check.
    """

    name: str
    clauses: tuple[str, ...]
    roles: tuple[str, ...]
    run: Callable[[Asker], Awaitable[Checked]]


async def find_out(asker: Asker, checks: Sequence[Check]) -> list[Finding]:
    """What each check found, in their order."""
    found = []
    for check in checks:
        ended = await _ended(asker, check)
        found.append(Finding(check.name, check.clauses, ended.verdict, ended.sentence, ended.evidence))
    return found


async def _ended(asker: Asker, check: Check) -> Checked:
    missing = [role for role in check.roles if role not in asker.sessions]
    if missing:
        return for_a_person(f"nobody lent the account of a {missing[0]}: --as {missing[0]}=...")
    try:
        return await check.run(asker)
    except AlprError as error:
        return failed(f"a call that must be answered was not: {error.message}", said(check.name, error))


@cache
def methods() -> Mapping[str, MethodDescriptor]:
    """Every RPC of the five services by its full name: "alpr.search.v1.SearchService.GetRead"."""
    return {method.full_name: method for service in PEOPLES_ADDRESS for method in _of(service)}


def _of(service: str) -> Iterator[MethodDescriptor]:
    package = importlib.import_module(f"{alpr.__name__}.{service}.v1")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_service_pb2"):
            file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
            for made in file.services_by_name.values():
                yield from made.methods


def method_of(name: str) -> MethodDescriptor:
    """The RPC of that short name, for instance "SearchService.GetRead"."""
    return next(one for full, one in methods().items() if full.endswith(f".{name}"))


def empty(method: MethodDescriptor) -> Any:
    """A request of that RPC in which nothing is set."""
    return message_factory.GetMessageClass(method.input_type)()


def said(what: str, error: AlprError | None) -> str:
    """One line of evidence: what was called and how it was answered. Texts of services hold no content."""
    if error is None:
        return f"{what}: OK"
    fields = ", ".join(one.field for one in error.violations)
    clauses = error.metadata.get("clauses", "")
    rest = "; ".join(part for part in (fields, f"ENF-051 {clauses}" if clauses else "") if part)
    return f"{what}: {error.code.name}" + (f" ({rest})" if rest else "")
