"""What `platewarden watch` says of an alert."""

from datetime import UTC, datetime, timedelta

import pytest

from alpr.type.v1 import hit_pb2
from services.cli.watch import listing
from services.common.wire import to_timestamp

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.clause("II.D", "III.B.3.o")
def test_label_and_ages_are_told_and_a_check_is_called_one() -> None:
    entry = hit_pb2.MatchedEntry(
        list_time=to_timestamp(NOW - timedelta(hours=30)),
        entry_date="2026-11-01",
        match_label=hit_pb2.MATCH_LABEL_LATTICE,
        match_grade=hit_pb2.MATCH_GRADE_CHECK,
    )

    assert listing(entry, NOW) == ", to check only, lattice, list of 30 h ago, entered 2026-11-01"


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert listing(hit_pb2.MatchedEntry(match_grade=hit_pb2.MATCH_GRADE_SOUND), NOW) == ""
