"""podman, as far as it is needed: pods, containers, a network."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EngineError(Exception):
    """podman, or a tool beside it, did not do what it was told; the text is what it said."""


async def run(
    *command: str,
    given: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    both: bool = False,
) -> str:
    """What the command prints.

    Args:
        command: Program and arguments.
        given: Its standard input.
        folder: Where it runs; here if not given.
        environment: Its variables; ours if not given.
        both: Whether what it says of errors is part of what it prints.

    Raises:
        EngineError: It ends with another code than 0, or is not here.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if both else asyncio.subprocess.PIPE,
            cwd=folder,
            env=environment,
        )
    except FileNotFoundError:
        raise EngineError(f"{command[0]} is needed and is not on this machine") from None
    out, errors = await process.communicate(given.encode() if given else None)
    errors = errors or b""
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip() or out.decode(errors="replace").strip()
        raise EngineError(f"{command[0]} {' '.join(command[1:3])}: {said[-2000:]}")
    return out.decode(errors="replace")


async def podman(*arguments: str) -> str:
    """What podman prints. Raises EngineError."""
    return await run("podman", *arguments)


async def logs_of(container: str, *, last: int = -1) -> str:
    """What a container wrote, on both of its ways out; the last lines alone if so many are wanted."""
    return await run("podman", "logs", f"--tail={last}", container, both=True)


@dataclass(frozen=True)
class State:
    """How a container is: its process on this machine, 0 if it has ended, and then with which code."""

    pid: int
    exit_code: int


async def state_of(container: str) -> State:
    """How the container is now. Raises EngineError."""
    found = json.loads(await podman("container", "inspect", container))[0]["State"]
    return State(int(found["Pid"]), int(found["ExitCode"]))


async def ended(pid: int) -> None:
    """Returns when the process of this machine has ended, at once if it is not there."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def make_network(name: str) -> tuple[str, str]:
    """Makes a network with names of its own: its range (CIDR) and the address of this machine in it."""
    await podman("network", "create", name)
    found: Any = json.loads(await podman("network", "inspect", name))[0]["subnets"][0]
    return str(found["subnet"]), str(found["gateway"])


async def filter_packets(pod_process: int, rules: str) -> None:
    """Puts the rules into force in the network of a pod, whose first process is named. Raises EngineError."""
    await run("nsenter", f"--target={pod_process}", "--net", "iptables-restore", given=rules)


async def _containers(run: str) -> list[str]:
    return (await podman("ps", "--all", f"--filter=name={run}-", "--format={{.Names}}")).split()


async def keep_logs(run: str, folder: Path) -> None:
    """Writes the log of every container of a run into a file of its name. Raises EngineError."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for name in await _containers(run):
        file = folder / f"{name.removeprefix(run + '-')}.log"
        await asyncio.to_thread(file.write_text, await logs_of(name), encoding="utf-8")


async def remove(run: str) -> None:
    """Removes the pods, containers and the network whose names begin with that of a run."""
    names = (await podman("pod", "ls", f"--filter=name={run}-", "--format={{.Name}}")).split()
    if names:
        await podman("pod", "rm", "--force", "--time=5", *names)
    if names := await _containers(run):
        await podman("rm", "--force", "--time=1", *names)
    await podman("network", "rm", "--force", run)
