"""What the next release may not change of the last one."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tools.release import BASELINE, ROOT, ReleaseError, check, load, of_tree, record, save

COMMIT = "0" * 40


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with two services, released as it is."""
    for name, files in {"audit": ("0000_roles.sql", "0007_log.sql"), "search": ("0000_roles.sql",)}.items():
        folder = tmp_path / "services" / name / "sql"
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("SELECT 1;\n")
    (tmp_path / "protos").mkdir()
    (tmp_path / BASELINE).write_bytes(b"contracts")
    (tmp_path / "deploy").mkdir()
    save(tmp_path, of_tree(tmp_path, "1.2.0", COMMIT))
    return tmp_path


def test_this_tree_holds_to_its_last_release() -> None:
    check(ROOT)

    release = load(ROOT)
    assert re.fullmatch(r"[0-9a-f]{40}", release.commit)
    assert set(release.migrations) >= {"audit", "alerts", "matcher", "search"}


def test_a_record_is_read_as_it_was_written(tree: Path) -> None:
    release = load(tree)

    assert (release.version, release.commit, release.last("audit")) == ("1.2.0", COMMIT, "0007")
    assert release.last("ocr") == ""
    check(tree)


def test_a_further_migration_with_a_higher_number_is_welcome(tree: Path) -> None:
    (tree / "services" / "audit" / "sql" / "0008_more.sql").write_text("SELECT 2;\n")

    check(tree)


def test_a_migration_that_was_changed_is_named(tree: Path) -> None:
    (tree / "services" / "audit" / "sql" / "0007_log.sql").write_text("SELECT 2;\n")

    with pytest.raises(ReleaseError, match=r"audit/sql/0007_log\.sql was changed"):
        check(tree)


def test_a_migration_that_is_gone_is_named(tree: Path) -> None:
    (tree / "services" / "search" / "sql" / "0000_roles.sql").unlink()

    with pytest.raises(ReleaseError, match=r"search/sql/0000_roles\.sql was changed"):
        check(tree)


def test_a_migration_that_comes_between_released_ones_is_named(tree: Path) -> None:
    (tree / "services" / "audit" / "sql" / "0003_between.sql").write_text("SELECT 2;\n")

    with pytest.raises(ReleaseError, match=r"0003_between\.sql must have a number above 0007"):
        check(tree)


def test_a_baseline_of_contracts_that_is_not_the_releases_is_named(tree: Path) -> None:
    (tree / BASELINE).write_bytes(b"other contracts")

    with pytest.raises(ReleaseError, match=r"baseline\.binpb is not that of the release"):
        check(tree)


def test_all_that_is_wrong_is_said_at_once(tree: Path) -> None:
    (tree / BASELINE).write_bytes(b"other contracts")
    shutil.rmtree(tree / "services" / "audit" / "sql")
    release = load(tree)
    save(tree, replace(release, migrations={**release.migrations}))

    with pytest.raises(ReleaseError) as caught:
        check(tree)

    assert len(str(caught.value).splitlines()) == 3


@pytest.fixture
def repository(tree: Path) -> Path:
    """The tree as a git repository, with contracts, about to be released as 1.3.0."""
    (tree / "pyproject.toml").write_text('[project]\nversion = "1.3.0"\n')
    shutil.copy(ROOT / "buf.yaml", tree / "buf.yaml")
    folder = tree / "protos" / "alpr" / "one" / "v1"
    folder.mkdir(parents=True)
    (folder / "one.proto").write_text('syntax = "proto3";\npackage alpr.one.v1;\nmessage One {}\n')
    (tree / "services" / "audit" / "sql" / "0008_more.sql").write_text("SELECT 2;\n")
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "One")
    return tree


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def test_a_commit_becomes_the_last_release_with_its_migrations_and_contracts(repository: Path) -> None:
    record(repository, "1.3.0")

    release = load(repository)
    assert (release.version, release.commit) == ("1.3.0", git(repository, "rev-parse", "HEAD"))
    assert release.last("audit") == "0008"
    assert (repository / BASELINE).read_bytes() != b"contracts"
    check(repository)


def test_changes_that_no_commit_has_are_not_released(repository: Path) -> None:
    (repository / "services" / "audit" / "sql" / "0009_late.sql").write_text("SELECT 3;\n")

    with pytest.raises(ReleaseError, match="changes that no commit has"):
        record(repository, "1.3.0")


def test_a_release_has_the_version_of_its_project_file(repository: Path) -> None:
    with pytest.raises(ReleaseError, match=r"pyproject\.toml says 1\.3\.0"):
        record(repository, "1.4.0")


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.0", "1.2.0-rc1", "next"])
def test_what_is_no_version_is_not_recorded(tree: Path, version: str) -> None:
    with pytest.raises(ReleaseError, match="is no version"):
        record(tree, version)
