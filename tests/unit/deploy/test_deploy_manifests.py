"""The manifests of deploy/k8s/base against the code that they start."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.alerts.config import AlertsSettings
from services.audit.config import AuditSettings
from services.common.health import LIVE
from services.common.migrate import PERMIT_OWNERS, SCHEMAS
from services.dev.specs import platewarden_stages
from services.matcher.config import MatcherSettings
from services.ocr.config import OcrSettings
from services.search.config import SearchSettings

BASE = Path(__file__).parents[3] / "deploy" / "k8s" / "base"
SETTINGS: dict[str, type[BaseSettings]] = {
    "audit": AuditSettings,
    "alerts": AlertsSettings,
    "search": SearchSettings,
    "matcher": MatcherSettings,
    "ocr": OcrSettings,
}
SPECS = {spec.name: spec for stage in platewarden_stages() for spec in stage}
SERVICES = pytest.mark.parametrize("name", SETTINGS)
# What only the place where it runs knows; deploy/README.md names it.
GIVEN_BY_OVERLAYS = {
    "audit": {
        "PW_LOG_ORIGIN",
        "PW_OIDC_ALGORITHMS",
        "PW_OIDC_AUDIENCE",
        "PW_OIDC_ISSUER",
        "PW_OIDC_JWKS_URL",
        "PW_OIDC_PASSWORD_POLICY",
        "PW_OIDC_REQUIRED_ACR",
        "PW_OIDC_REQUIRED_AMR",
    },
    "search": {"PW_BACKUP_DAYS"},
}


def read(file: str) -> list[dict[str, Any]]:
    """The documents of a file."""
    return list(yaml.safe_load_all((BASE / file).read_text(encoding="utf-8")))


def one(file: str, *kinds: str) -> dict[str, Any]:
    """The one document of a kind."""
    (found,) = (document for document in read(file) if document["kind"] in kinds)
    return found


def template(name: str) -> dict[str, Any]:
    """The pods of a service, as its own file has them."""
    spec: dict[str, Any] = one(f"{name}.yaml", "Deployment", "StatefulSet")["spec"]["template"]["spec"]
    return spec


def common() -> dict[str, Any]:
    """What is laid over the pods of every service."""
    (document,) = read("every-service.yaml")
    spec: dict[str, Any] = document["spec"]["template"]["spec"]
    return spec


def literals(name: str) -> dict[str, str]:
    """What a generated ConfigMap holds."""
    (document,) = read("kustomization.yaml")
    (found,) = (made for made in document["configMapGenerator"] if made["name"] == name)
    return dict(line.split("=", 1) for line in found["literals"])


def environment(name: str) -> dict[str, str]:
    """Variables of a service's container; what a Secret holds is named by it and its key."""
    (container,) = template(name)["containers"]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= literals(source["configMapRef"]["name"])
    for variable in container.get("env", ()):
        secret = variable["valueFrom"]["secretKeyRef"]
        found[variable["name"]] = f"{secret['name']}/{secret['key']}"
    return found


def variables(settings: type[BaseSettings], *, required: bool = False) -> set[str]:
    """The PW_... variables that a service reads."""
    fields = settings.model_fields.items()
    return {f"PW_{name.upper()}" for name, field in fields if field.is_required() or not required}


@SERVICES
def test_a_service_is_told_nothing_that_it_does_not_read(name: str) -> None:
    assert set(environment(name)) <= variables(SETTINGS[name])


@SERVICES
def test_a_service_is_told_all_that_it_needs_but_what_the_overlay_knows(name: str) -> None:
    missing = variables(SETTINGS[name], required=True) - set(environment(name))

    assert missing == GIVEN_BY_OVERLAYS.get(name, set())


@SERVICES
def test_every_file_that_a_service_is_told_of_lies_in_a_volume_that_it_has(name: str) -> None:
    mounts = [
        mount
        for spec in (template(name), common())
        for container in spec["containers"]
        for mount in container.get("volumeMounts", ())
    ]
    volumes = {volume["name"] for spec in (template(name), common()) for volume in spec["volumes"]}
    claims = one(f"{name}.yaml", "Deployment", "StatefulSet")["spec"].get("volumeClaimTemplates", ())
    volumes |= {claim["metadata"]["name"] for claim in claims}

    assert {mount["name"] for mount in mounts} <= volumes
    told = [value for value in environment(name).values() if value.startswith("/")]
    for path in told:
        assert any(f"{path}/".startswith(f"{mount['mountPath']}/") for mount in mounts), path
    for mount in mounts:
        uses = [path for path in told if f"{path}/".startswith(f"{mount['mountPath']}/")]
        assert uses or mount["name"] == "tmp", f"nobody reads {mount['name']}"


@SERVICES
def test_what_may_be_written_is_no_secret_and_the_rest_may_not(name: str) -> None:
    (container,) = common()["containers"]
    secrets = {volume["name"] for volume in template(name)["volumes"] if "secret" in volume}
    mounts = [*container["volumeMounts"], *template(name)["containers"][0].get("volumeMounts", ())]

    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["name"] for mount in mounts if mount.get("readOnly")} == secrets


@SERVICES
def test_ports_are_those_that_the_service_listens_on_and_its_service_leads_to_them(name: str) -> None:
    told = environment(name)
    (container,) = common()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = one(f"{name}.yaml", "Service")["spec"]

    listens = {
        "machines": "PW_LISTEN",
        "people": "PW_USER_LISTEN",
        "metrics": "PW_METRICS_LISTEN",
        "health": "PW_HEALTH_LISTEN",
    }
    assert {port: f"0.0.0.0:{number}" for port, number in ports.items()} == {
        port: told[variable] for port, variable in listens.items()
    }
    assert service["clusterIP"] == "None"
    assert service["selector"] == {"app.kubernetes.io/name": name}
    assert {(port["targetPort"], port["port"]) for port in service["ports"]} == {
        ("machines", ports["machines"]),
        ("people", ports["people"]),
    }


def test_probes_ask_the_address_without_tls_and_only_liveness_forgives_what_is_away() -> None:
    (container,) = common()["containers"]
    (health,) = (port for port in container["ports"] if port["name"] == "health")

    asked = {
        probe: (container[probe]["grpc"]["port"], container[probe]["grpc"].get("service", ""))
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }

    assert asked == {
        "startupProbe": (health["containerPort"], ""),
        "readinessProbe": (health["containerPort"], ""),
        "livenessProbe": (health["containerPort"], LIVE),
    }


@SERVICES
def test_calls_under_way_get_their_grace_before_the_process_is_killed(name: str) -> None:
    grace = float(environment(name)["PW_SHUTDOWN_GRACE_SECONDS"])

    assert grace + 15 <= common()["terminationGracePeriodSeconds"]


@SERVICES
def test_every_login_has_a_variable_and_the_migration_sets_its_password(name: str) -> None:
    used = {value.removeprefix("database/") for value in environment(name).values() if "database/" in value}
    jobs = {one["metadata"]["name"]: one for one in read("migrate.yaml") if one["kind"] == "Job"}
    job = "migrate-reads" if name == "search" else "migrate-records"
    (container,) = jobs[job]["spec"]["template"]["spec"]["containers"]

    set_here = {login for argument in container["args"] for login in re.findall(r"--login=(\w+)=@", argument)}

    assert used == set(SPECS[name].logins)
    assert used == {login for login in set_here if login.startswith(f"{name}_")}


def test_the_two_migrations_bring_every_schema_up_to_date_and_give_the_archive_its_keys() -> None:
    jobs = [one for one in read("migrate.yaml") if one["kind"] == "Job"]
    arguments = [
        argument for job in jobs for argument in job["spec"]["template"]["spec"]["containers"][0]["args"]
    ]

    services = [one.removeprefix("--service=") for one in arguments if one.startswith("--service=")]
    keys = [one.partition("=")[0] for one in arguments if "permit-key-file" in one]

    assert sorted(services) == sorted(SCHEMAS)
    assert keys == ["--permit-key-file", "--mcs-permit-key-file"]
    assert len(keys) == len(PERMIT_OWNERS)


def test_the_network_lets_through_the_calls_that_services_make_and_no_others() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in read("network.yaml")}
    called = {
        name: {
            variable.removeprefix("PW_").removesuffix("_TARGET").lower()
            for variable in literals(name)
            if variable.endswith("_TARGET")
        }
        for name in SETTINGS
    }

    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, targets in called.items():
        assert set(peers(policies[name], "egress", "to")) == targets, name
        callers = {caller for caller, its in called.items() if name in its}
        callers |= {"witness"} if name == "audit" else set()
        assert set(peers(policies[name], "ingress", "from")) == callers, name


def peers(policy: dict[str, Any], direction: str, side: str) -> Iterator[str]:
    """Names of the pods that the policy lets through, on the port for machines."""
    for rule in policy.get(direction, ()):
        assert rule["ports"] == [{"protocol": "TCP", "port": "machines"}]
        for peer in rule[side]:
            yield peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]


@pytest.mark.parametrize(
    "pod",
    [common(), *(job["spec"]["template"]["spec"] for job in read("migrate.yaml") if job["kind"] == "Job")],
)
def test_pods_are_as_restricted_as_the_pod_security_standard_wants(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
