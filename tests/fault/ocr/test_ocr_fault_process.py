from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from services.dev.pki import DevelopmentAuthority
from tests.support.ocr_kit import Neighbours, settings_for


async def _start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PW_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ocr",
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _environment(tls: DevelopmentAuthority, folder: Path, neighbours: Neighbours) -> dict[str, str]:
    settings = settings_for(tls, folder, neighbours).model_dump(exclude_unset=True)
    return {f"PW_{name.upper()}": str(value) for name, value in settings.items()}


async def test_process_without_settings_says_in_one_sentence_which_are_missing() -> None:
    process = await _start({})

    _, said = await process.communicate()

    lines = said.decode().strip().splitlines()
    assert process.returncode == 1
    assert len(lines) == 1
    assert "PW_AUDIT_TARGET" in lines[0]
    assert "PW_IMAGE_KEK_FILE" in lines[0]


async def test_process_without_models_says_where_it_looked(tls: DevelopmentAuthority, tmp_path: Path) -> None:
    neighbours = Neighbours(tls, audit_target="127.0.0.1:9", matcher_target="127.0.0.1:9")
    environment = _environment(tls, tmp_path, neighbours) | {"PW_MODEL_DIR": str(tmp_path)}

    process = await _start(environment)
    _, said = await process.communicate()

    assert process.returncode == 1
    assert said.decode().strip().splitlines()[-1].startswith(f"cannot start: PW_MODEL_DIR: {tmp_path} holds")
    assert "Traceback" not in said.decode()


async def test_process_ends_in_order_when_it_is_told_to(tls: DevelopmentAuthority, tmp_path: Path) -> None:
    neighbours = Neighbours(tls)
    await neighbours.open()
    process = await _start(_environment(tls, tmp_path, neighbours))
    assert process.stderr is not None
    logged = b""
    while b"server_started" not in logged:
        line = await process.stderr.readline()
        assert line, logged.decode()
        logged += line

    process.send_signal(signal.SIGTERM)
    _, rest = await process.communicate()
    await neighbours.close()

    assert process.returncode == 0
    assert b"server_stopped" in rest
