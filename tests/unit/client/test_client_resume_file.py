"""The file that holds the resume token."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platewarden_client import Pace, ResumeFileError
from platewarden_client.resume_file import ResumeFile


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "alerts.resume")

    before = file.read()
    file.write("first")
    file.write("second")

    assert before is None
    assert file.read() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.resume"]


def test_only_the_owner_reads_it_whatever_the_umask_and_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "alerts.resume"
    ResumeFile(path).write("first")
    path.chmod(0o666)
    umask = os.umask(0)
    try:
        ResumeFile(path).write("second")
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ResumeFile(tmp_path / "alerts.resume")
    file.write("first")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch, pytest.raises(ResumeFileError):
        patch.setattr(os, "fsync", full)
        file.write("second")

    assert file.read() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.resume"]


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ResumeFileError):
        ResumeFile(tmp_path / "nowhere" / "alerts.resume").write("first")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"secret",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"secret"',
        b"{}",
        b"[" * 100_000,
        json.dumps({"version": 2, "resume_token": "secret"}).encode(),
        json.dumps({"version": 1, "resume_token": ""}).encode(),
        json.dumps({"version": 1, "resume_token": 7}).encode(),
        json.dumps({"version": 1, "resume_token": "secret"}).encode()[:-5],
    ],
)
def test_a_damaged_file_is_an_error_that_shows_nothing_of_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alerts.resume"
    path.write_bytes(content)

    with pytest.raises(ResumeFileError) as caught:
        ResumeFile(path).read()

    assert "secret" not in str(caught.value)
    assert path.read_bytes() == content


@given(st.integers(1, 10_000), st.floats(0, 60))
def test_a_pause_grows_to_its_limit_and_is_never_shorter_than_asked_for(failures: int, asked: float) -> None:
    pace = Pace(first_pause_seconds=0.5, longest_pause_seconds=15)

    pause = pace.pause_seconds(failures, asked)

    assert asked <= pause <= max(asked, 15)
    assert pause >= min(0.25 * 2 ** min(failures - 1, 20), 7.5)


@pytest.mark.parametrize(
    "wrong",
    [{"quiet_seconds": 0}, {"keep_seconds": -1}, {"first_pause_seconds": 2, "longest_pause_seconds": 1}],
)
def test_a_pace_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"pause|above zero"):
        Pace(**wrong)
