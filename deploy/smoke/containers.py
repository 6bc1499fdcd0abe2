"""What a container of a pod is started with: its field by field translation into arguments of podman.

A field that is not known here is an error: nothing is left out without anybody having said so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.smoke.manifests import UNPLAYED_FIELDS, ManifestError, Manifests, Pod

_POD_FIELDS = {
    "activeDeadlineSeconds",
    "containers",
    "enableServiceLinks",
    "initContainers",
    "restartPolicy",
    "securityContext",
    "terminationGracePeriodSeconds",
    "volumes",
}
_POD_SECURITY = {
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
    "supplementalGroups",
}
_CONTAINER_FIELDS = {
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeMounts",
    "workingDir",
}
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
}
_MOUNT_FIELDS = {"name", "mountPath", "readOnly", "subPath"}
_RESOURCES = {"cpu", "memory", "ephemeral-storage"}
_UNITS: Mapping[str, Decimal | int] = {
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "m": Decimal("0.001"),
}
_QUANTITY = re.compile(r"([0-9.]+)(Ki|Mi|Gi|k|M|G|m)?")
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


@dataclass(frozen=True)
class Mount:
    """A folder of this machine, or memory of a size, as a volume of a pod."""

    folder: Path | None
    memory_bytes: int = 0


Mounts = Mapping[str, Mount]


def quantity(text: object) -> Decimal:
    """The number that a Kubernetes quantity means, in bytes or processors.

    Raises:
        ManifestError: It is none.
    """
    match = _QUANTITY.fullmatch(str(text))
    if not match:
        raise ManifestError(f"{text} is no quantity")
    return Decimal(match[1]) * _UNITS.get(match[2] or "", 1)


def check_pod(pod: Pod) -> None:
    """Returns when every field of the pod is one that is played or named as left out.

    Raises:
        ManifestError: One is neither.
    """
    _only(f"pod {pod.owner}", pod.spec, _POD_FIELDS | set(UNPLAYED_FIELDS))
    _only(f"securityContext of {pod.owner}", pod.spec.get("securityContext", {}), _POD_SECURITY)
    for container in containers_of(pod):
        name = f"container {container['name']} of {pod.owner}"
        _only(name, container, _CONTAINER_FIELDS)
        _only(f"securityContext of {name}", container.get("securityContext", {}), _CONTAINER_SECURITY)
        for kind, amounts in container.get("resources", {}).items():
            _only(f"{kind} of {name}", amounts, _RESOURCES)
        for mount in container.get("volumeMounts", ()):
            _only(f"volumeMounts of {name}", mount, _MOUNT_FIELDS)


def containers_of(pod: Pod) -> list[Mapping[str, Any]]:
    """Its containers, those that only prepare the others first."""
    return [*pod.spec.get("initContainers", ()), *pod.spec["containers"]]


def arguments(pod: Pod, container: Mapping[str, Any], env_file: Path, mounts: Mounts) -> list[str]:
    """Arguments of `podman create` before the image, for a container in its pod.

    Raises:
        ManifestError: It would run as root, or a volume is missing.
    """
    security = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
    found = ["--pull=never", "--http-proxy=false", f"--env-file={env_file}"]
    found += _person(pod.owner, security)
    found += _rights(security)
    found += _amounts(container.get("resources", {}))
    if "terminationGracePeriodSeconds" in pod.spec:
        found.append(f"--stop-timeout={pod.spec['terminationGracePeriodSeconds']}")
    if "workingDir" in container:
        found.append(f"--workdir={container['workingDir']}")
    for mount in container.get("volumeMounts", ()):
        found.append(_mounted(pod.owner, mount, mounts))
    return found


def command_of(container: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Entry point and arguments, with $(NAME) filled in; both are empty where the image decides."""
    filled = (
        [_filled(str(one), environment) for one in container.get(key, ())] for key in ("command", "args")
    )
    entry, given = filled
    return entry, given


def environment_of(
    manifests: Manifests, container: Mapping[str, Any], of_pod: Callable[[str], str]
) -> dict[str, str]:
    """The variables of a container; `of_pod` says what a field of the pod is.

    Raises:
        ManifestError: A ConfigMap, Secret or key is missing.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        prefix = source.get("prefix", "")
        found |= {prefix + key: value.decode() for key, value in _all_of(manifests, source).items()}
    for variable in container.get("env", ()):
        value = _value(manifests, variable, of_pod)
        if value is not None:
            found[variable["name"]] = _filled(value, found)
    for name, value in found.items():
        if "\n" in value:
            raise ManifestError(f"{name} has more than one line, which cannot be played")
    return found


def _value(manifests: Manifests, variable: Mapping[str, Any], of_pod: Callable[[str], str]) -> str | None:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    ((kind, where),) = variable["valueFrom"].items()
    if kind == "fieldRef":
        return of_pod(where["fieldPath"])
    held = _held(manifests, kind, where["name"])
    if where["key"] in held:
        return held[where["key"]].decode()
    if where.get("optional"):
        return None
    raise ManifestError(f"{variable['name']} wants the key {where['key']} of {where['name']}, which has none")


def _all_of(manifests: Manifests, source: Mapping[str, Any]) -> Mapping[str, bytes]:
    ((kind, where),) = ((key, value) for key, value in source.items() if key != "prefix")
    return _held(manifests, kind, where["name"], optional=where.get("optional", False))


def _held(manifests: Manifests, kind: str, name: str, *, optional: bool = False) -> Mapping[str, bytes]:
    held = {
        "secretKeyRef": manifests.secrets,
        "secretRef": manifests.secrets,
        "configMapKeyRef": manifests.config_maps,
        "configMapRef": manifests.config_maps,
    }.get(kind)
    if held is None:
        raise ManifestError(f"variables from {kind} cannot be played")
    if name not in held and not optional:
        raise ManifestError(f"there is no {name}, which {kind} names")
    return held.get(name, {})


def _filled(text: str, environment: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: environment.get(match[1], match[0]), text)


def _person(owner: str, security: Mapping[str, Any]) -> list[str]:
    user = security.get("runAsUser")
    if security.get("runAsNonRoot") and not user:
        raise ManifestError(f"{owner} must not run as root, and no other user is named")
    group = security.get("runAsGroup", 0)
    found = [] if user is None else [f"--user={user}:{group}"]
    more = [security["fsGroup"]] if "fsGroup" in security else []
    return found + [f"--group-add={one}" for one in (*more, *security.get("supplementalGroups", ()))]


def _rights(security: Mapping[str, Any]) -> list[str]:
    found = []
    if security.get("readOnlyRootFilesystem"):
        found += ["--read-only", "--read-only-tmpfs=false"]
    if security.get("allowPrivilegeEscalation") is False:
        found.append("--security-opt=no-new-privileges")
    capabilities = security.get("capabilities", {})
    found += [f"--cap-drop={one.lower()}" for one in capabilities.get("drop", ())]
    found += [f"--cap-add={one.lower()}" for one in capabilities.get("add", ())]
    profile = security.get("seccompProfile", {}).get("type", "RuntimeDefault")
    if profile == "Unconfined":
        found.append("--security-opt=seccomp=unconfined")
    elif profile != "RuntimeDefault":
        raise ManifestError(f"the seccomp profile {profile} cannot be played")
    return found


def _amounts(resources: Mapping[str, Any]) -> list[str]:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    found = []
    if "memory" in limits:
        amount = int(quantity(limits["memory"]))
        found += [f"--memory={amount}b", f"--memory-swap={amount}b"]
    if "cpu" in limits:
        found.append(f"--cpus={quantity(limits['cpu'])}")
    if "cpu" in requests:
        found.append(f"--cpu-shares={max(2, int(quantity(requests['cpu']) * 1024))}")
    return found


def _mounted(owner: str, mount: Mapping[str, Any], mounts: Mounts) -> str:
    if mount["name"] not in mounts:
        raise ManifestError(f"{owner} mounts {mount['name']}, which is no volume of it")
    volume, path = mounts[mount["name"]], mount["mountPath"]
    if volume.folder is None:
        size = f",size={volume.memory_bytes}" if volume.memory_bytes else ""
        return f"--tmpfs={path}:rw,mode=1777,nosuid,nodev{size}"
    folder = volume.folder / mount["subPath"] if "subPath" in mount else volume.folder
    return f"--volume={folder}:{path}:{'ro' if mount.get('readOnly') else 'rw'}"


def _only(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise ManifestError(f"{what}: nobody has said how {', '.join(unknown)} is played")
