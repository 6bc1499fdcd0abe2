"""The command `platewarden watch`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from alpr.type.v1.hit_pb2 import HotListCategory
from platewarden_client import LinkState
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.watch.feed import alert_stream, refusals
from services.cli.watch.lines import show
from services.cli.watch.sound import FLOOR
from services.cli.words import CATEGORY


def watch(
    subject: As = "",
    category: Annotated[
        list[str] | None,
        typer.Option("--category", help="Besides felony, stolen, AMBER and SILVER; may be repeated."),
    ] = None,
    silent: Annotated[
        list[str] | None,
        typer.Option("--silent", help="Shown without sound; not felony, stolen, AMBER, SILVER."),
    ] = None,
    motor_carrier: Annotated[
        bool, typer.Option("--mcs", help="Alerts of the Motor Carrier Safety data set instead.")
    ] = False,
    hours: Annotated[
        float,
        typer.Option("--hours", min=0, max=24, help="The board begins so many hours ago."),
    ] = 8,
    lines: Annotated[bool, typer.Option("--lines", help="Lines instead of the board.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="With lines: a file that says where to go on, kept up to date."),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", min=0, help="With lines: stop after so many; 0 means never.")
    ] = 0,
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Alerts of your agency as they are raised, on a live board with sound and keys to act.

    Over a link that drops it goes on where it stopped. Where the output is no terminal, or with --lines or
    --json, a line or more an alert, from the next one on.
    """

    async def work(session: Session, output: Output) -> None:
        wanted = [CATEGORY.number(text) for text in category or ()]
        quiet = [CATEGORY.number(text) for text in silent or ()]
        if not FLOOR.isdisjoint(quiet):
            raise CommandError("felony, stolen, AMBER and SILVER always sound (ENF-051 IV.D.2)")
        if lines or as_json or count or resume or not _is_terminal():
            await print_lines(session, output, wanted, resume, count, motor_carrier)
            return
        # The board's library takes a third of a second to load, which no other command should pay.
        from services.cli.watch.app import show_board  # noqa: PLC0415

        await show_board(session, wanted, quiet, hours, motor_carrier)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def _is_terminal() -> bool:
    """Whether a person looks at all of it. The board is drawn on standard error, and would fill a file."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


async def print_lines(
    session: Session,
    output: Output,
    categories: list[HotListCategory.ValueType],
    resume: Path | None,
    count: int,
    motor_carrier: bool,
) -> None:
    """Prints the alerts that come, `count` of them; 0 means without end.

    Raises:
        AlprError: The service refused, and trying again does not mend it.
        CommandError: The resume file cannot be used.
    """
    seen = 0

    def on_link(state: LinkState) -> None:
        if state is LinkState.BROKEN:
            output.note("The stream broke; going on where it stopped")

    with refusals():
        async with alert_stream(
            session,
            categories=categories,
            motor_carrier=motor_carrier,
            resume_file=resume,
            on_link=on_link,
        ) as stream:
            async for event in stream:
                show(event, output)
                seen += 1
                if seen == count:
                    await stream.taken()
                    return
