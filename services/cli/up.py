"""`platewarden up`: the whole system on this machine, until Ctrl-C."""

import asyncio
import sys
from typing import Annotated

import typer

from services.cli.options import DATA_DIR, EXIT_COMMAND, DataDir, Json
from services.cli.output import Output
from services.common.config import StartError
from services.dev.places import DEFAULT_BASE_PORT
from services.dev.supervisor import Options, Supervisor, run_until_stopped


def up(
    base_port: Annotated[
        int, typer.Option("--base-port", help="Ports are counted from here.")
    ] = DEFAULT_BASE_PORT,
    database_url: Annotated[
        str,
        typer.Option(
            "--database-url",
            help="Administrator's URL of a PostgreSQL 17 or newer, instead of the embedded one.",
        ),
    ] = "",
    image_store: Annotated[
        str,
        typer.Option(
            "--image-store",
            help="s3://bucket/prefix for pictures, with the AWS_... variables, instead of the data folder.",
        ),
    ] = "",
    reads_apart: Annotated[
        bool,
        typer.Option(
            "--reads-apart", help="Give the archive an embedded PostgreSQL of its own, as in production."
        ),
    ] = False,
    console: Annotated[bool, typer.Option(help="Run the web console too.")] = True,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Runs all services on this machine; Ctrl-C stops them and leaves no process behind."""
    output = Output(as_json=as_json)

    def ready(stack: Supervisor) -> None:
        said = {"data_dir": str(data_dir), "targets": dict(stack.targets), "pids": dict(stack.pids)}
        if stack.console_url:
            said["console_url"] = stack.console_url
        output.result(said, f"Everything serves; data in {data_dir}. Ctrl-C stops it.{_way_in(stack)}")

    options = Options(
        data_dir,
        base_port,
        database_url or None,
        image_store_url=image_store,
        reads_apart=reads_apart,
        console=console,
    )
    try:
        asyncio.run(run_until_stopped(options, output.note, ready))
    except StartError as error:
        output.sentence_error(str(error))
        sys.exit(EXIT_COMMAND)


def _way_in(stack: Supervisor) -> str:
    """Where the console is, and how to sign in: the secret itself stands neither here nor in an address."""
    if not stack.console_url:
        return ""
    lines = f"\nConsole: {stack.console_url} (its certificate is of {stack.ca_file})"
    if stack.issuer_secret_file is None:
        return lines
    return f"{lines}\nTo sign in as anybody, give the secret in {stack.issuer_secret_file}"
