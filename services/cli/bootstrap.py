"""`platewarden bootstrap`: begins a system by its first appointments, with the migration credential."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.audit import bootstrap as audit_bootstrap
from services.cli.locate import CommandError, founding_environment, read_stack
from services.cli.options import DATA_DIR, EXIT_COMMAND, DataDir, Json
from services.cli.output import Output


def bootstrap(
    agency_ori: Annotated[str, typer.Option("--agency-ori", help="ORI of the agency, 9 characters.")],
    agency_name: Annotated[str, typer.Option("--agency-name", help="Name of the agency.")],
    email_domain: Annotated[
        list[str], typer.Option("--email-domain", help="Government domain of its people; may be repeated.")
    ],
    official: Annotated[str, typer.Option("--official", help="Who appoints, with title.")],
    document_sha256: Annotated[
        str, typer.Option("--document-sha256", help="SHA-256 of the appointing document.")
    ],
    person: Annotated[
        list[str],
        typer.Option(
            "--person",
            help="JSON: office (coordinator, administrator), subject, full_name, badge_number, email, unit.",
        ),
    ],
    admin_url: Annotated[
        str,
        typer.Option("--admin-url", help="Database URL of the migration credential."),
    ] = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Begins a system, once: agency, coordinator, system administrator, and log entry 0 that says so."""
    output = Output(as_json=as_json)
    arguments = ["--agency-ori", agency_ori, "--agency-name", agency_name, "--official", official]
    arguments += ["--document-sha256", document_sha256]
    for domain in email_domain:
        arguments += ["--email-domain", domain]
    for one in person:
        arguments += ["--person", one]
    try:
        sys.exit(begin(data_dir, admin_url, arguments))
    except CommandError as error:
        output.sentence_error(str(error))
        sys.exit(EXIT_COMMAND)


def begin(data_dir: Path, admin_url: str, arguments: list[str]) -> int:
    """Exit code of the audit service's own bootstrap.

    Without `admin_url` it takes that of the stack in `data_dir`, and the stack's log key with it.

    Raises:
        CommandError: Neither `admin_url` nor a stack is there.
    """
    if admin_url:
        return audit_bootstrap.main(["--admin-url", admin_url, *arguments])
    stack = read_stack(data_dir)
    with founding_environment(stack):
        return audit_bootstrap.main(["--admin-url", stack.admin_url, *arguments])
