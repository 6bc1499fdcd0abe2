"""Manifests as small as they can be, for tests of what plays them."""

from __future__ import annotations

from typing import Any


def deployment(name: str, *, replicas: int = 1, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    """A Deployment or StatefulSet with one container; `spec` goes into the pod's."""
    container = {"name": "service", "image": name, "ports": [{"name": "machines", "containerPort": 7443}]}
    labels = {"app.kubernetes.io/name": name}
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "place"},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}},
        },
    }


def policy(name: str, app: str, **spec: Any) -> dict[str, Any]:
    """A NetworkPolicy about the pods of one application."""
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": app}}, **spec},
    }


def of_app(app: str) -> dict[str, Any]:
    """A peer of a NetworkPolicy: the pods of one application."""
    return {"podSelector": {"matchLabels": {"app.kubernetes.io/name": app}}}
