"""The log against a real PostgreSQL: gapless, append-only, the same for every replica."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.app_log import Draft, Log
from services.audit.core.checkpoint import Checkpoint, Signer
from services.audit.core.entry import REQUEST_DIGEST, EntryKind
from services.audit.errors import LogClosedError
from services.audit.store_log import LogStore
from services.audit.verifier import open_checkpoint, read_public_key
from services.common.clock import SystemClock
from services.common.config import ConfigError
from services.common.errors import AuditUnavailableError, RequestIdReusedError
from services.common.pg import Pool, storage_errors
from tests.support.databases import MigratedDatabase, fetch

SIGNER = Signer("audit.test/log", Ed25519PrivateKey.generate())


def draft(key: str, content: str = "a") -> Draft:
    return Draft(EntryKind.EVENT, key, {"purpose": content, REQUEST_DIGEST: content})


async def opened(pool: Pool, signer: Signer = SIGNER) -> Log:
    log = Log(LogStore(pool), signer, SystemClock())
    await log.open()
    return log


async def check_whole(pool: Pool) -> int:
    """The log's size; its tree, built anew from the leaves, has the root that was signed."""
    rows = await pool.fetch("SELECT log_index, leaf_hash FROM audit.log_leaf ORDER BY log_index")
    log = await opened(pool)
    checkpoint = open_checkpoint((await log.checkpoint()).text, read_public_key(SIGNER.verifier_key()))
    assert [row["log_index"] for row in rows] == list(range(len(rows)))
    assert checkpoint.size == len(rows)
    assert checkpoint.root == log._tree.root(len(rows))
    return len(rows)


@pytest.mark.clause("IV.E.2")
async def test_sixty_four_callers_get_indexes_without_gaps(pool: Pool) -> None:
    log = await opened(pool)

    async def caller(number: int) -> list[int]:
        return [(await log.append(draft(f"{number}/{turn}"))).log_index for turn in range(5)]

    answers = await asyncio.gather(*(caller(number) for number in range(64)))

    assert sorted(index for one in answers for index in one) == list(range(320))
    assert all(one == sorted(one) for one in answers)
    assert await check_whole(pool) == 320


@pytest.mark.clause("IV.E.2")
async def test_replicas_append_to_one_log_and_prove_each_others_entries(pool: Pool) -> None:
    logs = [await opened(pool) for _ in range(3)]

    entries = await asyncio.gather(*(logs[n % 3].append(draft(f"{n}")) for n in range(90)))

    assert sorted(one.log_index for one in entries) == list(range(90))
    for log in logs:
        for index in range(90):
            assert (await log.inclusion(index))[0].startswith("c2sp.org/tlog-proof@v1\n")
    assert await check_whole(pool) == 90


async def test_a_request_that_comes_again_gets_its_first_entry(pool: Pool) -> None:
    log, replica = await opened(pool), await opened(pool)
    first = await log.append(draft("same"))

    again, elsewhere = await log.append(draft("same")), await replica.append(draft("same"))

    assert again == elsewhere == first
    assert await check_whole(pool) == 1


async def test_requests_that_come_at_once_are_one_entry(pool: Pool) -> None:
    logs = [await opened(pool) for _ in range(2)]

    entries = await asyncio.gather(*(logs[n % 2].append(draft("same")) for n in range(20)))

    assert {one.entry.entry_id for one in entries} == {entries[0].entry.entry_id}
    assert await check_whole(pool) == 1


async def test_a_request_id_with_other_content_is_refused_and_harms_nobody(pool: Pool) -> None:
    log = await opened(pool)
    await log.append(draft("same"))

    results = await asyncio.gather(
        log.append(draft("same", "b")), *(log.append(draft(f"{n}")) for n in range(5)), return_exceptions=True
    )

    assert isinstance(results[0], RequestIdReusedError)
    assert not [one for one in results[1:] if isinstance(one, BaseException)]
    assert await check_whole(pool) == 6


@pytest.mark.clause("IV.E.2")
async def test_replicas_that_each_take_themselves_for_alone_leave_no_gap_and_no_second_entry(
    pool: Pool,
) -> None:
    logs = [await opened(pool) for _ in range(3)]
    for log in logs:  # each has been alone long enough to append without the lock
        for turn in range(6):
            await log.append(draft(f"{id(log)}/{turn}"))
        assert log._alone >= 4

    results = await asyncio.gather(
        *(logs[n % 3].append(draft(f"{n % 40}")) for n in range(120)), logs[0].append(draft("0", "b")),
        return_exceptions=True,
    )  # fmt: skip

    places = [one.log_index for one in results if not isinstance(one, BaseException)]
    assert isinstance(results[-1], RequestIdReusedError)
    assert len(places) == 120
    assert len(set(places)) == 40
    assert await check_whole(pool) == 18 + 40


async def test_a_log_that_is_alone_still_sees_that_it_was_closed(
    pool: Pool, database: MigratedDatabase
) -> None:
    log = await opened(pool)
    for turn in range(6):
        await log.append(draft(f"{turn}"))
    await fetch(database.admin_url, "INSERT INTO audit.log_closed (checkpoint) VALUES ('x')")

    with pytest.raises(LogClosedError):
        await log.append(draft("later"))
    assert await check_whole(pool) == 6


@dataclass
class Failing:
    """What a store's commit does: fail before, fail after, or nothing."""

    before: bool = False
    after: bool = False


class UnluckyStore(LogStore):
    """The real store, whose connection breaks round the COMMIT."""

    def __init__(self, pool: Pool, failing: Failing) -> None:
        super().__init__(pool)
        self._failing = failing

    async def append(self, batch, seal, expected=None):  # type: ignore[no-untyped-def]
        def sign(size: int, root: bytes) -> Checkpoint:
            if self._failing.before:
                raise asyncpg.ConnectionDoesNotExistError("gone")
            return seal(size, root)

        with storage_errors():
            appended = await super().append(batch, sign, expected)
            if self._failing.after:
                raise asyncpg.ConnectionDoesNotExistError("gone")
        return appended


@pytest.mark.clause("IV.E.2")
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failed_commit_leaves_no_phantom_in_the_tree(pool: Pool, moment: str) -> None:
    failing = Failing()
    log = Log(UnluckyStore(pool, failing), SIGNER, SystemClock())
    await log.open()
    await log.append(draft("first"))

    setattr(failing, moment, True)
    with pytest.raises(AuditUnavailableError):
        await log.append(draft("lost"))
    setattr(failing, moment, False)
    later = await log.append(draft("later"))
    again = await log.append(draft("lost"))

    assert {later.log_index, again.log_index} == {1, 2}
    assert (await log.receipt(again)).proof.startswith("c2sp.org/tlog-proof@v1\n")
    assert await check_whole(pool) == 3


async def test_the_empty_log_has_a_checkpoint_too(pool: Pool) -> None:
    checkpoint = await (await opened(pool)).checkpoint()

    assert open_checkpoint(checkpoint.text, read_public_key(SIGNER.verifier_key())).size == 0


async def test_a_log_of_another_key_is_not_opened(pool: Pool) -> None:
    await (await opened(pool)).append(draft("first"))

    with pytest.raises(ConfigError, match="PW_LOG_SIGNING_KEY_FILE"):
        await opened(pool, Signer("audit.test/log", Ed25519PrivateKey.generate()))
    with pytest.raises(ConfigError, match="PW_LOG_ORIGIN"):
        await opened(pool, Signer("other.test/log", SIGNER.key))
