"""Secrets in files of the data directory."""

from collections.abc import Callable
from pathlib import Path

from services.common.durable import replace_file


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
