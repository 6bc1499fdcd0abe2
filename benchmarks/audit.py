"""Authorize, record and prove: the audit service through gRPC, its store, its proofs, the offline verifier.

Every answered call is on disk first: PostgreSQL runs with fsync. Server, database and callers are processes
of one machine and share its cores. What is compared is measured in turns in the same run, and the line holds
medians. Run it with `make bench NAME=audit [DATA=folder]`; DATA is where the database and an export of about
3 GB may lie for a few minutes. Prints one JSON line:
    rpc_1, rpc_16, rpc_64, rpc_256      Authorize by so many callers: token, account, policy, case number,
                                        purpose, scope, entry on disk; each {per_s, p50_ms, p99_ms}
    replicas_3_rpc_64                   the same through three replicas of one log
    echo_64                             an empty RPC on the same server
    store_64                            entries a second of the log's store, 64 callers in one process
    plain_insert_64                     rows a second, a row each of the same content, 64 connections
    one_transaction_per_entry_64        the log's store without group commit
    proof_per_s                         inclusion proofs
    verify_entries_per_s                of the verifier, one file of plain Python, over `verify_entries`
    verify_one_process_per_s            the same in one process, over a tenth of them
    rpc_64_to_echo, rpc_64_p99_to_echo, store_to_plain, store_to_single        paired ratios

Two hundred officers ask in turns. What keeps Authorize from an empty RPC's pace is the work of one process:
checks in Python, some sixteen salted commitments, and its share of a batch. What does not change is worked
out once for each officer: the signature of a token, the policies' answer to the same question, the account;
that none of it has changed, the statement that records the question sees by itself (ADR 0042).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import uvloop

from alpr.audit.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from benchmarks._audit_house import OFFICERS, House, line, measure, open_house, question, replicas, rounded
from benchmarks._audit_store import proofs_per_s, store_keys
from benchmarks._audit_verify import entries_per_s, write_export
from benchmarks._stack import say
from benchmarks.echo import SERVICE
from services.common.logs import configure

SECONDS = 4.0
CALLERS = 64
PAIRS = 5
VERIFIED = 1_000_000
Call = Callable[[int], Awaitable[Any]]


def authorizing(channels: list[grpc.aio.Channel], house: House) -> Call:
    """Authorizes questions of one officer after another, through one channel after another."""
    stubs = [AuthorizationServiceStub(channel) for channel in channels]
    tokens = cycle(_tokens(house))
    return lambda number: stubs[number % len(stubs)].Authorize(question(next(tokens)), timeout=30)


@cache
def _tokens(house: House) -> list[str]:
    """One sign-in of each officer: they do not sign in anew for each part of the benchmark."""
    return [house.issuer.token(name) for name in OFFICERS]


async def _warm_up(ask: Call, replicas: int = 1) -> None:
    """Has every officer ask each replica once: what is looked up when somebody comes is held afterwards."""
    for first in range(0, 2 * replicas * len(OFFICERS), CALLERS):
        await asyncio.gather(*(ask(first + number) for number in range(CALLERS)))


def echoing(channel: grpc.aio.Channel) -> Call:
    """Calls an RPC without work."""
    call = channel.unary_unary(f"/{SERVICE}/Unary")
    return lambda _: call(b"", timeout=30)


async def rpc_keys(house: House) -> dict[str, Any]:
    """What one replica does, and the empty RPC beside it."""
    with replicas(house, 1) as (port,):
        async with house.channel(port) as channel:
            ask, echo = authorizing([channel], house), echoing(channel)
            await _warm_up(ask)
            asked, echoed = [], []
            for _ in range(PAIRS):
                echoed.append(await measure(echo, CALLERS, SECONDS))
                asked.append(await measure(ask, CALLERS, SECONDS))
                say(f"echo {echoed[-1]['per_s']:,.0f}/s, authorize {asked[-1]['per_s']:,.0f}/s")
            found: dict[str, Any] = {"rpc_64": middle(asked), "echo_64": middle(echoed)}
            pairs = list(zip(asked, echoed, strict=True))
            found["rpc_64_to_echo"] = round(statistics.median(a["per_s"] / e["per_s"] for a, e in pairs), 3)
            found["rpc_64_p99_to_echo"] = round(
                statistics.median(a["p99_ms"] / e["p99_ms"] for a, e in pairs), 3
            )
            for callers in (1, 16, 256):
                found[f"rpc_{callers}"] = rounded(await measure(ask, callers, SECONDS))
    return found


async def replica_keys(house: House) -> dict[str, Any]:
    """What three replicas of one log do together."""
    with replicas(house, 3) as ports:
        channels = [house.channel(port) for port in ports]
        try:
            ask = authorizing(channels, house)
            await _warm_up(ask, len(ports))
            found = [await measure(ask, CALLERS, SECONDS) for _ in range(PAIRS)]
        finally:
            for channel in channels:
                await channel.close()
    return {"replicas_3_rpc_64": middle(found)}


def middle(found: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return rounded({name: statistics.median(one[name] for one in found) for name in found[0]})


async def service_keys(folder: Path) -> dict[str, Any]:
    """All that needs a database."""
    async with open_house(folder) as house:
        found = await rpc_keys(house)
        found |= await replica_keys(house)
        say("store")
        rates = await store_keys(house, SECONDS, PAIRS)
        found |= {name: round(statistics.median(one)) for name, one in rates.items()}
        stored = rates["store_64"]
        for name, other in (
            ("store_to_plain", "plain_insert_64"),
            ("store_to_single", "one_transaction_per_entry_64"),
        ):
            paired = zip(stored, rates[other], strict=True)
            found[name] = round(statistics.median(a / b for a, b in paired), 2)
        found["proof_per_s"] = round(await proofs_per_s(house, SECONDS))
    return found


def verify_keys(folder: Path, entries: int) -> dict[str, Any]:
    """How fast an export is verified."""
    export, tenth = folder / "export.jsonl", folder / "tenth.jsonl"
    say(f"making an export of {entries:,} entries")
    write_export(tenth, entries // 10)
    single = entries_per_s(tenth, 1)
    tenth.unlink()
    write_export(export, entries)
    every = entries_per_s(export, os.cpu_count() or 1)
    return {
        "verify_entries_per_s": round(every),
        "verify_entries": entries,
        "verify_one_process_per_s": round(single),
    }


def main() -> None:
    """Measures and prints the line."""
    configure("benchmark", level="warning")
    with tempfile.TemporaryDirectory(dir=os.environ.get("DATA") or None) as name:
        folder = Path(name)
        folder.chmod(0o755)
        house = folder / "house"
        house.mkdir()
        found = uvloop.run(service_keys(house))
        found |= verify_keys(folder, int(os.environ.get("ENTRIES") or VERIFIED))
    print(line({"name": "audit", **found, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
