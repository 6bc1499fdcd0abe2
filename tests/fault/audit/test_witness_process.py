"""The witness as a process of its own, as in production: killed, started again, told by its environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from services.common.tlog import Note
from services.witness.store import WitnessStore
from tests.support.audit_kit import RunningAudit, log_size
from tests.support.witness_kit import Place, ask, witness_settings


def environment(place: Place, audit: RunningAudit, folder: Path) -> dict[str, str]:
    settings = witness_settings(folder, place.tls, place.settings.signer().public)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PW_")},
        "PW_LISTEN": "127.0.0.1:0",
        "PW_TLS_CERT": str(settings.tls_cert),
        "PW_TLS_KEY": str(settings.tls_key),
        "PW_TLS_CA": str(settings.tls_ca),
        "PW_WITNESS_NAME": settings.witness_name,
        "PW_WITNESS_KEY_FILE": str(settings.witness_key_file),
        "PW_WITNESS_DIR": str(settings.witness_dir),
        "PW_WITNESS_LOG_KEYS_FILE": str(settings.witness_log_keys_file),
        "PW_AUDIT_TARGET": audit.target,
        "PW_WITNESS_EVERY_SECONDS": "0.1",
    }


async def start(variables: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "services.witness", env=variables, stderr=asyncio.subprocess.PIPE
    )


async def witnessed(folder: Path, origin: str, size: int) -> list[int]:
    """Sizes that were signed, once `size` is the last of them and copied."""
    async with asyncio.timeout(50):
        while True:
            if (folder / "store" / "witness.sqlite").exists():
                store = WitnessStore(folder / "store", only_read=True)
                try:
                    found = [Note.parse(one).head.size for one in store.witnessed(origin)]
                    if found and found[-1] >= size and store.copy_state(origin).frontier.size >= size:
                        return found
                except Exception:  # noqa: S110 - the process is making its store just now
                    pass
                finally:
                    store.close()
            await asyncio.sleep(0.1)


@pytest.mark.timeout(120)
@pytest.mark.clause("IV.E.2")
async def test_a_witness_that_is_killed_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    folder, origin = tmp_path / "process", place.settings.log_origin
    async with place.audit() as audit:
        variables = environment(place, audit, folder)
        first = await start(variables)
        before = await witnessed(folder, origin, await log_size(audit))
        first.send_signal(signal.SIGKILL)
        await first.wait()
        await ask(audit, place.officer)

        second = await start(variables)
        after = await witnessed(folder, origin, await log_size(audit))
        second.send_signal(signal.SIGTERM)
        told = (await second.communicate())[1].decode()

    assert after[: len(before)] == before
    assert after == sorted(set(after))
    assert second.returncode == 0
    assert "on port" in told
    assert "ALARM" not in told


async def test_a_witness_without_its_settings_says_which_and_does_not_start(
    place: Place, tmp_path: Path
) -> None:
    async with place.audit() as audit:
        variables = environment(place, audit, tmp_path / "process")
    del variables["PW_WITNESS_KEY_FILE"]

    process = await start(variables)
    told = (await process.communicate())[1].decode()

    assert process.returncode == 1
    assert "PW_WITNESS_KEY_FILE must be set" in told
