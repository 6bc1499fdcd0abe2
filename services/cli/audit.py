"""`platewarden audit`: export the log, and verify it offline with nothing but files and a public key."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from alpr.audit.v1 import log_service_pb2 as pb
from alpr.audit.v1 import log_service_pb2_grpc as rpc
from services.audit import verifier
from services.audit.config import read_signer
from services.cli.locate import read_stack
from services.cli.options import DATA_DIR, As, DataDir, Json, run, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.common.receipts import export_header, export_line

app = typer.Typer(
    no_args_is_help=True, help="The tamper-evident log: checkpoints, questions, exports, proofs."
)


@app.command()
def checkpoint(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The newest signed checkpoint (C2SP signed note). Keep it: what it covers cannot be rewritten unseen."""

    async def work(session: Session, output: Output) -> None:
        answer = await newest_checkpoint(session)
        output.result(answer, answer.checkpoint.rstrip())

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("public-key")
def public_key(data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """The log's public key, one line "origin+id+key". Hand it to whoever verifies."""

    async def work(output: Output) -> None:
        key = verifier_key(data_dir)
        output.result({"public_key": key}, key)

    run(work, as_json=as_json)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    first_index: Annotated[int, typer.Option("--first-index", min=0, help="Begin at this entry.")] = 0,
    account: Annotated[
        str, typer.Option("--account", help="Open whole entries of this account only; complete for it.")
    ] = "",
    of_case: Annotated[
        str, typer.Option("--of-case", help="Open whole entries of this case only; complete for it.")
    ] = "",
    counted: Annotated[
        bool,
        typer.Option("--counted", help="Open only what a transparency report counts."),
    ] = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Every entry with its fields, and the checkpoint they lead to. For auditors; is itself recorded.

    With --account or --of-case the fields of all others are withheld, and the file still proves that nothing
    of that person or case is missing: `audit verify --account ...`.
    """

    async def work(session: Session, output: Output) -> None:
        request = pb.ExportLogRequest(
            first_index=first_index, account_id=account, case_number=of_case, counted_only=counted
        )
        entries = await export_log(session, out, request)
        output.result({"file": str(out), "entries": entries}, f"{entries:,} entries in {out}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def verify(
    exports: Annotated[list[Path] | None, typer.Argument(help="Exported logs, in their order.")] = None,
    key: Annotated[Path | None, typer.Option("--public-key", help="File with the log's public key.")] = None,
    receipt: Annotated[
        list[Path] | None, typer.Option("--receipt", help="A receipt; may be repeated.")
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Fail when a field is withheld.")] = False,
    checkpoint: Annotated[
        list[Path] | None, typer.Option("--checkpoint", help="Kept elsewhere; may be repeated.")
    ] = None,
    witness_key: Annotated[
        Path | None, typer.Option("--witness-key", help="Whose signature every --checkpoint must bear.")
    ] = None,
    consistency: Annotated[
        list[Path] | None, typer.Option("--consistency", help="Of `audit consistency`; may be repeated.")
    ] = None,
    account: Annotated[str, typer.Option("--account", help="Complete for this account.")] = "",
    of_case: Annotated[str, typer.Option("--of-case", help="Complete for this case number.")] = "",
) -> None:
    """Proves exports, receipts and checkpoints offline: exit code 0 when all holds, else 1 with one sentence.

    The same program stands alone in services/audit/verifier.py and needs nothing but Python.
    """
    output = Output(as_json=False)
    if key is None or not (exports or receipt or checkpoint or consistency):
        output.sentence_error("name the log's public key with --public-key, and an export or a --receipt")
        sys.exit(2)
    arguments = ["--public-key", str(key), *(["--complete"] if complete else [])]
    arguments += ["--account", account, "--case", of_case]
    if witness_key is not None:
        arguments += ["--witness-key", str(witness_key)]
    many = {"--receipt": receipt, "--checkpoint": checkpoint, "--consistency": consistency}
    for option, paths in many.items():
        for one in paths or ():
            arguments += [option, str(one)]
    sys.exit(verifier.main([*arguments, *map(str, exports or ())]))


async def newest_checkpoint(session: Session) -> pb.GetCheckpointResponse:
    """The log's newest checkpoint. Raises AlprError when refused."""
    stub = rpc.LogServiceStub(session.channel("audit"))
    answer: pb.GetCheckpointResponse = await session.call(stub.GetCheckpoint, pb.GetCheckpointRequest())
    return answer


async def export_log(session: Session, out: Path, request: pb.ExportLogRequest | None = None) -> int:
    """Number of entries written to `out`; the file appears only when it is complete.

    Raises:
        AlprError: Refused, or broken off.
    """
    request = request or pb.ExportLogRequest()
    begun = await newest_checkpoint(session)
    stub = rpc.LogServiceStub(session.channel("audit"))
    part = out.with_name(out.name + ".part")
    entries = 0
    with part.open("w", encoding="utf-8") as file:
        file.write(export_header(begun.checkpoint, request.first_index))
        async for message in session.stream(stub.ExportLog, request):
            file.write(export_line(message))
            entries += message.WhichOneof("item") == "entry"
    part.replace(out)
    return entries


def verifier_key(data_dir: Path) -> str:
    """The public key of the log whose signing key the environment or the stack in `data_dir` names.

    Raises:
        CommandError: Neither is there.
    """
    names = ("PW_LOG_ORIGIN", "PW_LOG_SIGNING_KEY_FILE")
    given: Mapping[str, str] = os.environ
    if not all(name in given for name in names):
        given = read_stack(data_dir).bootstrap_environment
    return read_signer(given[names[0]], Path(given[names[1]])).verifier_key()
