"""Reads as arrays: what the compiled search is given of their states."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from services.matcher.core.batch import Batch, batch_of
from services.matcher.core.packed import same_state, short_code
from services.matcher.core.sighting import Lattice, Sighting

_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _batch(*states: tuple[tuple[str, float], ...]) -> Batch:
    sightings = [Sighting(Lattice("AB12345"), one, _NOW) for one in states]
    return batch_of(sightings, [0] * len(sightings))


def _of(batch: Batch, read: int) -> list[tuple[int, float]]:
    part = slice(batch.state_start[read], batch.state_start[read + 1])
    shares = [round(float(share), 6) for share in batch.state_share[part]]
    return list(zip(batch.state_code[part].tolist(), shares, strict=True))


def _code(state: str) -> int:
    return same_state(short_code(state))


def test_each_read_keeps_its_own_states_with_the_most_probable_first() -> None:
    batch = _batch((("WI", 0.2), ("IL", 0.7)), (), (("IN", 0.5), ("IA", 0.4)))

    assert _of(batch, 0) == [(_code("IL"), 0.7), (_code("WI"), 0.2)]
    assert _of(batch, 1) == []
    assert _of(batch, 2) == [(_code("IN"), 0.5), (_code("IA"), 0.4)]


def test_states_that_are_as_probable_keep_the_order_in_which_they_came() -> None:
    batch = _batch((("WI", 0.3), ("IA", 0.3), ("IL", 0.3)))

    assert [code for code, _ in _of(batch, 0)] == [_code("WI"), _code("IA"), _code("IL")]


def test_a_state_that_is_named_by_two_codes_has_the_sum_of_both() -> None:
    batch = _batch((("IL", 0.4), ("NE", 0.3), ("NB", 0.2)))

    assert _of(batch, 0) == [(_code("NB"), 0.5), (_code("IL"), 0.4)]


def test_countries_are_one_state_that_no_entry_has() -> None:
    batch = _batch((("", 0.3), ("IL", 0.25), ("", 0.2)))

    assert _of(batch, 0) == [(0, 0.5), (_code("IL"), 0.25)]


def test_what_no_state_has_is_spread_among_the_others_and_is_nothing_where_none_is_known() -> None:
    batch = _batch((("IL", 0.4),), (), (("IL", 1.0),))

    assert batch.state_rest[0] == pytest.approx(0.6 / 60)
    assert batch.state_rest[1] == 0
    assert 0 < batch.state_rest[2] < batch.state_rest[0]


def test_a_batch_of_no_reads_is_empty() -> None:
    batch = _batch()

    assert batch.position_start.tolist() == batch.state_start.tolist() == [0]
    assert np.concatenate([batch.choice_log, batch.state_share, batch.text_log]).size == 0
