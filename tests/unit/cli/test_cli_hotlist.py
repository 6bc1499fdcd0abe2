"""What `platewarden hotlist` makes of versions, moments and answers."""

from datetime import UTC, datetime, timedelta

import pytest

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from services.cli.hotlist import active_of, parse_moment, told
from services.cli.hotlist_history import state_of, version_before
from services.cli.locate import CommandError
from services.common.wire import to_timestamp

START = datetime(2026, 11, 25, tzinfo=UTC)


def a_version(number: int, activated: int | None = None, *, active: bool = False) -> pb.HotListVersion:
    """A version, activated so many minutes after START."""
    moment = to_timestamp(START + timedelta(minutes=activated)) if activated is not None else None
    return pb.HotListVersion(version=number, activated_at=moment, active=active)


def test_rolling_back_goes_to_the_version_that_was_active_before() -> None:
    versions = [a_version(4), a_version(3, 20, active=True), a_version(2, 5), a_version(1, 10)]

    assert version_before(versions) == 1


def test_rolling_back_a_list_that_is_out_of_use_goes_past_its_last_version() -> None:
    assert version_before([a_version(2, 20), a_version(1, 10)]) == 1


@pytest.mark.parametrize("versions", [[], [a_version(1)], [a_version(1, 5, active=True)], [a_version(1, 5)]])
def test_there_is_nothing_to_roll_back_to_without_an_older_activation(
    versions: list[pb.HotListVersion],
) -> None:
    with pytest.raises(CommandError, match="ever active"):
        version_before(versions)


def test_a_version_says_where_it_stands() -> None:
    waiting = pb.HotListVersion(version=2, approval_needed=True)
    approved = pb.HotListVersion(version=2, approval_needed=True, approvals=[pb.VersionApproval()])

    states = [state_of(one) for one in (waiting, approved, a_version(1, 5), a_version(1, 5, active=True))]
    assert states == ["needs approval", "ready", "was active", "active"]


def test_a_list_whose_version_has_expired_says_so() -> None:
    used = pb.HotList(active_version=3, expire_time=to_timestamp(START))

    told = [active_of(used, START - timedelta(seconds=1)), active_of(used, START)]
    assert told == ["3", "3 (expired)"]
    assert active_of(pb.HotList(), START) == "-"


def test_a_moment_is_read_with_its_zone() -> None:
    assert parse_moment("2026-11-25T06:00:00Z") == parse_moment("2026-11-25T00:00:00-06:00")
    for text in ("tomorrow", "2026-13-01", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(CommandError, match="is no moment"):
            parse_moment(text)


def test_an_upload_that_needs_approval_or_left_rows_out_says_so() -> None:
    note = pb.RowFinding(row=7, column="1", problem="file N is not allowed for this list")
    answer = pb.UploadHotListVersionResponse(version=3, approval_needed=True, notes=[note], note_count=5)

    sentence = told(answer)

    assert "row 7, column 1: file N is not allowed for this list" in sentence
    assert "and 4 more" in sentence
    assert "somebody else must approve it" in sentence
