"""Requests for local lists, with whatever a caller may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from alpr.matcher.v1 import local_list_service_pb2 as pb
from alpr.type.v1 import hit_pb2, justification_pb2
from services.common.errors import InvalidFieldError
from services.matcher.app_local import PageOf, Shown
from services.matcher.core.columns import columns_of
from services.matcher.core.entry import Entry
from services.matcher.core.local import LocalEntry, Owner, OwnerKind
from services.matcher.wire_local import parse_add, parse_list, to_entry, to_list_response
from tests.matcher_kit import ORI, watch_request

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = (
    st.text(max_size=14) | st.text("AB0?-. ", max_size=13) | st.sampled_from(["", "IL", "PC", "FORD", "2019"])
)
NUMBER = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 12)
JUSTIFICATION = st.builds(
    justification_pb2.Justification,
    case_number_kind=NUMBER,
    case_number=TEXT | st.text(max_size=80),
    outside_agency=TEXT,
    purpose=TEXT | st.text(max_size=600),
    offence_code=TEXT,
)
FIELDS = {
    "request_id": TEXT,
    "owner_kind": NUMBER,
    "sensor_id": TEXT,
    "pattern": TEXT,
    "state": TEXT,
    "plate_type": TEXT,
    "category": NUMBER,
    "vehicle": st.builds(hit_pb2.ListedVehicle, year=TEXT, make=TEXT, model=TEXT, style=TEXT, color=TEXT),
    "justification": JUSTIFICATION,
    "expire_time": st.builds(
        Timestamp, seconds=st.integers(-(2**40), 2**40), nanos=st.integers(-(2**31), 2**31 - 1)
    ),
}


@settings(deadline=None)  # the first call compiles
@given(st.data())
def test_a_request_is_refused_by_field_or_can_be_kept_and_compared(data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=3))
    request = watch_request("ABC?23", **{name: data.draw(FIELDS[name]) for name in sorted(changed)})

    try:
        new = parse_add(request)
    except InvalidFieldError as error:
        assert error.violations
        return

    watched = new.watched
    listed = Entry(
        entry_id=new.request_id,
        plate=watched.pattern,
        state=watched.state,
        category=watched.category,
        record_number=new.grounds.case_number,
        vehicle=watched.vehicle,
        plate_type=watched.plate_type,
        expires_at=new.expires_at,
    )
    assert columns_of([listed]).entry(0) == listed


def an_entry(revision: int) -> LocalEntry:
    new = parse_add(watch_request("ABC?23"))
    return LocalEntry(
        entry_id=new.request_id,
        owner=Owner(ORI, OwnerKind.USER, "account-1", "D1"),
        watched=new.watched,
        grounds=new.grounds,
        account_id="account-1",
        added_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        added_revision=revision,
    )


@given(st.integers(1, 2**63 - 1))
def test_a_page_goes_on_before_the_last_entry_of_the_one_before(revision: int) -> None:
    answer = to_list_response(Shown((an_entry(revision),), more=True, suspended=()), NOW)

    asked = parse_list(pb.ListLocalEntriesRequest(page_token=answer.next_page_token, page_size=7))

    assert asked == PageOf(with_ended=False, before=revision, size=7)


@given(st.text(max_size=20))
def test_a_token_of_somebody_elses_making_is_refused_or_only_a_place_to_go_on(token: str) -> None:
    try:
        asked = parse_list(pb.ListLocalEntriesRequest(page_token=token))
    except InvalidFieldError as error:
        assert [one.field for one in error.violations] == ["page_token"]
    else:
        assert 0 < asked.before < 2**63


@pytest.mark.clause("II.D")
def test_an_entry_reads_expired_from_the_second_of_its_end() -> None:
    entry: Any = an_entry(1)

    states = [to_entry(entry, NOW + timedelta(minutes=minutes)).entry_state for minutes in (59, 60)]

    assert states == [pb.LOCAL_ENTRY_STATE_LIVE, pb.LOCAL_ENTRY_STATE_EXPIRED]
