from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.common.errors import InvalidFieldError
from services.ocr.core.reading import Candidate, Reading
from services.ocr.core.tracks import Mark, Motion, Track
from services.ocr.frames import OpenPassage
from services.ocr.wire_video import parse_options, to_open_passage

TAKEN = datetime(2026, 11, 25, 12, 0, 0, 250_000, tzinfo=UTC)
READING = Reading(
    (Candidate("AB1", 0.75), Candidate("A81", 0.125)),
    ((("A", 1.0),), (("B", 0.75), ("8", 0.25)), (("1", 1.0),)),
)


def open_passage(**more: object) -> OpenPassage:
    at = TAKEN.timestamp()
    track = Track(
        number=0,
        first=Mark(at, 100, 200, 60),
        last=Mark(at + 0.5, 300, 220, 90),
        motion=Motion(400, 40, 0.8),
        frames=12,
        readings=(READING,),
    )
    given_ = {"first_time": TAKEN, "text": "AB1", "corrected": False, "track": track} | more
    return OpenPassage(passage_id=UUID(int=7), **given_)  # type: ignore[arg-type]


def options(*passages: pb.OpenPassage, **more: object) -> pb.StreamOptions:
    return pb.StreamOptions(video=True, open_passages=passages, **more)  # type: ignore[arg-type]


@given(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(1, 1e5), st.integers(1, 10_000), st.booleans())
def test_open_passage_comes_back_as_it_was_given(
    x: float, y: float, width: float, frames: int, corrected: bool
) -> None:
    passage = open_passage(corrected=corrected)
    track = passage.track
    marked = Track(0, track.first, Mark(track.last.at, x, y, width), track.motion, frames, track.readings)
    given_ = OpenPassage(passage.passage_id, TAKEN, "AB1", corrected, marked)

    parsed = parse_options(options(to_open_passage(given_)))

    assert parsed is not None
    assert parsed.open_passages == (given_,)


def test_without_options_every_frame_stands_for_itself() -> None:
    assert parse_options(pb.StreamOptions()) is None


def test_video_keeps_as_many_frames_as_it_says_or_the_most() -> None:
    kept = [parse_options(options(frames_kept=n)) for n in (0, 2, 256)]

    assert [one.frames_kept for one in kept if one] == [256, 2, 256]


@pytest.mark.parametrize("number", [1, 257, -1])
def test_number_of_frames_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        parse_options(options(frames_kept=number))

    assert [one.field for one in refused.value.violations] == ["options.frames_kept"]


def test_options_of_a_video_without_video_are_refused() -> None:
    with pytest.raises(InvalidFieldError):
        parse_options(pb.StreamOptions(frames_kept=8))


def test_more_open_passages_than_there_can_be_are_refused() -> None:
    with pytest.raises(InvalidFieldError):
        parse_options(options(*[to_open_passage(open_passage())] * 65))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("passage_id", "not a uuid"),
        ("plate", ""),
        ("plate", "NOT A PLATE"),
        ("plate", "ABCDEFGHIJKLM"),
        ("frame_count", 0),
        ("frame_count", -1),
    ],
)
def test_open_passage_that_was_changed_is_refused(field: str, value: object) -> None:
    message = to_open_passage(open_passage())
    setattr(message, field, value)

    with pytest.raises(InvalidFieldError):
        parse_options(options(message))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e9])
def test_place_or_motion_that_is_no_number_is_refused(number: float) -> None:
    moved, placed = to_open_passage(open_passage()), to_open_passage(open_passage())
    moved.motion.growth = number
    placed.last.x = number

    for message in (moved, placed):
        with pytest.raises(InvalidFieldError):
            parse_options(options(message))


def test_open_passage_without_time_or_lattice_is_refused() -> None:
    for name in ("first_time", "lattice", "first", "last"):
        message = to_open_passage(open_passage())
        message.ClearField(name)  # type: ignore[arg-type]
        with pytest.raises(InvalidFieldError):
            parse_options(options(message))


@given(st.binary(max_size=200))
def test_whatever_bytes_come_as_an_open_passage_are_taken_or_refused_with_a_reason(data: bytes) -> None:
    message = pb.OpenPassage()
    try:
        message.MergeFromString(data)
    except Exception:
        return
    try:
        parse_options(options(message))
    except InvalidFieldError as error:
        assert error.violations


def test_gap_between_first_and_last_frame_is_kept_to_the_microsecond() -> None:
    passage = to_open_passage(open_passage())

    assert passage.last.time.ToDatetime(UTC) - passage.first.time.ToDatetime(UTC) == timedelta(seconds=0.5)
