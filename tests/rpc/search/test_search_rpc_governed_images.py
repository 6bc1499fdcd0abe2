"""Pictures, attacked with every object of the store, and every secret and login of the search process."""

from __future__ import annotations

import hmac
import itertools
import os
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.imagecrypt import SealError, image_key, open_image, wrap_day_key
from services.search.core.hold_seal import HoldSealError, open_held, seal_held, unwrap_hold_key, wrap_hold_key
from services.search.evidence_vault import EvidenceVault
from tests.rpc.search.test_search_rpc_reads import (
    DAY_KEY,
    get_image,
    image_path,
    photograph,
    pictured,
    refusal,
)
from tests.support.search_kit import OTHER_ORI, now
from tests.support.search_world import World

SECRETS = ("token_key_file", "hold_kek_file", "evidence_kek_file")


def secrets(world: World) -> dict[str, bytes]:
    """What the search process can read of keys."""
    files = {name: getattr(world.settings, name) for name in SECRETS}
    return {name: bytes.fromhex(Path(file).read_text().strip()) for name, file in files.items()}


def guesses(world: World, objects: list[bytes]) -> Iterator[bytes]:
    """Keys that somebody with all that may try: secrets, what follows from them, the objects' own bytes."""
    known = [*secrets(world).values(), bytes(32)]
    digests = [sha256(one).digest() for one in objects]
    yield from known
    yield from digests
    for key, digest in itertools.product(known, digests):
        yield hmac.digest(key, digest, "sha256")
    for one in objects:
        yield from (one[start : start + 32] for start in range(0, min(len(one), 256) - 32))


def opens(key: bytes, day: date, digest: bytes, sealed: bytes) -> bool:
    try:
        open_image(key, day, digest, sealed)
    except SealError:
        return False
    return True


@pytest.mark.clause("IV.A.5")
async def test_no_object_opens_with_anything_that_the_process_has_but_the_key_that_its_permit_gives(
    world: World, plate: str
) -> None:
    picture = photograph()
    message = await pictured(world, plate, picture)
    day, digest = date.fromisoformat(message.read.image.day), message.read.image.sha256
    path = image_path(world, message)
    (path.parent / "key").write_bytes(wrap_day_key(os.urandom(32), day, DAY_KEY))
    objects = [one.read_bytes() for one in world.settings.image_store_dir.rglob("*") if one.is_file()]
    sealed = path.read_bytes()

    tried = [opens(key, day, digest, sealed) for key in guesses(world, objects)]

    assert len(tried) > 100
    assert not any(tried)
    assert picture not in b"".join(objects)
    assert b"\xff\xd8\xff" not in b"".join(objects)
    assert opens(image_key(DAY_KEY, digest), day, digest, sealed)
    shown = await get_image(world, message.read.read_id, with_original=True)
    assert shown.original_image == picture


@pytest.mark.clause("IV.A.5", "IV.E.3")
async def test_what_a_hold_keeps_stays_sealed_under_the_images_own_key(world: World) -> None:
    hold, picture, day = uuid4(), photograph(), now().date()
    digest = sha256(picture).digest()
    own_key, hold_key = image_key(DAY_KEY, digest), os.urandom(32)
    kek = secrets(world)["hold_kek_file"]
    wrapped = wrap_hold_key(kek, hold, hold_key)
    sealed = AESGCM(own_key).encrypt(bytes(12), picture, b"")
    held = seal_held(hold_key, hold, digest, sealed)

    inner = open_held(unwrap_hold_key(kek, hold, wrapped), hold, digest, held)

    assert inner == sealed
    for key in (*secrets(world).values(), hold_key):
        assert not opens(key, day, digest, inner)
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(bytes(12), inner, b"")
    with pytest.raises(HoldSealError):
        unwrap_hold_key(secrets(world)["evidence_kek_file"], hold, wrapped)


@pytest.mark.clause("IV.A.5", "III.D.5")
async def test_an_evidence_package_opens_with_its_wrapped_key_only_which_the_database_gives_for_a_permit(
    world: World,
) -> None:
    evidence_id = uuid4()
    kek = secrets(world)["evidence_kek_file"]
    vault = EvidenceVault(world.settings.image_store(), kek)
    sealed = await vault.put(evidence_id, b"a package" * 100)
    stored = next(
        one.read_bytes()
        for one in world.settings.image_store_dir.rglob("package")
        if str(evidence_id) in str(one)
    )

    for key in guesses(world, [stored]):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(bytes(12), stored, b"platewarden/evidence/v1/" + evidence_id.bytes)
    assert b"a package" not in stored
    assert await vault.open(evidence_id, sealed) == b"a package" * 100


@pytest.mark.clause("IV.A.5", "II.F")
async def test_no_login_gets_a_key_of_a_picture_without_a_permit_nor_with_anothers(
    world: World, plate: str
) -> None:
    message = await pictured(world, plate, photograph())
    read_id = UUID(message.read.read_id)
    for login in ("search_append", "search_question", "search_purge", "search_register", "search_health"):
        connection = await asyncpg.connect(world.database.url(login))
        try:
            for statement in (
                "SELECT * FROM archive.image_key('v1|x', $1)",
                "SELECT * FROM archive.image_key(NULL, $1)",
                "SELECT image_key FROM archive.read WHERE read_id = $1",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(statement, read_id)
        finally:
            await connection.close()


@pytest.mark.clause("IV.A.5", "II.F", "IV.E.1")
async def test_the_picture_of_another_agencys_read_is_not_there_though_its_object_is(
    world: World, plate: str
) -> None:
    message = await pictured(world, plate, photograph(), agency=OTHER_ORI)
    old = await pictured(world, plate, photograph(), captured=now() - timedelta(days=3))
    assert image_path(world, message).exists()

    assert (await refusal(get_image(world, message.read.read_id))).code.name == "NOT_FOUND"
    await world.admin("UPDATE archive.setting SET retention_days = 2")
    try:
        assert (await refusal(get_image(world, old.read.read_id))).code.name == "NOT_FOUND"
    finally:
        await world.admin("UPDATE archive.setting SET retention_days = 90")
