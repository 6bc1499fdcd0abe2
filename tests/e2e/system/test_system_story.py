"""The whole system on real processes: the demo's story, services killed under it, the proof of it."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.search.v1 import search_service_pb2_grpc as search_rpc
from alpr.type.v1 import justification_pb2, read_pb2
from services.audit import verify_department
from services.audit.verifier import VerificationError, read_public_key
from services.cli.camera import Camera
from services.cli.demo import cast
from services.cli.demo.command import tell
from services.cli.demo.material import Material, leads_file
from services.cli.demo.offline import forge
from services.cli.demo.story import SENSOR_ID
from services.cli.frames import Picture
from services.cli.locate import locate
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.scenes import draw_scene
from services.cli.sensor_channel import sensor_channel
from services.cli.session import Session
from services.cli.tokens import token_source
from services.dev.places import Places
from services.dev.supervisor import Options, Supervisor
from tests.support.databases import awake
from tests.support.ports import free_base_port

pytestmark = pytest.mark.timeout(300)
GOLDEN = Path(__file__).parents[2] / "golden"
SERVICES = ("audit", "matcher", "search", "alerts", "ocr")


@pytest.fixture(scope="module")
def base_port() -> int:
    """A base whose ports nobody else uses."""
    return free_base_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("system")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(folder: Path, base_port: int) -> AsyncIterator[Supervisor]:
    """The running stack with its story told; the evidence of it is in `folder`/evidence."""
    scenes = [draw_scene(seed) for seed in (11, 12)]
    pictures = tuple(Picture(f"scene-{n}", scene.image, None) for n, scene in enumerate(scenes))
    material = Material(pictures, (scenes[0].plate,), "two generated scenes")
    (folder / "evidence").mkdir()
    async with Supervisor(Options(folder / "data", base_port)) as running:
        await tell(running, folder / "data", material, folder / "evidence", Output(as_json=True))
        yield running


def verifier(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "verifier.py", "--public-key", "log.pub", *arguments]
    return subprocess.run(command, cwd=folder / "evidence", capture_output=True, text=True, check=False)  # noqa: S603


def platewarden(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("platewarden")),
        *arguments,
        "--data-dir",
        str(folder / "data"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.clause("IV.C.1", "IV.C.5", "IV.C.6", "III.D.4", "IV.E.2")
async def test_the_story_leaves_a_log_and_receipts_that_hold_offline(stack: Supervisor, folder: Path) -> None:
    receipts = [path.name for path in sorted((folder / "evidence").glob("*-*.json"))]
    given = [argument for name in receipts for argument in ("--receipt", name)]

    proven = await asyncio.to_thread(verifier, folder, "log.jsonl", *given)

    assert len(receipts) == 2
    assert proven.returncode == 0, proven.stderr
    assert proven.stdout.count("good: receipt") == 2


@pytest.mark.clause("IV.E.2")
async def test_one_changed_byte_of_the_log_is_found(stack: Supervisor, folder: Path) -> None:
    index, forged = forge((folder / "evidence" / "log.jsonl").read_bytes())
    (folder / "evidence" / "forged.jsonl").write_bytes(forged)

    refused = await asyncio.to_thread(verifier, folder, "forged.jsonl")

    assert refused.returncode == 1
    assert f"entry {index} " in refused.stderr


@pytest.mark.clause("IV.A.3")
async def test_everything_that_the_agency_owns_leaves_and_is_proven_complete_offline(
    stack: Supervisor, folder: Path
) -> None:
    out, key = folder / "everything", str(folder / "evidence" / "log.pub")
    why = ("--case-kind", "cad", "--case", "2026-004711", "--offence", "STOLEN_VEHICLE")
    why += ("--purpose", "Stolen vehicle case, handed over with all that the agency owns")

    def verified() -> int:
        return verify_department.main(["--public-key", key, "--complete", str(out)])

    head = ("--as", cast.COORDINATOR, "--json")
    left = await asyncio.to_thread(
        platewarden, folder, "export", "all", "--out", str(out), "--pictures", *why, *head
    )
    without_log = await asyncio.to_thread(verified)
    logged = await asyncio.to_thread(
        platewarden, folder, "export", "log", str(out), "--as", cast.AUDITOR.subject, "--json"
    )

    assert left.returncode == 0, left.stdout + left.stderr
    said = json.loads(left.stdout.splitlines()[-1])
    assert said["not_included"] == ["log (PERMISSION_DENIED)"]
    assert said["alerts"] > 0
    assert said["entries of hot lists"] == 1_000
    assert {"held reads", "evidence packages", "uploads in quarantine", "changes of budgets"} <= set(said)
    assert without_log == 1
    assert logged.returncode == 0, logged.stdout + logged.stderr
    assert await asyncio.to_thread(verified) == 0


@pytest.mark.clause("IV.A.3")
async def test_an_export_with_a_log_of_before_it_is_not_complete(stack: Supervisor, folder: Path) -> None:
    out, key = folder / "everything", read_public_key((folder / "evidence" / "log.pub").read_text())
    shutil.copytree(out, folder / "older")
    shutil.copy(folder / "evidence" / "log.jsonl", folder / "older" / "log.jsonl")

    with pytest.raises(VerificationError, match="the log ends before entry"):
        verify_department.verify(folder / "older", key, complete=True)


async def test_logs_hold_no_plate_case_number_person_or_token(stack: Supervisor, folder: Path) -> None:
    secrets = [
        draw_scene(11).plate,
        draw_scene(12).plate,
        "2026-004711",
        "Demo Officer",
        cast.EMAIL_DOMAIN,
        "eyJ",
    ]

    texts = {path: path.read_text(errors="replace") for path in Places(folder / "data").logs.iterdir()}
    texts |= {p: p.read_text(errors="replace") for p in Places(folder / "data").postgres.rglob("*.log")}

    assert len(texts) >= len(SERVICES)
    for path, text in texts.items():
        assert [secret for secret in secrets if secret in text] == [], path.name


@pytest.mark.parametrize("killed", [*SERVICES, "postgres"])
async def test_what_was_answered_stored_is_found_after_a_kill(
    stack: Supervisor, folder: Path, killed: str
) -> None:
    connection = locate(folder / "data")
    seed = 100 + (*SERVICES, "postgres").index(killed) * 10
    scenes = [draw_scene(seed + n) for n in range(4)]
    pictures = [Picture(f"{killed}-{n}", scene.image, None) for n, scene in enumerate(scenes)]
    stored: dict[str, str] = {}
    async with sensor_channel(connection, SENSOR_ID, None, None) as channel:
        camera = Camera(channel, None, on_wait=lambda _: None)
        async for _, answer in camera.send(pictures):
            assert not answer.HasField("error"), answer.error
            if not stored:
                os.kill(stack.pids[killed], signal.SIGKILL)
            for plate in answer.plates:
                assert plate.status in {read_pb2.READ_STATUS_STORED, read_pb2.READ_STATUS_DUPLICATE}
                stored[plate.read.read_id] = plate.read.plate

    assert len(stored) >= len(pictures)
    await awake(stack.admin_url)
    database = await asyncpg.connect(stack.admin_url)
    try:
        found = await database.fetch(
            "SELECT read_id::text, plate FROM archive.read WHERE read_id = ANY($1::uuid[])",
            list(stored),
        )
    finally:
        await database.close()
    assert {row["read_id"]: row["plate"] for row in found} == stored
    read_id, plate = next(iter(stored.items()))
    assert read_id in await searched(folder, plate)


async def searched(folder: Path, plate: str) -> set[str]:
    """Ids of the reads that an officer finds for `plate`, through services that may be restarting."""
    officer = token_source(folder / "data", cast.OFFICER.subject)
    request = search_pb.SearchReadsRequest(
        request_id=new_request_id(),
        plate=plate,
        justification=justification_pb2.Justification(
            case_number_kind=justification_pb2.CASE_NUMBER_KIND_CAD,
            case_number="2026-004711",
            offence_code="STOLEN_VEHICLE",
            purpose="Stolen vehicle seen on I-90, looking for where it was before",
        ),
    )
    async with Session(locate(folder / "data"), officer, on_wait=lambda _: None) as session:
        stub = search_rpc.SearchServiceStub(session.channel("search"))
        answer = await session.call(stub.SearchReads, request)
    return {found.read.read_id for found in answer.reads}


@pytest.mark.clause("II.B", "II.D", "IV.C.1")
async def test_a_read_that_a_camera_pushes_is_compared_archived_and_found(
    stack: Supervisor, folder: Path
) -> None:
    """With the command that does as the camera does; the plate is on the hot list of the story."""
    scene, now = draw_scene(11), int(time.time() * 1000)
    group = json.loads((GOLDEN / "ocr" / "push_rekor.json").read_text()) | {
        "epoch_start": now,
        "best_uuid": f"pushed-{now}",
        "best_plate_number": scene.plate,
        "candidates": [{"plate": scene.plate, "confidence": 93.0}, {"plate": "ZZ99", "confidence": 40.0}],
        "vehicle_crop_jpeg": base64.b64encode(scene.image).decode(),
    }
    (folder / "pushed.json").write_text(json.dumps(group))
    push = ("capture", str(folder / "pushed.json"), "--from", "rekor", "--sensor", SENSOR_ID, "--json")

    sent = await asyncio.to_thread(platewarden, folder, *push)
    again = await asyncio.to_thread(platewarden, folder, *push)

    assert sent.returncode == 0, sent.stdout + sent.stderr
    (read,), (same,) = (json.loads(one.stdout)["reads"] for one in (sent, again))
    assert (read["status"], same["status"], same["read_id"]) == ("STORED", "DUPLICATE", read["read_id"])
    assert read["read_id"] in await searched(folder, scene.plate)
    database = await asyncpg.connect(stack.admin_url)
    try:
        hits = await database.fetchval("SELECT count(*) FROM alerts.hit WHERE read_id = $1", read["read_id"])
    finally:
        await database.close()
    assert hits > 0


@pytest.mark.clause("IV.C.5")
async def test_a_search_without_case_number_is_refused_on_the_command_line(
    stack: Supervisor, folder: Path
) -> None:
    refused = await asyncio.to_thread(
        platewarden, folder, "search", "plate", "AB12345", "--as", cast.OFFICER.subject, "--json"
    )

    assert refused.returncode == 1
    assert "ERROR_REASON_CASE_NUMBER_REQUIRED" in refused.stdout


@pytest.mark.clause("III.B.2.b", "III.B.3.l")
async def test_models_are_activated_by_the_administrator_and_by_nobody_else(
    stack: Supervisor, folder: Path
) -> None:
    def model(person: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return platewarden(folder, "model", *arguments, "--as", person, "--json")

    change = ("--reason", "the same version once more, to see that it is recorded")
    listed = await asyncio.to_thread(model, cast.OFFICER.subject, "list")
    version = str(json.loads(listed.stdout.splitlines()[0])["version"])

    refused = await asyncio.to_thread(model, cast.OFFICER.subject, "activate", version, *change)
    activated = await asyncio.to_thread(model, cast.ADMINISTRATOR, "activate", version, *change)
    nothing_before = await asyncio.to_thread(model, cast.ADMINISTRATOR, "rollback", *change)

    assert refused.returncode == 1
    assert "ERROR_REASON_NOT_PERMITTED" in refused.stdout
    assert activated.returncode == 0, activated.stdout
    assert json.loads(activated.stdout)["roll_out"]["steady_version"] == version
    assert "ERROR_REASON_WRONG_STATE" in nothing_before.stdout


async def test_a_second_up_on_the_same_data_directory_is_one_sentence(
    stack: Supervisor, folder: Path
) -> None:
    refused = await asyncio.to_thread(platewarden, folder, "up")

    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert str(folder / "data") in refused.stderr.replace("\n", "")


async def test_a_port_in_use_is_named(tmp_path: Path, base_port: int, stack: Supervisor) -> None:
    refused = await asyncio.to_thread(platewarden, tmp_path, "up", "--base-port", str(base_port))

    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert str(base_port + 1) in refused.stderr


def test_the_demos_hot_list_has_a_thousand_rows() -> None:
    assert leads_file(["AB12345"]).count(b"\r\n") == 1_000
