"""The resume token on disk: where a stream goes on after its program was stopped or crashed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from platewarden_client.errors import ResumeFileError

_VERSION: Final = 1


class ResumeFile:
    """One file for one stream of one account. The file is replaced whole, and only its owner can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """The token that was written last; None when there is no file yet.

        Raises:
            ResumeFileError: There is a file, but it cannot be read or is not one of ours. To begin anew
                instead would pass over alerts in silence.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ResumeFileError("the resume file cannot be read") from error
        try:
            return _parse(json.loads(text))
        except (ValueError, TypeError, KeyError, RecursionError):
            # Without its cause, which would show the content.
            raise ResumeFileError("the resume file is damaged; remove it to begin anew") from None

    def write(self, token: str) -> None:
        """Replaces the file by one with `token`; then it is on disk. A crash leaves the old file or the new.

        Raises:
            ResumeFileError: It cannot be written. The old file is as it was.
        """
        try:
            self._replace(json.dumps({"version": _VERSION, "resume_token": token}))
        except OSError as error:
            raise ResumeFileError("the resume file cannot be written") from error

    def _replace(self, text: str) -> None:
        folder = self._path.parent
        # mkstemp makes it readable and writable by its owner alone, whatever the umask.
        handle, aside = tempfile.mkstemp(dir=folder, prefix=f".{self._path.name}.", suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).replace(self._path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(aside).unlink()
            raise
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders, and keeps the new name without this.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _parse(content: Any) -> str:
    token = content["resume_token"]
    if content["version"] != _VERSION or not token or not isinstance(token, str):
        raise ValueError
    return token
