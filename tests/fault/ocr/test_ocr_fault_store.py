from __future__ import annotations

import errno
import os
import secrets
import shutil
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.common.clock import SystemClock
from services.common.config import ConfigError
from services.common.errors import StorageUnavailableError
from services.common.objects import FileObjectStore
from services.dev.pki import DevelopmentAuthority
from services.ocr.__main__ import build
from services.ocr.store import ImageKeks, ImageVault
from tests.support.clock import ManualClock
from tests.support.ocr_kit import (
    Neighbours,
    World,
    answers_of,
    copy_of_models,
    error_of,
    frame_of,
    scene_frame,
    settings_for,
    world,
)

KEK, MCS_KEK = bytes(range(32)), bytes(range(32, 64))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
async def test_frame_is_unavailable_and_nothing_is_sent_on_when_the_store_cannot_be_written(
    ocr: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    frame, plate = scene_frame(0)
    _fail_writes(monkeypatch, number)

    refused = await error_of(ocr.recognize(frame))
    batches = list(ocr.matcher.batches)
    monkeypatch.undo()
    answer = await ocr.recognize(frame)

    assert refused == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert batches == []
    assert [one.read.plate for one in answer.plates] == [plate]


async def test_stream_goes_on_when_the_store_is_full_and_says_that_the_frame_may_come_again(
    ocr: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_writes(monkeypatch, errno.ENOSPC)

    (answer,) = await answers_of(ocr.sensor(), [scene_frame(0)[0]])

    assert answer.error.reason == "ERROR_REASON_STORAGE_UNAVAILABLE"
    assert answer.error.retryable
    assert ocr.stored() == []


async def test_decompression_bomb_is_refused_by_its_header(ocr: World) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20))
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")

    refused = await error_of(ocr.recognize(frame_of(bomb)))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_IMAGE")


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("change", ["missing", "other"])
async def test_service_does_not_start_with_missing_or_other_models(
    tls: DevelopmentAuthority, tmp_path: Path, change: str
) -> None:
    models = copy_of_models(tmp_path / "models", "plates-8", "plates-9")
    file = models / "plates-8" / "characters.onnx"
    file.unlink() if change == "missing" else file.write_bytes(b"another model")
    neighbours = Neighbours(tls, audit_target="127.0.0.1:9", matcher_target="127.0.0.1:9")
    settings = settings_for(tls, tmp_path, neighbours, model_dir=models)

    with pytest.raises(ConfigError, match="PW_MODEL_DIR"):
        await build(settings, SystemClock())


async def test_replica_without_the_models_that_are_rolled_out_serves_nobody_and_says_so(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path, model_dir=copy_of_models(tmp_path / "new", "plates-9")):
        pass
    old = copy_of_models(tmp_path / "old", "plates-8")
    async with world(tls, tmp_path, serves=False, model_dir=old) as ocr:
        refused = await error_of(ocr.recognize(scene_frame(0)[0]))

    # Its health says so, and clients turn to another replica.
    assert refused[0] is grpc.StatusCode.UNAVAILABLE
    assert ocr.stored() == []


async def test_roll_out_whose_history_was_damaged_stops_the_start(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path) as ocr:
        settings = ocr.settings
    (settings.image_store_dir / "models" / "rollout" / "00000001").write_bytes(b"{}")

    with pytest.raises(StorageUnavailableError):
        await build(settings, SystemClock())


async def test_service_does_not_start_with_another_key_than_the_store_was_written_with(
    tls: DevelopmentAuthority, tmp_path: Path
) -> None:
    async with world(tls, tmp_path) as ocr:
        settings = ocr.settings
    settings.image_kek_file.write_text(secrets.token_hex(32), encoding="ascii")

    with pytest.raises(ConfigError, match="PW_IMAGE_KEK_FILE"):
        await build(settings, SystemClock())


async def test_two_processes_that_begin_a_day_at_once_use_one_key(tmp_path: Path, clock: ManualClock) -> None:
    day = clock.now().date()
    vaults = [_vault(tmp_path, clock) for _ in range(2)]
    sha256 = bytes(32)

    first, second = [await vault.store(day, sha256, b"image", motor_carrier=False) for vault in vaults]

    assert first == second


@pytest.mark.clause("IV.E.1")
async def test_the_key_of_a_day_is_forgotten_after_the_retention_period(
    tmp_path: Path, clock: ManualClock
) -> None:
    vault = _vault(tmp_path, clock)
    old = clock.now().date()
    before = await vault.store(old, bytes(32), b"image", motor_carrier=False)
    clock.advance(timedelta(days=90))

    kept = (vault.keeps(old), vault.forget_old_keys())
    clock.advance(timedelta(days=1))
    over = (vault.keeps(old), vault.forget_old_keys())
    shutil.rmtree(tmp_path)
    after = await vault.store(old, bytes(32), b"image", motor_carrier=False)

    assert (kept, over) == ((True, 0), (False, 1))
    assert after != before


async def test_day_key_is_never_in_the_store_in_the_clear(tmp_path: Path, clock: ManualClock) -> None:
    vault = _vault(tmp_path, clock)

    key = await vault.store(clock.now().date(), bytes(32), b"image", motor_carrier=False)

    contents = [path.read_bytes() for path in _files(tmp_path)]
    assert len(contents) == 2
    assert all(key not in content and b"image" not in content for content in contents)


@pytest.mark.clause("III.E.5")
async def test_motor_carrier_safety_images_have_a_folder_and_a_key_of_their_own(
    tmp_path: Path, clock: ManualClock
) -> None:
    vault, day = _vault(tmp_path, clock), clock.now().date()

    general, apart = [await vault.store(day, bytes(32), b"image", motor_carrier=one) for one in (False, True)]
    other_kek = ImageKeks(KEK, KEK)
    mixed = ImageVault(FileObjectStore(tmp_path), other_kek, clock, retention_days=lambda: 90)

    assert general != apart
    assert {str(path.relative_to(tmp_path)) for path in _files(tmp_path)} == {
        f"days/{day}/{folder}{name}" for folder in ("", "mcs/") for name in ("key", bytes(32).hex())
    }
    with pytest.raises(StorageUnavailableError):
        await mixed.store(day, bytes(32), b"image", motor_carrier=True)


def _vault(folder: Path, clock: ManualClock) -> ImageVault:
    return ImageVault(FileObjectStore(folder), ImageKeks(KEK, MCS_KEK), clock, retention_days=lambda: 90)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _fail_writes(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Lets every new file fail as a full or read-only disk does; tests run as root, whom no mode stops."""
    real = os.open

    def failing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and "pki" not in str(path):  # the sensor's certificate is no image
            raise OSError(number, os.strerror(number))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
