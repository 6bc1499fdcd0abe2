"""With which arguments the smoke test starts the containers of a pod."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.smoke.containers import (
    Mount,
    arguments,
    check_pod,
    command_of,
    containers_of,
    environment_of,
    quantity,
)
from deploy.smoke.manifests import ManifestError, Manifests, Pod, manifests_of
from deploy.smoke.volumes import make_volumes
from tests.unit.deploy.smoke_documents import deployment

PERSON = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10002, "fsGroup": 10003}
CLOSED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
HELD = Manifests([], {"login": {"url": b"postgresql://x"}}, {"settings": {"A": b"1", "B": b"2"}})


def pod_of(container: dict[str, Any], **spec: Any) -> tuple[Pod, dict[str, Any]]:
    """A pod whose container has these fields more, and that container."""
    document = deployment("audit", **spec)
    (first,) = document["spec"]["template"]["spec"]["containers"]
    first |= container
    (pod,) = manifests_of([document]).pods()
    return pod, first


def options(container: dict[str, Any], mounts: dict[str, Mount] | None = None, **spec: Any) -> list[str]:
    """Arguments with which the container of such a pod is started."""
    pod, first = pod_of(container, **spec)
    return arguments(pod, first, Path("/run/env"), mounts or {})


def test_a_hardened_container_has_no_right_that_its_manifest_takes_from_it() -> None:
    given = options({"securityContext": CLOSED}, securityContext=PERSON)

    assert {
        "--user=10001:10002",
        "--group-add=10003",
        "--read-only",
        "--read-only-tmpfs=false",
        "--security-opt=no-new-privileges",
        "--cap-drop=all",
    } <= set(given)


def test_who_must_not_be_root_and_is_nobody_else_is_not_started() -> None:
    with pytest.raises(ManifestError, match="must not run as root"):
        options({}, securityContext={"runAsNonRoot": True})


def test_limits_are_limits_and_requests_are_shares() -> None:
    amounts = {"limits": {"memory": "1Gi", "cpu": "1500m"}, "requests": {"cpu": "500m", "memory": "1Mi"}}

    given = options({"resources": amounts})

    assert {"--memory=1073741824b", "--memory-swap=1073741824b", "--cpus=1.500", "--cpu-shares=512"} <= set(
        given
    )


def test_volumes_are_mounted_as_the_container_says(tmp_path: Path) -> None:
    mounts = {"keys": Mount(tmp_path), "memory": Mount(None, 1 << 20)}
    wanted = [
        {"name": "keys", "mountPath": "/keys", "readOnly": True},
        {"name": "keys", "mountPath": "/one", "subPath": "a/key"},
        {"name": "memory", "mountPath": "/dev/shm"},  # noqa: S108 - a container's
    ]

    given = options({"volumeMounts": wanted}, mounts)

    assert f"--volume={tmp_path}:/keys:ro" in given
    assert f"--volume={tmp_path}/a/key:/one:rw" in given
    assert "--tmpfs=/dev/shm:rw,mode=1777,nosuid,nodev,size=1048576" in given
    with pytest.raises(ManifestError, match="which is no volume"):
        options({"volumeMounts": wanted})


def test_variables_come_from_config_maps_secrets_and_the_pod_in_that_order() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "URL", "valueFrom": {"secretKeyRef": {"name": "login", "key": "url"}}},
            {"name": "B", "value": "over"},
            {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "BOTH", "value": "$(URL)/$(B)/$(NOBODY)"},
        ],
    }

    found = environment_of(HELD, container, lambda path: f"<{path}>")

    assert found == {
        "A": "1",
        "B": "over",
        "URL": "postgresql://x",
        "ME": "<metadata.name>",
        "BOTH": "postgresql://x/over/$(NOBODY)",
    }
    assert command_of({"args": ["--url=$(URL)", "--who=$(YOU)"]}, found) == (
        [],
        ["--url=postgresql://x", "--who=$(YOU)"],
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"secretKeyRef": {"name": "login", "key": "other"}}, "wants the key other"),
        ({"configMapKeyRef": {"name": "nobody", "key": "A"}}, "there is no nobody"),
        ({"resourceFieldRef": {"name": "x", "key": "y"}}, "cannot be played"),
    ],
)
def test_a_variable_that_is_not_there_is_an_error(source: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        environment_of(HELD, {"env": [{"name": "X", "valueFrom": source}]}, str)


def test_a_value_of_two_lines_is_refused_and_not_cut() -> None:
    with pytest.raises(ManifestError, match="more than one line"):
        environment_of(HELD, {"env": [{"name": "X", "value": "a\nb"}]}, str)


@pytest.mark.parametrize(
    ("container", "spec", "said"),
    [
        ({}, {"hostNetwork": True}, "hostNetwork"),
        ({}, {"securityContext": {"sysctls": []}}, "sysctls"),
        ({"lifecycle": {}}, {}, "lifecycle"),
        ({"securityContext": {"privileged": True}}, {}, "privileged"),
        ({"resources": {"limits": {"nvidia.com/gpu": 1}}}, {}, "nvidia"),
    ],
)
def test_a_field_that_nobody_plays_is_an_error_and_not_left_out(
    container: dict[str, Any], spec: dict[str, Any], said: str
) -> None:
    pod, _ = pod_of(container, **spec)

    with pytest.raises(ManifestError, match=said):
        check_pod(pod)


def test_a_pod_of_known_fields_is_good_and_its_preparations_come_first() -> None:
    pod, _ = pod_of({"securityContext": CLOSED}, initContainers=[{"name": "first"}], securityContext=PERSON)

    check_pod(pod)

    assert [container["name"] for container in containers_of(pod)] == ["first", "service"]


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("250m", Decimal("0.25")), ("2Ki", 2048), ("1.5Gi", 1610612736), (3, 3)]
)
def test_quantities_are_read_as_kubernetes_writes_them(text: object, number: object) -> None:
    assert quantity(text) == number
    with pytest.raises(ManifestError, match="no quantity"):
        quantity("much")


def test_volumes_hold_what_their_sources_hold(tmp_path: Path) -> None:
    volumes = [
        {"name": "all", "secret": {"secretName": "login"}},
        {"name": "one", "configMap": {"name": "settings", "items": [{"key": "A", "path": "deep/a"}]}},
        {"name": "both", "projected": {"sources": [{"secret": {"name": "login"}}]}},
        {"name": "empty", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]
    group = {"fsGroup": os.getgid()}
    pod, _ = pod_of({}, volumes=volumes, securityContext=group)

    made = make_volumes(HELD, pod, tmp_path / "pod", tmp_path / "claims")

    folders = {name: mount.folder for name, mount in made.items()}
    assert folders["all"] is not None
    assert (folders["all"] / "url").read_bytes() == b"postgresql://x"
    assert folders["one"] is not None
    assert (folders["one"] / "deep" / "a").read_bytes() == b"1"
    assert folders["both"] is not None
    assert (folders["both"] / "url").exists()
    assert folders["empty"] is not None
    assert list(folders["empty"].iterdir()) == []
    assert made["memory"] == Mount(None, 1 << 20)


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ({"secret": {"secretName": "nobody"}}, "there is no secret nobody"),
        ({"secret": {"secretName": "login", "items": [{"key": "x", "path": "x"}]}}, "has no x"),
        ({"hostPath": {"path": "/"}}, "hostPath"),
    ],
)
def test_a_volume_without_its_source_is_an_error(tmp_path: Path, volume: dict[str, Any], said: str) -> None:
    pod, _ = pod_of({}, volumes=[{"name": "wanted", **volume}], securityContext={"fsGroup": os.getgid()})

    with pytest.raises(ManifestError, match=said):
        make_volumes(HELD, pod, tmp_path / "pod", tmp_path / "claims")
