"""What must hold of the running pods beside the story."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from deploy.smoke.door import connected
from deploy.smoke.engine import logs_of, podman
from deploy.smoke.kubelet import Kubelet
from deploy.smoke.network import Network
from deploy.smoke.terminal import StoryError

# The arrows of the architecture: who may call whom at the port of machines.
ARROWS = {
    "ocr": {"matcher", "audit"},
    "matcher": {"alerts", "search", "audit"},
    "search": {"audit"},
    "alerts": {"audit"},
    "witness": {"audit"},
    "console": set[str](),  # it comes to the ports of people
    "audit": set[str](),
}
_MACHINES, _POSTGRES = 7443, 5432
_DATABASES = {"records": {"audit", "alerts", "matcher"}, "reads": {"search"}}
_NO_ISSUER = "import importlib.util, sys; sys.exit(importlib.util.find_spec('services.dev') is not None)"
_READ_ONLY = "import os, sys; sys.exit(not os.statvfs('/app').f_flag & os.ST_RDONLY)"
_SECONDS = 2


async def network_holds(kubelet: Kubelet, network: Network) -> int:
    """How many ways were tried: whoever may call gets through, and nobody else does.

    Raises:
        StoryError: A way is open that must be shut, or the other way round.
    """
    found = {one.pod.name: one for one in network.pods}
    tried = []
    for caller, allowed in ARROWS.items():
        for other in ARROWS.keys() - {caller, "witness", "console"}:
            tried.append((caller, other, _MACHINES, other in allowed))
        for database, users in _DATABASES.items():
            tried.append((caller, database, _POSTGRES, caller in users))

    async def is_open(caller: str, other: str, port: int) -> bool:
        try:
            to = found[f"{other}-0"].address
            made = await connected(kubelet.pods[f"{caller}-0"].process, to, port, _SECONDS)
        except OSError:
            return False
        made.close()
        return True

    opened = await asyncio.gather(*(is_open(*way[:3]) for way in tried))
    wrong = [
        f"{caller} to {other}:{port} is {'open' if is_so else 'shut'}"
        for (caller, other, port, wanted), is_so in zip(tried, opened, strict=True)
        if is_so is not wanted
    ]
    if wrong:
        raise StoryError(f"the network is not as the architecture: {'; '.join(wrong)}")
    return len(tried)


async def images_hold(kubelet: Kubelet, services: Sequence[str]) -> None:
    """Returns when no container has the development issuer, runs as root or can write into its image.

    Raises:
        StoryError: One does.
    """
    for name in services:
        (container,) = kubelet.pods[f"{name}-0"].containers
        await podman("exec", container, "python3", "-c", _NO_ISSUER)
        user = await podman("exec", container, "python3", "-c", "import os; print(os.getuid())")
        await podman("exec", container, "python3", "-c", _READ_ONLY)
        if user.strip() == "0":
            raise StoryError(f"{name} runs as root")


async def replicas_came_back(
    kubelet: Kubelet, services: Sequence[str], before: Mapping[str, int], seconds: float
) -> None:
    """Returns when every killed replica is ready again, and nobody else was started again since `before`.

    Raises:
        EngineError: One is not after so many seconds.
        StoryError: One was never started again, or one that nobody had killed was: out of memory, or a probe.
    """
    names = [f"{name}-0" for name in services]
    await kubelet.all_ready(names, seconds)
    wrong = [
        f"{name} was started again {one.restarts - before[name]} times"
        for name, one in kubelet.pods.items()
        if one.restarts - before[name] != (name in names)
    ]
    if wrong:
        raise StoryError("; ".join(wrong))


async def logs_are_silent(kubelet: Kubelet, words: Sequence[str]) -> None:
    """Returns when no container has written any of the words.

    Raises:
        StoryError: One has; the text does not repeat the word.
    """
    for running in kubelet.pods.values():
        for container in running.containers:
            text = await logs_of(container)
            found = [number for number, word in enumerate(words) if word in text]
            if found:
                raise StoryError(f"the log of {container} has content (words {found} of {len(words)})")
