"""NetworkPolicies as packet filters: what each pod's own network lets in and out.

The world outside of the namespace (gateway, monitoring, the cluster's DNS) is this machine, so whatever a
policy says of other namespaces is said of its address. A node may always ask for the health of its pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.smoke.manifests import Document, ManifestError, Pod, selects

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_Port = tuple[str, int | None]  # protocol, number
_ANY: _Port = ("", None)


@dataclass(frozen=True)
class Placed:
    """A pod and its address."""

    pod: Pod
    address: str


@dataclass(frozen=True)
class Network:
    """All pods, the address of this machine, and the name of the pods' namespace."""

    pods: Sequence[Placed]
    machine: str
    namespace: str

    def firewall(self, one: Placed, policies: Sequence[Document]) -> str:
        """What `iptables-restore` is to be told inside the pod's network.

        Raises:
            ManifestError: A policy cannot be played.
        """
        mine = [each["spec"] for each in policies if selects(each["spec"].get("podSelector"), one.pod.labels)]
        closed = {
            side: any(side in each.get("policyTypes", ("Ingress",)) for each in mine)
            for side in ("Ingress", "Egress")
        }
        lines = [
            "*filter",
            f":INPUT {'DROP' if closed['Ingress'] else 'ACCEPT'} [0:0]",
            ":FORWARD DROP [0:0]",
            f":OUTPUT {'DROP' if closed['Egress'] else 'ACCEPT'} [0:0]",
        ]
        for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
            lines.append(f"-A {chain} {way} lo -j ACCEPT")
            lines.append(f"-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
        lines += [
            f"-A INPUT -s {self.machine}/32 -p tcp --dport {port} -j ACCEPT" for port in probed(one.pod)
        ]
        for spec in mine:
            lines += self._ingress(one, spec)
            lines += self._egress(spec)
        return "\n".join([*dict.fromkeys(lines), "COMMIT", ""])

    def _ingress(self, one: Placed, spec: Mapping[str, Any]) -> Iterator[str]:
        for rule in spec.get("ingress") or ():
            for address, _ in self._peers(rule.get("from")):
                for port in _ports(rule.get("ports"), one.pod):
                    yield _line("INPUT", "-s", address, port)

    def _egress(self, spec: Mapping[str, Any]) -> Iterator[str]:
        for rule in spec.get("egress") or ():
            for address, pod in self._peers(rule.get("to")):
                for port in _ports(rule.get("ports"), pod):
                    yield _line("OUTPUT", "-d", address, port)

    def _peers(self, peers: Sequence[Mapping[str, Any]] | None) -> Iterator[tuple[str, Pod | None]]:
        """Addresses that peers name, with the pod that is there; "" is any."""
        if not peers:
            yield "", None
        for peer in peers or ():
            if "ipBlock" in peer:
                if peer["ipBlock"].get("except"):
                    raise ManifestError(
                        "a NetworkPolicy has an ipBlock with exceptions, which cannot be played"
                    )
                yield peer["ipBlock"]["cidr"], None
                continue
            if self._is_own(peer):
                found = [one for one in self.pods if selects(peer.get("podSelector"), one.pod.labels)]
                yield from ((f"{one.address}/32", one.pod) for one in found)
            if self._is_other(peer):
                yield f"{self.machine}/32", None

    def _is_own(self, peer: Mapping[str, Any]) -> bool:
        spaces = peer.get("namespaceSelector")
        return spaces is None or selects(spaces, {"kubernetes.io/metadata.name": self.namespace})

    def _is_other(self, peer: Mapping[str, Any]) -> bool:
        """Whether the peer may be in another namespace."""
        spaces = peer.get("namespaceSelector")
        return spaces is not None and (not spaces or not self._is_own(peer))


def probed(pod: Pod) -> list[int]:
    """Ports at which the node asks for the pod's health."""
    found = set()
    for container in pod.spec["containers"]:
        for probe in (container[name] for name in _PROBES if name in container):
            for kind in ("grpc", "tcpSocket", "httpGet"):
                if kind in probe:
                    found.add(port_of(pod, probe[kind]["port"]))
    return sorted(found)


def port_of(pod: Pod, port: int | str) -> int:
    """The number of a port of the pod that may be a name.

    Raises:
        ManifestError: The pod has no port of that name.
    """
    if isinstance(port, int):
        return port
    for container in pod.spec["containers"]:
        for one in container.get("ports", ()):
            if one.get("name") == port:
                return int(one["containerPort"])
    raise ManifestError(f"{pod.owner} has no port {port}")


def _ports(ports: Sequence[Mapping[str, Any]] | None, pod: Pod | None) -> Iterator[_Port]:
    if not ports:
        yield _ANY
    for one in ports or ():
        if "endPort" in one:
            raise ManifestError("a NetworkPolicy has a range of ports, which cannot be played")
        protocol, port = one.get("protocol", "TCP").lower(), one.get("port")
        if isinstance(port, str):
            if pod is None:
                raise ManifestError(f"a NetworkPolicy names the port {port} of what is no pod")
            port = port_of(pod, port)
        yield protocol, port


def _line(chain: str, way: str, address: str, port: _Port) -> str:
    protocol, number = port
    parts = [f"-A {chain}"]
    parts += [f"{way} {address}"] if address else []
    parts += [f"-p {protocol}"] if protocol else []
    parts += [f"--dport {number}"] if number is not None else []
    return " ".join([*parts, "-j ACCEPT"])
