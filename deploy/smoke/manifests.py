"""Rendered Kubernetes manifests as they are played: which pods there are, and what is left out."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Document = Mapping[str, Any]

PLAYED_KINDS = frozenset(
    {
        "ConfigMap",
        "Deployment",
        "Job",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Secret",
        "Service",
        "StatefulSet",
    }
)
_NO_API = "there is no API server to have an account at"
_NO_OPERATOR = "its operator is not here"
_ONE_MACHINE = "there is one machine"
UNPLAYED_KINDS: Mapping[str, str] = {
    "BackendTLSPolicy": _NO_OPERATOR,
    "Certificate": _NO_OPERATOR,
    "Cluster": _NO_OPERATOR,
    "CronJob": "its hour does not come while this runs",
    "GRPCRoute": _NO_OPERATOR,
    "HTTPRoute": _NO_OPERATOR,
    "Gateway": _NO_OPERATOR,
    "HorizontalPodAutoscaler": "nothing measures load here: replicas are as many as the manifest says",
    "Issuer": _NO_OPERATOR,
    "Namespace": "there is one",
    "ObjectStore": _NO_OPERATOR,
    "PodDisruptionBudget": _ONE_MACHINE,
    "PodMonitor": _NO_OPERATOR,
    "PrometheusRule": _NO_OPERATOR,
    "ScheduledBackup": _NO_OPERATOR,
    "ServiceAccount": _NO_API,
    "ServiceMonitor": _NO_OPERATOR,
    "TLSRoute": _NO_OPERATOR,
}
UNPLAYED_FIELDS: Mapping[str, str] = {
    "affinity": _ONE_MACHINE,
    "automountServiceAccountToken": _NO_API,
    "nodeSelector": _ONE_MACHINE,
    "priorityClassName": _ONE_MACHINE,
    "schedulerName": _ONE_MACHINE,
    "serviceAccount": _NO_API,
    "serviceAccountName": _NO_API,
    "tolerations": _ONE_MACHINE,
    "topologySpreadConstraints": _ONE_MACHINE,
}
# What is not a field: differences between the engine and a cluster.
DIFFERENCES: Sequence[str] = (
    "names of a Service: they lead to every replica, ready or not (callers watch health themselves)",
    "emptyDir.sizeLimit on disk: nobody evicts a pod that writes more (in memory it holds)",
    "rollout of a changed template: pods are made once",
)


class ManifestError(Exception):
    """The manifests cannot be played; the text says what is wrong with them."""


@dataclass(frozen=True)
class Pod:
    """One pod: of a Deployment or StatefulSet one for each replica, of a Job the only one."""

    name: str
    owner: str
    kind: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]
    claims: tuple[str, ...] = ()
    suspended: bool = False

    @property
    def is_job(self) -> bool:
        """Whether it is to end."""
        return self.kind == "Job"

    @property
    def component(self) -> str:
        """What part of the system it is, by its label."""
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def app(self) -> str:
        """The name that its label gives it."""
        return self.labels.get("app.kubernetes.io/name", self.owner)


@dataclass(frozen=True)
class Manifests:
    """What one rendering holds."""

    documents: Sequence[Document]
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The namespace of its pods."""
        return next(
            str(one["metadata"].get("namespace", "default")) for one in self.of("StatefulSet", "Deployment")
        )

    def with_secret(self, name: str, content: Mapping[str, str]) -> Manifests:
        """The same and a Secret that somebody makes by hand."""
        made = {key: value.encode() for key, value in content.items()}
        return replace(self, secrets={**self.secrets, name: made})

    def of(self, *kinds: str) -> list[Document]:
        """The documents of these kinds, in order."""
        return [one for one in self.documents if one["kind"] in kinds]

    def pods(self) -> list[Pod]:
        """Every pod that there is to be, jobs included."""
        return [pod for one in self.documents for pod in _pods_of(one)]

    def unplayed(self) -> list[str]:
        """What is left out, by name, with the reason.

        Raises:
            ManifestError: There is a kind or field of which nobody has said whether it can be played.
        """
        found = []
        for kind in sorted({one["kind"] for one in self.documents} - PLAYED_KINDS):
            names = [str(one["metadata"]["name"]) for one in self.of(kind)]
            found.append(f"{kind} {', '.join(names)}: {_reason(kind, names[0])}")
        for name, reason in UNPLAYED_FIELDS.items():
            owners = sorted({pod.owner for pod in self.pods() if name in pod.spec})
            found += [f"{name} of {', '.join(owners)}: {reason}"] if owners else []
        return [*found, *DIFFERENCES]


def manifests_of(documents: Sequence[Document]) -> Manifests:
    """The manifests, with what Secrets and ConfigMaps hold as bytes."""
    secrets = {_name(one): _secret_of(one) for one in documents if one["kind"] == "Secret"}
    maps = {_name(one): _config_of(one) for one in documents if one["kind"] == "ConfigMap"}
    return Manifests(documents, secrets, maps)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all.

    Raises:
        ManifestError: It has an operator that is not known.
    """
    selector = selector or {}
    wanted = selector.get("matchLabels", {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(one, labels) for one in selector.get("matchExpressions", ())
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values", ())
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    raise ManifestError(f"a selector has the operator {operator}, which does not exist")


def _name(document: Document) -> str:
    return str(document["metadata"]["name"])


def _reason(kind: str, name: str) -> str:
    if kind not in UNPLAYED_KINDS:
        raise ManifestError(f"{kind}/{name}: nobody has said whether this kind can be played")
    return UNPLAYED_KINDS[kind]


def _pods_of(document: Document) -> Iterator[Pod]:
    kind, name = document["kind"], _name(document)
    if kind in ("Deployment", "StatefulSet"):
        spec = document["spec"]
        claims = tuple(one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", ()))
        for number in range(spec.get("replicas", 1)):
            yield _pod(f"{name}-{number}", name, kind, spec["template"], claims)
    elif kind == "Job":
        pod = _pod(name, name, kind, document["spec"]["template"])
        yield replace(pod, suspended=document["spec"].get("suspend", False))


def _pod(name: str, owner: str, kind: str, template: Document, claims: tuple[str, ...] = ()) -> Pod:
    labels = dict(template.get("metadata", {}).get("labels", {}))
    if kind == "Job":
        labels |= {"batch.kubernetes.io/job-name": name, "job-name": name}  # as the cluster adds them
    return Pod(name, owner, kind, labels, template["spec"], claims)


def _secret_of(document: Document) -> dict[str, bytes]:
    plain = {key: value.encode() for key, value in document.get("stringData", {}).items()}
    return {key: base64.b64decode(value) for key, value in (document.get("data") or {}).items()} | plain


def _config_of(document: Document) -> dict[str, bytes]:
    binary = {key: base64.b64decode(value) for key, value in document.get("binaryData", {}).items()}
    return {key: value.encode() for key, value in (document.get("data") or {}).items()} | binary
