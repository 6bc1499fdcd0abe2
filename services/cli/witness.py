"""`platewarden witness`: a process beside the system that signs what the log has come to."""

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.cli.audit import verifier_key
from services.cli.locate import CommandError, default_data_dir, read_stack
from services.cli.options import DATA_DIR, EXIT_COMMAND, DataDir
from services.cli.output import Output
from services.common.config import StartError
from services.common.durable import replace_file
from services.dev.files import write_secret
from services.dev.pki import DevelopmentAuthority
from services.witness.config import WitnessSettings
from services.witness.store import WitnessStore

app = typer.Typer(
    help="Witness of the log, with a key and a store of its own: without a command it runs until Ctrl-C.",
    invoke_without_command=True,
)

DEVELOPMENT_NAME = "development.platewarden.invalid/witness"
_KEY, _LOG_KEYS, _PUBLIC = "key.pem", "logs.pub", "witness.pub"
WitnessDir = Annotated[
    Path, typer.Option("--dir", help="The witness's own folder: keep it where no administrator of audit is.")
]
WITNESS_DIR = default_data_dir().with_name("platewarden-witness")


@app.callback()
def witness(
    context: typer.Context,
    folder: WitnessDir = WITNESS_DIR,
    listen: Annotated[str, typer.Option("--listen", help="Address of add-checkpoint.")] = "127.0.0.1:7408",
    every: Annotated[float, typer.Option("--every", help="Seconds between two looks at the log.")] = 5,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Follows the log of the stack in --data-dir; with PW_WITNESS_NAME in the environment, what that says."""
    if context.invoked_subcommand is not None:
        return
    from services.witness.__main__ import main as serve  # noqa: PLC0415 - brings a web server

    try:
        settings = (
            WitnessSettings.from_environment()
            if "PW_WITNESS_NAME" in os.environ
            else development_settings(folder, listen, every, data_dir)
        )
        asyncio.run(serve(settings))
    except (StartError, CommandError) as error:
        Output(as_json=False).sentence_error(str(error))
        sys.exit(EXIT_COMMAND)


def development_settings(folder: Path, listen: str, every: float, data_dir: Path) -> WitnessSettings:
    """Settings for the stack in `data_dir`; the witness's key is made at its first use.

    Raises:
        CommandError: No stack runs there.
    """
    stack = read_stack(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(folder / _KEY, _new_key)
    replace_file(folder / _LOG_KEYS, f"{verifier_key(data_dir)}\n".encode(), 0o644)
    mine = DevelopmentAuthority(stack.ca_file.parent).service("witness")
    settings = WitnessSettings(
        listen=listen,
        tls_cert=mine.cert_file,
        tls_key=mine.key_file,
        tls_ca=mine.ca_file,
        log_level="warning",
        log_format="console",
        witness_name=DEVELOPMENT_NAME,
        witness_key_file=folder / _KEY,
        witness_dir=folder / "store",
        witness_log_keys_file=folder / _LOG_KEYS,
        audit_target=stack.machine_targets["audit"],
        witness_every_seconds=every,
    )
    replace_file(folder / _PUBLIC, f"{settings.cosigner().verifier_key.text()}\n".encode(), 0o644)
    return settings


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@app.command()
def checkpoints(
    out: Annotated[Path, typer.Option("--out", help="File to write, a line each.")],
    origin: Annotated[str, typer.Option("--origin", help="Which log; needed when there are several.")] = "",
    folder: WitnessDir = WITNESS_DIR,
) -> None:
    """Every checkpoint that this witness has signed, for `platewarden audit verify --checkpoint`."""

    def write(store: WitnessStore, log: str) -> int:
        found = store.witnessed(log)
        lines = [json.dumps({"checkpoint": one}, ensure_ascii=False) + "\n" for one in found]
        replace_file(out, "".join(lines).encode(), 0o644)
        return len(found)

    _with_store(folder, origin, write, f"checkpoints in {out}")


@app.command()
def copy(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    origin: Annotated[str, typer.Option("--origin", help="Which log; needed when there are several.")] = "",
    folder: WitnessDir = WITNESS_DIR,
) -> None:
    """The copy of the log with every field sealed, for `python -m services.audit.restore`."""
    _with_store(
        folder, origin, lambda store, log: store.write_copy(log, out), f"entries of the copy in {out}"
    )


def _with_store(folder: Path, origin: str, work: Callable[[WitnessStore, str], int], what: str) -> None:
    output = Output(as_json=False)
    try:
        store = WitnessStore(folder / "store", only_read=True)
        try:
            known = store.origins()
            if origin not in known and (origin or len(known) != 1):
                raise CommandError(f"name one of the witness's logs with --origin: {', '.join(known)}")
            done = work(store, origin or known[0])
        finally:
            store.close()
    except (StartError, CommandError, OSError, sqlite3.Error) as error:
        output.sentence_error(str(error))
        sys.exit(EXIT_COMMAND)
    output.result({"count": done}, f"{done:,} {what}")
