"""What the overlays tell the services and the files that they give them, taken by the services' settings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.alerts.config import AlertsSettings
from services.audit.config import AuditSettings
from services.common.config import ConfigError, ServiceSettings
from services.common.identity import Peer, PeerKind, peer_from_uri
from services.common.keyfile import read_key
from services.common.migrate import PERMIT_OWNERS, SCHEMAS
from services.console.config import ConsoleSettings
from services.dev.specs import platewarden_stages
from services.matcher.config import MatcherSettings
from services.ocr.config import OcrSettings
from services.search.config import SearchSettings
from services.witness.config import WitnessSettings
from tests.support.manifests_kit import Pod, Rendered, rendered

SETTINGS: Mapping[str, type[ServiceSettings]] = {
    "audit": AuditSettings,
    "alerts": AlertsSettings,
    "search": SearchSettings,
    "matcher": MatcherSettings,
    "ocr": OcrSettings,
}
LOGINS = {spec.name: spec.logins for stage in platewarden_stages() for spec in stage}
CLUSTER_OF = {"audit": "records", "alerts": "records", "matcher": "records", "search": "reads"}
# Clients of object stores and TLS read these themselves.
OF_CLIENTS = re.compile(r"AWS_[A-Z_]+")
SYSTEMS = pytest.mark.parametrize("overlay", ["dev", "production"])
SERVICES = pytest.mark.parametrize("name", SETTINGS)


def variables(settings: type[ServiceSettings]) -> set[str]:
    """The PW_... variables that a service reads."""
    return {f"PW_{name.upper()}" for name in settings.model_fields}


@SYSTEMS
@SERVICES
def test_a_service_takes_what_it_is_told_and_the_files_that_it_is_given(
    overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = Pod(rendered(overlay), name, tmp_path)
    pod.set_environment(monkeypatch)

    settings = SETTINGS[name].from_environment()

    assert {one for one in pod.told if not OF_CLIENTS.fullmatch(one)} <= variables(SETTINGS[name])
    for field, value in settings:
        if field.endswith(("kek_file", "key_file")) and field not in {
            "log_signing_key_file",
            "sensor_ca_key_file",
        }:
            assert len(read_key(value, field)) == 32, field
    if isinstance(settings, AuditSettings):
        assert settings.signer()
        assert settings.sealer()
        assert settings.sensor_authority()
        assert settings.permit_key() != settings.mcs_permit_key()
        assert not settings.oidc_allow_development_issuer
    if isinstance(settings, (OcrSettings, SearchSettings, AlertsSettings)):
        assert settings.image_store_url == pod.told["PW_IMAGE_STORE_URL"]


@SYSTEMS
def test_the_console_takes_what_it_is_told_and_calls_the_ports_of_people(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rendered(overlay)
    pod = Pod(whole, "console", tmp_path)
    pod.set_environment(monkeypatch)

    settings = ConsoleSettings.from_environment()

    assert set(pod.told) <= variables(ConsoleSettings)
    assert len(read_key(settings.console_key_file, "PW_CONSOLE_KEY_FILE")) == 32
    assert settings.log_keys_file is not None
    assert settings.log_keys_file.read_text("ascii").startswith(whole.environment("audit")["PW_LOG_ORIGIN"])
    (container,) = whole.template("console")["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert settings.console_listen == f"0.0.0.0:{ports['pages']}"
    assert settings.metrics_listen == f"0.0.0.0:{ports['metrics']}"
    for name in ("audit", "alerts", "search", "matcher"):
        (people,) = [
            one["port"] for one in whole.one("Service", name)["spec"]["ports"] if one["name"] == "people"
        ]
        assert getattr(settings, f"{name}_target") == f"{name}:{people}"
    # The provider that the console sends people to is the one whose tokens audit takes.
    assert pod.told["PW_OIDC_ISSUER"] == whole.environment("audit")["PW_OIDC_ISSUER"]
    assert pod.told["PW_OIDC_REQUIRED_ACR"] == whole.environment("audit")["PW_OIDC_REQUIRED_ACR"]


@SYSTEMS
def test_what_is_missing_stops_a_service(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = Pod(rendered(overlay), "audit", tmp_path)
    (tmp_path / "keys" / "permit-key").unlink()
    pod.set_environment(monkeypatch)

    with pytest.raises(ConfigError, match="PW_PERMIT_KEY_FILE"):
        AuditSettings.from_environment()


@SYSTEMS
@SERVICES
def test_every_volume_is_there_for_something_that_the_service_is_told(overlay: str, name: str) -> None:
    whole = rendered(overlay)
    (container,) = whole.template(name)["spec"]["containers"]
    told = [value for value in whole.environment(name).values() if value.startswith("/")]
    told += [file for url in urls(whole, name) for file in parse_qs(url.query)["sslrootcert"]]

    for mount in container["volumeMounts"]:
        uses = [path for path in told if f"{path}/".startswith(f"{mount['mountPath']}/")]
        assert uses or mount["name"] == "tmp", f"nobody reads {mount['name']}"


def urls(whole: Rendered, name: str) -> list[Any]:
    """Addresses of databases that a service is told."""
    told = whole.environment(name)
    return [urlsplit(value) for key, value in sorted(told.items()) if key.endswith("DATABASE_URL")]


@SYSTEMS
@SERVICES
def test_listeners_are_the_ports_of_the_container_and_calls_get_their_grace(overlay: str, name: str) -> None:
    whole = rendered(overlay)
    told, spec = whole.environment(name), whole.template(name)["spec"]
    ports = {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]}

    listens = {
        "machines": "PW_LISTEN",
        "people": "PW_USER_LISTEN",
        "metrics": "PW_METRICS_LISTEN",
        "health": "PW_HEALTH_LISTEN",
    }
    assert {port: f"0.0.0.0:{number}" for port, number in ports.items()} == {
        port: told[variable] for port, variable in listens.items()
    }
    assert float(told["PW_SHUTDOWN_GRACE_SECONDS"]) + 15 <= spec["terminationGracePeriodSeconds"]


@SYSTEMS
@SERVICES
def test_a_service_logs_in_as_itself_at_its_own_database_and_checks_whose_it_is(
    overlay: str, name: str
) -> None:
    whole = rendered(overlay)
    passwords = whole.data("Secret", secret_of(whole, "database-passwords"))
    found = urls(whole, name)

    assert sorted(url.username for url in found) == sorted(LOGINS[name])
    for url in found:
        assert url.password == passwords[url.username]
        assert url.hostname == host_of(whole, CLUSTER_OF[name])
        assert url.path == f"/{CLUSTER_OF[name]}"
        assert parse_qs(url.query)["sslmode"] == ["verify-full"]


def secret_of(whole: Rendered, name: str) -> str:
    """Name of a generated Secret, which has a hash at its end."""
    (found,) = (one for kind, one in whole.by_name if kind == "Secret" and one.rpartition("-")[0] == name)
    return found


def host_of(whole: Rendered, cluster: str) -> str:
    """Where the instance of a database is that writes: a Service, or the one that CloudNativePG makes."""
    if ("Service", cluster) in whole.by_name:
        return cluster
    assert ("Cluster", cluster) in whole.by_name
    return f"{cluster}-rw"


@SYSTEMS
def test_the_migrations_bring_every_schema_up_to_date_and_set_every_password(overlay: str) -> None:
    whole = rendered(overlay)
    done: dict[str, list[str]] = {}
    for job, cluster in (("migrate-records", "records"), ("migrate-reads", "reads")):
        (container,) = whole.template(job)["spec"]["containers"]
        arguments = container["args"]
        done[cluster] = [one.removeprefix("--service=") for one in arguments if one.startswith("--service=")]
        set_here = {
            found[1] for one in arguments if (found := re.fullmatch(r"--login=(\w+)=@/passwords/\1", one))
        }
        assert set_here == {login for service in done[cluster] for login in LOGINS[service]}
        keys = [one.partition("=")[0] for one in arguments if "permit-key-file" in one]
        assert len(keys) == (len(PERMIT_OWNERS) if cluster == "reads" else 0)
        for url in urls(whole, job):
            assert (url.hostname, url.path) == (host_of(whole, cluster), f"/{cluster}")

    assert sorted(done["records"] + done["reads"]) == sorted(SCHEMAS)
    assert {service: cluster for cluster, some in done.items() for service in some} == CLUSTER_OF


def test_certificates_of_production_name_the_service_and_the_hosts_that_callers_ask_for() -> None:
    whole = rendered("production")
    hosts = {one["metadata"]["name"]: set(one["spec"]["hostnames"]) for one in whole.of("TLSRoute")}

    for name in (*SETTINGS, "witness"):
        spec = whole.one("Certificate", name)["spec"]
        (uri,) = spec["uris"]  # gRPC believes a certificate with exactly one
        assert peer_from_uri(uri) == Peer(PeerKind.SERVICE, name)
        assert {name, *hosts.get(name, ())} <= set(spec["dnsNames"])
        assert {"server auth", "client auth", "digital signature"} == set(spec["usages"])
        assert hours(spec["renewBefore"]) >= 24 * 14
        assert hours(spec["duration"]) <= 24 * 92


def hours(text: str) -> int:
    """A duration that is given in hours."""
    return int(text.removesuffix("h"))


@pytest.mark.parametrize("overlay", ["dev", "witness"])
def test_the_witness_takes_what_it_is_told_and_knows_the_log(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = Pod(rendered(overlay), "witness", tmp_path)
    pod.set_environment(monkeypatch)

    settings = WitnessSettings.from_environment()

    assert settings.cosigner()
    (origin,) = settings.logs()
    assert origin == rendered("dev").environment("audit")["PW_LOG_ORIGIN"]
    assert settings.audit_target
    ports = rendered(overlay).template("witness")["spec"]["containers"][0]["ports"]
    assert {f"0.0.0.0:{one['containerPort']}" for one in ports} == {settings.listen, settings.metrics_listen}
