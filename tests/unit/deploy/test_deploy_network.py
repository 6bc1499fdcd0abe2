"""The network policies, worked out for every pair of ends: what may pass is what the code does, no more."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.manifests_kit import Document, Rendered, pods, rendered

SERVICES = ("audit", "alerts", "search", "matcher", "ocr")
DATABASES = ("records", "reads")
NAMES, STORE, PROVIDER, API = "names", "object-store", "identity-provider", "cluster-api"
GATEWAY, MONITORING, OPERATOR = "gateway", "monitoring", "database-operator"
# Ports of CloudNativePG's instances: PostgreSQL, the instance manager, metrics.
INSTANCE = {"postgresql": 5432, "status": 8000, "metrics": 9187}

Arrow = tuple[str, str, int]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod of ours, a pod of another namespace, or an address outside."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""  # ours is empty
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


def ends(overlay: str) -> dict[str, End]:
    """Everything that could talk: our pods, and what lies around."""
    whole = rendered(overlay)
    found = {name: End(labels_of(whole, name, pod), "", ports_of(pod)) for name, pod in pods(whole)}
    found[NAMES] = End({"k8s-app": "kube-dns"}, "kube-system", {"dns": 53})
    found[PROVIDER] = End(address="192.0.2.7", ports={"https": 443})
    found["elsewhere"] = End({"app.kubernetes.io/name": "audit"}, "another", {"any": 443})
    if overlay == "production":
        for one in whole.of("Cluster"):
            found[one["metadata"]["name"]] = End(one["spec"]["inheritedMetadata"]["labels"], "", INSTANCE)
        found[STORE] = End(address="198.51.100.7", ports={"https": 443})
        found[API] = End(address="203.0.113.7", ports={"https": 443, "alternative": 6443})
        found[GATEWAY] = End({}, "gateway-system")
        found[MONITORING] = End({}, "monitoring")
        found[OPERATOR] = End({}, "cnpg-system")
    return found


def labels_of(whole: Rendered, name: str, pod: Document) -> Mapping[str, str]:
    """Labels of pods, with the one that Kubernetes itself gives those of jobs."""
    labels: dict[str, str] = pod["metadata"]["labels"]
    is_job = whole.workloads[name]["kind"] == "Job"
    return {**labels, "batch.kubernetes.io/job-name": name} if is_job else labels


def ports_of(pod: Document) -> Mapping[str, int]:
    """Ports of a pod by name."""
    (container,) = pod["spec"]["containers"]
    return {one["name"]: one["containerPort"] for one in container.get("ports", ())}


def selects(selector: Document, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels."""
    for one in selector.get("matchExpressions", ()):
        value = labels.get(one["key"])
        assert one["operator"] in {"In", "Exists"}
        if value is None or (one["operator"] == "In" and value not in one["values"]):
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: Document, other: End) -> bool:
    """Whether a peer of a rule is this end."""
    if "ipBlock" in peer:
        # Of pods' own addresses nobody knows where they are; policies name what lies outside by network.
        network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return bool(other.address) and ipaddress.ip_address(other.address) in network
    if other.address:
        return False
    namespaces = peer.get("namespaceSelector")
    if namespaces is None:
        in_place = other.namespace == ""
    else:
        in_place = selects(namespaces, {"kubernetes.io/metadata.name": other.namespace})
    return in_place and selects(peer.get("podSelector", {}), other.labels)


def lets_in(policies: list[Document], here: End, other: End, port: int) -> bool:
    """Whether the policies on a pod let in what comes from `other` to a port of it."""
    return any(
        port in {number(one, here) for one in rule["ports"]}
        and any(is_peer(one, other) for one in rule["from"])
        for rule in rules(policies, here, "Ingress")
    )


def lets_out(policies: list[Document], here: End, other: End, port: int) -> bool:
    """Whether the policies on a pod let out what goes to a port of `other`."""
    return any(
        port in {number(one, other) for one in rule["ports"]}
        and any(is_peer(one, other) for one in rule["to"])
        for rule in rules(policies, here, "Egress")
    )


def rules(policies: list[Document], here: End, direction: str) -> Iterator[Document]:
    """Rules of all policies on a pod; they add up."""
    specs = [one["spec"] for one in policies if direction in one["spec"]["policyTypes"]]
    on_me = [spec for spec in specs if selects(spec["podSelector"], here.labels)]
    assert on_me, "the policy `nobody` is on every pod"
    for spec in on_me:
        yield from spec.get(direction.lower(), ())


def number(port: Document, target: End) -> Any:
    """The port of a rule as a number; None for a name that the target does not have."""
    return port["port"] if isinstance(port["port"], int) else target.ports.get(port["port"])


def passing(overlay: str) -> Iterator[Arrow]:
    """Every connection that the policies let through."""
    everything = ends(overlay)
    policies = rendered(overlay).of("NetworkPolicy")
    for source, here in everything.items():
        for target, there in everything.items():
            ours = (is_ours(here), is_ours(there))
            if not any(ours) or (source == target and source in SERVICES):
                continue
            for port in there.ports.values():
                out = not ours[0] or lets_out(policies, here, there, port)
                into = not ours[1] or lets_in(policies, there, here, port)
                if out and into:
                    yield source, target, port


def is_ours(end: End) -> bool:
    """Whether it is a pod of the system's namespace."""
    return not end.namespace and not end.address


def told(overlay: str) -> Iterator[Arrow]:
    """Every connection that the programs make by what they are told."""
    whole = rendered(overlay)
    for name, _ in pods(whole):
        yield name, NAMES, 53
        for variable, value in whole.environment(name).items():
            if variable.endswith("_TARGET"):
                host, _, port = value.rpartition(":")
                yield name, host, int(port)
            elif variable.endswith("DATABASE_URL"):
                url = urlsplit(value)
                assert url.port
                yield name, url.path.lstrip("/"), url.port
            elif variable == "AWS_ENDPOINT_URL":
                url = urlsplit(value)
                in_cluster = ("Service", url.hostname) in whole.by_name
                yield name, str(url.hostname) if in_cluster else STORE, url.port or 443
            elif (variable, name) in {("PW_OIDC_JWKS_URL", "audit"), ("PW_OIDC_ISSUER", "console")}:
                yield name, PROVIDER, urlsplit(value).port or 443


def around(whole: Rendered) -> Iterator[Arrow]:
    """What gateway, monitoring and the operator of databases do in production."""
    for route in whole.of("GRPCRoute", "HTTPRoute", "TLSRoute"):
        for rule in route["spec"]["rules"]:
            yield from ((GATEWAY, one["name"], one["port"]) for one in rule["backendRefs"])
    for name in (*SERVICES, "console"):
        yield MONITORING, name, 9090
    for name in DATABASES:
        yield MONITORING, name, INSTANCE["metrics"]
        yield name, NAMES, 53
        yield name, STORE, 443  # backups
        yield name, API, 443  # who of them writes
        yield name, API, 6443
        for port in (INSTANCE["postgresql"], INSTANCE["status"]):
            yield OPERATOR, name, port
            yield name, name, port  # standbys follow


def test_in_dev_every_call_that_is_made_may_pass_and_no_other() -> None:
    assert set(passing("dev")) == set(told("dev"))


def test_in_production_every_call_that_is_made_may_pass_and_no_other() -> None:
    assert set(passing("production")) == set(told("production")) | set(around(rendered("production")))


@pytest.mark.parametrize("overlay", ["dev", "production", "witness"])
def test_without_a_policy_of_its_own_nothing_passes(overlay: str) -> None:
    policies = rendered(overlay).of("NetworkPolicy")

    on_all = [one["spec"] for one in policies if one["spec"]["podSelector"] == {}]

    closed = {direction for spec in on_all for direction in spec["policyTypes"]}
    assert closed == {"Ingress", "Egress"}
    assert all("ingress" not in spec for spec in on_all)
