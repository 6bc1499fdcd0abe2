"""One process of the stack: started, its output kept within limits, started again when it dies."""

import asyncio
import contextlib
import json
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from services.dev.process import attached_command

_LOG_BYTES = 10 << 20
_KILL_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
# A process that ran this long had started well; its end is a new story.
_STEADY_SECONDS = 30.0
_CHUNK_BYTES = 1 << 16
_LAST_LINES = 50


class LogFile:
    """A log of at most 20 MiB in two files, mode 0600, the older with ".1" at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch(mode=0o600)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> int:
        """Appends `data`. A full disk costs lines of the log, not the process that wrote them."""
        with contextlib.suppress(OSError):
            if self._file.tell() + len(data) > _LOG_BYTES:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._path.touch(mode=0o600)
                full, self._file = self._file, self._path.open("ab", buffering=0)
                full.close()
            self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing to do: every write goes to the file."""

    def close(self) -> None:
        """Ends the log."""
        self._file.close()


def logger(file: LogFile) -> structlog.typing.FilteringBoundLogger:
    """Writes JSON lines into `file`."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=lambda entry, **_: json.dumps(entry).encode()),
    ]
    made = structlog.wrap_logger(
        structlog.BytesLogger(file),  # type: ignore[arg-type]
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    bound: structlog.typing.FilteringBoundLogger = made.bind()
    return bound


class Child:
    """A process that is kept running until `stop`, and that does not outlive this one."""

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        on_restart: Callable[[str, int], None],
    ) -> None:
        """Nothing happens yet.

        Args:
            name: For people.
            command: Program and arguments.
            environment: All of it.
            log_file: Where standard output and error go.
            on_restart: Called with name and exit code (negative: signal) once it died and runs again.
        """
        self.name = name
        self.deaths = 0
        self._command = command
        self._environment = dict(environment)
        self._log_file = log_file
        self._on_restart = on_restart
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def pid(self) -> int:
        """Process id of the process that runs now, or 0."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    @property
    def last_words(self) -> str:
        """The last line that it wrote and that is not an entry of a structured log."""
        lines = [line for line in self._last_lines if not _is_entry(line)] or list(self._last_lines)
        return lines[-1] if lines else "it said nothing"

    async def start(self) -> None:
        """Starts the process, and keeps it running from now on.

        Raises:
            OSError: It cannot be started at all, or has no place for its log.
        """
        log = LogFile(self._log_file)
        try:
            process = await self._spawn()
        except OSError:
            log.close()
            raise
        self._keeper = asyncio.create_task(self._keep(process, log), name=f"keep {self.name}")

    async def stop(self, grace_seconds: float) -> None:
        """Asks the process to end, ends it after the grace, and returns when it is gone."""
        self._stopping.set()
        if self._keeper is None:
            return
        for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, _KILL_SECONDS)):
            self._signal(number)
            done, _ = await asyncio.wait([self._keeper], timeout=seconds)
            if done:
                break

    async def _spawn(self) -> asyncio.subprocess.Process:
        # SIGKILL: whatever this process cannot stop in order has to live with a crash, and must not hold its
        # ports when the stack is started anew.
        self._process = await asyncio.create_subprocess_exec(
            *attached_command(self._command, death_signal=signal.SIGKILL),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,  # Ctrl-C at the terminal is for the supervisor
        )
        return self._process

    async def _keep(self, process: asyncio.subprocess.Process | None, log: LogFile) -> None:
        pause, code = _FIRST_PAUSE_SECONDS, 0
        try:
            while True:
                started = time.monotonic()
                if process is not None:
                    code = await self._until_gone(process, log)
                    self.deaths += not self._stopping.is_set()
                pause = _FIRST_PAUSE_SECONDS if time.monotonic() - started > _STEADY_SECONDS else pause
                if await self._stopped_within(pause):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                process = await self._spawned_again(code)
        finally:
            log.close()

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _spawned_again(self, code: int) -> asyncio.subprocess.Process | None:
        """The new process, or None when the machine has no room for one just now."""
        try:
            process = await self._spawn()
        except OSError:
            return None
        self._on_restart(self.name, code)
        return process

    async def _until_gone(self, process: asyncio.subprocess.Process, log: LogFile) -> int:
        """Logs what the process says and gives its exit code."""
        if self._stopping.is_set():  # it was started while `stop` signalled the one before
            self._signal(signal.SIGTERM)
        pump = asyncio.create_task(self._pump(process, log))
        code = await process.wait()
        await asyncio.wait([pump], timeout=_KILL_SECONDS)
        pump.cancel()
        return code

    async def _pump(self, process: asyncio.subprocess.Process, log: LogFile) -> None:
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(_CHUNK_BYTES):
            log.write(chunk)
            *lines, rest = (rest + chunk)[-_CHUNK_BYTES:].split(b"\n")
            self._last_lines.extend(line.decode("utf-8", "replace").strip() for line in lines if line.strip())

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _is_entry(line: str) -> bool:
    """Whether a line is an entry of a structured log."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
