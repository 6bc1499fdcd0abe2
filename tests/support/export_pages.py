"""Pages of a full export as the command asks for them, and what somebody might do to them afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from alpr.type.v1.exported_page_pb2 import ExportedPage
from services.audit.config import read_signer
from services.audit.department_pages import DEPARTMENT, House
from services.audit.verifier import PublicKey, read_public_key
from services.audit.verify_department import MANIFEST
from services.cli.export_folder import manifest_bytes, manifest_of, write_tables
from services.cli.export_pages import receive_page
from tests.support.audit_kit import RunningAudit, justification


def key_of(audit: RunningAudit) -> PublicKey:
    """What a verifier needs of the log."""
    signer = read_signer(audit.settings.log_origin, audit.settings.log_signing_key_file)
    return read_public_key(signer.verifier_key())


async def export_pages(
    ask: Callable[[Any], AsyncIterator[Any]], request: Any, out: Path, name: str
) -> list[ExportedPage]:
    """The pages, received into `out`/`name` until there is none left."""
    pages: list[ExportedPage] = []
    if not request.HasField("justification"):
        request.justification.CopyFrom(justification())
    while not pages or pages[-1].has_more:
        request.request_id = str(uuid4())
        pages.append(await receive_page(ask(request), out, name, len(pages) + 1))
        request.after, request.until = pages[-1].last, pages[-1].until
    return pages


def write_manifest(out: Path, not_included: list[str], house: House = DEPARTMENT) -> None:
    """The manifest of what lies there now, which no log has."""
    (out / MANIFEST).write_bytes(manifest_bytes(manifest_of(out, not_included, house)))


def rows_below(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of all pages below the folder, in their order."""
    for page in sorted(folder.rglob("*.jsonl")):
        yield from (json.loads(line) for line in page.read_text().splitlines()[1:])


def changed(exported: Path, to: Path, name: str, change: Callable[[Path], None]) -> Path:
    """A copy of the export with `change` made below `name`; manifest and, for CHANGES, tables hide it."""
    shutil.copytree(exported, to)
    change(to / name)
    if change.__module__ == __name__:
        for table in to.rglob("*.csv"):
            table.unlink()
        write_tables(to)
    (to / "manifest.json").unlink(missing_ok=True)
    write_manifest(to, [])
    return to


def without_line(pages: Path) -> None:
    """A record less."""
    path = pages / "000001.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def another_word(pages: Path) -> None:
    """A record that says something else."""
    path = pages / "000001.jsonl"
    *lines, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, last.replace('": "', '": "x', 1)]))


def _without(pages: Path, number: int) -> None:
    for ending in ("jsonl", "receipts.json"):
        (pages / f"{number:06}.{ending}").unlink()


def without_first_page(pages: Path) -> None:
    """The first page is not there."""
    _without(pages, 1)


def without_second_page(pages: Path) -> None:
    """A page between two is not there."""
    _without(pages, 2)


def without_last_page(pages: Path) -> None:
    """The last page is not there."""
    _without(pages, len(list(pages.glob("*.jsonl"))))


def page_twice(pages: Path) -> None:
    """A page comes again at the end."""
    number = len(list(pages.glob("*.jsonl"))) + 1
    for ending in ("jsonl", "receipts.json"):
        shutil.copy(pages / f"000001.{ending}", pages / f"{number:06}.{ending}")


def other_receipts(pages: Path) -> None:
    """A page with the receipts of another."""
    shutil.copy(pages / "000001.receipts.json", pages / "000002.receipts.json")


CHANGES = (
    without_line,
    another_word,
    without_first_page,
    without_second_page,
    without_last_page,
    page_twice,
    other_receipts,
)
