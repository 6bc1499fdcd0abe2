"""What pages of the console load that is not their own, and that a wheel has it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import LOADED, PARTS, console_parts

FILES = ["LICENSES.txt", "ol.js", "outlines.json", "parts.json", "places.json"]
ROOT = Path(__file__).parents[3]
MAKES_CODE_OR_HTML = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "new Function",
    "eval(",
)


def scripts() -> list[Path]:
    """All scripts that pages load."""
    return sorted((ROOT / "services" / "console" / "static").rglob("*.js"))


def test_what_pages_load_is_there_with_its_terms_and_is_not_made_twice() -> None:
    made = console_parts(ROOT)
    times = [one.stat().st_mtime_ns for one in made]

    assert [one.name for one in made] == FILES
    assert [one.stat().st_mtime_ns for one in console_parts(ROOT)] == times
    terms = (ROOT / LOADED / "LICENSES.txt").read_text("utf-8")
    for part in json.loads((ROOT / LOADED / "parts.json").read_text("utf-8")):
        assert f"{part['name']} {part['version']} ({part['license']})" in terms
        assert part["license"] in {"BSD-2-Clause", "ISC", "MIT"}


@pytest.mark.parametrize("script", scripts(), ids=lambda one: one.name)
def test_no_script_of_a_page_makes_html_or_code_of_text(script: Path) -> None:
    text = script.read_text("utf-8")

    assert [word for word in MAKES_CODE_OR_HTML if word in text] == []


def test_the_outlines_have_every_state_and_the_counties_of_illinois() -> None:
    outlines = json.loads((ROOT / LOADED / "outlines.json").read_text("utf-8"))

    states = {one["properties"]["name"] for one in outlines["objects"]["states"]["geometries"]}
    counties = [one["id"] for one in outlines["objects"]["counties"]["geometries"]]

    assert len(states) >= 51
    assert {"Illinois", "Alaska", "Hawaii"} <= states
    assert len([one for one in counties if one.startswith("17")]) == 102
    assert len(counties) == len(set(counties))
    names = [one[0] for one in json.loads((ROOT / LOADED / "places.json").read_text("utf-8"))]
    assert {"Chicago", "Springfield", "Cairo", "Los Angeles"} <= set(names)


@pytest.mark.timeout(300)  # the stubs are made for it
def test_a_wheel_has_the_parts_and_pages_but_not_what_they_are_made_from(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"{LOADED}/{name}" for name in FILES} <= names
    assert {"services/console/static/map.js", "services/console/templates/layout.html"} <= names
    assert not [name for name in names if name.startswith(f"{PARTS}/") or "node_modules" in name]
