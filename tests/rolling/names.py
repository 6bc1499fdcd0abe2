"""Names that stand for all replicas of a service, as a headless Service of Kubernetes does.

The processes of one run see a hosts file of their own (a mount namespace, so nobody else's changes), and
each replica listens on an address of its own in 127.0.0.0/8. A name then has as many addresses as replicas
are ready, and clients hear of a change as they would in a cluster: by asking again.
"""

import os
import shutil
import sys
from pathlib import Path

_SIZE = 4096  # the file is written in one piece of one size, so that nobody reads half of it
_INSIDE = "PLATEWARDEN_HOSTS"
# $1 is the file that stands for /etc/hosts; the rest becomes the process.
_BIND = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


def is_inside() -> bool:
    """Whether this process sees a hosts file of its own."""
    return _INSIDE in os.environ


def go_inside(module: str, arguments: list[str], file: Path) -> None:
    """Becomes `python -m module arguments` with `file` in place of /etc/hosts.

    Raises:
        SystemExit: This machine allows no mount namespaces, or has no unshare.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        raise SystemExit("unshare (util-linux) is needed for names that several addresses stand behind")
    Names(file)
    # Who is not root may mount in a user namespace.
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    shell = [unshare, *flags, "sh", "-c", _BIND, "sh", str(file)]
    environment = {**os.environ, _INSIDE: str(file)}
    os.execve(unshare, [*shell, sys.executable, "-m", module, *arguments], environment)  # noqa: S606


class Names:
    """The names of a run, in the hosts file that its processes see."""

    def __init__(self, file: Path | None = None) -> None:
        """Begins with this machine's own name alone; `file` is that of `go_inside` where none is given."""
        self._file = file or Path(os.environ[_INSIDE])
        self._addresses: dict[str, list[str]] = {"localhost": ["127.0.0.1"]}
        self._write()

    def add(self, name: str, address: str) -> None:
        """From now on `address` stands behind `name`, too."""
        self._addresses.setdefault(name, []).append(address)
        self._write()

    def remove(self, name: str, address: str) -> None:
        """Takes `address` away from `name`."""
        self._addresses[name].remove(address)
        self._write()

    def _write(self) -> None:
        lines = [
            f"{address} {name}\n" for name, addresses in self._addresses.items() for address in addresses
        ]
        content = "".join(lines).encode().ljust(_SIZE, b"\n")
        # In place: a new file would not be the one that is mounted.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)
