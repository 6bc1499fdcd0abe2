"""Where the services are: from the environment, or from the stack that `platewarden up` runs here."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Sensors come to the ocr service at the address for machines, people at the other one, and cameras that push
# come to its receiver.
SERVICES = ("audit", "matcher", "search", "alerts", "ocr", "ocr_people", "receiver")


class CommandError(Exception):
    """The command cannot be carried out; its text is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Addresses of the services and the CA that signed their certificates."""

    targets: Mapping[str, str]
    ca_file: Path
    data_dir: Path | None

    def target(self, service: str) -> str:
        """Host and port of `service`.

        Raises:
            CommandError: Nobody said where it is.
        """
        if service not in self.targets:
            msg = f"set PW_{service.upper()}_TARGET to host:port of the {service.partition('_')[0]} service"
            raise CommandError(msg)
        return self.targets[service]


def default_data_dir() -> Path:
    """The data directory of `platewarden up` when none is named: PW_DATA_DIR, else in the home directory."""
    named = os.environ.get("PW_DATA_DIR")
    return Path(named) if named else Path.home() / ".local" / "share" / "platewarden"


def locate(data_dir: Path) -> Connection:
    """The services named by PW_<SERVICE>_TARGET and PW_CA_FILE, else those of the stack in `data_dir`.

    Raises:
        CommandError: Neither is there.
    """
    targets = {
        s: os.environ[f"PW_{s.upper()}_TARGET"] for s in SERVICES if f"PW_{s.upper()}_TARGET" in os.environ
    }
    if targets:
        ca_file = os.environ.get("PW_CA_FILE")
        if not ca_file:
            raise CommandError("set PW_CA_FILE to the CA certificate of the services, next to PW_..._TARGET")
        return Connection(targets, Path(ca_file), None)
    stack = read_stack(data_dir)
    ocr = {
        "ocr": stack.machine_targets["ocr"],
        "ocr_people": stack.targets["ocr"],
        "receiver": stack.receiver_target,
    }
    return Connection({**stack.targets, **ocr}, stack.ca_file, data_dir)


@dataclass(frozen=True, slots=True)
class Stack:
    """What the running `platewarden up` says of itself."""

    targets: Mapping[str, str]
    machine_targets: Mapping[str, str]
    receiver_target: str
    ca_file: Path
    admin_url: str
    bootstrap_environment: Mapping[str, str]
    issuer_url: str
    issuer_secret_file: Path
    console_url: str


def read_stack(data_dir: Path) -> Stack:
    """What the running `platewarden up` says of itself in its data directory.

    Raises:
        CommandError: No stack runs there.
    """
    path = data_dir / "stack.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Stack(
            targets=said["targets"],
            machine_targets=said["machine_targets"],
            receiver_target=said["receiver_target"],
            ca_file=Path(said["ca_file"]),
            admin_url=said["admin_url"],
            bootstrap_environment=said["bootstrap_environment"],
            issuer_url=said.get("issuer_url", ""),
            issuer_secret_file=Path(said.get("issuer_secret_file", "")),
            console_url=said.get("console_url", ""),
        )
    except FileNotFoundError:
        msg = f"no stack runs in {data_dir}; start one with `platewarden up`, or set PW_..._TARGET"
    except (OSError, ValueError, KeyError) as error:
        msg = f"cannot read {path}: {error}"
    raise CommandError(msg)


@contextmanager
def founding_environment(stack: Stack) -> Iterator[None]:
    """Puts the stack's log key into the environment for as long as the block runs, and for no longer.

    Whoever goes on in the same process would take it for the key of every stack.
    """
    before = {name: os.environ.get(name) for name in stack.bootstrap_environment}
    os.environ.update(stack.bootstrap_environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
