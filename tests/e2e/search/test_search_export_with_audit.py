"""Everything that the agency owns, exported with the real audit service and verified offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import report_service_pb2 as pb
from alpr.type.v1 import sensor_pb2
from services.audit import verify_department
from services.audit.verifier import VerificationError, read_public_key
from services.cli.export_reads import receive_page
from tests.support.audit_kit import ORI, Officer, justification
from tests.support.export_pages import write_manifest
from tests.support.search_kit import archived_read, now
from tests.support.search_leaving import Leaving, opened, refusal

PLATE = "EX1234"


async def head_of(leaving: Leaving) -> Officer:
    return await leaving.house.audit.person(audit_pb.ROLE_STATEWIDE_COORDINATOR)


async def export(leaving: Leaving, head: Officer, out: Path, **changes: Any) -> list[pb.ExportedFile]:
    """Pages as the command asks for them, until there is none left."""
    (out / "reads").mkdir(parents=True)
    usual = {"justification": justification(), "page_size": 4, "with_pictures": True}
    request, pages = pb.ExportReadsRequest(**{**usual, **changes}), []
    while not pages or pages[-1].read_count == (request.page_size or 1000):
        request.request_id = str(uuid4())
        stream = leaving.reports.ExportReads(request, metadata=head.metadata, timeout=30)
        pages.append(await receive_page(stream, out, len(pages) + 1))
        request.after_read_id = pages[-1].last_read_id or request.after_read_id
        if len(pages) == 1:
            request.first_question_id = pages[0].question_receipt.entry_id
            getattr(request, "from").CopyFrom(pages[0].searched_from)
            request.to.CopyFrom(pages[0].searched_to)
    write_manifest(out, [])
    return pages


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export") / "all"


async def seeded(leaving: Leaving) -> list[str]:
    """Ids of nine reads with pictures, oldest first; and of others that are not the agency's own."""
    own = [await leaving.pictured_read(now() - timedelta(hours=12 * (9 - n)), plate=PLATE) for n in range(9)]
    foreign = archived_read(plate=PLATE, agency="ILCPD0001", seed=str(uuid4()))
    bought = archived_read(plate=PLATE, agency=ORI, seed=str(uuid4()))
    bought.provenance = sensor_pb2.PROVENANCE_COMMERCIAL
    await leaving.store(*own, foreign, bought)
    return [one.read.read_id for one in own]


@pytest.mark.clause("IV.A.3")
async def test_all_own_reads_leave_once_with_their_pictures_and_the_export_verifies(
    leaving: Leaving, exported: Path
) -> None:
    ids = await seeded(leaving)
    pages = await export(leaving, await head_of(leaving), exported)

    found = verify_department.verify(exported, read_public_key(leaving.log_key))

    read = [
        json.loads(line)["read"]["read_id"]
        for page in sorted((exported / "reads").glob("*[0-9].jsonl"))
        for line in page.read_text().splitlines()[1:]
    ]
    assert read == ids
    assert (found.reads, found.pages, found.pictures, found.without_picture) == (9, 3, 9, 0)
    assert [page.read_count for page in pages] == [4, 4, 1]
    log = opened(pages[1].dissemination_receipt)
    assert log["action"] == "dissemination.everything"
    assert opened(pages[1].question_receipt)["subject"] == pages[0].question_receipt.entry_id


@pytest.mark.clause("IV.A.3")
async def test_an_export_whose_last_page_would_be_full_ends_with_an_empty_one(
    leaving: Leaving, tmp_path: Path
) -> None:
    pages = await export(leaving, await head_of(leaving), tmp_path / "all", page_size=3)

    found = verify_department.verify(tmp_path / "all", read_public_key(leaving.log_key))

    assert [page.read_count for page in pages] == [3, 3, 3, 0]
    assert (found.reads, found.pages) == (9, 4)


@pytest.mark.clause("IV.A.3", "III.B.3.r")
async def test_every_page_says_what_its_reads_are_good_for(exported: Path) -> None:
    about = json.loads((exported / "reads" / "000001.jsonl").read_text().splitlines()[0])

    assert about["notice"]["lead_only"] is True
    assert about["notice"]["verification_state"] == "NEW"


def _without_line(folder: Path) -> None:
    path = folder / "reads" / "000002.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _other_plate(folder: Path) -> None:
    path = folder / "reads" / "000001.jsonl"
    path.write_text(path.read_text().replace(PLATE, "XX9999", 1))


def _without_page(folder: Path) -> None:
    for ending in ("jsonl", "receipts.json"):
        (folder / "reads" / f"000002.{ending}").unlink()


def _without_last_page(folder: Path) -> None:
    for ending in ("jsonl", "receipts.json"):
        (folder / "reads" / f"000003.{ending}").unlink()


def _page_twice(folder: Path) -> None:
    for ending in ("jsonl", "receipts.json"):
        shutil.copy(folder / "reads" / f"000001.{ending}", folder / "reads" / f"000004.{ending}")


def _other_picture(folder: Path) -> None:
    next((folder / "pictures").rglob("*.jpg")).write_bytes(b"x")


def _other_receipts(folder: Path) -> None:
    shutil.copy(folder / "reads" / "000001.receipts.json", folder / "reads" / "000002.receipts.json")


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize(
    "change",
    [
        _without_line,
        _other_plate,
        _without_page,
        _without_last_page,
        _page_twice,
        _other_picture,
        _other_receipts,
    ],
)
@pytest.mark.parametrize("manifest_too", [False, True])
async def test_an_export_that_was_changed_does_not_verify(
    leaving: Leaving, exported: Path, tmp_path: Path, change: Callable[[Path], None], manifest_too: bool
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    change(folder)
    if manifest_too:
        write_manifest_again(folder)

    with pytest.raises(VerificationError):
        verify_department.verify(folder, read_public_key(leaving.log_key))


def write_manifest_again(folder: Path) -> None:
    """As somebody would who hides the change."""
    (folder / "manifest.json").unlink()
    write_manifest(folder, [])


@pytest.mark.clause("IV.A.3")
async def test_pictures_that_are_not_there_are_counted_and_fail_a_complete_export(
    leaving: Leaving, exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "poorer"
    shutil.copytree(exported, folder)
    next((folder / "pictures").rglob("*.jpg")).unlink()
    write_manifest_again(folder)
    key = read_public_key(leaving.log_key)

    assert verify_department.verify(folder, key).without_picture == 1
    with pytest.raises(VerificationError, match="pictures of 1 reads"):
        verify_department.verify(folder, key, complete=True)


@pytest.mark.clause("IV.A.3", "III.B.3.l")
async def test_only_the_head_of_the_agency_exports_everything(leaving: Leaving, tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await export(leaving, leaving.officer, tmp_path / "all")

    assert refusal(error.value)[0] is grpc.StatusCode.PERMISSION_DENIED


async def test_without_pictures_none_is_opened(leaving: Leaving, tmp_path: Path) -> None:
    pages = await export(leaving, await head_of(leaving), tmp_path / "all", with_pictures=False, page_size=0)

    assert len(pages) == 1
    assert not (tmp_path / "all" / "pictures").exists()
    assert "pictures:2:no" in opened(pages[0].question_receipt)["question"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"page_size": 5001}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"after_read_id": "x"}, "after_read_id"),
        ({"first_question_id": "x"}, "first_question_id"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(
    leaving: Leaving, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await export(leaving, leaving.officer, tmp_path / "all", **changes)

    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, {field})
