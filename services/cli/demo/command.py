"""`platewarden demo`: starts the stack, tells the story on it, stops it, and proves what it left behind."""

import asyncio
import contextlib
import io
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from services.audit import verifier
from services.cli.audit import export_log, verifier_key
from services.cli.bootstrap import begin
from services.cli.demo import cast
from services.cli.demo.material import Material, gather
from services.cli.demo.offline import prove
from services.cli.demo.story import Story
from services.cli.locate import CommandError, locate
from services.cli.options import Json, run
from services.cli.output import Output
from services.cli.session import Session
from services.cli.tokens import token_source
from services.common.config import StartError
from services.common.issuers import DEVELOPMENT_ISSUER
from services.dev.places import DEFAULT_BASE_PORT, Places, default_photo_dir
from services.dev.specs import platewarden_stages
from services.dev.supervisor import Options, Supervisor

_MOST_PHOTOGRAPHS = 12


def demo(
    photos: Annotated[Path | None, typer.Option("--photos", help="A folder of your own photographs.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Most photographs of it.")] = _MOST_PHOTOGRAPHS,
    evidence: Annotated[
        Path, typer.Option("--evidence", help="Folder for receipts, exported log, public key and verifier.")
    ] = Path("demo-evidence"),
    base_port: Annotated[
        int, typer.Option("--base-port", help="Ports are counted from here.")
    ] = DEFAULT_BASE_PORT,
    as_json: Json = False,
) -> None:
    """Shows the main job end to end, on a stack of its own that is gone afterwards."""

    async def work(output: Output) -> None:
        started = time.monotonic()
        material = gather(photos, default_photo_dir(), most)
        clear(evidence)
        data_dir = Path(tempfile.mkdtemp(prefix="platewarden-demo-"))
        try:
            await _with_stack(Options(data_dir, base_port), material, evidence, output)
        finally:
            await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)
        await prove(evidence, output)
        output.say(
            f"\n[bold green]Done[/] in {time.monotonic() - started:.0f} s. "
            f"Receipts, log, public key and verifier are in {evidence}/; try the last step yourself."
        )

    run(work, as_json=as_json)


def clear(evidence: Path) -> None:
    """Makes the folder, and takes away the receipts of an earlier demo: they are of another log."""
    evidence.mkdir(parents=True, exist_ok=True)
    for pattern in ("question-*.json", "outcome-*.json"):
        for receipt in evidence.glob(pattern):
            receipt.unlink()


async def _with_stack(options: Options, material: Material, evidence: Path, output: Output) -> None:
    output.say("[bold cyan]1. Five services start as five processes over mTLS[/]")
    try:
        async with Supervisor(options, output.note) as stack:
            await tell(stack, options.data_dir, material, evidence, output)
    except StartError as error:
        raise CommandError(str(error)) from None


async def tell(stack: Supervisor, data_dir: Path, material: Material, evidence: Path, output: Output) -> None:
    """Tells the story on a running, empty stack, and gathers the evidence of it.

    Raises:
        CommandError: Something did not happen that must.
        AlprError: A call was refused that must be allowed.
    """
    show_stack(stack, data_dir, output)
    with contextlib.redirect_stdout(io.StringIO()):
        failed = await asyncio.to_thread(begin, data_dir, "", cast.founding())
    if failed:
        raise CommandError("the demo's system could not be begun")
    output.say("The system is begun: coordinator and administrator appointed, log entry 0 says by whom.")
    connection = locate(data_dir)
    story = Story(
        connection,
        material,
        output,
        issuer=DEVELOPMENT_ISSUER,
        question_url=question_url(data_dir),
        evidence=evidence,
    )
    await story.tell()
    auditor = token_source(data_dir, cast.AUDITOR.subject)
    async with Session(connection, auditor, on_wait=output.note) as session:
        await export_log(session, evidence / "log.jsonl")
    (evidence / "log.pub").write_text(verifier_key(data_dir) + "\n", encoding="ascii")
    shutil.copy(verifier.__file__, evidence / "verifier.py")


def question_url(data_dir: Path) -> str:
    """The database login that the search service asks with, from its environment file."""
    for line in (Places(data_dir).environments / "search.env").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "PW_QUESTION_DATABASE_URL":
            return value.strip("'")
    raise CommandError("the search service has no database login")


def show_stack(stack: Supervisor, data_dir: Path, output: Output) -> None:
    """Prints one line for each service: process, address, database login."""
    for spec in (spec for stage in platewarden_stages() for spec in stage):
        logins = ", ".join(spec.logins) or "none"
        output.say(
            f"  [green]SERVING[/] {spec.name:<8} process {stack.pids[spec.name]:<7} mTLS "
            f"{stack.machine_targets[spec.name]}  database login {logins}"
        )
    output.note(f"Logs are in {Places(data_dir).logs}")
