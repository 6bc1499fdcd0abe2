from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from services.dev import child as child_module
from services.dev.child import Child, LogFile


def child(tmp_path: Path, code: str, restarts: list[tuple[str, int]]) -> Child:
    return Child(
        name="thing",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        log_file=tmp_path / "thing.log",
        on_restart=lambda name, exit_code: restarts.append((name, exit_code)),
    )


def test_a_log_never_takes_more_than_two_files_of_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_LOG_BYTES", 100)
    log = LogFile(tmp_path / "x.log")

    for number in range(100):
        log.write(f"line {number:03}\n".encode())
    log.close()

    files = {file.name: file for file in tmp_path.iterdir()}
    assert set(files) == {"x.log", "x.log.1"}
    assert all(file.stat().st_size <= 100 for file in files.values())
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files.values())
    assert files["x.log"].read_text().endswith("line 099\n")


async def test_what_a_process_says_is_logged_until_its_end(tmp_path: Path) -> None:
    code = """
import signal, sys, time
def end(*_):
    print("bye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("here", flush=True)
time.sleep(60)
"""
    running = child(tmp_path, code, [])
    await running.start()
    while b"here\n" not in (tmp_path / "thing.log").read_bytes():  # noqa: ASYNC110
        await asyncio.sleep(0.02)

    await running.stop(10)

    assert (tmp_path / "thing.log").read_text() == "here\nbye\n"
    assert running.pid == 0
    assert running.deaths == 0


async def test_a_process_that_dies_is_started_again_ever_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_FIRST_PAUSE_SECONDS", 0.01)
    restarts: list[tuple[str, int]] = []
    running = child(tmp_path, "import sys; print('{\"event\": 1}'); sys.exit('no good')", restarts)
    await running.start()
    while len(restarts) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.02)

    await running.stop(10)

    assert set(restarts) == {("thing", 1)}
    assert running.last_words == "no good"


async def test_a_process_can_be_stopped_while_it_waits_to_be_started_again(tmp_path: Path) -> None:
    restarts: list[tuple[str, int]] = []
    running = child(tmp_path, "raise SystemExit(3)", restarts)
    await running.start()
    while not running.deaths:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    await asyncio.wait_for(running.stop(10), 5)

    assert restarts == []


async def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    code = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(60)
"""
    running = child(tmp_path, code, [])
    await running.start()
    while not (tmp_path / "thing.log").read_bytes():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    pid = running.pid

    await running.stop(0.2)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
