"""Folders of this machine as the volumes of a pod, with the owners and modes that a kubelet gives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.smoke.containers import Mount, quantity
from deploy.smoke.manifests import ManifestError, Manifests, Pod

_SOURCES = {"secret", "configMap", "emptyDir", "projected", "persistentVolumeClaim"}


def make_volumes(manifests: Manifests, pod: Pod, folder: Path, claims: Path) -> dict[str, Mount]:
    """The pod's volumes by name: what only it has below `folder`, what outlives it below `claims`.

    Raises:
        ManifestError: A volume is of a kind that cannot be played, or what it holds is missing.
    """
    group = pod.spec.get("securityContext", {}).get("fsGroup", 0)
    found = {}
    for volume in pod.spec.get("volumes", ()):
        ((kind, how),) = ((key, value) for key, value in volume.items() if key != "name")
        if kind not in _SOURCES:
            raise ManifestError(f"{pod.owner} has a volume of the kind {kind}, which cannot be played")
        if kind == "emptyDir" and (how or {}).get("medium") == "Memory":
            found[volume["name"]] = Mount(None, int(quantity(how.get("sizeLimit", 0))))
        elif kind == "persistentVolumeClaim":
            found[volume["name"]] = Mount(_folder(claims / how["claimName"], group))
        else:
            place = _folder(folder / volume["name"], group)
            _fill(place, _content(manifests, kind, how or {}), group)
            found[volume["name"]] = Mount(place)
    for claim in pod.claims:
        found[claim] = Mount(_folder(claims / f"{claim}-{pod.name}", group))
    return found


def _content(manifests: Manifests, kind: str, how: Mapping[str, Any]) -> dict[str, bytes]:
    """File names with what is in them."""
    if kind == "emptyDir":
        return {}
    if kind == "projected":
        parts = [next(iter(one.items())) for one in how["sources"]]
        return {name: text for part, of in parts for name, text in _content(manifests, part, of).items()}
    held = {"secret": manifests.secrets, "configMap": manifests.config_maps}.get(kind)
    if held is None:
        raise ManifestError(f"a volume of {kind} cannot be played")
    name = how.get("secretName") or how.get("name") or ""
    if name not in held:
        if how.get("optional"):
            return {}
        raise ManifestError(f"there is no {kind} {name}, which a volume wants")
    keys = {one["key"]: one["path"] for one in how.get("items", ())} or {key: key for key in held[name]}
    missing = sorted(set(keys) - set(held[name]))
    if missing:
        raise ManifestError(f"{kind} {name} has no {', '.join(missing)}, which a volume wants")
    return {path: held[name][key] for key, path in keys.items()}


def _folder(place: Path, group: int) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    os.chown(place, -1, group)
    place.chmod(0o2770 if group else 0o777)
    return place


def _fill(place: Path, content: Mapping[str, bytes], group: int) -> None:
    for name, text in content.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        os.chown(file, -1, group)
        file.chmod(0o440 if group else 0o444)
