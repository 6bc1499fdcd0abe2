"""Files that are on disk, whole, when a function returns."""

import os
from pathlib import Path


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
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Returns when the names in `folder` are on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
