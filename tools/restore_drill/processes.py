"""The drill's processes: the stack, the witness, and the commands of an operator."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.dev.places import Places
from tools.restore_drill.clusters import DrillError

PLATEWARDEN = ("-c", "from services.cli.main import main; main()")
"""The `platewarden` command, for an interpreter."""
_READY_SECONDS = 300.0
_POLL_SECONDS = 0.1


@dataclass
class Stack:
    """`platewarden up` as a process of its own, so that it can be lost as a whole."""

    data_dir: Path
    base_port: int
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    async def start(self) -> float:
        """Seconds until everything served."""
        began = time.monotonic()
        command = [sys.executable, *PLATEWARDEN, "up", "--data-dir", str(self.data_dir)]
        command += ["--base-port", str(self.base_port), "--reads-apart", "--no-console"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program, started at once
                command, env=_own(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while not Places(self.data_dir).stack_file.exists():
            if self._process.poll() is not None:
                raise DrillError(f"the stack did not start; see {self.log}")
            if time.monotonic() - began > _READY_SECONDS:
                raise DrillError(f"the stack was not ready after {_READY_SECONDS:.0f} s; see {self.log}")
            await asyncio.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def kill(self) -> None:
        """Everything is gone at once, databases included: no process of it outlives the first one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        Places(self.data_dir).stack_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """An orderly end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(60)
        self.kill()


@dataclass(frozen=True, slots=True)
class WitnessProcess:
    """A witness that follows the stack's log."""

    log: Path
    process: subprocess.Popen[bytes]

    def require_running(self) -> None:
        """Returns while it runs. Raises DrillError with what it said last."""
        if self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise DrillError(f"the witness ended: {(lines or ['it said nothing'])[-1]}")


@asynccontextmanager
async def witness(folder: Path, data_dir: Path, log: Path) -> AsyncIterator[WitnessProcess]:
    """A witness that runs while the context is open."""
    command = [sys.executable, *PLATEWARDEN, "witness", "--dir", str(folder)]
    command += ["--data-dir", str(data_dir), "--listen", "127.0.0.1:0", "--every", "0.5"]
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603, ASYNC220 - as above
            command, env=_own(), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield WitnessProcess(log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 20)
        process.kill()
        process.wait()


def _own() -> dict[str, str]:
    """The environment without what it says about another system."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PW_")}


def environment_of(data_dir: Path, service: str) -> Mapping[str, str]:
    """What the service was last started with."""
    text = (Places(data_dir).environments / f"{service}.env").read_text(encoding="utf-8")
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: shlex.split(value)[0] if value else "" for name, _, value in pairs}


async def platewarden(*arguments: str) -> str:
    """What `platewarden` prints. Raises DrillError as `command`."""
    return await _said(arguments[0], [*PLATEWARDEN, *arguments], {})


async def command(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What an operator's `python -m` prints.

    Raises:
        DrillError: It failed.
    """
    return await _said(module, ["-m", module, *arguments], environment or {})


async def _said(name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env={**_own(), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    if process.returncode:
        lines = errors.decode().strip().splitlines() or said.decode().strip().splitlines() or ["nothing"]
        raise DrillError(f"{name} said: {lines[-1]}")
    return said.decode()
