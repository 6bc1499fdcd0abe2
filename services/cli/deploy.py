"""`platewarden deploy`: what a cluster needs before the manifests of deploy/k8s can be applied to it."""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.cli.deploy_secrets import DEVELOPMENT, PRODUCTION, make_secrets, make_witness_secrets
from services.cli.locate import CommandError
from services.cli.options import EXIT_COMMAND, Json
from services.cli.output import Output
from services.common.config import ConfigError

app = typer.Typer(no_args_is_help=True, help="What a Kubernetes cluster needs beforehand: secrets.")


class Kind(StrEnum):
    """What the overlay has of its own."""

    DEV = "dev"
    PRODUCTION = "production"
    WITNESS = "witness"


@app.callback()
def deploy() -> None:
    """Keeps `secrets` a command with a name although it is the only one."""


@app.command("secrets")
def secrets_of(
    overlay: Annotated[
        Path, typer.Argument(file_okay=False, exists=True, help="Folder of the overlay, with its audit.env.")
    ],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="What it is like, where its name does not say it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Makes every key, password, address and certificate that the overlay needs, in OVERLAY/secrets.

    What is there already stays as it is: a second run adds what is missing, and renews certificates of `dev`
    that end within a month. Keep a copy of the folder elsewhere, encrypted: what its keys seal is lost with
    them. In production the credentials of the object stores come from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY (pictures), BACKUP_ACCESS_KEY_ID and BACKUP_SECRET_ACCESS_KEY.
    """
    output = Output(as_json=as_json)
    try:
        made = _made(overlay, kind or _kind_of(overlay))
    except (CommandError, ConfigError, OSError) as error:
        output.sentence_error(str(error))
        sys.exit(EXIT_COMMAND)
    folder = overlay / "secrets"
    output.result({"folder": str(folder), "secrets": list(made)}, f"{len(made)} secrets are in {folder}.")


def _made(overlay: Path, kind: Kind) -> Sequence[str]:
    if kind is Kind.WITNESS:
        return make_witness_secrets(overlay)
    return make_secrets(overlay, DEVELOPMENT if kind is Kind.DEV else PRODUCTION, os.environ)


def _kind_of(overlay: Path) -> Kind:
    try:
        return Kind(overlay.resolve().name)
    except ValueError:
        kinds = ", ".join(f"--kind {one.value}" for one in Kind)
        raise CommandError(f"say what the overlay is like: {kinds}") from None
