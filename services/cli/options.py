"""Options that many commands share, and the one way in which a command runs."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from services.cli.locate import CommandError, default_data_dir, locate
from services.cli.output import Output
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.errors import AlprError

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document a line.")]
DATA_DIR = default_data_dir()
DataDir = Annotated[
    Path, typer.Option("--data-dir", help="Data directory of `platewarden up` (or PW_DATA_DIR).")
]
As = Annotated[
    str,
    typer.Option(
        "--as", help="Subject to sign in as at the development issuer; elsewhere put a token into PW_TOKEN."
    ),
]
CaseKind = Annotated[
    str,
    typer.Option(
        "--case-kind", help="cad, field-report, tracs, i-case, crash-report, leads-ncic or outside-agency."
    ),
]
CaseNumber = Annotated[str, typer.Option("--case", help="Case number (ENF-051 IV.C.5).")]
OutsideAgency = Annotated[str, typer.Option("--outside-agency", help="Whose case it is, for outside-agency.")]
Purpose = Annotated[
    str, typer.Option("--purpose", help="The criminal nexus in words (ENF-051 IV.C.6); no names.")
]
Offence = Annotated[str, typer.Option("--offence", help="Offence code; `platewarden purposes` lists them.")]

EXIT_REFUSED = 1
EXIT_COMMAND = 2
EXIT_INTERRUPTED = 130


def run(work: Callable[[Output], Awaitable[None]], *, as_json: bool) -> None:
    """Runs `work` and turns every expected failure into a sentence and an exit code.

    Exit codes: 0 done, 1 refused by a service, 2 the command itself cannot be carried out, 130 interrupted.
    """
    output = Output(as_json=as_json)
    try:
        asyncio.run(_awaited(work, output))
    except AlprError as error:
        output.error(error)
        sys.exit(EXIT_REFUSED)
    except CommandError as error:
        output.sentence_error(str(error))
        sys.exit(EXIT_COMMAND)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


async def _awaited(work: Callable[[Output], Awaitable[None]], output: Output) -> None:
    await work(output)


def run_signed_in(
    work: Callable[[Session, Output], Awaitable[None]], *, data_dir: Path, subject: str, as_json: bool
) -> None:
    """Runs `work` with a session of the person that `--as` or PW_TOKEN names."""

    async def with_session(output: Output) -> None:
        connection = locate(data_dir)
        async with Session(connection, token_source(data_dir, subject), on_wait=output.note) as session:
            await work(session, output)

    run(with_session, as_json=as_json)


def new_request_id() -> str:
    """A fresh request id (AIP-155)."""
    return str(uuid.uuid4())
