"""The demo's last step, with every service stopped: prove the receipts and the log, find one changed byte."""

import asyncio
import sys
from pathlib import Path

from rich.markup import escape

from services.cli.locate import CommandError
from services.cli.output import Output


async def prove(evidence: Path, output: Output) -> None:
    """Runs the verifier alone on the evidence, then on a copy of the log with one byte changed.

    Raises:
        CommandError: The evidence does not hold, or the change was not found.
    """
    output.say("\n[bold cyan]7. No service is running: the proof[/]")
    log = evidence / "log.jsonl"
    names = await asyncio.to_thread(lambda: sorted(path.name for path in evidence.glob("*-*.json")))
    receipts = [argument for name in names for argument in ("--receipt", name)]
    if await _verifier(evidence, [log.name, *receipts], output):
        raise CommandError("the evidence does not hold")
    index, forged = forge(log.read_bytes())
    (evidence / "forged.jsonl").write_bytes(forged)
    output.say(f"One byte of entry {index} is changed in a copy of the log:")
    if not await _verifier(evidence, ["forged.jsonl"], output):
        raise CommandError("the changed byte was not found")


def forge(log: bytes) -> tuple[int, bytes]:
    """The number of an entry of an exported log, and the log with one byte of that entry's value changed."""
    lines = log.splitlines(keepends=True)
    # The first line is the header, the last the checkpoint; entries stand between them in their order.
    index = (len(lines) - 2) // 2
    line = lines[index + 1]
    at = line.index(b'"value":"') + len(b'"value":"')
    lines[index + 1] = line[:at] + (b"X" if line[at : at + 1] != b"X" else b"Y") + line[at + 1 :]
    return index, b"".join(lines)


async def _verifier(evidence: Path, arguments: list[str], output: Output) -> int:
    # -I: neither this project nor the environment; the file stands alone.
    command = [sys.executable, "-I", "verifier.py", "--public-key", "log.pub", *arguments]
    output.say("  [dim]$ python verifier.py " + escape(" ".join(command[3:])) + "[/]")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=evidence, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    for line in said.decode().splitlines():
        color = "red" if line.startswith("bad") else "green"
        output.say(f"  [{color}]{escape(line)}[/]")
    return await process.wait()
