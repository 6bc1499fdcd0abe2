"""add-checkpoint as c2sp.org/tlog-witness has it, over HTTPS."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.core.checkpoint import Signer
from services.audit.core.merkle import Tree
from services.common.config import ConfigError
from services.common.merkle import leaf_hash
from services.common.tlog import Note, VerifierKey
from services.dev.pki import DevelopmentAuthority
from services.witness.core.add_checkpoint import Request
from tests.support.witness_kit import RunningWitness, format_request, running_witness, witness_settings

LOG = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SECOND = Signer("audit.test/second", Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35))))
THIEF = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
TREE = Tree()
for _number in range(20):
    TREE.append(leaf_hash(str(_number).encode()))


def body(old: int, size: int, signer: Signer = LOG) -> bytes:
    proof = tuple(TREE.consistency_proof(old, size)) if 0 < old < size else ()
    return format_request(Request(old, proof, Note.parse(signer.checkpoint(size, TREE.root(size)).text)))


class Client:
    """Somebody who submits checkpoints."""

    def __init__(self, running: RunningWitness, tls: DevelopmentAuthority) -> None:
        self.running = running
        self._url = f"https://localhost:{running.port}"
        self._ssl = ssl.create_default_context(cafile=str(tls.ca_file))

    async def add(self, content: bytes) -> tuple[int, str, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._url}/add-checkpoint", data=content, ssl=self._ssl) as answer,
        ):
            return answer.status, answer.headers["Content-Type"], await answer.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}{path}", ssl=self._ssl) as answer,
        ):
            return answer.status, await answer.text()


@pytest_asyncio.fixture
async def client(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[Client]:
    settings = witness_settings(tmp_path / "w", tls, LOG.public, SECOND.public)
    async with running_witness(settings, tls) as running:
        yield Client(running, tls)


@pytest.mark.clause("IV.E.2")
async def test_a_continuation_gets_a_cosignature_that_holds(client: Client) -> None:
    for old, size in ((0, 7), (7, 7), (7, 20)):
        status, _, line = await client.add(body(old, size))

        note = Note.parse(LOG.checkpoint(size, TREE.root(size)).text + line)
        assert status == 200
        assert note.cosigned_at(client.running.witness.public_key) > 1_700_000_000


async def test_another_old_size_is_told_the_one_that_was_signed(client: Client) -> None:
    await client.add(body(0, 7))

    for old in (0, 3):
        assert await client.add(body(old, 20)) == (409, "text/x.tlog.size", "7\n")


async def test_statuses_are_those_of_the_protocol(client: Client) -> None:
    await client.add(body(0, 7))
    unknown = Signer("audit.test/unknown", LOG.key)
    forged = format_request(Request(7, (bytes(32),), Note.parse(LOG.checkpoint(9, TREE.root(9)).text)))

    assert (await client.add(body(0, 7, unknown)))[0] == 404
    assert (await client.add(body(7, 20, THIEF)))[0] == 403
    assert (await client.add(body(9, 7)))[0] == 400
    assert (await client.add(b"nonsense"))[0] == 400
    assert (await client.add(forged))[0] == 422
    assert (await client.add(b"x" * 100_000))[0] == 413


async def test_requests_at_once_never_lead_back(client: Client) -> None:
    await client.add(body(0, 7))

    answers = await asyncio.gather(*(client.add(body(7, size)) for size in range(8, 20)))

    assert sorted(status for status, _, _ in answers) == [200] + [409] * 11
    signed = [status for status, _, _ in answers].index(200) + 8
    assert await client.add(body(0, 20)) == (409, "text/x.tlog.size", f"{signed}\n")


async def test_logs_are_kept_apart_and_everybody_may_read_what_was_signed(client: Client) -> None:
    await client.add(body(0, 7))
    await client.add(body(0, 9, SECOND))
    await client.add(format_request(Request(7, (), Note.parse(LOG.checkpoint(7, bytes(32)).text))))

    _, first = await client.get("/checkpoints?origin=audit.test/log")
    _, second = await client.get("/checkpoints?origin=audit.test/second")
    _, refused = await client.get("/refused?origin=audit.test/log")
    status, _ = await client.get("/checkpoints?origin=x")
    _, key = await client.get("/public-key")

    sizes = [Note.parse(json.loads(text)["checkpoint"]).head.size for text in (first, second)]
    assert sizes == [7, 9]
    assert Note.parse(json.loads(refused)["checkpoint"]).head.root == bytes(32)
    assert status == 404
    assert VerifierKey.parse(key) == client.running.witness.public_key


@pytest.mark.parametrize("keys", ["", "nonsense", "twice", "witness"])
def test_a_witness_that_knows_no_log_does_not_start(
    tls: DevelopmentAuthority, tmp_path: Path, keys: str
) -> None:
    settings = witness_settings(tmp_path / "w", tls, LOG.public)
    line = LOG.public.text()
    text = {"twice": f"{line}\n{line}\n", "witness": settings.cosigner().verifier_key.text()}.get(keys, keys)
    settings.witness_log_keys_file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match="PW_WITNESS_LOG_KEYS_FILE"):
        settings.logs()
