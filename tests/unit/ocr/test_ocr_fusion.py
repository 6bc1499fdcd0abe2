from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ocr.core.fusion import (
    FUSION,
    discount,
    fuse,
    fuse_shares,
    surest,
)
from services.ocr.core.reading import Candidate, Reading

TEXTS = ("AB12345", "A812345", "AB1234S", "A12345", "AB123456", "XK77", "QQ9")


def reading(*candidates: tuple[str, float]) -> Reading:
    """A reading whose positions say what its candidates of that length say."""
    ranked = sorted(candidates, key=lambda one: (-one[1], one[0]))
    best = ranked[0][0]
    positions = []
    for n in range(len(best)):
        shares: dict[str, float] = {}
        for text, value in ranked:
            if len(text) == len(best) and text[:n] + text[n + 1 :] == best[:n] + best[n + 1 :]:
                shares[text[n]] = value
        total = sum(shares.values())
        positions.append(tuple((character, value / total) for character, value in shares.items()))
    return Reading(tuple(Candidate(text, value) for text, value in ranked), tuple(positions))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    texts = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5, unique=True))
    parts = draw(st.lists(st.floats(0.01, 1), min_size=len(texts), max_size=len(texts)))
    told = draw(st.floats(0.2, 1))
    return reading(*((text, told * part / sum(parts)) for text, part in zip(texts, parts, strict=True)))


@given(readings())
def test_one_frame_stays_as_it_is(one: Reading) -> None:
    assert fuse([one]) == one


@given(st.lists(readings(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_frames_does_not_matter(many: list[Reading], chance: random.Random) -> None:
    shuffled = list(many)
    chance.shuffle(shuffled)

    assert fuse(shuffled) == fuse(many)


@given(st.lists(readings(), min_size=1, max_size=6))
def test_fused_reading_is_a_reading(many: list[Reading]) -> None:
    fused = fuse(many)

    values = [one.probability for one in fused.candidates]
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) <= 1 + 1e-9
    assert 1 <= len(values) <= 16
    assert len({one.text for one in fused.candidates}) == len(values)
    assert "".join(position[0][0] for position in fused.positions) == fused.text
    for position in fused.positions:
        shares = [share for _, share in position]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1 + 1e-9


@given(st.lists(readings(), min_size=2, max_size=5))
def test_every_text_of_a_frame_is_weighed(many: list[Reading]) -> None:
    fused = fuse(many)

    assert fused.text in {one.text for frame in many for one in frame.candidates}


@given(readings(), st.integers(1, 8))
def test_more_frames_that_say_the_same_never_lower_the_probability(one: Reading, count: int) -> None:
    if one.probability <= (1 - sum(c.probability for c in one.candidates)) / FUSION.others:
        return  # nothing was read at all

    fewer, more = fuse([one] * count), fuse([one] * (count + 1))

    # Of texts that are as probable but for the last digits any may win.
    surest = {c.text for c in one.candidates if c.probability >= one.probability - 1e-9}
    assert {fewer.text, more.text} <= surest
    assert more.probability >= fewer.probability - FUSION.least_rest


@given(st.lists(readings(), min_size=1, max_size=5))
def test_a_frame_that_is_certain_of_the_fused_text_never_lowers_its_probability(many: list[Reading]) -> None:
    fused = fuse(many)

    more = fuse([*many, reading((fused.text, 0.999))])

    assert more.text == fused.text
    assert more.probability >= min(fused.probability, 0.99) - 1e-9


def test_sure_frame_is_not_drowned_by_frames_that_hardly_read() -> None:
    blurred = reading(("AB12345", 0.2), ("A812345", 0.15), ("AB1234S", 0.1))

    fused = fuse([reading(("AB12345", 0.99)), *[blurred] * 9])

    assert fused.probability >= 0.99


def test_frames_that_agree_outvote_one_that_is_no_surer() -> None:
    right = reading(("AB12345", 0.6), ("A812345", 0.3))
    wrong = reading(("A812345", 0.6), ("AB12345", 0.3))

    assert fuse([wrong, right, right]).text == "AB12345"


def test_text_that_one_frame_does_not_list_can_still_win() -> None:
    torn = reading(("A12345", 0.5))
    whole = reading(("AB12345", 0.8), ("A12345", 0.05))

    fused = fuse([torn, whole, whole])

    assert fused.text == "AB12345"
    assert any(one.text == "A12345" for one in fused.candidates)


def test_character_that_frames_doubt_differently_is_settled_in_its_position() -> None:
    fused = fuse([reading(("AB12345", 0.5), ("A812345", 0.45)), reading(("AB12345", 0.9), ("AB1234S", 0.05))])

    assert dict(fused.positions[1])["B"] > 0.9
    assert dict(fused.positions[6])["5"] > 0.9


def test_frames_of_a_passage_never_count_as_more_than_their_correlation_allows() -> None:
    for count in (1, 2, 1000):
        power = discount([2.0] * count, 0.25)
        assert count * power == pytest.approx(count / (1 + (count - 1) * 0.25))
        assert count * power < 4
    assert discount([2.0] * 7, 0) == 1


def test_frames_that_tell_nothing_do_not_count_as_frames() -> None:
    assert discount([4.0, *[0.0] * 9], 0.5) == 1
    assert discount([0.0, 0.0], 0.5) == 1


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=20), st.floats(0, 1))
def test_power_is_never_above_one_nor_below_what_all_frames_would_give(
    margins: list[float], correlation: float
) -> None:
    power = discount(margins, correlation)

    assert 1 / (1 + (len(margins) - 1) * correlation) - 1e-9 <= power <= 1


@given(st.lists(readings(), min_size=1, max_size=8), st.integers(1, 8))
def test_surest_frames_are_kept(many: list[Reading], most: int) -> None:
    kept = surest(many, most)

    assert len(kept) == min(most, len(many))
    left = sorted((one.probability for one in many), reverse=True)
    assert [one.probability for one in kept] == left[:most]


def test_states_are_fused_like_texts_and_frames_without_any_do_not_count() -> None:
    fused = fuse_shares([(("IL", 0.6), ("WI", 0.3)), (), (("IL", 0.5), ("IN", 0.4))])

    assert fused[0][0] == "IL"
    assert fused[0][1] > 0.6
    assert {label for label, _ in fused} == {"IL", "WI", "IN"}
    assert fuse_shares([(), ()]) == ()
    assert fuse_shares([(("IL", 0.6),)]) == (("IL", 0.6),)
