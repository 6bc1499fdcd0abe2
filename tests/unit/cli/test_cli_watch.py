"""What `platewarden watch` says of an alert where no board is wanted, and how it ends."""

import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from alpr.type.v1.error_reason_pb2 import ErrorReason
from platewarden_client import AlertEvent, EntitlementEndedError, EventKind, Gap, Position, ResumeFileError
from platewarden_client.errors import Failure
from services.cli.locate import CommandError
from services.cli.output import Output
from services.cli.watch.feed import refusals
from services.cli.watch.lines import listing, plain, show, step_line
from services.common.errors import AlprError
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


@pytest.mark.clause("IV.D.3")
def test_a_step_says_what_was_done_who_reported_it_and_who_recorded_it() -> None:
    reported = pb.AlertStep(
        step_time=to_timestamp(NOW),
        account_id="a-1",
        verification_state=notice_pb2.VERIFICATION_STATE_CONFIRMED,
        disposition=pb.DISPOSITION_STOPPED,
        report_number="26-7",
        reported_by="Unit\x1b 12",
        by_telecom_center=True,
    )
    answered = pb.AlertStep(
        step_time=to_timestamp(NOW),
        account_id="a-2",
        verification_state=notice_pb2.VERIFICATION_STATE_CONFIRMED,
        system="LEADS",
        response_id="R-1",
    )

    assert step_line(reported) == (
        "12:00:00 UTC  stopped, report 26-7, reported by Unit� 12"
        "  recorded by the telecommunication centre, a-1"
    )
    assert step_line(answered) == "12:00:00 UTC  confirmed (LEADS, R-1)  recorded by a-2"


def event_of(**changes: str) -> AlertEvent:
    """An alert that was raised."""
    values = {"plate": "AB12345", "alert_id": "a-1", **changes}
    notice = notice_pb2.Notice(lead_only=True, text="UNVERIFIED: confirm first")
    entry = hit_pb2.MatchedEntry(category=hit_pb2.HOT_LIST_CATEGORY_AMBER, hot_list_name="LEADS")
    alert = pb.Alert(notice=notice, entries=[entry], warnings=[hit_pb2.HIT_WARNING_STATE_MISMATCH], **values)
    return AlertEvent(EventKind.RAISED, Position(1, 7), alert)


@pytest.mark.clause("II.A", "III.B.3.r")
def test_warnings_and_unverified_are_printed_with_the_alert(capsys: pytest.CaptureFixture[str]) -> None:
    show(event_of(), Output(as_json=False))

    printed = capsys.readouterr().out
    assert printed.index("STATE MISMATCH") < printed.index("UNVERIFIED: confirm first") < printed.index("a-1")


def test_a_program_gets_one_document_a_line_for_alerts_and_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)

    show(event_of(), output)
    show(Gap(NOW, "ERROR_REASON_EPOCH_CHANGED"), output)

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["alert"]["plate"]) == ("raised", "AB12345")
    assert second == {
        "event": "gap",
        "since": "2026-11-25T12:00:00+00:00",
        "reason": "ERROR_REASON_EPOCH_CHANGED",
    }


def test_what_a_terminal_would_obey_is_shown_as_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    show(event_of(sensor_id="cam\x1b]0;owned\x07[bold]"), Output(as_json=False))

    printed = capsys.readouterr().out
    assert "\x1b]" not in printed
    assert "[bold]" in printed
    assert plain("a\u202eb\r\n") == "a�b" + 2 * "�"


def test_a_refusal_of_the_stream_ends_as_every_refusal_of_a_service_does() -> None:
    failure = Failure(
        grpc.StatusCode.PERMISSION_DENIED,
        "the account is suspended",
        "ERROR_REASON_ENTITLEMENT_ENDED",
        {"clauses": "IV.A.4"},
    )

    with pytest.raises(AlprError) as caught, refusals():
        raise EntitlementEndedError(failure)

    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.reason == ErrorReason.ERROR_REASON_ENTITLEMENT_ENDED
    assert caught.value.metadata == {"clauses": "IV.A.4"}
    assert caught.value.message == "the account is suspended"


def test_a_resume_file_that_cannot_be_used_is_a_sentence() -> None:
    with pytest.raises(CommandError, match="the resume file is damaged"), refusals():
        raise ResumeFileError("the resume file is damaged")
