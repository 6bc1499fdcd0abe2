"""NetworkPolicies as the packet filters that the smoke test puts into pods."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.smoke.manifests import ManifestError, manifests_of
from deploy.smoke.network import Network, Placed
from tests.unit.deploy.smoke_documents import deployment, of_app, policy

GATE = "10.0.0.1"
PODS = manifests_of([deployment("audit"), deployment("search", replicas=2), deployment("ocr")]).pods()
NETWORK = Network([Placed(pod, f"10.0.0.{10 + n}") for n, pod in enumerate(PODS)], GATE, "place")
AUDIT = NETWORK.pods[0]
MACHINES = [{"protocol": "TCP", "port": "machines"}]


def rules(*policies: dict[str, Any], of: Placed = AUDIT) -> list[str]:
    """Lines of the filter inside of a pod."""
    return NETWORK.firewall(of, policies).splitlines()


def test_without_a_policy_everything_is_open() -> None:
    assert {":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"} <= set(rules(policy("other", "ocr")))


def test_a_policy_shuts_the_sides_that_it_names_and_opens_what_it_lists() -> None:
    ingress = [{"from": [of_app("search")], "ports": MACHINES}]

    found = rules(policy("audit", "audit", policyTypes=["Ingress"], ingress=ingress))

    assert ":INPUT DROP [0:0]" in found
    assert ":OUTPUT ACCEPT [0:0]" in found
    assert [line for line in found if "--dport" in line] == [
        "-A INPUT -s 10.0.0.11/32 -p tcp --dport 7443 -j ACCEPT",
        "-A INPUT -s 10.0.0.12/32 -p tcp --dport 7443 -j ACCEPT",
    ]
    assert found[-1] == "COMMIT"


def test_the_named_port_of_a_way_out_is_that_of_the_pod_at_its_end() -> None:
    egress = [{"to": [of_app("ocr")], "ports": MACHINES}]

    found = rules(policy("audit", "audit", policyTypes=["Egress"], egress=egress))

    assert "-A OUTPUT -d 10.0.0.13/32 -p tcp --dport 7443 -j ACCEPT" in found
    assert ":OUTPUT DROP [0:0]" in found


def test_policies_about_one_pod_add_up() -> None:
    one = policy("one", "audit", policyTypes=["Ingress"], ingress=[{"from": [of_app("search")]}])
    other = policy("other", "audit", policyTypes=["Ingress"], ingress=[{"from": [of_app("ocr")]}])

    found = rules(one, other)

    assert "-A INPUT -s 10.0.0.11/32 -j ACCEPT" in found
    assert "-A INPUT -s 10.0.0.13/32 -j ACCEPT" in found


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, [GATE]),
        (
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "place"}}},
            ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13"],
        ),
        ({"namespaceSelector": {}, **of_app("ocr")}, ["10.0.0.13", GATE]),
    ],
)
def test_other_namespaces_are_this_machine(peer: dict[str, Any], source: list[str]) -> None:
    found = rules(policy("audit", "audit", policyTypes=["Ingress"], ingress=[{"from": [peer]}]))

    opened = [line.split()[3] for line in found if line.startswith("-A INPUT -s")]
    assert opened == [f"{address}/32" for address in source]


def test_addresses_outside_and_everybody_can_be_let_in_and_out() -> None:
    egress = [
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]},
        {"ports": [{"port": 53}]},
    ]

    found = rules(policy("audit", "audit", policyTypes=["Egress"], egress=egress))

    assert "-A OUTPUT -d 0.0.0.0/0 -p tcp --dport 443 -j ACCEPT" in found
    assert "-A OUTPUT -p tcp --dport 53 -j ACCEPT" in found


def test_the_node_may_ask_for_health_and_nothing_else() -> None:
    document = deployment("audit")
    document["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {"grpc": {"port": 8086}}
    (pod,) = manifests_of([document]).pods()

    found = rules(policy("audit", "audit", policyTypes=["Ingress"]), of=Placed(pod, "10.0.0.9"))

    assert [line for line in found if GATE in line] == [
        f"-A INPUT -s {GATE}/32 -p tcp --dport 8086 -j ACCEPT"
    ]


@pytest.mark.parametrize(
    "rule",
    [
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
        {"from": [of_app("ocr")], "ports": [{"port": 1, "endPort": 9}]},
        {"from": [of_app("ocr")], "ports": [{"port": "nobody"}]},
    ],
)
def test_a_rule_that_cannot_be_played_is_an_error(rule: dict[str, Any]) -> None:
    with pytest.raises(ManifestError):
        rules(policy("audit", "audit", policyTypes=["Ingress"], ingress=[rule]))
