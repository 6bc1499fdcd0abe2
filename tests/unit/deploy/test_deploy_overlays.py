"""The rendered overlays: right by the schemas, whole in themselves, and as restricted as can be."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from services.cli.deploy_secrets import PRODUCTION, make_secrets
from services.common.health import LIVE
from tests.support.manifests_kit import (
    CREDENTIALS,
    ROOT,
    Document,
    Rendered,
    complaints,
    copied,
    own_complaint,
    pods,
    render,
    rendered,
)

OVERLAYS = ("dev", "production", "witness")
EACH = pytest.mark.parametrize("overlay", OVERLAYS)
SYSTEMS = pytest.mark.parametrize("overlay", ["dev", "production"])
# Groups of kinds that Kubernetes has itself.
CORE = {"v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1"}
SERVICES = ("audit", "alerts", "search", "matcher", "ocr")
BY_HAND = {"founding", "probe-tokens"}


@EACH
def test_every_document_is_right_by_the_strict_schema_of_its_kind(overlay: str) -> None:
    ours = [one for one in rendered(overlay).documents if one["apiVersion"] in CORE]
    others = [one for one in rendered(overlay).documents if one["apiVersion"] not in CORE]

    said = [*map(own_complaint, ours), *(complaints(others) if others else ())]

    assert ours
    assert [answer for answer in said if answer] == []


def test_the_schemas_refuse_a_misspelt_field_of_a_pod() -> None:
    workload = deepcopy(rendered("dev").one("Deployment", "ocr"))
    workload["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}

    assert own_complaint(workload) is not None


def test_the_schemas_of_others_kinds_refuse_what_is_misspelt_or_out_of_bounds() -> None:
    cluster = rendered("production").one("Cluster", "records")
    misspelt = {**cluster, "spec": {**cluster["spec"], "instancess": 3}}
    store = rendered("production").one("ObjectStore", "records")
    forever = {**store, "spec": {**store["spec"], "retentionPolicy": "for ever"}}

    none = {**cluster, "spec": {**cluster["spec"], "instances": 0}}
    unknown = {**cluster, "kind": "Kluster"}

    said = complaints([misspelt, none, forever, unknown])

    assert all(said)
    assert said[-1] == "there is no schema of this kind"


@EACH
def test_everything_that_a_pod_names_is_there_or_made_by_an_operator_of_the_cluster(overlay: str) -> None:
    whole = rendered(overlay)
    made = made_by_operators(whole)

    for name, pod in pods(whole):
        for kind, wanted, keys in references(whole.workloads[name], pod["spec"]):
            if (kind, wanted) in made:
                assert keys <= made[kind, wanted], (name, wanted)
            elif wanted not in BY_HAND:
                assert keys <= set(whole.one(kind, wanted).get("data", {})), (name, wanted)
        account = pod["spec"].get("serviceAccountName")
        assert account is None or whole.one("ServiceAccount", account)


def made_by_operators(whole: Rendered) -> Mapping[tuple[str, str], set[str]]:
    """Secrets that cert-manager and CloudNativePG make of what the overlay says, with their keys."""
    made = {
        ("Secret", one["spec"]["secretName"]): {"tls.crt", "tls.key", "ca.crt"}
        for one in whole.of("Certificate")
    }
    return made | {("Secret", f"{one['metadata']['name']}-ca"): {"ca.crt"} for one in whole.of("Cluster")}


def references(workload: Document, spec: Document) -> Iterator[tuple[str, str, set[str]]]:
    """Kind, name and keys of all that the pods take from elsewhere."""
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        for source in container.get("envFrom", ()):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"], set()
        for variable in container.get("env", ()):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                yield "Secret", reference["name"], {reference["key"]}
    claims = {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", ())}
    volumes = {one["name"]: one for one in spec.get("volumes", ())}
    for volume in volumes.values():
        if "secret" in volume:
            keys = {item["key"] for item in volume["secret"].get("items", ())}
            yield "Secret", volume["secret"]["secretName"], keys
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], set()
    for container in spec["containers"]:
        mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
        assert mounted <= claims | set(volumes)


@EACH
def test_pods_are_as_restricted_as_the_pod_security_standard_wants(overlay: str) -> None:
    (namespace,) = rendered(overlay).of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    for name, pod in pods(rendered(overlay)):
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name
        kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"secret", "configMap", "emptyDir"}, name


@EACH
def test_what_holds_a_secret_is_mounted_to_be_read_only(overlay: str) -> None:
    for name, pod in pods(rendered(overlay)):
        kept = {one["name"] for one in pod["spec"]["volumes"] if "secret" in one or "configMap" in one}
        (container,) = pod["spec"]["containers"]

        assert {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")} == kept, name


@SYSTEMS
def test_every_selector_finds_pods_and_every_port_leads_to_one_of_theirs(overlay: str) -> None:
    whole = rendered(overlay)

    for service in whole.of("Service"):
        (found,) = [pod for _, pod in pods(whole) if matches(service["spec"]["selector"], pod)]
        ports = {port["name"] for port in found["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert (
            service["spec"]["clusterIP"] == "None"
        )  # callers spread their calls over the replicas themselves
    for budget in whole.of("PodDisruptionBudget"):
        assert any(matches(budget["spec"]["selector"]["matchLabels"], pod) for _, pod in pods(whole))
    for workload in whole.of("Deployment", "StatefulSet"):
        labels = workload["spec"]["selector"]["matchLabels"]
        assert [name for name, pod in pods(whole) if matches(labels, pod)] == [workload["metadata"]["name"]]
        assert workload["kind"] == "Deployment" or whole.one("Service", workload["spec"]["serviceName"])


def matches(selector: Mapping[str, str], pod: Document) -> bool:
    """Whether the pod has all of the labels."""
    return selector.items() <= pod["metadata"]["labels"].items()


@SYSTEMS
@pytest.mark.parametrize("name", SERVICES)
def test_probes_ask_the_address_without_tls_and_only_liveness_forgives_what_is_away(
    overlay: str, name: str
) -> None:
    (container,) = rendered(overlay).template(name)["spec"]["containers"]
    port = {one["name"]: one["containerPort"] for one in container["ports"]}["health"]

    asked = {
        probe: (container[probe]["grpc"]["port"], container[probe]["grpc"].get("service", ""))
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }

    assert asked == {
        "startupProbe": (port, ""),
        "readinessProbe": (port, ""),
        "livenessProbe": (port, LIVE),
    }


@EACH
def test_images_are_those_that_are_built_in_the_version_of_the_project(overlay: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    build = (ROOT / "deploy" / "images" / "build.sh").read_text(encoding="utf-8")
    (built,) = (
        line.partition(":-")[2].partition("}")[0].split()
        for line in build.splitlines()
        if "for image in" in line
    )

    used = [
        container["image"] for _, pod in pods(rendered(overlay)) for container in pod["spec"]["containers"]
    ]

    for image in used:
        name, _, tag = image.partition(":")
        assert tag, "an image without a tag is whatever is newest"
        if name.startswith("platewarden/"):
            assert name.removeprefix("platewarden/") in built
            assert tag == project["version"]


def test_a_key_that_changes_replaces_the_pods_that_read_it_and_no_others(tmp_path: Path) -> None:
    overlay = copied(tmp_path, "production")
    make_secrets(overlay, PRODUCTION, CREDENTIALS)
    before = render(overlay)
    with (overlay / "secrets" / "audit-keys" / "permit-key").open("a") as file:
        file.write("\n" + "ab" * 32)

    after = render(overlay)

    changed = {name for name in before.workloads if before.template(name) != after.template(name)}
    assert changed == {"audit", "migrate-reads", "found"}


def test_in_production_replicas_stand_apart_and_the_autoscaler_says_how_many() -> None:
    whole = rendered("production")

    for name in SERVICES:
        spread = whole.template(name)["spec"]["topologySpreadConstraints"]
        rules = {one["topologyKey"]: one for one in spread}
        scaler = whole.one("HorizontalPodAutoscaler", name)["spec"]
        assert rules["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
        assert "topology.kubernetes.io/zone" in rules
        assert "replicas" not in whole.workloads[name]["spec"]
        assert scaler["scaleTargetRef"]["kind"] == whole.workloads[name]["kind"]
        assert scaler["minReplicas"] >= 2
        assert whole.one("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_what_production_scales_by_is_what_services_count() -> None:
    from services.alerts.metrics import SUBSCRIBERS  # noqa: PLC0415 - its registry is wanted here alone

    metrics: list[dict[str, Any]] = [
        metric["pods"]["metric"]
        for one in rendered("production").of("HorizontalPodAutoscaler")
        for metric in one["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]

    assert [metric["name"] for metric in metrics] == [family.name for family in SUBSCRIBERS.collect()]


def test_prometheus_finds_every_service_and_calls_it_as_the_alert_rules_do() -> None:
    whole = rendered("production")
    monitor = whole.one("PodMonitor", "services")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]

    found = [name for name, pod in pods(whole) if matches(monitor["selector"]["matchLabels"], pod)]

    assert sorted(found) == sorted(SERVICES)
    for name in found:
        (container,) = whole.template(name)["spec"]["containers"]
        assert endpoint["port"] in {port["name"] for port in container["ports"]}
        assert whole.template(name)["metadata"]["labels"][monitor["jobLabel"]] == name
    pages = whole.one("PodMonitor", "console")["spec"]
    assert [name for name, pod in pods(whole) if matches(pages["selector"]["matchLabels"], pod)] == [
        "console"
    ]
    rules = str(whole.one("PrometheusRule", "platewarden")["spec"])
    assert set(re.findall(r'job="(\w+)"', rules)) - {"witness"} <= set(SERVICES) | {"records", "reads"}
    # What is applied has to fit into one object, which may have a mebibyte and a half.
    assert len(str(whole.one("ConfigMap", "dashboards"))) < 1 << 20


def test_resources_that_others_name_keep_their_names() -> None:
    whole = rendered("production")

    assert whole.one("Issuer", "authority")["spec"]["ca"]["secretName"] == "authority"
    assert set(whole.data("Secret", "authority")) == {"tls.crt", "tls.key"}
    assert set(whole.data("ConfigMap", "authority")) == {"ca.crt"}
    for store in whole.of("ObjectStore"):
        used = store["spec"]["configuration"]["s3Credentials"]
        assert {one["name"] for one in used.values()} == {"backup-store"}
        assert {one["key"] for one in used.values()} == set(PRODUCTION.given["backup-store"])
        assert set(whole.data("Secret", "backup-store")) == set(PRODUCTION.given["backup-store"])
