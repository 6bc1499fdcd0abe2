"""Checks that need no right: who is let in, and what the services offer at all."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from joserfc import jwt
from joserfc.jwk import RSAKey

from services.cli.conformance import notices
from services.cli.conformance.asker import (
    PEOPLES_ADDRESS,
    Asker,
    Check,
    Checked,
    empty,
    failed,
    method_of,
    methods,
    passed,
    said,
)
from services.cli.conformance.sound import sound
from services.common.errors import AlprError

_AT_A_TIME: Final = 8
_SECONDS: Final = 5.0
_NOBODYS: Final = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
# What only looks. Everything else is sent empty: it can do nothing then, even where nobody keeps the door.
_LOOKS: Final = re.compile(
    r"(Get|List|Find|Search|Summarize|Watch|Subscribe|Diff|Explain|Count|Preview|Check)(?![a-z])"
)
_FORM: Final = grpc.StatusCode.INVALID_ARGUMENT
# What a wrong token is tried at: one RPC of each service that answers people with data. Few, since services
# make an address wait that sends wrong tokens without end.
_BEHIND_TOKENS: Final = (
    "SearchService.SearchReads",
    "AlertService.GetAlert",
    "HotListService.ListHotLists",
    "LogQueryService.ListEntries",
)
_NOT_OURS: Final = re.compile(r"grpc\.(health|reflection)\.v1(alpha)?\.")
_DELETES: Final = re.compile(r"(Delete|Erase|Drop|Truncate|Wipe)")
_MOVES: Final = re.compile(
    r"(Move|Pan|Tilt|Zoom|Turn|Aim|Point|Steer|Adjust|Reposition|Preset|Focus)(?![a-z])"
)
_OF_PERSONS: Final = re.compile(r"(^|_)(owner|driver|occupant|passenger|person|face|faces|gender|race)(_|$)")


async def _without_token(asker: Asker) -> Checked:
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def ask(method: MethodDescriptor) -> tuple[MethodDescriptor, AlprError | None]:
        async with gate:
            return method, await asker.raw(method, _harmless(method), None)

    answers = await asyncio.gather(*map(ask, methods().values()))
    formal = [
        method
        for method, error in answers
        if error is not None and error.code is _FORM and not _looks(method)
    ]
    wrong = [
        said(method.full_name, error)
        for method, error in answers
        if method not in formal and not _turned_away(error)
    ]
    if wrong:
        return failed("RPCs answer who has neither certificate nor token", *wrong)
    return passed(
        "nobody is let in without certificate or token",
        f"{len(answers) - len(formal)} RPCs of the five services: UNAUTHENTICATED or PERMISSION_DENIED",
        f"{len(formal)} acts, sent empty so that nothing can happen: refused for their form already",
    )


def _looks(method: MethodDescriptor) -> bool:
    return _LOOKS.match(method.name) is not None


def _harmless(method: MethodDescriptor) -> Message:
    return sound(method) if _looks(method) else empty(method)


def _turned_away(error: AlprError | None) -> bool:
    return error is not None and error.code in _NOBODYS


async def _forged_tokens(asker: Asker) -> Checked:
    forged = dict(_forgeries(await asker.sessions["user"].token()))
    wrong, tried = [], 0
    for what, token in forged.items():
        for name in _BEHIND_TOKENS:
            method = method_of(name)
            error = await asker.raw(method, sound(method), token)
            tried += 1
            if error is None or error.code is not grpc.StatusCode.UNAUTHENTICATED:
                wrong.append(said(f"{name} with {what}", error))
    if wrong:
        return failed("a forged token is accepted", *wrong)
    return passed("forged tokens are refused", f"{tried} calls with {', '.join(forged)}: UNAUTHENTICATED")


def _forgeries(token: str) -> Iterator[tuple[str, str]]:
    """Tokens with the claims of a good one that the provider did not sign."""
    yield "no token at all in its place", secrets.token_urlsafe(32)
    parts = token.split(".")
    if len(parts) != len(("header", "claims", "signature")):
        return
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    yield "algorithm none", f"{header}.{parts[1]}."
    yield (
        "the signature of another key",
        jwt.encode({"alg": "RS256", "typ": "at+jwt"}, claims, RSAKey.generate_key(2048)),
    )
    other = {**claims, "sub": f"{claims.get('sub', '')}-2"}
    body = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=").decode()
    yield "another person under a true signature", f"{parts[0]}.{body}.{parts[2]}"


async def _without_tls(asker: Asker) -> Checked:
    let_in = [name for name in PEOPLES_ADDRESS.values() if await _answers_plainly(asker, name)]
    if let_in:
        return failed("services answer without TLS", *let_in)
    return passed("no service answers without TLS", f"a plain call to each of {', '.join(PEOPLES_ADDRESS)}")


async def _answers_plainly(asker: Asker, name: str) -> bool:
    async with grpc.aio.insecure_channel(asker.connection.target(name)) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its types name no methods
        try:
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return True


def offered(asker: Asker) -> dict[str, MethodDescriptor]:
    """Every RPC that the services say they offer, by its full name, from their own descriptors.

    Raises:
        grpc.RpcError: A service does not answer.
    """
    found: dict[str, MethodDescriptor] = {}
    roots = asker.connection.ca_file.read_bytes()
    for name in PEOPLES_ADDRESS.values():
        with grpc.secure_channel(
            asker.connection.target(name), grpc.ssl_channel_credentials(roots)
        ) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            for service in database.get_services():
                if not _NOT_OURS.match(service):
                    descriptor = pool.FindServiceByName(service)
                    found |= {one.full_name: one for one in descriptor.methods}
    return found


async def _nothing_unknown(asker: Asker) -> Checked:
    there = set(await asyncio.to_thread(offered, asker))
    unknown = sorted(there - set(methods()))
    if unknown:
        return failed(
            "services offer RPCs that these contracts do not have; ask with their version", *unknown
        )
    return passed(
        "services offer what the contracts say, and nothing beside", f"{len(there)} RPCs by reflection"
    )


async def _every_notice(asker: Asker) -> Checked:
    files = {one.containing_service.file.name: one.containing_service.file for one in await _offered(asker)}
    lacking = notices.shortcomings(files.values())
    if lacking:
        return failed("answers show reads or hits without a notice", *lacking)
    return passed(
        "whatever shows a read or hit says that it is a lead only", f"descriptors of {len(files)} contracts"
    )


async def _offered(asker: Asker) -> Iterable[MethodDescriptor]:
    return (await asyncio.to_thread(offered, asker)).values()


def _no_rpc_that(pattern: re.Pattern[str], what: str) -> Any:
    async def run(asker: Asker) -> Checked:
        every = [one.full_name for one in await _offered(asker)]
        found = [name for name in every if pattern.match(name.rpartition(".")[2])]
        if found:
            return failed(f"RPCs {what}", *found)
        return passed(f"no RPC {what}", f"names of {len(every)} RPCs by reflection")

    return run


async def _no_persons(asker: Asker) -> Checked:
    seen: dict[str, Descriptor] = {}
    for method in await _offered(asker):
        _gather(method.input_type, seen)
        _gather(method.output_type, seen)
    shown = [one for name, one in seen.items() if name in {"alpr.type.v1.Read", "alpr.type.v1.Hit"}]
    parts: dict[str, Descriptor] = {}
    for one in shown:
        _gather(one, parts)
    found = [
        f"{name}.{field.name}"
        for name, one in parts.items()
        for field in one.fields
        if _OF_PERSONS.search(field.name)
    ]
    if found or not shown:
        return failed("reads or hits have room for persons", *found)
    return passed("reads and hits have no field for a person", f"{len(parts)} messages by reflection")


def _gather(message: Descriptor, seen: dict[str, Descriptor]) -> None:
    if message.full_name not in seen:
        seen[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None:
                _gather(field.message_type, seen)


CHECKS: Final = (
    Check("nobody without a token", ("I", "III.B.3.l", "IV.A.5"), (), _without_token),
    Check("forged tokens", ("I", "III.B.3.i", "III.B.3.k"), ("user",), _forged_tokens),
    Check("TLS on every way", ("III.B.3.h",), (), _without_tls),
    Check("nothing beside the contracts", ("IV.A.5",), (), _nothing_unknown),
    Check("notices", ("II.A", "III.B.3.r"), (), _every_notice),
    Check("what is permanent", ("IV.E.2",), (), _no_rpc_that(_DELETES, "deletes what is kept")),
    Check("cameras stay", ("IV.C.4",), (), _no_rpc_that(_MOVES, "moves a camera")),
    Check("plates, not persons", ("IV.C.2",), (), _no_persons),
)
