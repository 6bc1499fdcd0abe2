"""Held reads, evidence, seal and Motor Carrier Safety in the full export, with the real audit service."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio

from alpr.audit.v1 import authorization_service_pb2 as audit_pb
from alpr.search.v1 import export_service_pb2 as pb
from alpr.search.v1 import report_service_pb2 as report_pb
from alpr.search.v1.export_service_pb2_grpc import ExportServiceStub
from alpr.search.v1.report_service_pb2_grpc import ReportServiceStub
from alpr.type.v1.sensor_pb2 import PARTITION_GENERAL, PARTITION_MOTOR_CARRIER
from services.audit import verify_department
from services.audit.verifier import VerificationError
from services.cli.export_folder import Where, write_tables
from services.cli.session import Session
from services.common.errors import AlprError, StorageUnavailableError, from_rpc_error
from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import justification
from tests.support.databases import MigratedDatabase, fetch
from tests.support.export_pages import key_of, write_manifest
from tests.support.issuer import RunningIssuer
from tests.support.search_department import (
    HELD,
    PLATE,
    SCALE_HELD,
    SCALE_PLATE,
    Department,
    department,
    house_of,
)
from tests.support.search_house import running_house

pytestmark = pytest.mark.timeout(180)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(
    migrated_database: Callable[..., Awaitable[MigratedDatabase]],
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Department]:
    folder = tmp_path_factory.mktemp("department")
    database = await migrated_database("audit", "search")
    async with running_house(database, tls, issuer, folder) as running:
        yield await department(running, folder / "images")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def exported(made: Department, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of both data sets, each by its own people."""
    out = tmp_path_factory.mktemp("export") / "all"
    await made.export(out)
    await made.export(out / "motor_carrier", PARTITION_MOTOR_CARRIER)
    return out


def texts(folder: Path) -> str:
    """All pages of a folder, without the other data set's."""
    paths = [
        *folder.glob("*.jsonl"),
        *(one for name in ("reads", "held") for one in (folder / name).rglob("*.jsonl")),
    ]
    return "".join(path.read_text() for path in paths)


@pytest.mark.clause("IV.A.3", "IV.E.3", "III.D.5", "II.H")
async def test_reads_held_reads_and_evidence_of_both_data_sets_leave_and_are_proven_offline(
    made: Department, exported: Path
) -> None:
    found = verify_department.verify(exported, key_of(made.running.audit))

    for one in (found, found.motor_carrier):
        assert one is not None
        assert (one.reads, one.held_reads, one.evidence, one.pictures) == (3, 1, 1, 4)
        assert (one.without_picture, one.sealed) == (0, True)
    general, apart = texts(exported), texts(exported / "motor_carrier")
    assert PLATE in general
    assert HELD in general
    assert not {SCALE_PLATE, SCALE_HELD} & set(general.split('"'))
    assert SCALE_PLATE in apart
    assert SCALE_HELD in apart
    assert not {PLATE, HELD} & set(apart.split('"'))


class BreakingSession(Session):
    """Every other stream breaks off after its first message."""

    streams = 0

    async def stream(self, method: Any, request: Any) -> AsyncIterator[Any]:
        """See Session."""
        type(self).streams += 1
        breaks = self.streams % 2
        async for message in super().stream(method, request):
            yield message
            if breaks:
                raise StorageUnavailableError("the way to the service broke")


@pytest.mark.clause("IV.A.3")
async def test_an_export_over_a_way_that_breaks_all_the_time_is_whole(
    made: Department, tmp_path: Path
) -> None:
    await made.export(tmp_path / "all", kind=BreakingSession)

    found = verify_department.verify(tmp_path / "all", key_of(made.running.audit))

    assert (found.reads, found.held_reads, found.evidence, found.without_picture) == (3, 1, 1, 0)
    assert BreakingSession.streams >= 6


@pytest.mark.clause("IV.A.3")
async def test_a_held_read_whose_picture_is_missing_leaves_without_it_and_that_is_counted(
    made: Department, tmp_path: Path
) -> None:
    apart = "UPDATE archive.held_read SET image_apart = $1"
    admin = made.running.database.admin_url
    await fetch(admin, apart, False)
    try:
        await made.export(tmp_path / "all")
    finally:
        await fetch(admin, apart, True)

    found = verify_department.verify(tmp_path / "all", key_of(made.running.audit))

    assert (found.held_reads, found.pictures, found.without_picture) == (1, 3, 1)


def _list_line(folder: Path) -> None:
    path = folder / "evidence.jsonl"
    path.write_text(path.read_text().replace("RPT-26-1", "RPT-26-2"))


def _list_gone(folder: Path) -> None:
    for ending in ("jsonl", "csv"):
        (folder / f"holds.{ending}").unlink()


def _held_line(folder: Path) -> None:
    path = next((folder / "held").rglob("*.jsonl"))
    path.write_text(path.read_text().replace('"plate": "', '"plate": "X', 1))


def _held_gone(folder: Path) -> None:
    shutil.rmtree(folder / "held")


def _other_hold(folder: Path) -> None:
    pages = next((folder / "held").iterdir())
    pages.rename(pages.with_name(str(uuid4())))


def _package(folder: Path) -> None:
    path = next((folder / "evidence").iterdir())
    path.write_bytes(path.read_bytes()[:-1])


def _package_of_another(folder: Path) -> None:
    path = next((folder / "evidence").iterdir())
    path.rename(path.with_name(f"{uuid4()}.zip"))


CHANGES = (_list_line, _list_gone, _held_line, _held_gone, _other_hold, _package, _package_of_another)


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize("partition", [PARTITION_GENERAL, PARTITION_MOTOR_CARRIER])
@pytest.mark.parametrize("change", CHANGES)
async def test_what_was_changed_afterwards_is_found_however_well_the_manifest_hides_it(
    made: Department, exported: Path, tmp_path: Path, partition: Where, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    part = folder / "motor_carrier" if partition == PARTITION_MOTOR_CARRIER else folder
    change(part)
    for table in part.glob("*.csv"):
        table.unlink()
    write_tables(part)
    write_manifest(part, [], house_of(partition))

    with pytest.raises(VerificationError):
        verify_department.verify(folder, key_of(made.running.audit))


@pytest.mark.clause("IV.A.3")
async def test_an_export_without_its_seal_is_not_complete_and_says_so(
    made: Department, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "unsealed"
    shutil.copytree(exported, folder)
    (folder / "seal.json").unlink()
    (tmp_path / "log.pub").write_text(f"{_key_line(made)}\n")

    code = verify_department.main(["--public-key", str(tmp_path / "log.pub"), str(folder)])

    assert code == 0
    said = capsys.readouterr().out
    assert "the log does not have the manifest" in said
    assert "in no export" not in said
    with pytest.raises(VerificationError, match="not complete"):
        verify_department.verify(folder, key_of(made.running.audit), complete=True)


def _key_line(made: Department) -> str:
    from services.audit.config import read_signer  # noqa: PLC0415

    settings = made.running.audit.settings
    return read_signer(settings.log_origin, settings.log_signing_key_file).verifier_key()


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize("other", ["receipt of a page", "seal of the other data set"])
async def test_a_seal_of_something_else_seals_nothing(
    made: Department, exported: Path, tmp_path: Path, other: str
) -> None:
    folder = tmp_path / "sealed"
    shutil.copytree(exported, folder)
    if other == "receipt of a page":
        receipts = json.loads((folder / "reads" / "000001.receipts.json").read_text())
        (folder / "seal.json").write_text(json.dumps({"seal": receipts["dissemination"]}))
    else:
        shutil.copy(folder / "motor_carrier" / "seal.json", folder / "seal.json")

    with pytest.raises(VerificationError, match="something else"):
        verify_department.verify(folder, key_of(made.running.audit))


@pytest.mark.clause("IV.A.3", "III.B.3.d")
async def test_a_seal_is_one_entry_however_often_it_is_asked_for_and_names_person_and_case(
    made: Department,
) -> None:
    request = pb.SealExportRequest(
        request_id=str(uuid4()),
        justification=justification(),
        manifest_sha256=b"s" * 32,
        file_count=3,
        size_bytes=9,
    )
    stub = made.running.person(ExportServiceStub)

    first = await stub.SealExport(request, metadata=made.head.metadata)
    again = await stub.SealExport(request, metadata=made.head.metadata)

    logged = {one.name: one.value for one in first.seal_receipt.fields}
    assert again.seal_receipt.entry_id == first.seal_receipt.entry_id
    assert (logged["action"], logged["actor"]) == ("export.seal", made.head.account_id)
    assert logged["case_number"] == justification().case_number
    assert logged["detail.sha256"] == (b"s" * 32).hex()


@pytest.mark.clause("II.H", "III.E.5", "IV.A.3")
@pytest.mark.parametrize("partition", [PARTITION_GENERAL, PARTITION_MOTOR_CARRIER])
async def test_neither_data_set_is_exported_by_the_other_ones_people(
    made: Department, partition: Where
) -> None:
    other = made.head if partition == PARTITION_MOTOR_CARRIER else made.supervisor
    usual = {"justification": justification(), "partition": partition}
    exports, reports = made.running.person(ExportServiceStub), made.running.person(ReportServiceStub)
    hold, id_ = made.holds[partition], lambda: str(uuid4())

    for call in (
        reports.ExportReads(report_pb.ExportReadsRequest(request_id=id_(), **usual), metadata=other.metadata),
        exports.ExportHeldReads(
            pb.ExportHeldReadsRequest(request_id=id_(), hold_id=hold, **usual), metadata=other.metadata
        ),
    ):
        assert (await refusal(call.read())).code is grpc.StatusCode.PERMISSION_DENIED
    seal = pb.SealExportRequest(request_id=id_(), manifest_sha256=b"s" * 32, **usual)
    error = await refusal(exports.SealExport(seal, metadata=other.metadata))
    assert error.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.clause("II.H", "III.E.5")
async def test_a_hold_of_one_data_set_shows_nothing_in_the_other(made: Department) -> None:
    stub = made.running.person(ExportServiceStub)
    for partition in (PARTITION_GENERAL, PARTITION_MOTOR_CARRIER):
        other = PARTITION_GENERAL if partition == PARTITION_MOTOR_CARRIER else PARTITION_MOTOR_CARRIER
        request = pb.ExportHeldReadsRequest(
            request_id=str(uuid4()),
            justification=justification(),
            hold_id=made.holds[other],
            partition=partition,
        )
        page = await stub.ExportHeldReads(request, metadata=made.person(partition).metadata).read()
        assert page.file.read_count == 0


@pytest.mark.clause("IV.A.3", "III.B.3.l")
@pytest.mark.parametrize(
    "role",
    [
        audit_pb.ROLE_USER,
        audit_pb.ROLE_AUDITOR,
        audit_pb.ROLE_HOT_LIST_MANAGER,
        audit_pb.ROLE_WORK_UNIT_COORDINATOR,
        audit_pb.ROLE_SYSTEM_ADMINISTRATOR,
        audit_pb.ROLE_CVEO,
    ],
)
async def test_nobody_but_the_head_of_a_data_set_exports_it(
    made: Department, tmp_path: Path, role: audit_pb.Role.ValueType
) -> None:
    person = await made.running.audit.person(role)

    for partition in (PARTITION_GENERAL, PARTITION_MOTOR_CARRIER):
        with pytest.raises(AlprError) as error:
            await made.export(tmp_path / str(partition), partition, person)
        assert error.value.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"manifest_sha256": b"x"}, "manifest_sha256"),
        ({"file_count": -1}, "file_count"),
        ({"size_bytes": -1}, "size_bytes"),
        ({"request_id": "x"}, "request_id"),
    ],
)
async def test_what_is_wrong_with_a_seal_is_named(
    made: Department, changes: dict[str, Any], field: str
) -> None:
    usual = {"request_id": str(uuid4()), "justification": justification(), "manifest_sha256": b"s" * 32}
    request = pb.SealExportRequest(**{**usual, **changes})

    error = await refusal(
        made.running.person(ExportServiceStub).SealExport(request, metadata=made.head.metadata)
    )

    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == {field}


async def refusal(call: Awaitable[Any]) -> AlprError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
