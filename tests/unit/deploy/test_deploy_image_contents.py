"""What an image has of its base and of its packages, and the list of it that lies beside it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.unit.deploy.image_scripts import IMAGES, script

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: the C library
 and more about it

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def metadata(**fields: str) -> Message:
    """The metadata of a package."""
    found = Message()
    for name, value in fields.items():
        found[name.replace("_", "-")] = value
    return found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "x"}, [{"expression": "MIT OR Apache-2.0"}]),
        ({"License": "Apache-2.0"}, [{"license": {"id": "Apache-2.0"}}]),
        ({"License": "Apache 2"}, [{"license": {"name": "Apache 2"}}]),
        (
            {
                "License": "Permission is hereby granted " * 9,
                "Classifier": "License :: OSI Approved :: MIT License",
            },
            [{"license": {"name": "MIT License"}}],
        ),
        ({}, []),
    ],
)
def test_a_licence_is_what_the_package_says(fields: dict[str, str], said: list[object]) -> None:
    assert script("sbom").licences(metadata(**fields)) == said


def test_the_list_of_an_image_is_good_cyclonedx_and_the_same_for_the_same_parts() -> None:
    sbom, now = script("sbom"), datetime(2026, 11, 26, tzinfo=UTC)
    here = [Path(str(one.locate_file(""))) for one in importlib.metadata.distributions(name="grpcio")]
    parts = [*sbom.python_components(here[0]), sbom.debian_component(sbom.stanzas(STATUS)["libc6"])]

    first = sbom.document("audit", "1.0", parts, now)
    second = sbom.document("audit", "1.0", reversed(parts), now)

    assert first == second
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(first)) is None
    named = {one["purl"] for one in first["components"]}
    assert f"pkg:pypi/grpcio@{importlib.metadata.version('grpcio')}" in named
    assert "pkg:deb/debian/libc6@2.36-9?arch=amd64" in named
    assert len(first["dependencies"][0]["dependsOn"]) == len(first["components"]) > 50


def test_the_list_of_an_image_names_what_its_pages_load() -> None:
    sbom, now = script("sbom"), datetime(2026, 11, 26, tzinfo=UTC)

    document = sbom.document("console", "1.0", sbom.script_components(IMAGES.parents[1]), now)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    named = {one["purl"].rpartition("@")[0] for one in document["components"]}
    assert {"pkg:npm/ol", "pkg:npm/us-atlas"} <= named


def test_only_installed_packages_of_the_distribution_count() -> None:
    assert set(script("sbom").stanzas(STATUS)) == {"libc6"}


def test_scanners_find_the_packages_of_the_distribution_where_they_look(tmp_path: Path) -> None:
    sbom = script("sbom")

    sbom.write_records(tmp_path, sbom.stanzas(STATUS))

    record = (tmp_path / "var" / "lib" / "dpkg" / "status.d" / "libc6").read_text()
    assert record.startswith("Package: libc6\n")
    assert "Version: 2.36-9\n" in record


def test_packages_lose_tests_programs_and_sources_and_keep_what_runs(tmp_path: Path) -> None:
    for name in (
        "bin/tool",
        "p/tests/test_x.py",
        "p/core.pyx",
        "p/core.so",
        "p/a.h",
        "p/testing.py",
        "p/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    script("prune").prune_packages(tmp_path)

    left = {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*") if one.is_file()}
    assert left == {"p/core.so", "p/testing.py", "p/__init__.py"}


def test_the_interpreters_library_comes_without_tools_of_developers(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python3"
    for name in (
        "json/__init__.py",
        "test/test_json.py",
        "idlelib/run.py",
        "config-3/libpython.a",
        "lib-dynload/x.so",
    ):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()
    target = tmp_path / "system"

    script("rootfs").copy_library(library, target)

    copied = target / library.relative_to("/")
    left = {one.relative_to(copied).as_posix() for one in copied.rglob("*") if one.is_file()}
    assert left == {"json/__init__.py", "lib-dynload/x.so"}


def test_libraries_that_the_interpreter_loads_are_found_with_the_loader_itself() -> None:
    found = {one.name for one in script("rootfs").needed_by([Path(sys.executable)])}

    assert "libc.so.6" in found
    assert any(name.startswith("ld-linux") for name in found)


def test_the_copied_interpreter_runs_with_nothing_else(tmp_path: Path) -> None:
    """Without being root nobody can change into the folder, so the loader of the folder is asked instead."""
    rootfs, python = script("rootfs"), Path(sys.executable).resolve()
    for file in {python, *rootfs.needed_by([python])}:
        rootfs._copy(file, tmp_path)

    (loader,) = [one for one in tmp_path.rglob("ld-linux*") if one.is_file()]
    folders = {str(one.parent) for one in tmp_path.rglob("*.so*")}
    command = [loader, "--inhibit-cache", "--library-path", ":".join(folders), tmp_path / str(python)[1:]]
    said = subprocess.run(  # noqa: S603 - what the test has copied
        [*command, "-S", "-c", "import sys; print(sys.version_info.major)"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONHOME": sys.base_prefix, "PATH": os.environ["PATH"]},
    )

    assert said.stdout == "3\n", said.stderr


def test_every_image_begins_empty_and_runs_as_nobody_special() -> None:
    text = (IMAGES / "Containerfile").read_text(encoding="utf-8")
    stages = dict(reversed(one) for one in re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE))
    shipped = re.findall(r"\$\{\*:-([a-z ]+)\}", (IMAGES / "build.sh").read_text(encoding="utf-8"))[0].split()

    assert {stages[name] for name in shipped} == {"service"}
    assert stages["service"] == "scratch"
    service = text.partition(" AS service\n")[2].partition("\nFROM ")[0]
    assert "\nUSER 10001:10001\n" in service
    assert {"title", "version", "revision", "licenses"} <= set(
        re.findall(r"org\.opencontainers\.image\.(\w+)=", service)
    )
