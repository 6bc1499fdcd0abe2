"""The way into production: which RPCs people reach, and where machines' own TLS ends."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from tests.support.manifests_kit import ROOT, Document, rendered

SERVICES = ("audit", "alerts", "search", "matcher", "ocr")
# Services call each other, with certificates; people have no business here.
MACHINES_ALONE = {"ArchiveService", "HealthService", "LogWitnessService", "AuthorizationService"}
EACH = pytest.mark.parametrize("name", SERVICES)


def contracts(name: str) -> Iterator[ServiceDescriptor]:
    """Every RPC service of one of ours."""
    package = importlib.import_module(f"alpr.{name}.v1")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            made = importlib.import_module(f"{package.__name__}.{module.name}")
            yield from made.DESCRIPTOR.services_by_name.values()


def matched(name: str) -> dict[str, str]:
    """RPC services that the gateway sends to one of ours; the method where it is one alone."""
    (rule,) = rendered("production").one("GRPCRoute", name)["spec"]["rules"]
    assert [(one["name"], one["port"]) for one in rule["backendRefs"]] == [(name, 8443)]
    return {one["method"]["service"]: one["method"].get("method", "") for one in rule["matches"]}


@EACH
def test_people_reach_every_rpc_service_but_those_that_only_services_call(name: str) -> None:
    known = {one.full_name: one for one in contracts(name)}
    whole = {service for service, method in matched(name).items() if not method}

    assert whole == {full for full, one in known.items() if one.name not in MACHINES_ALONE}
    for service, method in matched(name).items():
        assert not method or method in known[service].methods_by_name


def test_every_service_that_the_command_line_calls_is_reached() -> None:
    routes = {service.rpartition(".")[2] for name in SERVICES for service in matched(name)}
    sources = (ROOT / "services" / "cli").rglob("*.py")
    used = {one for file in sources for one in re.findall(r"\b(\w+Service)Stub\b", file.read_text("utf-8"))}

    assert len(used) > 40
    assert used <= routes


@EACH
def test_between_gateway_and_service_there_is_tls_again_and_it_checks_whom_it_talks_to(name: str) -> None:
    policy = rendered("production").one("BackendTLSPolicy", name)["spec"]
    (target,) = policy["targetRefs"]
    service = rendered("production").one("Service", target["name"])

    assert target["sectionName"] in {
        port["name"] for port in service["spec"]["ports"] if port["port"] == 8443
    }
    names = rendered("production").one("Certificate", name)["spec"]["dnsNames"]
    assert policy["validation"]["hostname"] in names
    assert policy["validation"]["caCertificateRefs"] == [
        {"group": "", "kind": "ConfigMap", "name": "authority"}
    ]


def test_browsers_reach_the_console_alone_by_a_listener_of_its_own() -> None:
    whole = rendered("production")
    (route,) = whole.of("HTTPRoute")
    (parent,) = route["spec"]["parentRefs"]
    listeners = {one["name"]: one for one in whole.one("Gateway", "platewarden")["spec"]["listeners"]}
    listener = listeners[parent["sectionName"]]
    (rule,) = route["spec"]["rules"]
    (certificate,) = listener["tls"]["certificateRefs"]
    pages = whole.one("Certificate", "console-pages")["spec"]
    told = whole.environment("console")

    assert listener["allowedRoutes"]["kinds"] == [{"kind": "HTTPRoute"}]
    assert [(one["name"], one["port"]) for one in rule["backendRefs"]] == [("console", 8443)]
    assert (certificate["name"], listener["hostname"]) == (pages["secretName"], pages["dnsNames"][0])
    assert told["PW_CONSOLE_URL"] == f"https://{listener['hostname']}"
    policy = whole.one("BackendTLSPolicy", "console")["spec"]
    own = whole.one("Certificate", "console")["spec"]
    assert policy["validation"]["hostname"] in own["dnsNames"]
    assert (
        policy["targetRefs"][0]["sectionName"] == whole.one("Service", "console")["spec"]["ports"][0]["name"]
    )
    # It is nobody's peer: no URI that a service would know, no use as a client.
    assert "uris" not in own
    assert "client auth" not in own["usages"]


def test_routes_hang_on_listeners_that_take_them() -> None:
    listeners = {
        one["name"]: one for one in rendered("production").one("Gateway", "platewarden")["spec"]["listeners"]
    }
    routes = rendered("production").of("GRPCRoute", "HTTPRoute", "TLSRoute")

    for route in routes:
        (parent,) = route["spec"]["parentRefs"]
        kinds = listeners[parent["sectionName"]]["allowedRoutes"]["kinds"]
        assert parent["name"] == "platewarden"
        assert kinds == [{"kind": route["kind"]}]
    assert {one["metadata"]["name"] for one in routes if one["kind"] == "GRPCRoute"} == set(SERVICES)
    assert listeners["machines"]["tls"] == {"mode": "Passthrough"}
    (certificate,) = listeners["people"]["tls"]["certificateRefs"]
    people = rendered("production").one("Certificate", "people")["spec"]
    assert (certificate["name"], listeners["people"]["hostname"]) == (
        people["secretName"],
        people["dnsNames"][0],
    )


def test_machines_end_their_tls_in_the_service_itself_at_the_port_that_demands_a_certificate() -> None:
    for route in rendered("production").of("TLSRoute"):
        name = route["metadata"]["name"]
        (rule,) = route["spec"]["rules"]
        (backend,) = rule["backendRefs"]
        assert (backend["name"], backend["port"]) == (name, 7443)
        assert name in route["spec"]["hostnames"]  # our own programs ask for the service's short name
    assert "search" not in {one["metadata"]["name"] for one in rendered("production").of("TLSRoute")}


def test_no_two_routes_take_the_same_calls() -> None:
    people = [service for name in SERVICES for service in matched(name)]
    hosts = [host for route in rendered("production").of("TLSRoute") for host in hosts_of(route)]

    assert len(people) == len(set(people))
    assert len(hosts) == len(set(hosts))


def hosts_of(route: Document) -> list[str]:
    """Names that a route answers for."""
    found: list[str] = route["spec"]["hostnames"]
    return found
