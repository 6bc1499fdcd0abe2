"""Evidence packages with the real audit service: kept for their case, and verified offline."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from alpr.search.v1 import report_service_pb2 as pb
from services.audit import verify_evidence
from services.audit.verifier import VerificationError, read_public_key
from tests.support.audit_kit import justification
from tests.support.search_leaving import Files, Leaving, opened, received, refusal

PLATE = "LV1234"
AUDIT_FOLDER = Path(verify_evidence.__file__).parent


def saved(got: Files, folder: Path) -> Path:
    path = folder / got.file.file_name
    path.write_bytes(got.data)
    return path


@pytest.mark.clause("III.D.5")
async def test_an_evidence_package_verifies_offline_and_holds_picture_metadata_custody_and_proofs(
    leaving: Leaving, tmp_path: Path
) -> None:
    read = await leaving.pictured_read(plate=PLATE)
    [read_id] = await leaving.store(read)

    got = await leaving.evidence(read_id)

    package = saved(got, tmp_path)
    manifest = verify_evidence.verify(package, read_public_key(leaving.log_key))
    assert manifest["read"]["plate"] == PLATE
    assert manifest["read"]["model_version"] == "plates-1"
    assert manifest["destination"]["report_number"] == "RPT-26-1"
    assert manifest["custody"][0]["what"] == "captured"
    with zipfile.ZipFile(package) as archive:
        original = archive.read("original.jpg")
        assert archive.read("plate.jpg").startswith(b"\xff\xd8")
        assert json.loads(archive.read("read.json"))["lattice"]
    assert sha256(original).digest() == read.read.image.sha256
    log = opened(got.file.dissemination_receipt)
    assert log["detail.manifest_sha256"] == got.file.manifest_sha256.hex()


async def test_the_verifier_needs_nothing_but_python_and_two_files(leaving: Leaving, tmp_path: Path) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    package = saved(await leaving.evidence(read_id), tmp_path)
    for name in ("verifier.py", "verify_evidence.py"):
        (tmp_path / name).write_bytes((AUDIT_FOLDER / name).read_bytes())
    (tmp_path / "key").write_text(leaving.log_key)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Without site packages and without this project.
        command = [sys.executable, "-E", "-s", "-S", str(tmp_path / "verify_evidence.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603

    good = run("--public-key", str(tmp_path / "key"), str(package))

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"good: evidence of read {read_id}")


def changed(package: Path, change: Callable[[dict[str, bytes]], None], target: Path) -> Path:
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def _other_plate(files: dict[str, bytes]) -> None:
    files["manifest.json"] = files["manifest.json"].replace(PLATE.encode(), b"XX9999")


def _other_picture(files: dict[str, bytes]) -> None:
    files["original.jpg"] += b"x"


def _other_picture_in_manifest_too(files: dict[str, bytes]) -> None:
    old = sha256(files["original.jpg"]).hexdigest().encode()
    files["original.jpg"] += b"x"
    manifest = json.loads(
        files["manifest.json"].replace(old, sha256(files["original.jpg"]).hexdigest().encode())
    )
    for one in manifest["files"]:
        if one["name"] == "original.jpg":
            one["size_bytes"] += 1
    files["manifest.json"] = json.dumps(manifest).encode()


def _without_receipt(files: dict[str, bytes]) -> None:
    del files["receipts/dissemination.json"]


def _swapped_receipts(files: dict[str, bytes]) -> None:
    files["receipts/question.json"] = files["receipts/outcome.json"]


def _more(files: dict[str, bytes]) -> None:
    files["extra.txt"] = b"x"


def _less(files: dict[str, bytes]) -> None:
    del files["read.json"]


@pytest.mark.clause("III.D.5")
@pytest.mark.parametrize(
    "change",
    [
        _other_plate,
        _other_picture,
        _other_picture_in_manifest_too,
        _without_receipt,
        _swapped_receipts,
        _more,
        _less,
    ],
)
async def test_a_package_that_was_changed_does_not_verify(
    leaving: Leaving, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    package = saved(await leaving.evidence(read_id), tmp_path)

    with pytest.raises(VerificationError):
        verify_evidence.verify(
            changed(package, change, tmp_path / "changed.zip"), read_public_key(leaving.log_key)
        )


async def test_the_receipts_of_another_package_do_not_make_one_good(leaving: Leaving, tmp_path: Path) -> None:
    first, second = await leaving.store(*[await leaving.pictured_read(plate=PLATE) for _ in range(2)])
    package = saved(await leaving.evidence(first), tmp_path)
    with zipfile.ZipFile(io.BytesIO((await leaving.evidence(second)).data)) as archive:
        receipts = {name: archive.read(name) for name in archive.namelist() if name.startswith("receipts/")}

    mixed = changed(package, lambda files: files.update(receipts), tmp_path / "mixed.zip")

    with pytest.raises(VerificationError, match="manifest is not the one"):
        verify_evidence.verify(mixed, read_public_key(leaving.log_key))


@pytest.mark.clause("III.D.5", "IV.E.1")
async def test_evidence_outlives_its_read_under_its_own_key_and_is_given_again(
    leaving: Leaving, tmp_path: Path
) -> None:
    read = await leaving.pictured_read(plate=PLATE)
    [read_id] = await leaving.store(read)
    got = await leaving.evidence(read_id)
    await leaving.rows("DELETE FROM archive.read WHERE read_id = $1::text::uuid", read_id)
    (leaving.folder / "images" / "days" / read.read.image.day / read.read.image.sha256.hex()).unlink()

    request = pb.GetEvidenceRequest(
        request_id=str(uuid4()), justification=justification(), evidence_id=got.file.evidence_id
    )
    again = await received(leaving.reports.GetEvidence(request, metadata=leaving.officer.metadata))

    manifest = verify_evidence.verify(saved(again, tmp_path), read_public_key(leaving.log_key))
    assert manifest["read"]["read_id"] == read_id
    assert again.file.manifest_sha256 == got.file.manifest_sha256
    assert again.data == got.data
    assert opened(again.file.question_receipt)["action"] == "question.evidencecopy"
    assert again.file.dissemination_id != got.file.dissemination_id
    [counted] = await leaving.rows(
        "SELECT (archive.evidence_of_day(capture_day)).packages FROM archive.evidence"
        " WHERE evidence_id = $1::text::uuid",
        got.file.evidence_id,
    )
    assert counted["packages"] >= 1


async def test_the_same_request_again_gives_the_same_package_and_one_entry(
    leaving: Leaving, tmp_path: Path
) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    request_id = str(uuid4())

    first = await leaving.evidence(read_id, request_id=request_id)
    second = await leaving.evidence(read_id, request_id=request_id)

    assert second.file.evidence_id == first.file.evidence_id
    assert second.file.manifest_sha256 == first.file.manifest_sha256
    verify_evidence.verify(saved(second, tmp_path), read_public_key(leaving.log_key))
    objects = list((leaving.folder / "images" / "evidence" / first.file.evidence_id).rglob("package"))
    assert len(objects) == 1


async def test_nobody_elses_read_becomes_evidence(leaving: Leaving) -> None:
    foreign = await leaving.pictured_read(plate=PLATE, agency="ILCPD0001")
    [read_id] = await leaving.store(foreign)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await leaving.evidence(read_id)

    assert refusal(error.value)[0] is grpc.StatusCode.NOT_FOUND


async def test_packages_of_the_agency_are_listed_without_plate(leaving: Leaving) -> None:
    [read_id] = await leaving.store(await leaving.pictured_read(plate=PLATE))
    number = f"RPT-{uuid4().hex[:8]}"
    got = await leaving.evidence(read_id, report_number=number, evidence_item="item 7")

    request = pb.ListEvidenceRequest(request_id=str(uuid4()), report_number=number)
    answer = await leaving.reports.ListEvidence(request, metadata=leaving.officer.metadata)

    [package] = answer.packages
    assert (package.evidence_id, package.read_id, package.evidence_item) == (
        got.file.evidence_id,
        read_id,
        "item 7",
    )
    assert package.manifest_sha256 == got.file.manifest_sha256
    assert PLATE not in str(answer)
