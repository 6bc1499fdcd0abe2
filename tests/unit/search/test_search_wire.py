"""Requests of search: what is refused before anything happens, and what answers look like."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from alpr.search.v1 import archive_service_pb2 as archive_pb
from alpr.search.v1 import search_service_pb2 as search_pb
from alpr.type.v1 import read_pb2
from services.common.errors import InvalidFieldError
from services.common.identity import AccessToken
from services.search.core.answer import FoundRead
from services.search.core.pattern import PlateForm, WantedPlate
from services.search.wire_append import parse_append, parse_in_parts
from services.search.wire_search import parse_search
from tests.support.search_kit import archived_read, now

TOKEN = AccessToken("t")


def fields(error: pytest.ExceptionInfo[InvalidFieldError]) -> set[str]:
    return {violation.field for violation in error.value.violations}


def exact(plate: str) -> WantedPlate:
    return WantedPlate(PlateForm.EXACT, plate)


def question(**changes: object) -> search_pb.SearchReadsRequest:
    return search_pb.SearchReadsRequest(**{"request_id": str(uuid4()), "plate": "AB 1234", **changes})


@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_of_the_wrong_size_is_refused(count: int) -> None:
    with pytest.raises(InvalidFieldError) as error:
        parse_append(archive_pb.AppendReadsRequest(reads=[archived_read()] * count))

    assert fields(error) == {"reads"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("read.read_id", lambda a: setattr(a.read, "read_id", "7")),
        ("read.sensor_id", lambda a: setattr(a.read, "sensor_id", "")),
        ("read.plate", lambda a: setattr(a.read, "plate", "ab 1234")),
        ("read.plate", lambda a: setattr(a.read, "plate", "")),
        ("read", lambda a: setattr(a.read, "sender_read_id", "a\x00b")),
        ("read", lambda a: setattr(a.read.place, "description", "x" * 201)),
        ("read.image.image_key", lambda a: setattr(a.read.image, "image_key", b"short")),
        ("agency_ori", lambda a: setattr(a, "agency_ori", "")),
        ("sensor_group", lambda a: setattr(a, "sensor_group", "")),
        ("provenance", lambda a: setattr(a, "provenance", 0)),
        ("provenance", lambda a: setattr(a, "provenance", 99)),
    ],
)
def test_a_read_that_cannot_even_be_kept_apart_is_named(field: str, change) -> None:
    bad = archived_read()
    change(bad)

    with pytest.raises(InvalidFieldError) as error:
        parse_append(archive_pb.AppendReadsRequest(reads=[archived_read(), bad]))

    assert fields(error) == {f"reads[1].{field}"}


def test_a_large_batch_comes_in_short_parts_that_are_the_whole_batch_in_its_order() -> None:
    request = archive_pb.AppendReadsRequest(reads=[archived_read() for _ in range(110)])

    parts = list(parse_in_parts(request))

    assert max(map(len, parts)) <= 25
    assert [str(read.read_id) for part in parts for read in part] == [
        one.read.read_id for one in request.reads
    ]


def test_a_batch_with_a_wrong_read_in_a_later_part_is_refused_as_a_whole() -> None:
    request = archive_pb.AppendReadsRequest(reads=[archived_read() for _ in range(60)])
    request.reads[40].read.plate = ""
    request.reads[59].agency_ori = ""

    with pytest.raises(InvalidFieldError) as error:
        for _ in parse_in_parts(request):
            pass

    assert fields(error) == {"reads[40].read.plate", "reads[59].agency_ori"}


def test_the_kept_recognition_holds_no_image_key_and_no_place() -> None:
    read = parse_append(archive_pb.AppendReadsRequest(reads=[archived_read()]))[0]

    kept = read_pb2.Read.FromString(read.recognition)

    assert {field.name for field, _ in kept.ListFields()} == {"lattice", "states", "plate_box"}


def test_passage_that_a_read_sums_up_is_kept() -> None:
    archived = archived_read()
    archived.read.passage.frame_count = 12
    archived.read.passage.direction = read_pb2.TRAVEL_DIRECTION_RECEDING

    read = parse_append(archive_pb.AppendReadsRequest(reads=[archived]))[0]

    assert read_pb2.Read.FromString(read.recognition).passage == archived.read.passage


def test_corners_and_types_of_the_plate_are_kept() -> None:
    archived = archived_read()
    archived.read.plate_corners.upper_left.x = 3
    archived.read.plate_types.add(plate_type=read_pb2.PLATE_TYPE_TEMPORARY, probability=0.5)

    read = parse_append(archive_pb.AppendReadsRequest(reads=[archived]))[0]

    kept = read_pb2.Read.FromString(read.recognition)
    assert kept.plate_corners == archived.read.plate_corners
    assert list(kept.plate_types) == list(archived.read.plate_types)


def test_a_plate_of_another_country_has_no_state() -> None:
    archived = archived_read()
    del archived.read.states[:]
    archived.read.states.add(country="BR", probability=0.9)

    assert parse_append(archive_pb.AppendReadsRequest(reads=[archived]))[0].state is None


def test_a_found_read_has_no_room_for_an_image_key() -> None:
    assert not any("key" in name for name in FoundRead.__slots__)


def test_a_question_is_normalised_and_completed() -> None:
    parsed = parse_search(question(), TOKEN)

    assert (parsed.question.plate, parsed.question.page_size) == (exact("AB1234"), 100)
    assert parsed.question.from_time is None and parsed.question.to_time is None


@pytest.mark.parametrize("typed", ["ab 12-34", "AB.1234", "ab1234", " AB1234 "])
def test_a_typed_plate_is_normalised(typed: str) -> None:
    assert parse_search(question(plate=typed), TOKEN).question.plate == exact("AB1234")


@pytest.mark.parametrize(
    "typed", ["A", "", " ", "AB1234567890X", "AB%234", "AB_234", "AB*", "ÄB1234", "AB\u0661234", "*"]
)
def test_what_cannot_be_a_plate_is_refused(typed: str) -> None:
    with pytest.raises(InvalidFieldError) as error:
        parse_search(question(plate=typed), TOKEN)

    assert fields(error) == {"plate"}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("request_id", {"request_id": ""}),
        ("request_id", {"request_id": "again"}),
        ("page_size", {"page_size": 1001}),
        ("page_size", {"page_size": -1}),
    ],
)
def test_a_malformed_question_is_refused_and_the_field_named(field: str, changes) -> None:
    with pytest.raises(InvalidFieldError) as error:
        parse_search(question(**changes), TOKEN)

    assert fields(error) == {field}


def test_a_window_must_not_end_before_it_begins() -> None:
    request = question()
    request.to.FromDatetime(now())
    getattr(request, "from").FromDatetime(now() + timedelta(hours=1))

    with pytest.raises(InvalidFieldError) as error:
        parse_search(request, TOKEN)

    assert fields(error) == {"to"}


def test_a_time_outside_the_calendar_is_refused() -> None:
    request = question()
    request.to.seconds = 2**60

    with pytest.raises(InvalidFieldError) as error:
        parse_search(request, TOKEN)

    assert fields(error) == {"to"}


@pytest.mark.clause("IV.C.5", "IV.C.6")
def test_a_question_without_case_number_goes_to_audit_to_be_refused_and_recorded() -> None:
    parsed = parse_search(question(), TOKEN)

    assert parsed.justification.case_number == ""
