"""The made world that the matcher is measured in."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks._match_arrays import batch_of, columns_of
from benchmarks._match_recall import Sizes, Stage, measured
from benchmarks._match_world import ALPHABET, LEAST, STATES, Plates, Reads, World, packed, texts
from services.matcher.core import batch
from services.matcher.core.sighting import Lattice, Sighting

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def sightings(reads: Reads, states: np.ndarray) -> list[Sighting]:
    made = []
    for characters, issuers in zip(np.exp(reads.characters), np.exp(states), strict=True):
        positions = tuple(
            tuple((ALPHABET[n], float(place[n + 1])) for n in np.argsort(-place[1:]) if place[n + 1] >= LEAST)
            for place in characters
            if place.argmax() > 0
        )
        named = tuple((STATES[n], float(issuers[n])) for n in np.argsort(-issuers) if issuers[n] >= LEAST)
        made.append(Sighting(Lattice("".join(p[0][0] for p in positions), positions), named, NOW))
    return made


def test_one_seed_makes_the_same_list_and_the_same_reads_again() -> None:
    one, same, other = World(5), World(5), World(6)
    plates = one.passing_plates(0)[slice(0, 200)]

    reads = [world.reads(plates, 3, "x").characters for world in (one, same, other)]

    assert (one.hot_list(500).classes == same.hot_list(500).classes).all()
    assert (reads[0] == reads[1]).all()
    assert (reads[0] != reads[2]).any()


def test_a_list_holds_no_text_and_state_twice() -> None:
    listed = World().hot_list(20_000)

    pairs = set(zip(packed(listed.classes).tolist(), listed.states.tolist(), strict=True))

    assert len(pairs) == 20_000


@pytest.mark.parametrize("accuracy", [0.70, 0.94])
def test_the_best_state_of_listed_vehicles_is_right_as_often_as_asked(accuracy: float) -> None:
    world = World()
    listed = world.hot_list(20_000)

    right = world.states_seen(listed, accuracy, 0, "hit").argmax(axis=1) == listed.states

    assert right.mean() == pytest.approx(accuracy, abs=0.01)


def test_best_texts_are_right_for_some_93_of_100_reads_and_few_reads_slip() -> None:
    world = World()
    plates = world.passing_plates(0)
    reads = world.reads(plates, 0, "x")

    right = (reads.characters.argmax(axis=2) == plates.classes).all(axis=1)

    assert right.mean() == pytest.approx(0.935, abs=0.01)
    assert reads.slipped.mean() == pytest.approx(0.006, abs=0.002)
    assert right[reads.slipped].mean() < 0.05


def test_columns_hold_the_plates_and_states_of_the_list_and_what_is_added() -> None:
    listed = World().hot_list(300)

    columns = columns_of(listed, [("O7KANE", ""), ("99", "WI")])

    entries = [columns.entry(row) for row in range(len(columns))]
    wanted = [
        (text.rstrip(), STATES[state])
        for text, state in zip(texts(listed.classes), listed.states, strict=True)
    ]
    assert sorted((one.plate, one.state) for one in entries) == sorted(
        [*wanted, ("O7KANE", ""), ("99", "WI")]
    )
    assert len({one.record_number for one in entries}) == len(entries)


def test_reads_reach_the_search_as_they_would_over_the_wire() -> None:
    world = World()
    plates = world.passing_plates(0)[slice(0, 3000)]
    reads, states = world.reads(plates, 0, "x"), world.states_seen(plates, 0.7, 0, "x")
    # What a sender says of one character only is filled up; that is the wire's business.
    plain = (np.isfinite(reads.characters[:, :, 1:]).sum(axis=2) != 1).all(axis=1)
    chosen = Reads(reads.characters[plain], reads.states[plain], reads.slipped[plain])

    ours = batch_of(chosen, states[plain])
    wire = batch.batch_of(sightings(chosen, states[plain]), [0] * int(plain.sum()))

    assert plain.sum() > 50
    for name, theirs in zip(ours._fields, wire, strict=True):
        np.testing.assert_allclose(getattr(ours, name), theirs, rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_lattice_finds_more_listed_plates_than_best_text_and_state() -> None:
    stage = Stage(World(), Sizes(entries=20_000, hits=20_000, background=20_000))

    figures = measured(stage, (0.7,))["0.70"]

    assert figures["exact_state"] < 0.7 < figures["exact"] < figures["edit1"]
    assert figures["lattice_300"] > 0.9
    assert (
        figures["lattice_10"] <= figures["lattice_100"] <= figures["lattice_1000"] <= figures["found_at_all"]
    )


def test_plates_can_be_chosen_by_row() -> None:
    listed = World().hot_list(10)

    some = listed[np.array([3, 1])]

    assert isinstance(some, Plates)
    assert (some.classes[0] == listed.classes[3]).all()
