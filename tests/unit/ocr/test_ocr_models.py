"""Versions of models on disk: all of it is checked, and a doubtful one stops the start."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from services.ocr.core.calibration import NAMES, Calibration
from services.ocr.engine import Engine
from services.ocr.models import NETWORKS, PACKAGED, ModelsError, calibration_of, known_versions
from tests.support.ocr_kit import PHOTOGRAPHED, copy_of_models, photograph, pixels


def test_models_that_are_shipped_are_what_they_say() -> None:
    for version, model in known_versions(PACKAGED).items():
        assert model.version == version
        assert sorted(one.name for one in model.files) == sorted(NETWORKS)
        assert all(hashlib.sha256(one.path.read_bytes()).digest() == one.sha256 for one in model.files)
        assert model.licence
        assert model.issuers[-1] == "ZZ"


@pytest.mark.parametrize("version", list(known_versions(PACKAGED)))
def test_every_version_that_is_shipped_reads_a_plate_and_tells_who_issued_it(version: str) -> None:
    engine = Engine(known_versions(PACKAGED)[version], threads=1)

    (plate, *_) = engine.plates(pixels(photograph()))

    assert plate.reading.text == PHOTOGRAPHED
    assert plate.issuers
    assert plate.kinds


def test_versions_come_by_the_day_on_which_they_were_made(tmp_path: Path) -> None:
    copy_of_models(tmp_path, "plates-9", "plates-10")

    assert list(known_versions(tmp_path)) == ["plates-9", "plates-10"]


@pytest.mark.clause("III.B.3.h")
@pytest.mark.parametrize("name", NETWORKS)
def test_file_that_was_changed_stops_the_start(tmp_path: Path, name: str) -> None:
    copy_of_models(tmp_path, "plates-9")
    file = tmp_path / "plates-9" / f"{name}.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(ModelsError, match="another file"):
        known_versions(tmp_path)


def test_file_that_changes_after_the_start_is_not_loaded(tmp_path: Path) -> None:
    model = known_versions(copy_of_models(tmp_path, "plates-9"))["plates-9"]
    (tmp_path / "plates-9" / "issuer.onnx").write_bytes(b"other")

    with pytest.raises(ModelsError, match="another file"):
        model.networks()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('version = "plates-9"', 'version = "plates-8"', "name of its version"),
        ("[files.issuer]", "[files.other]", "must name these networks"),
        ("licence =", "license =", "no list of models"),
        ('"dealer"', '"spaceship"', "these kinds only"),
        ("[files.issuer]", "[calibration]\nluck = 1.0\n[files.issuer]", "no list of models"),
        ("[files.issuer]", "[files", "no list of models"),
    ],
)
def test_list_of_models_that_is_wrong_stops_the_start(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    listed = copy_of_models(tmp_path, "plates-9") / "plates-9" / "model.toml"
    text = listed.read_text(encoding="utf-8")
    # What was fitted for the shipped models is not the point here.
    text = text.split("[calibration")[0]
    assert before in text
    listed.write_text(text.replace(before, after), encoding="utf-8")

    with pytest.raises(ModelsError, match=said):
        known_versions(tmp_path)


@pytest.mark.parametrize("folder", ["", "missing"])
def test_folder_without_models_stops_the_start(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ModelsError, match="holds no version"):
        known_versions(tmp_path / folder)


def test_list_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    listed = copy_of_models(tmp_path, "plates-9") / "plates-9" / "model.toml"
    text = listed.read_text(encoding="utf-8")
    listed.write_text(
        text.replace('file = "issuer.onnx"', 'file = "../plates-9/issuer.onnx"'), encoding="utf-8"
    )

    (file,) = (one for one in known_versions(tmp_path)["plates-9"].files if one.name == "issuer")

    assert file.path.parent == tmp_path / "plates-9"


def test_calibration_is_read_by_the_names_of_its_clues() -> None:
    listed = {"weights": {name: n for n, name in enumerate(NAMES)}, "bias": -1, "table": [[0, 0.1], [1, 0.9]]}

    read = calibration_of(listed)

    assert read.weights == tuple(map(float, range(len(NAMES))))
    assert read.table == ((0.0, 0.1), (1.0, 0.9))
    assert read.temperature == Calibration().temperature


def test_calibration_with_other_clues_is_refused() -> None:
    with pytest.raises(ValueError, match="weights must be"):
        calibration_of({"weights": {"luck": 1.0}})
