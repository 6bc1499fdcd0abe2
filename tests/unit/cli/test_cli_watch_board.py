"""What the board of `platewarden watch` shows, in which order, and when it rings."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2, read_pb2
from platewarden_client import LinkState
from services.cli.watch import acts
from services.cli.watch.board import Board, is_confirmed, nearest, standing
from services.cli.watch.picture import half_blocks
from services.cli.watch.sound import FLOOR, REPEAT_SECONDS, Bell
from services.cli.watch.view import Row, details, duration, link_text, row_lines
from services.common.wire import to_timestamp

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STOLEN = hit_pb2.HOT_LIST_CATEGORY_STOLEN_VEHICLE
WANTED = hit_pb2.HOT_LIST_CATEGORY_WANTED


def alert_of(
    name: str = "a",
    severity: pb.Severity.ValueType = pb.SEVERITY_URGENT,
    *,
    category: hit_pb2.HotListCategory.ValueType = STOLEN,
    verification: notice_pb2.VerificationState.ValueType = notice_pb2.VERIFICATION_STATE_NEW,
    age: timedelta = timedelta(seconds=42),
    **changes: object,
) -> pb.Alert:
    """An alert that was raised `age` before NOW."""
    values: dict[str, object] = {
        "alert_id": name,
        "severity": severity,
        "plate": f"P{name.upper()}",
        "entries": [hit_pb2.MatchedEntry(category=category, plate="AB12345", entry_id=f"entry-{name}")],
        "notice": notice_pb2.Notice(
            lead_only=True, verification_state=verification, text="UNVERIFIED: confirm"
        ),
        "raise_time": to_timestamp(NOW - age),
        "capture_time": to_timestamp(NOW - age),
        **changes,
    }
    return pb.Alert(**values)  # type: ignore[arg-type]


def names(alerts: list[pb.Alert]) -> list[str]:
    return [alert.alert_id for alert in alerts]


def board_of(*alerts: pb.Alert) -> Board:
    board = Board()
    for alert in alerts:
        board.take(alert)
    return board


def test_the_unseen_stand_first_then_the_loudest_then_what_waits_longest() -> None:
    minute = timedelta(minutes=1)
    board = board_of(
        alert_of("seen", acknowledged=True, age=9 * minute),
        alert_of("notice", pb.SEVERITY_NOTICE, age=8 * minute),
        alert_of("high", pb.SEVERITY_HIGH, age=7 * minute),
        alert_of("young", age=minute),
        alert_of("old", age=2 * minute),
        alert_of("done", disposition=pb.DISPOSITION_NO_ACTION),
    )

    assert names(board.rows(with_done=False)) == ["old", "young", "high", "notice", "seen"]
    assert names(board.rows(with_done=True))[-1] == "done"
    assert (board.counts().open, board.counts().urgent_unseen) == (5, 2)


def test_the_last_word_on_an_alert_counts() -> None:
    board = board_of(alert_of(), alert_of(acknowledged=True))

    assert len(board) == 1
    assert board.counts().urgent_unseen == 0


def test_what_is_done_leaves_after_a_day_and_what_waits_never() -> None:
    day = timedelta(hours=25)
    board = board_of(
        alert_of("waits", age=day),
        alert_of("done", age=day, disposition=pb.DISPOSITION_STOPPED),
        alert_of("today", disposition=pb.DISPOSITION_STOPPED),
    )

    board.forget(NOW)

    assert names(board.rows(with_done=True)) == ["waits", "today"]


def test_the_selection_stays_with_its_alert_and_takes_the_place_of_one_that_went() -> None:
    rows = [alert_of("new"), alert_of("x"), alert_of("y")]

    assert nearest(rows, "y", 1) == "y"
    assert nearest(rows, "gone", 1) == "x"
    assert nearest(rows, "gone", 9) == "y"
    assert nearest([], "gone", 1) == ""


@pytest.mark.clause("II.A", "III.D.4")
@pytest.mark.parametrize("state", [*notice_pb2.VerificationState.values(), 99])
def test_only_a_confirmation_takes_unverified_away_also_in_states_of_later_versions(state: int) -> None:
    alert = alert_of(verification=notice_pb2.VerificationState.ValueType(state))

    undecided = state not in {3, 4, 5, 6, 7}
    assert standing(alert).startswith("UNVERIFIED") is undecided
    assert is_confirmed(alert) is (state == notice_pb2.VERIFICATION_STATE_CONFIRMED)


def test_a_withdrawn_alert_says_so_and_its_confirmation_is_none() -> None:
    confirmed = notice_pb2.VERIFICATION_STATE_CONFIRMED
    alert = alert_of(verification=confirmed, withdraw_time=to_timestamp(NOW))

    assert standing(alert) == "WITHDRAWN, CONFIRMED"
    assert not is_confirmed(alert)


@pytest.mark.clause("II.A")
def test_an_urgent_alert_rings_again_until_it_was_seen_and_a_high_one_once() -> None:
    bell, urgent, high = Bell(), alert_of("u"), alert_of("h", pb.SEVERITY_HIGH, category=WANTED)

    assert bell.strokes([urgent, high], 0) == 2
    assert bell.strokes([urgent, high], 1) == 0
    assert bell.strokes([urgent, high], REPEAT_SECONDS) == 2
    assert bell.strokes([high], 2 * REPEAT_SECONDS) == 0
    assert bell.strokes([alert_of("u", acknowledged=True), high], 3 * REPEAT_SECONDS) == 0


def test_many_that_come_together_ring_once_as_the_loudest_of_them() -> None:
    amber = alert_of("amber", category=hit_pb2.HOT_LIST_CATEGORY_AMBER)

    assert Bell().strokes([alert_of(str(number)) for number in range(50)] + [amber], 0) == 4


def test_a_notice_and_what_is_done_never_ring_and_a_loudness_not_known_does() -> None:
    done = alert_of(disposition=pb.DISPOSITION_FALSE_ALARM)

    assert Bell().strokes([alert_of(severity=pb.SEVERITY_NOTICE), done], 0) == 0
    assert Bell().strokes([alert_of(severity=pb.Severity.ValueType(9))], 0) > 0


def test_an_alert_that_grew_louder_rings() -> None:
    bell = Bell()
    bell.strokes([alert_of(severity=pb.SEVERITY_NOTICE)], 0)

    assert bell.strokes([alert_of()], 1) > 0


@pytest.mark.clause("IV.D.2")
@pytest.mark.parametrize("category", sorted(FLOOR))
def test_the_floor_keeps_its_sound_whatever_is_asked(category: hit_pb2.HotListCategory.ValueType) -> None:
    bell = Bell(silent=[category])

    assert bell.switch(category) is False
    assert bell.strokes([alert_of(category=category)], 0) > 0


def test_an_alert_of_two_categories_rings_when_one_of_them_may() -> None:
    entries = [hit_pb2.MatchedEntry(category=WANTED), hit_pb2.MatchedEntry(category=STOLEN)]
    bell = Bell(silent=[WANTED])

    assert bell.strokes([alert_of(category=WANTED, severity=pb.SEVERITY_HIGH)], 0) == 0
    assert bell.strokes([alert_of("b", entries=entries)], 0) > 0


def test_sound_that_is_off_comes_back_with_the_next_stroke_that_is_due() -> None:
    bell = Bell()
    bell.on = False
    assert bell.strokes([alert_of()], 0) == 0
    bell.on = True

    assert bell.strokes([alert_of()], REPEAT_SECONDS) == 2


@pytest.mark.clause("II.A", "III.B.3.r")
@pytest.mark.parametrize("width", [40, 60, 80, 132, 200])
def test_a_row_is_as_wide_as_the_window_and_never_loses_its_verification(width: int) -> None:
    alert = alert_of(warnings=[w for w in hit_pb2.HitWarning.values() if w])

    first, second = row_lines(Row(alert, selected=True), NOW, width)

    assert (first.cell_len, second.cell_len) == (width, width)
    assert "UNVERIFIED" in first.plain
    assert "PA" in second.plain


@pytest.mark.clause("III.B.3.r")
def test_details_tell_all_doubts_first_then_what_the_alert_is_good_for() -> None:
    text = details(alert_of(warnings=[hit_pb2.HIT_WARNING_STATE_MISMATCH]), NOW).plain

    assert text.startswith("STATE MISMATCH\nUNVERIFIED: confirm\nread   PA")
    assert "listed AB12345" in text


def test_an_entry_that_was_withdrawn_is_called_so_among_others() -> None:
    entries = [hit_pb2.MatchedEntry(entry_id="x", plate="X1"), hit_pb2.MatchedEntry(entry_id="y", plate="Y1")]
    withdrawn = [pb.WithdrawnEntry(entry_id="y")]

    lines = details(alert_of(entries=entries, withdrawn_entries=withdrawn), NOW).plain.splitlines()

    assert [("LISTED NO LONGER" in line) for line in lines if line.startswith("listed")] == [False, True]


def test_what_a_terminal_would_obey_is_not_written() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e\r\n[red]x"
    entry = hit_pb2.MatchedEntry(
        plate=hostile,
        hot_list_name=hostile,
        record_number=hostile,
        state=hostile,
        entry_date=hostile,
        vehicle=hit_pb2.ListedVehicle(make=hostile),
    )
    alert = alert_of(
        plate=hostile,
        state=hostile,
        sensor_id=hostile,
        place=read_pb2.Place(description=hostile),
        notice=notice_pb2.Notice(text=hostile),
        entries=[entry],
    )

    told, rows = details(alert, NOW).plain, row_lines(Row(alert), NOW, 400)
    written = told + "".join(row.plain for row in rows)

    assert not set(written) & {"\x1b", "\x07", "\u202e", "\r"}
    assert told.count("[red]x") == 11
    assert rows[1].plain.count("[red]x") == 3


def test_waiting_is_told_in_few_letters() -> None:
    seconds = [-5, 0, 42, 725, 4800, 90_000]

    assert [duration(timedelta(seconds=s)) for s in seconds] == [
        "0:00",
        "0:00",
        "0:42",
        "12:05",
        "1 h 20",
        "25 h 00",
    ]


@pytest.mark.clause("IV.D.3", "III.D.4")
def test_how_long_there_is_left_is_counted_down_and_then_it_is_overdue() -> None:
    alert = alert_of(
        acknowledge_by=to_timestamp(NOW + timedelta(seconds=18)),
        verify_by=to_timestamp(NOW + timedelta(minutes=9)),
    )

    assert "unseen 0:42  due in 0:18" in row_lines(Row(alert), NOW, 120)[0].plain
    assert "OVERDUE 0:12" in row_lines(Row(alert), NOW + timedelta(seconds=30), 120)[0].plain


@pytest.mark.clause("IV.D.3")
def test_what_escalated_says_so_and_rings_until_it_was_seen() -> None:
    late = pb.Escalation(
        kind=pb.ESCALATION_KIND_NOT_ACKNOWLEDGED,
        due_time=to_timestamp(NOW - timedelta(seconds=9)),
        escalate_time=to_timestamp(NOW - timedelta(seconds=8)),
    )
    alert = alert_of(severity=pb.SEVERITY_HIGH, category=WANTED, escalations=[late])
    bell = Bell()

    assert "ESCALATED 11:59:52 UTC: not acknowledged by 11:59:51" in details(alert, NOW).plain
    assert "ESCALATED" in row_lines(Row(alert), NOW, 120)[0].plain
    assert [bell.strokes([alert], number * REPEAT_SECONDS) for number in range(3)] == [1, 1, 1]


def test_a_link_without_a_heartbeat_for_long_is_not_called_live() -> None:
    assert link_text(LinkState.LIVE, 3).plain == " LIVE "
    assert link_text(LinkState.LIVE, 11).plain == " LINK LOST 0:11 "
    assert link_text(LinkState.CONNECTING, 0.2).plain == " CONNECTING "


@pytest.mark.clause("III.D.4")
def test_an_answer_of_leads_records_first_that_somebody_asked() -> None:
    confirmed, verifying = notice_pb2.VERIFICATION_STATE_CONFIRMED, notice_pb2.VERIFICATION_STATE_VERIFYING

    new = acts.verifying(alert_of(), confirmed, "LEADS", "R-1")
    begun = acts.verifying(alert_of(verification=verifying), confirmed, "LEADS", "R-1")

    assert [act.request.state for act in new] == [verifying, confirmed]  # type: ignore[union-attr]
    assert [act.request.state for act in begun] == [confirmed]  # type: ignore[union-attr]
    assert len({act.request.request_id for act in new}) == 2
    assert "R-1" not in repr(new)


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height), 200).save(file, "JPEG")
    return file.getvalue()


def test_a_picture_keeps_its_shape_and_fits() -> None:
    text = half_blocks(jpeg(200, 50), 72)

    assert text is not None
    lines = text.plain.splitlines()
    assert (len(lines[0]), len(lines)) == (72, 9)


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg(64, 32)[:200], jpeg(3000, 2000)])
def test_what_is_no_picture_of_a_plate_is_none(data: bytes) -> None:
    assert half_blocks(data, 72) is None


@pytest.mark.clause("IV.D.1", "IV.D.2")
def test_what_came_in_quiet_hours_does_not_ring_and_the_floor_always_does() -> None:
    bell, wanted = Bell(), alert_of("w", pb.SEVERITY_HIGH, category=WANTED)
    amber = alert_of("a", category=hit_pb2.HOT_LIST_CATEGORY_AMBER)

    bell.note(wanted, quiet=True)
    assert bell.strokes([wanted], 0) == 0
    bell.note(amber, quiet=True)
    assert bell.strokes([wanted, amber], 0) == 4
    bell.note(wanted, quiet=False)
    assert bell.strokes([wanted], 1) > 0
