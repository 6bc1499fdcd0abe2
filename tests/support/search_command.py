"""`platewarden search` as a process of its own, against a house that runs."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

WHY = ("--case-kind", "cad", "--case", "26-0001", "--offence", "HOMICIDE")
PURPOSE = ("--purpose", "homicide investigation, victim's car seen leaving")


@dataclass
class CommandLine:
    """`platewarden search ...` as an officer types it."""

    environment: dict[str, str]
    folder: Path

    async def search(self, *arguments: str, why: tuple[str, ...] = (*WHY, *PURPOSE)) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("platewarden")),
            *("search", *arguments, *why),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()
