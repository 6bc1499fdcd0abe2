"""The overlays as the smoke test plays them, up to where podman comes in; `make k8s-smoke` does the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.smoke import checks, story
from deploy.smoke.containers import Mount, arguments, check_pod, command_of, containers_of, environment_of
from deploy.smoke.manifests import Manifests, manifests_of
from deploy.smoke.network import Network, Placed
from deploy.smoke.overlay import SERVICES
from tests.support.manifests_kit import rendered


@pytest.fixture(scope="module")
def dev() -> Manifests:
    """The overlay that is played, with the Secret that an operator makes by hand."""
    return manifests_of(rendered("dev").documents).with_secret("founding", story.FOUNDING)


@pytest.fixture(scope="module")
def network(dev: Manifests) -> Network:
    placed = [Placed(pod, f"10.9.0.{number}") for number, pod in enumerate(dev.pods(), start=10)]
    return Network(placed, "10.9.0.1", dev.namespace)


@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_of_every_kind_and_field_it_is_known_whether_it_is_played(overlay: str) -> None:
    manifests = manifests_of(rendered(overlay).documents)

    said = manifests.unplayed()
    for pod in manifests.pods():
        check_pod(pod)

    kinds = {one["kind"] for one in manifests.documents}
    assert ("PodDisruptionBudget" in kinds) is any(line.startswith("PodDisruptionBudget ") for line in said)
    assert not any(line.startswith(("Deployment", "NetworkPolicy", "Secret")) for line in said)


def test_every_container_of_dev_can_be_started(dev: Manifests) -> None:
    for pod in dev.pods():
        names = [volume["name"] for volume in pod.spec.get("volumes", ())]
        mounts = {name: Mount(Path("/run")) for name in (*names, *pod.claims)}
        for container in containers_of(pod):
            told = environment_of(dev, container, str)
            given = arguments(pod, container, Path("/run/env"), mounts)
            assert "--cap-drop=all" in given
            assert "--read-only" in given
            assert not [word for word in command_of(container, told)[1] if "$(" in word], pod.name


def test_the_filters_of_dev_let_through_the_arrows_of_the_architecture(
    dev: Manifests, network: Network
) -> None:
    policies = dev.of("NetworkPolicy")
    address = {one.pod.name: one.address for one in network.pods}
    rules = {one.pod.name: network.firewall(one, policies) for one in network.pods}

    for caller, allowed in checks.ARROWS.items():
        for other in SERVICES:
            out = f"-A OUTPUT -d {address[f'{other}-0']}/32 -p tcp --dport 7443 -j ACCEPT"
            into = f"-A INPUT -s {address[f'{caller}-0']}/32 -p tcp --dport 7443 -j ACCEPT"
            is_open = out in rules[f"{caller}-0"] and into in rules[f"{other}-0"]
            assert is_open is (other in allowed), f"{caller} to {other}"


def test_the_founding_waits_and_the_story_fills_in_all_that_it_asks_for(dev: Manifests) -> None:
    (found,) = [pod for pod in dev.pods() if pod.suspended]
    (container,) = found.spec["containers"]

    told = environment_of(dev, container, str)

    assert set(story.FOUNDING) <= set(told)
    assert f"--agency-ori={story.AGENCY}" in command_of(container, told)[1]
