from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from alpr.ocr.v1 import ocr_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.cli.lines import line_of_answer
from services.cli.main import app
from services.cli.scenes import draw_scene
from tests.support.rtsp import video_file


def lines(*arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["read", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def pixels(seed: int) -> Any:
    return cv2.imdecode(np.frombuffer(draw_scene(seed).image, dtype=np.uint8), cv2.IMREAD_COLOR)


def test_any_folder_gives_one_line_a_picture_with_box_text_and_score(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "a.jpg").write_bytes(draw_scene(0).image)
    cv2.imwrite(str(tmp_path / "day" / "b.bmp"), pixels(1))
    (tmp_path / "day" / "torn.jpg").write_bytes(draw_scene(2).image[:5000])
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((360, 640, 3), 96, dtype=np.uint8))
    (tmp_path / "labels.csv").write_text("image\n")

    read = {line["file"]: line for line in lines(str(tmp_path))}

    assert list(read) == ["a.jpg", "day/b.bmp", "day/torn.jpg", "empty.png"]
    for file, seed in (("a.jpg", 0), ("day/b.bmp", 1)):
        (plate,) = read[file]["plates"]
        assert plate["text"] == draw_scene(seed).plate
        assert 0 < plate["score"] <= 1
        assert plate["candidates"][0] == {"text": plate["text"], "score": plate["score"]}
        x, y, width, height = plate["box"]
        assert all(
            x - 1 <= px <= x + width + 1 and y - 1 <= py <= y + height + 1 for px, py in plate["corners"]
        )
    assert read["day/torn.jpg"]["error"]["reason"] == "BAD_IMAGE"
    assert read["empty.png"]["plates"] == read["empty.png"]["unreadable"] == []


def test_video_gives_a_line_a_frame_and_one_for_the_passage(tmp_path: Path) -> None:
    file = tmp_path / "drive.mp4"
    file.write_bytes(video_file([pixels(0)] * 6, rate=5))

    read = lines(str(file), "--every", "0")

    assert [line["plates"][0]["text"] for line in read[:6]] == [draw_scene(0).plate] * 6
    assert len(read) == 7
    assert (read[6]["text"], read[6]["frames"]) == (draw_scene(0).plate, 6)


def test_folder_without_pictures_and_live_camera_are_one_sentence(tmp_path: Path) -> None:
    for source in (str(tmp_path), "rtsp://127.0.0.1/lane"):
        result = CliRunner().invoke(app, ["read", source])
        assert result.exit_code == 2
        assert len(result.stderr.strip().splitlines()) == 1


def test_line_of_an_answer_says_the_same_and_what_was_kept() -> None:
    box = read_pb2.Box(x=10, y=20, width=120, height=40)
    lattice = read_pb2.Lattice(candidates=[read_pb2.PlateCandidate(plate="AB1", probability=0.75)])
    answer = pb.RecognizeStreamResponse(
        frame_id="x",
        recognition_time=Duration(nanos=21_400_000),
        plates=[
            pb.RecognizedPlate(
                read=read_pb2.Read(read_id="id-1", plate="AB1", plate_box=box),
                confidence=0.75,
                status=read_pb2.READ_STATUS_STORED,
            )
        ],
        sightings=[
            pb.Sighting(plate="AB1", confidence=0.75, plate_box=box, lattice=lattice),
            pb.Sighting(plate="X", confidence=0.125, plate_box=read_pb2.Box(x=1, y=1), unreadable=True),
        ],
    )

    line = line_of_answer("day/a.jpg", answer)

    (plate,) = line["plates"]
    assert (line["file"], line["ms"]) == ("day/a.jpg", 21.4)
    assert (plate["text"], plate["score"], plate["box"]) == ("AB1", 0.75, [10, 20, 120, 40])
    assert plate["candidates"] == [{"text": "AB1", "score": 0.75}]
    assert plate["read_id"] == "id-1"
    assert [one["text"] for one in line["unreadable"]] == ["X"]


def test_line_of_a_frame_of_a_video_names_passages_and_their_reads() -> None:
    passage = read_pb2.Passage(
        passage_id="p-1", frame_count=5, direction=read_pb2.TRAVEL_DIRECTION_APPROACHING
    )
    answer = pb.RecognizeStreamResponse(
        plates=[
            pb.RecognizedPlate(
                read=read_pb2.Read(read_id="p-1", plate="AB1", passage=passage), confidence=0.9
            )
        ],
        sightings=[pb.Sighting(passage_id="p-1", plate="A81", confidence=0.5, frame_count=1)],
    )

    line = line_of_answer("drive.mp4", answer)

    assert (line["plates"][0]["passage_id"], line["plates"][0]["text"]) == ("p-1", "A81")
    (read,) = line["reads"]
    assert (read["text"], read["frames"], read["direction"]) == ("AB1", 5, "approaching")


def test_line_of_a_picture_that_failed_says_why() -> None:
    error = pb.FrameError(reason="ERROR_REASON_BAD_IMAGE", message="the image is torn")

    line = line_of_answer("a.jpg", pb.RecognizeStreamResponse(error=error))

    assert line["plates"] == []
    assert line["error"]["message"] == "the image is torn"
