"""Every check of a submitted read, with whatever a sender may send."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr.matcher.v1 import match_service_pb2 as pb
from alpr.type.v1 import read_pb2
from services.common.errors import InvalidFieldError
from services.matcher.core.doubts import Doubt
from services.matcher.core.entry import Category, Entry, Source, Vehicle
from services.matcher.core.index import ActiveList, Index, ListHeader, ListIndexBuilder
from services.matcher.core.match import Match, find_matches
from services.matcher.core.settings import MatchSettings
from services.matcher.core.sighting import SeenVehicle, Sighting
from services.matcher.wire_reads import captures_of, parse_batch
from tests.matcher_kit import a_read, batch

_ID = uuid.UUID(int=1)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = st.text(max_size=14) | st.text("ABO0I1", max_size=13) | st.just("AB1")
NUMBER = st.floats(width=32) | st.floats(0, 1, width=32)
STAMP = st.builds(
    Timestamp,
    seconds=st.integers(-(2**40), 2**40) | st.integers(1_700_000_000, 1_800_000_000),
    nanos=st.integers(-(2**31), 2**31 - 1) | st.just(0),
)
CHARACTERS = st.builds(
    read_pb2.CharacterProbability, character=TEXT | st.sampled_from("AB1"), probability=NUMBER
)
LATTICE = st.builds(
    read_pb2.Lattice,
    positions=st.lists(st.builds(read_pb2.Position, characters=st.lists(CHARACTERS, max_size=3)), max_size=4),
    candidates=st.lists(st.builds(read_pb2.PlateCandidate, plate=TEXT, probability=NUMBER), max_size=18),
)


@st.composite
def changed_reads(draw: st.DrawFn) -> read_pb2.CapturedRead:
    """A good read of which some fields are anything at all."""
    captured = a_read("AB1")
    anything = {
        "read_id": TEXT,
        "sensor_id": TEXT,
        "capture_time": STAMP,
        "receive_time": STAMP,
        "place": st.builds(read_pb2.Place, latitude=st.floats(), longitude=st.floats(), description=TEXT),
        "plate": TEXT,
        "lattice": LATTICE,
        "states": st.lists(
            st.builds(read_pb2.StateProbability, state=TEXT, country=TEXT, probability=NUMBER), max_size=3
        ),
        "plate_types": st.lists(
            st.builds(read_pb2.PlateTypeProbability, plate_type=st.integers(0, 9), probability=NUMBER),
            max_size=3,
        ),
        "plate_corners": st.builds(
            read_pb2.Quad, upper_left=st.builds(read_pb2.Point, x=st.floats(), y=NUMBER)
        ),
        "plate_box": st.builds(read_pb2.Box, x=NUMBER, y=NUMBER, width=NUMBER, height=NUMBER),
        "vehicle": st.builds(read_pb2.SeenVehicle, make=st.text(max_size=45), color=TEXT),
        "image": st.builds(read_pb2.ImageRef, sha256=st.binary(max_size=33), day=TEXT),
    }
    for name in draw(st.sets(st.sampled_from(sorted(anything)), max_size=4)):
        captured.read.ClearField(name)  # type: ignore[arg-type]
        captured.read.MergeFrom(read_pb2.Read(**{name: draw(anything[name])}))
    return captured


def found(sighting: Sighting) -> tuple[Match, ...]:
    return find_matches(sighting, Index(1, NOW, (a_list(),)), frozenset({0}), NOW, MatchSettings(0.05))


def a_list() -> ActiveList:
    builder = ListIndexBuilder()
    header = ListHeader(_ID, "x", "IL0160000", Source.LEADS, 1, NOW, NOW)
    builder.add(Entry(_ID, plate, "IL", Category.WANTED, "", Vehicle()) for plate in ("AB1", "A", "ABO", "0"))
    return ActiveList(header, builder.build())


@given(changed_reads())
@settings(deadline=None)  # the first example compiles the search
def test_any_read_is_refused_by_field_or_can_be_compared(captured: read_pb2.CapturedRead) -> None:
    request = pb.SubmitReadsRequest(reads=[captured])
    list(captures_of(request))

    try:
        (read,) = parse_batch(request, None)
    except InvalidFieldError as error:
        assert all(one.field.startswith("reads[0].") for one in error.violations)
        return

    if read.sighting:
        for match in found(read.sighting):
            assert math.isfinite(match.probability)
            assert 0 <= match.probability <= 1


@pytest.mark.clause("IV.C.2")
def test_the_vehicle_that_a_camera_saw_warns_of_a_hit_and_finds_none() -> None:
    captured = a_read("AB1")
    captured.read.vehicle.MergeFrom(read_pb2.SeenVehicle(make="Lexus", color="maroon"))

    (read,) = parse_batch(pb.SubmitReadsRequest(reads=[captured]), None)

    assert read.sighting is not None
    assert read.sighting.vehicle == SeenVehicle("Lexus", "maroon")
    (warned,) = find_in(read.sighting, Vehicle(make="GMC", color="GRY"))
    (agreed,) = find_in(read.sighting, Vehicle(make="LEXS", color="MAR"))
    assert Doubt.VEHICLE_MISMATCH in warned.doubts
    assert Doubt.VEHICLE_MISMATCH not in agreed.doubts


def find_in(sighting: Sighting, vehicle: Vehicle) -> tuple[Match, ...]:
    builder = ListIndexBuilder()
    builder.add([Entry(_ID, "AB1", "IL", Category.STOLEN_VEHICLE, "", vehicle)])
    header = ListHeader(_ID, "x", "IL0160000", Source.LEADS, 1, NOW, NOW)
    index = Index(1, NOW, (ActiveList(header, builder.build()),))
    return find_matches(sighting, index, frozenset({0}), NOW, MatchSettings(0.05))


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_1_to_500_reads(count: int) -> None:
    read = a_read("AB1")

    with pytest.raises(InvalidFieldError):
        parse_batch(batch(1, *[read] * count), None)


def test_a_batch_is_at_most_4_mib() -> None:
    read = a_read("AB1")
    read.overview_image = bytes(384 << 10)

    with pytest.raises(InvalidFieldError) as caught:
        parse_batch(batch(1, *[read] * 11), None)

    assert "4 MiB" in caught.value.violations[0].description


def test_no_more_than_100_wrong_fields_are_named() -> None:
    read = a_read("AB1", plate="?", lattice=None)

    with pytest.raises(InvalidFieldError) as caught:
        parse_batch(batch(1, *[read] * 300), None)

    assert len(caught.value.violations) == 100


def test_a_read_whose_id_or_image_does_not_name_its_capture_time_is_not_complete() -> None:
    good, other_id, other_day = a_read("AB1"), a_read("AB1"), a_read("AB1")
    other_id.read.capture_time.seconds -= 1
    other_day.read.image.day = "2020-02-02"

    complete = [read.complete for read in parse_batch(batch(1, good, other_id, other_day), None)]

    assert complete == [True, False, False]


def states_of(*states: tuple[str, str, float]) -> list[read_pb2.StateProbability]:
    return [read_pb2.StateProbability(state=s, country=c, probability=p) for s, c, p in states]


def test_plates_of_other_countries_name_no_state_and_match_no_states_entry() -> None:
    captured = a_read("AB1")
    del captured.read.states[:]
    captured.read.states.extend(states_of(("", "MX", 0.6), ("", "BR", 0.39)))

    (read,) = parse_batch(batch(1, captured), None)

    assert read.sighting is not None
    assert found(read.sighting) == ()


def test_state_is_still_found_among_countries() -> None:
    captured = a_read("AB1")
    del captured.read.states[:]
    captured.read.states.extend(states_of(("IL", "US", 0.6), ("", "BR", 0.39)))

    (read,) = parse_batch(batch(1, captured), None)

    assert read.sighting is not None
    assert [match.entry.plate for match in found(read.sighting)] == ["AB1"]


@pytest.mark.parametrize("states", [states_of(("", "", 0.5)), states_of(("", "BR", 0.5), ("", "BR", 0.3))])
def test_state_without_a_name_and_country_named_twice_are_refused(
    states: list[read_pb2.StateProbability],
) -> None:
    captured = a_read("AB1")
    del captured.read.states[:]
    captured.read.states.extend(states)

    with pytest.raises(InvalidFieldError) as caught:
        parse_batch(batch(1, captured), None)

    assert {one.field for one in caught.value.violations} == {"reads[0].read.states"}
