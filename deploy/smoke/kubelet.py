"""A kubelet's part: makes pods, asks their probes, starts again what ended, says who is ready."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.smoke.containers import arguments, command_of, environment_of
from deploy.smoke.engine import EngineError, ended, filter_packets, logs_of, podman, state_of
from deploy.smoke.manifests import ManifestError, Manifests, Pod, selects
from deploy.smoke.network import Network, Placed, port_of
from deploy.smoke.probes import holds
from deploy.smoke.volumes import make_volumes

_LONGEST_BACKOFF = 10.0
_TAIL = 15  # lines of a log that say why
_JOB_TRIES = 6  # of the kubelet's many: here nothing that a job needs is still on its way


@dataclass
class Running:
    """A pod that was made: its name in podman, its address, the process that holds its network, how it is."""

    placed: Placed
    name: str
    process: int = 0
    ready: bool = False
    restarts: int = 0
    containers: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Kubelet:
    """All pods of one run. Close it: it waits for no probe and leaves the pods to `engine.remove`."""

    def __init__(self, manifests: Manifests, network: Network, run: str, folder: Path) -> None:
        self._manifests = manifests
        self._network = network
        self._run = run
        self._folder = folder
        self._changed = asyncio.Event()
        self.pods: dict[str, Running] = {}

    async def start(self, placed: Placed) -> Running:
        """Makes the pod and starts it; it is supervised from then on unless it is a job.

        Raises:
            EngineError: podman refuses.
            ManifestError: A field of it cannot be played.
        """
        pod, name = placed.pod, f"{self._run}-{placed.pod.name}"
        self.pods[pod.name] = running = Running(placed, name)
        aliases = [f"--network-alias={one}" for one in self._names_of(pod)]
        where = (f"--network={self._run}", f"--ip={placed.address}", f"--hostname={pod.name}")
        await podman("pod", "create", f"--name={name}", *where, *aliases)
        await podman("pod", "start", name)
        await self._close_network(running)
        mounts = make_volumes(self._manifests, pod, self._folder / "pods" / pod.name, self._folder / "claims")
        for container in pod.spec.get("initContainers", ()):
            await self._finish(await self._create(running, container, mounts), tries=1)
        for container in pod.spec["containers"]:
            running.containers.append(await self._create(running, container, mounts))
        if not pod.is_job:
            for made, container in zip(running.containers, pod.spec["containers"], strict=True):
                running.tasks.append(asyncio.create_task(self._supervise(running, made, container)))
        return running

    async def finish(self, placed: Placed) -> str:
        """What a job printed, once it has ended well; a try that fails is followed by others.

        Raises:
            EngineError: All tries failed.
        """
        running = await self.start(placed)
        (container,) = running.containers
        await self._finish(container, tries=_JOB_TRIES)
        return await logs_of(container)

    async def all_ready(self, names: Sequence[str], seconds: float) -> None:
        """Returns when the pods are ready.

        Raises:
            EngineError: One is not after so many seconds; with the end of its log.
        """
        try:
            async with asyncio.timeout(seconds):
                while not all(self.pods[name].ready for name in names):
                    self._raise_what_failed()
                    self._changed.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), 1)
        except TimeoutError:
            late = next(self.pods[name] for name in names if not self.pods[name].ready)
            logs = [await logs_of(one, last=_TAIL) for one in late.containers]
            raise EngineError(f"{late.placed.pod.name} is not ready; it said\n{''.join(logs)}") from None

    def ready(self, service: str) -> Callable[[], list[int]]:
        """A function that names the first process of each ready pod behind a Service just now."""
        (selector,) = (
            one["spec"]["selector"]
            for one in self._manifests.of("Service")
            if one["metadata"]["name"] == service
        )

        def ready() -> list[int]:
            return [
                one.process
                for one in self.pods.values()
                if one.ready and selects({"matchLabels": selector}, one.placed.pod.labels)
            ]

        return ready

    async def kill(self, name: str) -> None:
        """Kills the first process of the pod's first container (SIGKILL), and returns when it is gone."""
        running = self.pods[name]
        state = await state_of(running.containers[0])
        if not state.pid:
            raise EngineError(f"{name} does not run, so nobody can kill it")
        os.kill(state.pid, signal.SIGKILL)
        await ended(state.pid)
        self._set_ready(running, ready=False)

    async def close(self) -> None:
        """Ends the supervision."""
        tasks = [task for one in self.pods.values() for task in one.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _names_of(self, pod: Pod) -> list[str]:
        """The names under which others find the pod."""
        found = []
        for service in self._manifests.of("Service"):
            spec, name = service["spec"], service["metadata"]["name"]
            if not selects({"matchLabels": spec.get("selector") or {}}, pod.labels) or not spec.get(
                "selector"
            ):
                continue
            for port in spec["ports"]:
                if port_of(pod, port.get("targetPort", port["port"])) != port["port"]:
                    raise ManifestError(f"Service {name} gives a port another number, which cannot be played")
            domain = f"{name}.{self._network.namespace}.svc"
            found += [name, domain.removesuffix(".svc"), domain, f"{domain}.cluster.local"]
            found.append(f"{pod.name}.{name}")
        return found

    async def _close_network(self, running: Running) -> None:
        infra = (await podman("pod", "inspect", "--format={{.InfraContainerID}}", running.name)).strip()
        rules = self._network.firewall(running.placed, self._manifests.of("NetworkPolicy"))
        running.process = (await state_of(infra)).pid
        await filter_packets(running.process, rules)

    async def _create(self, running: Running, container: Mapping[str, Any], mounts: Any) -> str:
        pod = running.placed.pod
        name = f"{running.name}-{container['name']}"
        environment = environment_of(self._manifests, container, self._field(running.placed))
        env_file = self._folder / "env" / name
        env_file.parent.mkdir(mode=0o700, exist_ok=True)
        env_file.touch(mode=0o600)
        env_file.write_text("".join(f"{key}={value}\n" for key, value in environment.items()))
        entry, given = command_of(container, environment)
        start = [f"--entrypoint={json.dumps(entry)}"] if entry else []
        place = (f"--name={name}", f"--pod={running.name}")
        options = arguments(pod, container, env_file, mounts)
        await podman("create", *place, *options, *start, container["image"], *given)
        return name

    def _field(self, placed: Placed) -> Callable[[str], str]:
        known = {
            "metadata.name": placed.pod.name,
            "metadata.namespace": self._network.namespace,
            "status.podIP": placed.address,
            "status.hostIP": self._network.machine,
        }

        def value(path: str) -> str:
            if path not in known:
                raise ManifestError(f"{placed.pod.owner} wants to know its {path}, which cannot be played")
            return known[path]

        return value

    async def _finish(self, container: str, *, tries: int) -> None:
        for left in reversed(range(tries)):
            await podman("start", container)
            code = int(await podman("wait", container))
            if code == 0:
                return
            if not left:
                log = await logs_of(container, last=_TAIL)
                raise EngineError(f"{container} ended with code {code} and said\n{log}")
            await asyncio.sleep(2)

    async def _supervise(self, running: Running, container: str, spec: Mapping[str, Any]) -> None:
        """Starts the container again whenever it ends, later each time."""
        backoff = 0.0
        while True:
            await asyncio.sleep(backoff)
            await podman("start", container)
            began, pid = time.monotonic(), (await state_of(container)).pid
            watched = asyncio.create_task(self._watch(running, container, spec))
            try:
                gone = asyncio.create_task(ended(pid) if pid else asyncio.sleep(0))
                await asyncio.wait([gone, watched], return_when=asyncio.FIRST_COMPLETED)
                if watched.done():
                    watched.result()  # what cannot be played ends the run
                    os.kill(pid, signal.SIGTERM)  # a probe has given it up
                await gone
            finally:
                watched.cancel()
            self._set_ready(running, ready=False)
            running.restarts += 1
            quick = time.monotonic() - began < _LONGEST_BACKOFF
            backoff = min(backoff + 1, _LONGEST_BACKOFF) if quick else 0.0
            await podman("wait", container)  # until podman has noticed, too

    async def _watch(self, running: Running, container: str, spec: Mapping[str, Any]) -> None:
        """Returns when a probe says that the container must be started again."""
        pod, address = running.placed.pod, running.placed.address
        startup, live = spec.get("startupProbe"), spec.get("livenessProbe")
        if startup and not await self._becomes(startup, pod, container, address):
            return
        readiness = asyncio.create_task(self._follow_readiness(running, container, spec))
        try:
            await self._fails(live, pod, container, address)
        finally:
            readiness.cancel()

    async def _becomes(self, probe: Mapping[str, Any], pod: Pod, container: str, address: str) -> bool:
        for _ in range(probe.get("failureThreshold", 3)):
            if await holds(probe, pod, container, address):
                return True
            await asyncio.sleep(probe.get("periodSeconds", 10))
        return False

    async def _fails(self, probe: Mapping[str, Any] | None, pod: Pod, container: str, address: str) -> None:
        failed = 0
        while probe is None or failed < probe.get("failureThreshold", 3):
            await asyncio.sleep((probe or {}).get("periodSeconds", 10))
            failed = 0 if probe is None or await holds(probe, pod, container, address) else failed + 1

    async def _follow_readiness(self, running: Running, container: str, spec: Mapping[str, Any]) -> None:
        probe = spec.get("readinessProbe")
        if probe is None:
            self._set_ready(running, ready=True)
            return
        failed = 0
        while True:
            good = await holds(probe, running.placed.pod, container, running.placed.address)
            failed = 0 if good else failed + 1
            if good or failed >= probe.get("failureThreshold", 3):
                self._set_ready(running, ready=good)
            await asyncio.sleep(probe.get("periodSeconds", 10))

    def _set_ready(self, running: Running, *, ready: bool) -> None:
        running.ready = ready
        self._changed.set()

    def _raise_what_failed(self) -> None:
        for one in self.pods.values():
            for task in one.tasks:
                if task.done():
                    task.result()
