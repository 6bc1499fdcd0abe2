"""`platewarden export`: everything that the agency owns in open formats, and proof that none is missing."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.message import Message

from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from services.audit import verify_department
from services.audit.department_pages import DEPARTMENT, MOTOR_CARRIER_HOUSE, House
from services.audit.verify_department import MOTOR_CARRIER
from services.cli.audit import export_log
from services.cli.export_folder import Where, new_folder, seal, write_tables
from services.cli.export_lists import items_of, list_named
from services.cli.export_pages import export_kept
from services.cli.export_reads import Wanted, export_evidence, export_held, export_reads, records_of
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, run_signed_in
from services.cli.output import Output, message_to_dict
from services.cli.question import Asked, with_options
from services.cli.session import Session
from services.common.errors import AlprError

app = typer.Typer(
    no_args_is_help=True,
    help="Everything the agency owns, in open formats: all, motor-carrier, log, verify (ENF-051 IV.A.3).",
)
# By these others are asked for. The register comes after all that left, for it grows meanwhile.
_FIRST_LISTS = ("holds", "evidence")
Pictures = Annotated[bool, typer.Option("--pictures", help="The pictures, too.")]
PageSize = Annotated[int, typer.Option("--page-size", min=1, max=5000, help="Reads of a page.")]


@app.command("all")
@with_options
def everything(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must be empty or not there.")],
    asked: Asked,
    pictures: Pictures = False,
    page_size: PageSize = 5000,
) -> None:
    """Reads, held reads, evidence, alerts, hot lists, configuration, registers, log. What your roles do not
    open is named."""

    async def work(session: Session, output: Output) -> None:
        new_folder(out)
        wanted = Wanted(session, asked.justification(), out, PARTITION_GENERAL, pictures)
        counts, not_included = await _export_house(wanted, page_size, DEPARTMENT)
        # Last, so that it has what was recorded of all the rest.
        without_log = await _export_log(session, out)
        _tell(output, out, counts, [*not_included, *without_log])

    asked.run(work)


@app.command("motor-carrier")
@with_options
def motor_carrier(
    out: Annotated[Path, typer.Option("--out", help="The export of the agency, or a new folder.")],
    asked: Asked,
    pictures: Pictures = False,
    page_size: PageSize = 5000,
) -> None:
    """What the agency owns of Motor Carrier Safety, as a supervisor of its officers alone can (II.H)."""

    async def work(session: Session, output: Output) -> None:
        apart = out / MOTOR_CARRIER
        new_folder(apart)
        wanted = Wanted(session, asked.justification(), apart, PARTITION_MOTOR_CARRIER, pictures)
        counts, not_included = await _export_house(wanted, page_size, MOTOR_CARRIER_HOUSE)
        _tell(output, apart, counts, not_included)

    asked.run(work)


@app.command("log")
def add_log(
    folder: Annotated[Path, typer.Argument(help="The export that is to have the log.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts the log into an export, as an auditor, when the rest is there: it then covers all of it."""

    async def work(session: Session, output: Output) -> None:
        if not (folder / verify_department.MANIFEST).is_file():
            raise CommandError(f"{folder} is no export")
        entries = await export_log(session, folder / verify_department.LOG)
        output.result(
            {"folder": str(folder), "entries": entries}, f"{entries:,} entries of the log in {folder}"
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The export.")],
    key: Annotated[Path, typer.Option("--public-key", help="File with the log's public key.")],
    complete: Annotated[
        bool, typer.Option("--complete", help="Fail when a picture or a part is not there.")
    ] = False,
) -> None:
    """Proves an export offline: exit code 0 when all holds, else 1 with one sentence.

    The same program stands alone in services/audit/verify_department.py and needs nothing but Python.
    """
    sys.exit(
        verify_department.main(["--public-key", str(key), *(["--complete"] if complete else []), str(folder)])
    )


async def _export_house(wanted: Wanted, page_size: int, house: House) -> tuple[dict[str, int], list[str]]:
    """How many records of a data set are in the folder now, sealed; names of what the person may not have."""
    session, out = wanted.session, wanted.out
    # An address that nobody gave is said now, not after hours.
    for service in ("alerts", "search", *({list_named(name).service for name in house.lists})):
        session.connection.target(service)
    counts = {"reads": await export_reads(wanted, page_size)}
    kept, not_included = await export_kept(
        session, wanted.justification, out, wanted.partition, pictures=wanted.pictures
    )
    names = [*_FIRST_LISTS, *(name for name in house.lists if name not in _FIRST_LISTS)]
    not_included += await _export_lists(session, out, names[:2], wanted.partition)
    held, without_held = await _export_held(wanted)
    packages, without_packages = await export_evidence(wanted)
    not_included += [*without_held, *without_packages]
    not_included += await _export_lists(session, out, names[2:], wanted.partition)
    write_tables(out)
    await seal(session, wanted.justification, out, not_included, (house, wanted.partition))
    return {**counts, "held reads": held, "evidence packages": packages, **kept}, not_included


async def _export_held(wanted: Wanted) -> tuple[int, list[str]]:
    count = 0
    for hold in records_of(wanted.out / "holds.jsonl"):
        if hold.get("release_time"):
            continue
        try:
            count += await export_held(wanted, hold["hold_id"])
        except AlprError as error:
            # A part that broke off would look like a whole one that was tampered with.
            shutil.rmtree(wanted.out / "held" / hold["hold_id"], ignore_errors=True)
            return count, [f"held reads ({error.code.name})"]
    return count, []


async def _export_log(session: Session, out: Path) -> list[str]:
    """Writes the log; its name when the person may not have it."""
    try:
        await export_log(session, out / verify_department.LOG)
    except AlprError as error:
        (out / f"{verify_department.LOG}.part").unlink(missing_ok=True)
        return [f"log ({error.code.name})"]
    return []


async def _export_lists(session: Session, out: Path, names: list[str], partition: Where) -> list[str]:
    """Writes each list as lines of JSON; names of those that the person may not see."""
    refused = []
    for name in names:
        try:
            items = [item async for item in items_of(session, list_named(name), partition)]
        except AlprError as error:
            refused.append(f"{name} ({error.code.name})")
            continue
        (out / f"{name}.jsonl").write_text("".join(map(_line, items)), encoding="utf-8")
    return refused


def _line(item: Message) -> str:
    return json.dumps(message_to_dict(item), ensure_ascii=False, sort_keys=True) + "\n"


def _tell(output: Output, out: Path, counts: dict[str, int], not_included: list[str]) -> None:
    output.result(
        {"folder": str(out), **counts, "not_included": not_included},
        f"{', '.join(f'{count:,} {name}' for name, count in counts.items())} in {out}; "
        f"not included: {', '.join(not_included) or 'nothing'}",
    )
