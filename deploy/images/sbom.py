"""What an image is made of, as CycloneDX 1.6: `sbom.py IMAGE VERSION ROOTFS APP`, JSON on standard output.

The Python packages that are installed in APP, by their own metadata; what pages of its service load; and the
packages of the distribution of which ROOTFS holds a file. For scanners that do not read this list, the last
are put into ROOTFS, too, as scanners look for them (/var/lib/dpkg/status.d).
"""

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Component = dict[str, Any]
_KNOWN = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0", "Zlib"}
_LONGEST_NAME = 80  # a longer one is the licence's text
_STATUS = Path("/var/lib/dpkg/status")
_NAMESPACE = uuid.UUID("9d8b9c1e-5a3f-4d0e-8f4d-6a1f0c2b7e55")


def main(image: str, version: str, rootfs: Path, app: Path) -> None:
    """Prints the document, and writes the records of the distribution's packages into `rootfs`."""
    packages = stanzas(_STATUS.read_text(encoding="utf-8")) if _STATUS.exists() else {}
    # The authorities are in one file that is no package's own.
    used = sorted((owners(rootfs) | {"ca-certificates"}) & packages.keys())
    write_records(rootfs, {name: packages[name] for name in used})
    loaded = [*python_components(app), *script_components(app)]
    parts = [*loaded, *interpreter(), *(debian_component(packages[name]) for name in used)]
    json.dump(document(image, version, parts, datetime.now(UTC)), sys.stdout, indent=1)


def document(image: str, version: str, parts: Iterable[Component], now: datetime) -> dict[str, Any]:
    """The bill of materials of an image."""
    listed = sorted(parts, key=lambda one: one["bom-ref"])
    said = json.dumps([image, version, [one["bom-ref"] for one in listed]])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, said)}",
        "version": 1,
        "metadata": {
            "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": f"platewarden/{image}",
                "name": f"platewarden/{image}",
                "version": version,
            },
        },
        "components": listed,
        "dependencies": [
            {"ref": f"platewarden/{image}", "dependsOn": [one["bom-ref"] for one in listed]},
        ],
    }


def python_components(app: Path) -> Iterator[Component]:
    """The packages that are installed in a folder, with licence and the hash of their list of files."""
    for one in importlib.metadata.distributions(path=[str(app)]):
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()
        purl = f"pkg:pypi/{name}@{one.version}"
        record = one.read_text("RECORD") or ""
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": one.version,
            "purl": purl,
            "licenses": licences(one.metadata),
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(record.encode()).hexdigest()}],
        }


def script_components(app: Path) -> Iterator[Component]:
    """The npm packages of which pages load something, as the build of the console listed them."""
    for listed in sorted(app.glob("services/*/static/vendor/parts.json")):
        for one in json.loads(listed.read_text(encoding="utf-8")):
            purl = f"pkg:npm/{one['name'].replace('@', '%40')}@{one['version']}"
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": one["name"],
                "version": one["version"],
                "purl": purl,
                "licenses": [{"expression": one["license"]}],
            }


def licences(metadata: importlib.metadata.PackageMetadata) -> list[dict[str, Any]]:
    """The licences of a package as CycloneDX says them: its SPDX expression, else what it calls them."""
    if expressions := metadata.get_all("License-Expression"):
        return [{"expression": expressions[0]}]
    said = (metadata.get_all("License") or [""])[0].strip()
    if said and len(said) <= _LONGEST_NAME and "\n" not in said:
        return [{"license": {"id": said} if said in _KNOWN else {"name": said}}]
    classifiers = metadata.get_all("Classifier") or []
    names = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::")]
    return [{"license": {"name": name}} for name in names if name != "OSI Approved"]


def interpreter() -> Iterator[Component]:
    """Python itself, where it is no package of the distribution."""
    version = sys.version.split()[0]
    if not _owner_of(Path(sys.executable).resolve()):
        purl = f"pkg:generic/python@{version}"
        yield {"type": "library", "bom-ref": purl, "name": "python", "version": version, "purl": purl}


def debian_component(stanza: Mapping[str, str]) -> Component:
    """A package of the distribution."""
    name, version, processor = (stanza[key] for key in ("Package", "Version", "Architecture"))
    purl = f"pkg:deb/debian/{name}@{version}?arch={processor}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def stanzas(status: str) -> dict[str, dict[str, str]]:
    """The installed packages in a status file of dpkg, by name; of long fields the first line."""
    found = {}
    for block in re.split(r"\n\n+", status.strip()):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if re.match(r"[A-Za-z-]+: ", line))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def owners(rootfs: Path) -> set[str]:
    """Names of the distribution's packages of which there is a file in a folder."""
    files = {Path("/", file.relative_to(rootfs)) for file in rootfs.rglob("*") if file.is_file()}
    # Before folders were merged (/lib into /usr/lib) packages named the file otherwise.
    files |= {Path("/", *file.parts[2:]) for file in files if file.parts[1:2] == ("usr",)}
    found = set()
    for listed in Path("/var/lib/dpkg/info").glob("*.list"):
        if files & set(map(Path, listed.read_text(encoding="utf-8").splitlines())):
            found.add(listed.name.removesuffix(".list").partition(":")[0])
    return found


def _owner_of(file: Path) -> bool:
    names = {str(file), "/" + str(file).removeprefix("/usr/")}
    listed = subprocess.run(  # noqa: S603 - of the base image
        ["dpkg", "-S", *names],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return bool(listed.stdout)


def write_records(rootfs: Path, packages: Mapping[str, Mapping[str, str]]) -> None:
    """A record for each package, and its terms: the files are in the image, so its licence must be."""
    folder = rootfs / "var" / "lib" / "dpkg" / "status.d"
    folder.mkdir(parents=True, exist_ok=True)
    for name, fields in packages.items():
        text = "".join(f"{key}: {value}\n" for key, value in fields.items())
        (folder / name).write_text(text, encoding="utf-8")
        terms = Path("/usr/share/doc", name, "copyright")
        if terms.exists():
            into = rootfs / terms.relative_to("/")
            into.parent.mkdir(parents=True, exist_ok=True)
            into.write_bytes(terms.read_bytes())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
