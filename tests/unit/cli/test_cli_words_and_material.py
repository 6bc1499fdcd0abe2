"""Words of the contracts, the demo's hot list, and what is sent of a folder or video."""

import itertools
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from alpr.type.v1 import hit_pb2
from services.cli.demo.material import leads_file
from services.cli.frames import pictures
from services.cli.locate import CommandError
from services.cli.words import CATEGORY
from services.matcher.core.entry import ListRow, ParseOptions
from services.matcher.core.leads import parse_leads


def test_a_word_names_its_value_and_back() -> None:
    assert CATEGORY.number("stolen-vehicle") == hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE
    assert CATEGORY.word(hit_pb2.HOT_LIST_CATEGORY_AMBER) == "amber"


def test_an_unknown_word_is_answered_with_those_there_are() -> None:
    with pytest.raises(CommandError, match="no category 'purple'; there are stolen-vehicle"):
        CATEGORY.number("purple")


def test_the_matcher_accepts_every_row_of_the_demos_hot_list() -> None:
    rows = list(parse_leads(leads_file(["5AU5341", "ABC123"]).splitlines(), ParseOptions(date(2026, 11, 25))))

    assert len(rows) == 1_000
    assert all(isinstance(row, ListRow) for row in rows)
    assert rows[0].plate == "5AU5341"


def test_a_folder_gives_its_photographs_by_name_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "labels.csv"):
        (tmp_path / name).write_bytes(name.encode())

    sent = list(pictures(tmp_path, 1.0))

    assert [picture.image for picture in sent] == [b"a.png", b"b.jpg"]
    assert sent[0].name.startswith("a.png#")


def test_a_video_gives_frames_at_the_step_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for shade in range(20):
        writer.write(np.full((48, 64, 3), shade * 10, np.uint8))
    writer.release()

    sent = list(pictures(file, 0.5))

    assert len(sent) == 4
    moments = [picture.capture_time for picture in sent]
    assert [(b - a).total_seconds() for a, b in itertools.pairwise(moments)] == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("name", ["missing.jpg", "notes.txt"])
def test_what_cannot_be_sent_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("x")

    with pytest.raises(CommandError, match=name):
        list(pictures(tmp_path / name, 1.0))
