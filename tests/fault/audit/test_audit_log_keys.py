"""The log's signing key is replaced while the log goes on: nobody who holds it to its word sees a break."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from services.audit.config import AuditSettings
from services.audit.verifier import main as verify
from services.common.config import ConfigError
from services.common.tlog import VerifierKey
from services.dev.pki import DevelopmentAuthority
from tests.support.databases import fetch
from tests.support.witness_kit import Place, ask, running_witness, witness_settings


def private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def old_key(place: Place) -> Ed25519PrivateKey:
    key = load_pem_private_key(place.settings.log_signing_key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def give(place: Place, *blocks: bytes) -> list[VerifierKey]:
    """Audit's key file holds these blocks from its next start on; the keys that a verifier then gets."""
    place.settings.log_signing_key_file.write_bytes(b"".join(blocks))
    place.settings = AuditSettings(**place.settings.model_dump())
    signer = place.settings.signer()
    return [signer.public, *signer.public.others]


async def goes_on(place: Place, *keys: VerifierKey) -> None:
    """A replica with the key file of now records a question, and a witness that knows `keys` signs."""
    watched = witness_settings(place.folder / "witness", place.tls, *keys)
    async with running_witness(watched, place.tls) as place.witness, place.audit() as audit:
        await ask(audit, place.officer)
        assert await place.witness.turn(audit)
        await place.export(audit)
        await place.witnessed()


def verified(place: Place, *keys: VerifierKey) -> bool:
    """Whether the export and every checkpoint that the witness kept hold for who has these keys."""
    file = place.folder / "given.pub"
    file.write_text("".join(f"{one.text()}\n" for one in keys), encoding="utf-8")
    given = ["--public-key", str(file), "--complete", "--checkpoint", str(place.folder / "kept.jsonl")]
    return verify([*given, str(place.folder / "log.jsonl")]) == 0


async def told(place: Place) -> list[dict[str, str]]:
    """What the log says of its keys, oldest first."""
    rows = await fetch(
        place.database.admin_url,
        "SELECT log_index, jsonb_object_agg(name, value)::text AS fields FROM audit.log_field"
        " WHERE log_index IN"
        " (SELECT log_index FROM audit.log_field WHERE name = 'action' AND value = 'log.keys')"
        " GROUP BY log_index ORDER BY log_index",
    )
    return [json.loads(row["fields"]) for row in rows]


@pytest.mark.clause("IV.E.2", "III.E.5")
async def test_step_by_step_a_new_key_takes_the_place_of_the_old_one(place: Place, tmp_path: Path) -> None:
    place.folder = tmp_path / "steps"
    place.folder.mkdir()
    old, new = old_key(place), Ed25519PrivateKey.generate()
    (old_public,) = give(place, private(old))
    await goes_on(place, old_public)

    # 1. Both sign. Whoever has only the old key sees nothing new but an entry that names the next one.
    both = give(place, private(old), private(new))
    await goes_on(place, old_public)
    assert both[0].text() == old_public.text()
    assert verified(place, old_public)
    assert [one["detail.key_2"] for one in await told(place)] == [both[1].text()]

    # 2. The new one is first; witness and verifiers get it.
    new_public, *_ = give(place, private(new), private(old))
    await goes_on(place, new_public, old_public)
    assert verified(place, new_public, old_public)

    # 3. The old one signs no more, and is known as a former one.
    give(place, private(new), public(old))
    await goes_on(place, new_public, old_public)
    assert verified(place, new_public, old_public)
    assert not verified(place, old_public)
    assert [one["detail.signing"] for one in await told(place)] == ["2", "2", "1"]


@pytest.mark.clause("IV.E.2")
async def test_replicas_of_two_steps_append_to_one_log(place: Place, tmp_path: Path) -> None:
    place.folder = tmp_path / "steps"
    place.folder.mkdir()
    old, new = old_key(place), Ed25519PrivateKey.generate()
    before = place.settings
    after_file = tmp_path / "both.pem"
    after_file.write_bytes(private(old) + private(new))
    after = AuditSettings(**{**before.model_dump(), "log_signing_key_file": after_file})
    async with place.audit() as first:
        place.settings = after
        async with place.audit() as second:
            for _ in range(3):
                await ask(first, place.officer)
                await ask(second, place.officer)
            assert await place.witness.turn(first) == await place.witness.turn(second)


@pytest.mark.clause("IV.E.2")
async def test_a_key_that_the_log_never_named_does_not_take_it_over(place: Place) -> None:
    give(place, private(Ed25519PrivateKey.generate()))

    with pytest.raises(ConfigError, match="PW_LOG_SIGNING_KEY_FILE"):
        async with place.audit():
            pass


@pytest.mark.clause("IV.E.2")
async def test_a_witness_that_was_told_of_no_new_key_signs_nothing_of_it(
    place: Place, tls: DevelopmentAuthority
) -> None:
    old, new = old_key(place), Ed25519PrivateKey.generate()
    (old_public,) = give(place, private(old))
    give(place, private(new), public(old))
    watched = witness_settings(place.folder / "second", tls, old_public)
    async with place.audit() as audit, running_witness(watched, tls) as witness:
        await ask(audit, place.officer)
        with pytest.raises(Exception, match="no signature of that key"):
            await witness.turn(audit)


@pytest.mark.parametrize("blocks", ["public only", "rubbish", "other kind"])
async def test_a_file_without_a_private_key_of_the_log_stops_the_start(place: Place, blocks: str) -> None:
    key = old_key(place)
    content = {
        "public only": public(key),
        "rubbish": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "other kind": private(key) + place.tls.ca_file.read_bytes(),
    }[blocks]

    with pytest.raises(ConfigError, match="PW_LOG_SIGNING_KEY_FILE"):
        give(place, content)
