"""The overlay that is played: a copy of deploy/k8s, with this run's identity provider, images and secrets."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.smoke.engine import run
from deploy.smoke.manifests import Manifests, manifests_of

MANIFESTS = Path(__file__).resolve().parents[1] / "k8s"
KUBECTL = MANIFESTS.parents[1] / "tests" / "support" / "manifests" / "node_modules" / ".bin" / "kubectl"
COMMAND = Path(sys.executable).with_name("platewarden")
SERVICES = ("audit", "alerts", "search", "matcher", "ocr")
_OURS = (*SERVICES, "witness", "console", "admin")
_STAND_INS = {"postgres": "postgres", "chrislusf/seaweedfs": "store"}


class Overlay:
    """A folder with a copy of the manifests."""

    def __init__(self, folder: Path, name: str) -> None:
        """Copies them with what they include; what is in the secrets folder of an overlay stays behind."""
        self._k8s = folder / "k8s"
        shutil.copytree(MANIFESTS, self._k8s, ignore=shutil.ignore_patterns("secrets"))
        shutil.copytree(MANIFESTS.with_name("observability"), folder / "observability")
        self._overlay = self._k8s / "overlays" / name

    @property
    def secrets(self) -> Path:
        """Where `platewarden deploy secrets` puts what it makes."""
        return self._overlay / "secrets"

    async def make_secrets(self) -> None:
        """Makes every secret of the overlay as an operator does. Raises EngineError."""
        await run(str(COMMAND), "deploy", "secrets", str(self._overlay))

    def tell_audit(self, settings: Mapping[str, str]) -> None:
        """Changes audit.env: that is where an operator names his identity provider."""
        file = self._overlay / "audit.env"
        lines = [
            line
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.partition("=")[0] not in settings
        ]
        lines += [f"{name}={value}" for name, value in settings.items()]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def render(self, tag: str) -> Manifests:
        """The manifests as kustomize renders them, with images of this machine.

        Raises:
            EngineError: kustomize finds something wrong.
        """
        top = self._k8s / "overlays" / "smoke"
        top.mkdir()
        images = [
            {"name": f"platewarden/{one}", "newName": f"localhost/platewarden/{one}", "newTag": tag}
            for one in _OURS
        ]
        images += [
            {"name": name, "newName": f"localhost/platewarden-smoke/{ours}", "newTag": "latest"}
            for name, ours in _STAND_INS.items()
        ]
        made = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../{self._overlay.name}"],
            "images": images,
        }
        (top / "kustomization.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
        text = await run(str(KUBECTL), "kustomize", str(top))
        documents: list[dict[str, Any]] = [one for one in yaml.safe_load_all(text) if one]
        return manifests_of(documents)
