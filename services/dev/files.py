"""Secrets in files of the data directory."""

import os
from collections.abc import Callable
from pathlib import Path


def write_secret(file: Path, make: Callable[[], bytes]) -> None:
    """Puts what `make` gives into `file`, mode 0600, unless it is there; then narrows its mode only.

    The file appears whole or not at all, also after a crash, and is on disk when this returns.

    Raises:
        OSError: The folder cannot be written.
    """
    if file.exists():
        file.chmod(0o600)
        return
    replace_file(file, make(), 0o600)


def replace_file(file: Path, content: bytes, mode: int) -> None:
    """Puts `content` into `file`, whole and on disk, and at no moment with a wider mode than `mode`.

    Raises:
        OSError: The folder cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
