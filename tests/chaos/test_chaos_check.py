"""The reckoning finds what is wrong: a check that never fails would prove nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alpr.type.v1 import read_pb2
from alpr.type.v1.receipt_pb2 import AuditReceipt
from tests.chaos.answers import AnsweredQuestion, AnsweredRead, Answers, Delivered
from tests.chaos.check import Log, LogEntry, _check_questions
from tests.chaos.check_alerts import _check_follower
from tests.chaos.findings import Findings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FEED = [{"position": n, "mark": n * 10, "alert_id": f"alert-{n}", "kind": 1} for n in range(1, 6)]
GOT = [Delivered(f"alert-{n}", n * 10, 1, raised=True) for n in range(2, 6)]


def follower(got: list[Delivered]) -> list[str]:
    found = Findings()
    _check_follower("centre", got, FEED, {row["mark"]: row["alert_id"] for row in FEED}, found)
    return found.wrong


def test_a_follower_that_got_all_of_the_feed_since_it_began_is_well_also_with_repeats() -> None:
    assert follower(GOT) == []
    assert follower([*GOT[:2], *GOT]) == []


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ([GOT[0], *GOT[2:]], "centre never got alert alert-3"),
        ([GOT[0], GOT[2], GOT[1], GOT[3]], "centre got position 30 after a later one"),
        ([*GOT, Delivered("alert-9", 50, 1, raised=True)], "where the feed does not have it"),
        ([*GOT, replace(GOT[0], epoch=2)], "more than one epoch"),
    ],
)
def test_an_alert_that_is_missed_or_comes_out_of_order_or_from_nowhere_is_found(
    got: list[Delivered], said: str
) -> None:
    assert any(said in one for one in follower(got))


def world() -> tuple[Answers, Log]:
    """A read, and a question that showed it, with both entries of the log."""
    answers, log = Answers(), Log()
    answers.read(AnsweredRead("read-1", "AB123", "cam", NOW, read_pb2.READ_STATUS_STORED, "", 1, 5.0))
    entries = {
        "question": LogEntry(1, b"q", {"kind": "query"}),
        "outcome": LogEntry(2, b"o", {"subject": "question", "result": "DONE", "row_count": "1"}),
    }
    log.entries.update(entries)
    receipts = (
        AuditReceipt(entry_id="question", log_index=1, leaf=b"q"),
        AuditReceipt(entry_id="outcome", log_index=2, leaf=b"o"),
    )
    later = NOW + timedelta(minutes=1)
    answers.questions.append(AnsweredQuestion("request", "AB123", 6.0, later, ("read-1",), True, receipts))
    return answers, log


def questions(answers: Answers, log: Log) -> list[str]:
    found = Findings()
    _check_questions(answers, log, found)
    return found.wrong


def test_rows_that_stand_in_the_log_are_well() -> None:
    assert questions(*world()) == []


def test_rows_without_an_entry_of_the_log_are_found() -> None:
    answers, log = world()
    del log.entries["question"]

    assert questions(answers, log) == ["the log does not have the entry of receipt question"]


def test_an_outcome_with_another_count_is_found() -> None:
    answers, log = world()
    log.entries["outcome"] = LogEntry(2, b"o", {"subject": "question", "result": "DONE", "row_count": "0"})

    assert questions(answers, log) == [
        "question request: the log has no outcome with the rows that were shown"
    ]


def test_a_stored_read_that_a_later_question_does_not_show_is_found() -> None:
    answers, log = world()
    answers.read(AnsweredRead("read-2", "AB123", "cam", NOW, read_pb2.READ_STATUS_STORED, "", 1, 5.5))
    answers.read(AnsweredRead("read-3", "AB123", "cam", NOW, read_pb2.READ_STATUS_STORED, "", 1, 6.5))

    assert questions(answers, log) == ["question request did not show 1 stored reads"]


def test_an_answer_that_is_taken_back_is_found() -> None:
    answers, _ = world()
    answers.read(replace(answers.reads["read-1"], status=read_pb2.READ_STATUS_QUARANTINED))

    assert answers.contradictions == ["read-1: STORED, then QUARANTINED"]
    assert answers.reads["read-1"].status == read_pb2.READ_STATUS_STORED
