"""Searches for reads on the command line, with search and real audit service: plate, area, read, image."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from PIL import Image

from services.dev.pki import DevelopmentAuthority
from tests.support.audit_kit import ORI
from tests.support.search_command import CommandLine
from tests.support.search_kit import OTHER_ORI, archived_read, now
from tests.support.search_leaving import Leaving

NEAR = "41.978,-87.904,300"


@pytest.fixture
def command(leaving: Leaving, tls: DevelopmentAuthority, tmp_path: Path) -> CommandLine:
    environment = {
        **os.environ,
        "PW_SEARCH_TARGET": leaving.house.user_target,
        "PW_CA_FILE": str(tls.ca_file),
        "PW_TOKEN": leaving.officer.token(),
        "COLUMNS": "200",
    }
    return CommandLine(environment, tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def read_id(leaving: Leaving) -> str:
    """A read of CLI8B01 with a picture, among others."""
    message = await leaving.pictured_read(plate="CLI8B01")
    older = archived_read(now() - timedelta(days=20), plate="CLI8B01", agency=ORI)
    alike = archived_read(now() - timedelta(days=30), plate="CL18801", agency=ORI)
    theirs = archived_read(now() - timedelta(days=1), plate="CLI8B01", agency=OTHER_ORI)
    await leaving.store(message, older, alike, theirs)
    return message.read.read_id


@pytest.mark.clause("IV.C.5", "IV.C.6")
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("cli 8b-01",), 2),
        (("CLI8B?1",), 2),
        (("CLI*",), 2),
        (("*8B01",), 2),
        (("CLI88O1", "--look-alike"), 3),
        (("CLI8B0", "--one-off"), 2),
        (("CLI8B01", "--state", "wi"), 0),
        (("CLI8B01", "--origin", "commercial,partner"), 0),
        (("CLI8B01", "--near", "44.0,-90.0,1000"), 0),
        (("CLI8B01", "--sensors", "i90-mile-12-east"), 2),
    ],
)
async def test_a_plate_is_searched_for_in_every_form(
    command: CommandLine, read_id: str, arguments: tuple[str, ...], count: int
) -> None:
    code, output, errors = await command.search("plate", *arguments, "--json")

    assert code == 0, output + errors
    answer = json.loads(output)
    assert len(answer.get("reads", ())) == count
    assert answer["notice"]["lead_only"] is True


@pytest.mark.clause("III.B.3.r")
async def test_a_table_of_reads_begins_with_the_notice_and_says_where_the_record_is(
    command: CommandLine, read_id: str
) -> None:
    code, output, errors = await command.search("plate", "CLI8B01", "--limit", "1")

    assert code == 0, errors
    assert output.startswith("UNVERIFIED")
    assert read_id in output
    assert "1 read(s) between" in errors and "recorded as log entries" in errors
    token = errors.partition("--page ")[2].split()[0]
    code, output, errors = await command.search("plate", "CLI8B01", "--limit", "1", "--page", token)
    assert code == 0, errors
    assert read_id not in output
    assert "--page" not in errors


async def test_a_place_is_searched_as_circle_group_and_geojson_polygon(
    command: CommandLine, read_id: str
) -> None:
    ring = [[-87.91, 41.97], [-87.9, 41.97], [-87.9, 41.99], [-87.91, 41.99], [-87.91, 41.97]]
    beat = command.folder / "beat.geojson"
    beat.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))

    for place in (("--near", NEAR), ("--group", "expressway-north"), ("--within", str(beat))):
        code, output, errors = await command.search("area", *place, "--json")
        assert code == 0, output + errors
        assert read_id in {one["read"]["read_id"] for one in json.loads(output)["reads"]}, place


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("plate", "*"), "at least 3"),
        (("plate", "АВ123"), "another script"),  # Cyrillic  # noqa: RUF001
        (("area",), "--near"),
        (("area", "--near", "1,2"), "LATITUDE"),
        (("read", "7"), "UUID"),
    ],
)
async def test_what_cannot_be_asked_is_a_sentence(
    command: CommandLine, arguments: tuple[str, ...], word: str
) -> None:
    code, output, errors = await command.search(*arguments)

    assert code in (1, 2)
    assert word in " ".join(errors.split())
    assert "Traceback" not in errors + output


@pytest.mark.clause("IV.C.5")
@pytest.mark.parametrize("what", ["read", "image"])
async def test_one_read_or_picture_needs_a_case_number_as_a_search_does(
    command: CommandLine, read_id: str, what: str
) -> None:
    more = ("--out", str(command.folder / "pictures")) if what == "image" else ()

    code, output, _ = await command.search(what, read_id, *more, "--json", why=())

    assert code == 1
    assert json.loads(output)["error"]["reason"] == "ERROR_REASON_CASE_NUMBER_REQUIRED"
    assert not (command.folder / "pictures").exists()


async def test_a_read_is_shown_by_its_id_with_receipts(command: CommandLine, read_id: str) -> None:
    receipts = command.folder / "receipts"

    code, output, errors = await command.search("read", read_id, "--receipts", str(receipts))
    code_json, document, _ = await command.search("read", read_id, "--json")

    assert (code, code_json) == (0, 0), errors
    assert "CLI8B01" in output
    read = json.loads(document)["read"]["read"]
    assert (read["plate"], len(read["lattice"]["positions"])) == ("CLI8B01", 7)
    assert sorted(path.name.partition("-")[0] for path in receipts.iterdir()) == ["outcome", "question"]


async def test_the_pictures_of_a_read_are_files(command: CommandLine, read_id: str) -> None:
    folder = command.folder / "pictures"

    code, output, errors = await command.search("image", read_id, "--out", str(folder), "--original")
    code_json, document, _ = await command.search("image", read_id, "--out", str(folder), "--json")

    assert (code, code_json) == (0, 0), errors
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{read_id}-original.jpg", f"{read_id}-plate.jpg", f"{read_id}-scene.jpg"]
    assert all(name in output for name in names)
    for name in names[1:]:
        Image.open(BytesIO((folder / name).read_bytes()), formats=("JPEG",)).load()
    answer = json.loads(document)
    assert answer["notice"]["lead_only"] is True
    assert len(answer["files"]) == 2 and "overview_image" not in answer


async def test_a_read_that_is_not_there_is_a_refusal(command: CommandLine) -> None:
    code, output, _ = await command.search("read", str(uuid4()), "--json")

    assert code == 1
    assert json.loads(output)["error"]["reason"] == "ERROR_REASON_NOT_FOUND"


@pytest.mark.clause("IV.E.2")
async def test_the_log_says_in_words_what_was_searched_for_and_where(
    command: CommandLine, read_id: str, leaving: Leaving
) -> None:
    code, output, _ = await command.search("plate", "CLI*1", "--state", "IL", "--near", NEAR, "--json")

    assert code == 0
    fields = {one["name"]: one["value"] for one in json.loads(output)["question_receipt"]["fields"]}
    said = dict(line.split(":", 2)[::2] for line in fields["question"].splitlines())
    assert fields["action"] == "question.reads"
    assert said["kind"] == "reads"
    assert (said["plate_form"], said["plate"], said["state"]) == ("pattern", "CLI*1", "IL")
    assert json.loads(said["area"]) == {"circle": [41.978, -87.904, 300.0]}
