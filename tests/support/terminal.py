"""A program on a real pseudo-terminal, and what stands on its screen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pyte

# Makes the terminal the program's own, as a login does: it is told of another window size and of its end.
_OWN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
ENTER, ESCAPE, DOWN, UP = "\r", "\x1b", "\x1b[B", "\x1b[A"


class _Screen(pyte.Screen):
    """A screen that counts how often its bell was struck, and lets a program set what it does not know."""

    bells = 0

    def bell(self) -> None:
        self.bells += 1

    def report_device_status(self, mode: int, **_: Any) -> None:
        """No answer: nobody reads it."""


class Terminal:
    """A running program; `screen` is what a person would see."""

    def __init__(self, process: asyncio.subprocess.Process, master: int, columns: int, rows: int) -> None:
        self.process = process
        self.raw = b""
        self._master = master
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    @property
    def bells(self) -> int:
        """How often it rang."""
        return self._screen.bells

    def line_with(self, text: str) -> str:
        """The first line that has `text`; empty when none has."""
        return next((line for line in self.lines if text in line), "")

    def colors_of(self, text: str) -> tuple[str, str]:
        """Colour of the first letter of `text` on the screen, and of what it stands on."""
        row = next(number for number, line in enumerate(self._screen.display) if text in line)
        cell = self._screen.buffer[row][self._screen.display[row].index(text)]
        return cell.fg, cell.bg

    def press(self, keys: str) -> None:
        """Types `keys`."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Makes the window another size, as a person does with the mouse."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def until(self, holds: Callable[[Terminal], object], seconds: float = 60) -> None:
        """Returns when `holds`; fails with the screen after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not holds(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"it did not come to that; the screen is\n{self.text}") from None

    async def shows(self, text: str, seconds: float = 60) -> None:
        """Returns when `text` stands on the screen."""
        await self.until(lambda terminal: text in terminal.text, seconds)

    async def ended(self, seconds: float = 60) -> int:
        """The exit code."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def close(self) -> None:
        """Ends the program, and the terminal."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # Linux says so when the other side is closed.
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.raw += data
        self._stream.feed(data)
        self._news.set()


@asynccontextmanager
async def on_terminal(
    *command: str, environment: Mapping[str, str], columns: int = 110, rows: int = 32
) -> AsyncIterator[Terminal]:
    """The command at work on a terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _OWN_TERMINAL, *command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
        )
    finally:
        os.close(slave)
    terminal = Terminal(process, master, columns, rows)
    try:
        yield terminal
    finally:
        await terminal.close()
