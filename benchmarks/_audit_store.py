"""The log's store by itself, against plain inserts and against a transaction for each entry."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg

from benchmarks._audit_house import House, measure
from services.audit.app_log import Draft, Log
from services.audit.core.entry import REQUEST_DIGEST, EntryKind, digest_of
from services.audit.store_log import LogStore
from services.common.clock import SystemClock
from services.common.pg import open_pool

CALLERS = 64


def draft() -> Draft:
    """An entry as questions make them."""
    values = {
        "request_id": str(uuid4()),
        "actor": "6c1f0a54-5d2d-4d0f-9c5e-2f7a4f0e6f11",
        "actor_agency": "IL0000001",
        "service": "search",
        "action": "question.reads",
        "case_number_kind": "CAD",
        "case_number": "2026-004711",
        "purpose": "homicide investigation, victim's car seen leaving",
        "offence_code": "HOMICIDE",
        "question": f"question.reads\nplate:{secrets.token_hex(4)}\nstate:IL\nlook_alike:true\npage_size:100",
        "window": "2026-08-28T00:00:00.000000Z/2026-11-26T00:00:00.000000Z",
        "decision": "allowed",
        "clauses": "III.D.3/user",
        "detail.token_id": str(uuid4()),
        "detail.scope": "IL0000001",
    }
    return Draft(EntryKind.QUERY, f"bench/{uuid4()}", {**values, REQUEST_DIGEST: digest_of(values)})


async def store_keys(house: House, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Entries a second of each way, once a round, in turns."""
    pool = await open_pool(house.app_url, application_name="bench", max_size=10)
    plain = await asyncpg.create_pool(house.admin_url, min_size=CALLERS, max_size=CALLERS)
    try:
        await plain.execute("CREATE TABLE IF NOT EXISTS plain (id uuid PRIMARY KEY, entry jsonb NOT NULL)")
        journal = await _log(house, pool)
        store, seal = LogStore(pool), house.settings().signer().checkpoint
        ways: dict[str, Callable[[int], Awaitable[Any]]] = {
            "store_64": lambda _: journal.append(draft()),
            "plain_insert_64": lambda _: _insert(plain),
            # What each caller would do by itself: begin, lock, look, insert, commit.
            "one_transaction_per_entry_64": lambda _: store.append([journal._new(draft())], seal),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, call in ways.items():
                rate = (await measure(call, CALLERS, seconds if turn else 1.0))["per_s"]
                if turn:
                    found[name].append(rate)
        return found
    finally:
        await plain.close()
        await pool.close()


async def _log(house: House, pool: Any) -> Log:
    journal = Log(LogStore(pool), house.settings().signer(), SystemClock())
    await journal.open()
    return journal


async def _insert(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    one = draft()
    text = json.dumps(dict(one.values))
    await pool.execute("INSERT INTO plain (id, entry) VALUES ($1, $2)", uuid4(), text)


async def proofs_per_s(house: House, seconds: float) -> float:
    """Inclusion proofs a second, from the tree in memory, one after another."""
    pool = await open_pool(house.app_url, application_name="bench", max_size=2)
    try:
        journal = await _log(house, pool)
        size = (await journal.checkpoint()).size
        places = [secrets.randbelow(size) for _ in range(4096)]

        async def prove(number: int) -> None:
            for place in places[number::16]:
                journal._proof(place)

        found = await measure(prove, 1, seconds)
        return found["per_s"] * len(places[0::16])
    finally:
        await pool.close()
        await asyncio.sleep(0)
