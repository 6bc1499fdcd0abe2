from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ocr.core.quad import Quad
from services.ocr.core.reading import Candidate, Reading
from services.ocr.core.tracks import Direction, Sighting, Step, Tracker, TrackSettings, likeness

FRAME = 1 / 25


def plate(x: float, y: float, text: str = "AB12345", p: float = 0.95, width: float = 100) -> Sighting:
    """A level plate round that point."""
    w, h = width / 2, width / 4
    corners = ((x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h))
    positions = tuple(((character, 1.0),) for character in text)
    return Sighting(Quad(corners), Reading((Candidate(text, p),), positions))


def numbers(step: Step) -> tuple[int, ...]:
    return tuple(track.number for track in step.tracks)


def follow(frames: Sequence[Sequence[Sighting]], every: float = FRAME) -> list[tuple[int, ...]]:
    """The track of each plate of each frame."""
    tracker = Tracker()
    return [numbers(tracker.step(sightings, n * every)) for n, sightings in enumerate(frames)]


def test_plate_that_moves_is_one_passage() -> None:
    frames = [[plate(100 + 20 * n, 300 + 5 * n, width=100 + 3 * n)] for n in range(20)]

    assert follow(frames) == [(1,)] * 20


def test_plate_is_followed_through_frames_that_misread_it() -> None:
    texts = ("AB12345", "A812345", "B12345", "XX", "AB12345")
    frames = [[plate(100 + 10 * n, 300, text, p=0.4)] for n, text in enumerate(texts)]

    assert follow(frames) == [(1,)] * 5


def test_plate_is_followed_over_frames_that_miss_it() -> None:
    seen = [plate(100 + 20 * n, 300) for n in range(25)]
    frames = [[one] if n < 5 or n > 18 else [] for n, one in enumerate(seen)]

    assert {number for found in follow(frames) for number in found} == {1}


def test_two_cars_that_cross_keep_their_own_passages() -> None:
    frames = [[plate(100 + 20 * n, 300, "AB12345"), plate(500 - 20 * n, 304, "XK77QQ9")] for n in range(21)]

    assert follow(frames) == [(1, 2)] * 21


def test_two_cars_that_cross_and_hide_each_other_keep_their_own_passages() -> None:
    frames = []
    for n in range(21):
        left, right = plate(100 + 20 * n, 300, "AB12345"), plate(500 - 20 * n, 300, "XK77QQ9")
        frames.append([left] if 8 <= n <= 12 else [left, right])

    found = follow(frames)

    assert found[0] == found[-1] == (1, 2)
    assert found[10] == (1,)


def test_car_that_takes_the_place_of_another_is_another_passage() -> None:
    frames = [[plate(300, 300, "AB12345")], [plate(305, 300, "XK77QQ9")]]

    assert follow(frames, every=0.5) == [(1,), (2,)]


def test_same_text_far_away_within_a_moment_is_the_same_passage() -> None:
    assert follow([[plate(100, 500)], [plate(1100, 200)]], every=0.5) == [(1,), (1,)]


def test_unsure_texts_far_away_are_different_passages() -> None:
    frames = [[plate(100, 500, "AB1", p=0.3)], [plate(1100, 200, "CD2", p=0.3)]]

    assert follow(frames) == [(1,), (2,)]


def test_same_plate_a_minute_later_is_another_passage() -> None:
    assert follow([[plate(300, 300)], [plate(300, 300)]], every=60) == [(1,), (2,)]


def test_track_ends_when_it_was_not_seen_for_the_gap() -> None:
    tracker = Tracker(TrackSettings(gap_seconds=1))
    tracker.step([plate(300, 300)], 0)

    assert tracker.step([], 1).ended == ()
    (ended,) = tracker.step([], 1.1).ended
    assert (ended.number, ended.frames) == (1, 1)
    assert tracker.open == ()


def test_vehicle_that_stands_begins_a_new_passage_after_the_longest_time() -> None:
    tracker = Tracker(TrackSettings(longest_seconds=10))

    found = [numbers(tracker.step([plate(300, 300)], at)) for at in range(12)]

    assert found == [(1,)] * 11 + [(2,)]


def test_clock_that_steps_back_ends_all_tracks_but_frames_a_little_out_of_order_do_not() -> None:
    tracker = Tracker()
    for at in (0.0, 0.04, 0.12, 0.08, 0.16):
        assert numbers(tracker.step([plate(300 + 200 * at, 300)], at)) == (1,)

    step = tracker.step([plate(300, 300)], -60)

    assert [track.frames for track in step.ended] == [5]
    assert numbers(step) == (2,)


def test_there_are_never_more_open_tracks_than_allowed_and_the_one_unseen_longest_goes() -> None:
    tracker = Tracker(TrackSettings(most=2))
    tracker.step([plate(100, 100, "AA1")], 0)
    tracker.step([plate(900, 600, "BB2")], 0.1)

    step = tracker.step([plate(500, 300, "CC3")], 0.2)

    assert [track.number for track in step.ended] == [1]
    assert [track.number for track in tracker.open] == [2, 3]


@pytest.mark.parametrize(
    ("places", "direction"),
    [
        ([(300, 300, 60), (310, 340, 90)], Direction.APPROACHING),
        ([(300, 300, 90), (310, 280, 60)], Direction.RECEDING),
        ([(300, 300, 90), (500, 300, 92)], Direction.RIGHT),
        ([(500, 300, 90), (300, 300, 88)], Direction.LEFT),
        ([(500, 300, 90), (503, 300, 90)], Direction.UNKNOWN),
        ([(500, 300, 90), *[(503, 300, 90)] * 6], Direction.STANDING),
        ([(300, 300, 90), (800, 300, 100)], Direction.RIGHT),
        ([(500, 300, 90)], Direction.UNKNOWN),
    ],
)
def test_direction_comes_from_growth_and_movement(
    places: list[tuple[float, float, float]], direction: Direction
) -> None:
    tracker = Tracker()
    for n, (x, y, width) in enumerate(places):
        tracker.step([plate(x, y, width=width)], n * 0.2)

    (track,) = tracker.end()

    assert track.direction is direction


def test_tracks_go_on_in_another_tracker() -> None:
    first = Tracker()
    for n in range(4):
        first.step([plate(100 + 20 * n, 300)], n * FRAME)
    second = Tracker(open_tracks=first.open)

    assert numbers(second.step([plate(180, 300)], 4 * FRAME)) == (1,)
    assert numbers(second.step([plate(900, 600, "ZZ9")], 5 * FRAME)) == (2,)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                plate,
                st.floats(0, 1920),
                st.floats(0, 1080),
                st.sampled_from(("AB12345", "A812345", "XK77QQ9", "")),
                st.floats(0.01, 1),
                st.floats(10, 500),
            ),
            max_size=3,
        ),
        max_size=5,
    ),
    st.lists(st.floats(-3, 3), min_size=5, max_size=5),
)
def test_every_sighting_has_one_track_and_no_track_two_of_a_frame(
    frames: list[list[Sighting]], steps: list[float]
) -> None:
    tracker, at, counted, ended = Tracker(TrackSettings(most=4)), 0.0, 0, []
    for sightings, later in zip(frames, steps, strict=False):
        at += later
        step = tracker.step(sightings, at)
        assert len(step.tracks) == len(sightings) == len(set(numbers(step)))
        assert len(tracker.open) <= 4
        counted += len(sightings)
        ended += step.ended
    ended += tracker.end()
    assert sum(track.frames for track in ended) == counted
    assert len({track.number for track in ended}) == len(ended)


@given(st.text("AB1", max_size=6), st.text("AB1", max_size=6))
def test_likeness_is_one_for_equal_texts_only_and_the_same_both_ways(one: str, other: str) -> None:
    value = likeness(one, other)

    assert 0 <= value <= 1
    assert (value == 1) == (one == other)
    assert math.isclose(value, likeness(other, one))
