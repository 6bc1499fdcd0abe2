"""The data directory of one stack: taken by one supervisor at a time, with room, on free ports."""

import errno
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from services.common.config import StartError
from services.dev.places import HOST, Places

LEAST_FREE_BYTES = 1 << 30
# Processes of a supervisor that was killed let go of their ports within moments.
_PORT_SECONDS = 3.0
_POLL_SECONDS = 0.1


@contextmanager
def taken(places: Places) -> Iterator[None]:
    """Makes the data directory and holds it.

    Raises:
        StartError: Another supervisor holds it, it cannot be written, or its disk is nearly full.
    """
    try:
        places.make()
        lock = os.open(places.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(_sentence(places, error)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode("ascii", "replace").strip()
            msg = f"another `platewarden up` (process {holder}) runs in {places.data_dir}; stop it first"
            raise StartError(msg) from None
        os.truncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        require_room(places)
        yield
    finally:
        os.close(lock)


def require_room(places: Places) -> None:
    """Returns when there is room on the disk of the data directory.

    Raises:
        StartError: There is less than 1 GiB.
    """
    free = shutil.disk_usage(places.data_dir).free
    if free < LEAST_FREE_BYTES:
        msg = (
            f"the disk of {places.data_dir} has {free >> 20} MiB free and 1 GiB is needed; "
            "free some, or choose another disk with --data-dir"
        )
        raise StartError(msg)


def require_ports(ports: Mapping[int, str]) -> None:
    """Returns when all of `ports` (with what each is for) are free on 127.0.0.1; waits some seconds for them.

    Raises:
        StartError: One is in use.
    """
    give_up = time.monotonic() + _PORT_SECONDS
    for port, purpose in sorted(ports.items()):
        while not _is_free(port):
            if time.monotonic() > give_up:
                msg = (
                    f"port {port} ({purpose}) is in use by another program; "
                    "stop it, or choose other ports with --base-port"
                )
                raise StartError(msg)
            time.sleep(_POLL_SECONDS)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _sentence(places: Places, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"there is no space left on the disk of {places.data_dir}"
    reason = (error.strerror or "it cannot be used").lower()
    return f"the data directory {places.data_dir} cannot be used ({reason}); choose another with --data-dir"
