"""Plays an overlay from its rendering to the last check, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.smoke import checks, story
from deploy.smoke.containers import check_pod
from deploy.smoke.door import door
from deploy.smoke.engine import keep_logs, make_network, remove
from deploy.smoke.identity import start_identity, write_config
from deploy.smoke.kubelet import Kubelet
from deploy.smoke.network import Network, Placed
from deploy.smoke.overlay import SERVICES, Overlay
from deploy.smoke.terminal import Terminals
from tests.support.oidc_provider import AUDIENCE, PASSWORD_POLICY, TWO_FACTORS, OidcProvider

_READY_S = 300.0
_MACHINES, _PEOPLE = 7443, 8443
_WAYS_IN = {"ocr": {"PW_OCR_TARGET": _MACHINES, "PW_OCR_PEOPLE_TARGET": _PEOPLE}}
_FIRST_ADDRESS = 8
_CODE = "271828"  # everybody's second factor
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What is played: name of the overlay, tag of the images, folder for everything that the run makes."""

    overlay: str
    tag: str
    folder: Path
    logs: Path | None = None
    """Folder that gets the logs of all containers at the end, if any."""


class Play:
    """One run; `close` removes its pods, network and folder."""

    def __init__(self, options: Options, say: Say) -> None:
        self._options = options
        self._say = say
        self._run = f"pw-smoke-{os.getpid()}"
        self._overlay = Overlay(options.folder, options.overlay)
        self._stack = AsyncExitStack()

    async def tell(self) -> None:
        """Everything, in order.

        Raises:
            EngineError: A part does not start or does not get ready.
            ManifestError: Something in the manifests cannot be played.
            StoryError: The story or a check went wrong.
        """
        subnet, machine = await make_network(self._run)
        addresses = _addresses(subnet)
        provider = await self._identity(next(addresses))
        rendered = await self._overlay.render(self._options.tag)
        # The Secret that deploy/README.md has an operator make by hand.
        manifests = rendered.with_secret("founding", story.FOUNDING)
        for line in manifests.unplayed():
            self._say(f"NOT PLAYED  {line}")
        placed = [Placed(pod, next(addresses)) for pod in manifests.pods()]
        for one in placed:
            check_pod(one.pod)
        network = Network(placed, machine, manifests.namespace)
        kubelet = Kubelet(manifests, network, self._run, self._options.folder)
        self._stack.push_async_callback(kubelet.close)
        log_key = await self._start(kubelet, placed)
        await self._check(kubelet, network)
        await self._story(kubelet, provider, log_key)

    async def close(self) -> None:
        """Removes what the run made."""
        await self._stack.aclose()
        if self._options.logs:
            await keep_logs(self._run, self._options.logs)
        await remove(self._run)
        await asyncio.to_thread(shutil.rmtree, self._options.folder)

    async def _identity(self, address: str) -> OidcProvider:
        settings = {
            "PW_OIDC_ISSUER": f"https://{address}",
            "PW_OIDC_JWKS_URL": f"https://{address}/jwks",
            "PW_OIDC_AUDIENCE": AUDIENCE,
            "PW_OIDC_ALGORITHMS": "RS256",
            "PW_OIDC_REQUIRED_ACR": TWO_FACTORS,
            "PW_OIDC_REQUIRED_AMR": "otp,hwk",
            "PW_OIDC_PASSWORD_POLICY": PASSWORD_POLICY,
            "SSL_CERT_FILE": "/tls/ca.crt",  # the provider's certificate is of the authority that is there
        }
        self._overlay.tell_audit(settings)
        await self._overlay.make_secrets()
        people = dict.fromkeys(story.PEOPLE, _CODE)
        pki = self._overlay.secrets / "pki"
        provider = write_config(self._options.folder / "identity", address, people, pki)
        await start_identity(self._run, address, provider)
        self._say(f"identity provider at {provider.issuer}")
        return provider

    async def _start(self, kubelet: Kubelet, placed: Sequence[Placed]) -> str:
        """Starts what jobs need, the jobs, the rest, and then founds the system: the log's public key."""
        stores = [one for one in placed if one.pod.component in ("database", "store")]
        jobs = [one for one in placed if one.pod.is_job]
        await self._together(kubelet, stores)
        for one in jobs:
            if not one.pod.suspended:
                await self._finish(kubelet, one)
        await self._together(kubelet, [one for one in placed if one not in stores and one not in jobs])
        said = [await self._finish(kubelet, one) for one in jobs if one.pod.suspended]
        lines = [line.split() for text in said for line in text.splitlines()]
        return next(words[1] for words in lines if words[:1] == ["verifier-key"])

    async def _finish(self, kubelet: Kubelet, job: Placed) -> str:
        said = await kubelet.finish(job)
        self._say(f"job {job.pod.name} is done")
        return said

    async def _together(self, kubelet: Kubelet, placed: Sequence[Placed]) -> None:
        names = [(await kubelet.start(one)).placed.pod.name for one in placed]
        await kubelet.all_ready(names, _READY_S)
        self._say(f"ready: {', '.join(names)}")

    async def _check(self, kubelet: Kubelet, network: Network) -> None:
        ways = await checks.network_holds(kubelet, network)
        self._say(f"{ways} ways between pods: those of the architecture are open, the others shut")
        await checks.images_hold(kubelet, SERVICES)
        self._say("no container runs as root, can write into its image or has the development issuer")

    async def _story(self, kubelet: Kubelet, provider: OidcProvider, log_key: str) -> None:
        ca_file = self._overlay.secrets / "pki" / "ca.pem"
        environment = {"PW_CA_FILE": str(ca_file), "SSL_CERT_FILE": str(ca_file)}
        for name in SERVICES:
            for variable, port in _WAYS_IN.get(name, {f"PW_{name.upper()}_TARGET": _PEOPLE}).items():
                opened = await self._stack.enter_async_context(door(kubelet.ready(name), port))
                environment[variable] = f"localhost:{opened}"
        witness = await self._stack.enter_async_context(door(kubelet.ready("witness"), _PEOPLE))
        folder = self._options.folder / "outside"
        folder.mkdir()
        terminals = Terminals(provider, dict.fromkeys(story.PEOPLE, _CODE), environment, folder)

        async def kill(name: str) -> None:
            await kubelet.kill(f"{name}-0")

        witnessed = f"https://localhost:{witness}"

        async def recovered() -> None:
            await kubelet.all_ready([f"{name}-0" for name in SERVICES], _READY_S)

        outside = (folder, self._say)
        told = story.Story(terminals, provider.issuer, log_key, witnessed, kill, recovered, *outside)
        # Who did not find the database at once has been started again, as in a cluster.
        before = {name: one.restarts for name, one in kubelet.pods.items()}
        await told.tell()
        await checks.replicas_came_back(kubelet, SERVICES, before, _READY_S)
        self._say("every killed replica was started again and is ready")
        await checks.logs_are_silent(kubelet, [*told.plates.values(), story.CASE, story.DOMAIN, "eyJ"])
        self._say("no plate, case number, address or token is in any log")


def _addresses(subnet: str) -> Iterator[str]:
    """Addresses for pods; the first ones of the range are the engine's."""
    hosts = ipaddress.ip_network(subnet).hosts()
    return map(str, itertools.islice(hosts, _FIRST_ADDRESS, None))
