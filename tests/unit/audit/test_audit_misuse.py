"""What the rules about misuse flag, and what they let be (ENF-051 III.B.3.o, III.C.2.d, IV.A.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.audit.core.conduct import Asked, asked_in
from services.audit.core.misuse import Conduct, Finding, Limits, Rule, Standing
from services.audit.core.misuse_rules import published
from services.audit.core.review import PacketLine, Review, ReviewFinding, packet_digest, week_of
from services.audit.policies import load

ROOT = Path(__file__).parents[3]
RULES = load(ROOT / "services/audit/policy").rules
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


class Company:
    """Others who asked under a case or about a plate."""

    def __init__(
        self, cases: Mapping[str, int] | None = None, targets: Mapping[str, int] | None = None
    ) -> None:
        self._cases, self._targets = cases or {}, targets or {}

    def in_case(self, case: str) -> int:
        return self._cases.get(case, 0)

    def at_target(self, target: str) -> int:
        return self._targets.get(target, 0)


ALONE = Company()


def asked(day: int, hour: int = 9, **parts: object) -> Asked:
    usual = {
        "target": f"plate-{day}-{hour}",
        "case": f"case-{day}-{hour}",
        "words": "w",
        "offence": "ROBBERY",
    }
    return Asked(day * 100 + hour, MONDAY + timedelta(days=day, hours=hour), **{**usual, **parts})  # type: ignore[arg-type]


def findings(rows: Iterable[Asked], company: Company = ALONE, end: datetime | None = None) -> list[Finding]:
    conduct = Conduct(Limits(), Standing(end))
    return [found for one in rows for found in conduct.see(one, company)]


def rules(rows: Iterable[Asked], company: Company = ALONE, end: datetime | None = None) -> list[Rule]:
    return [one.rule for one in findings(rows, company, end)]


@pytest.mark.clause("III.B.3.o", "IV.A.2")
def test_a_plate_on_four_days_under_three_made_up_cases_is_flagged_once() -> None:
    rows = [asked(day * 3, target="hers", case=f"case-{day}") for day in range(8)]

    found = findings(rows)

    assert [one.rule for one in found] == [Rule.REPEAT_TARGET]
    assert dict(found[0].evidence) == {"days": 4, "cases": 4}
    assert found[0].entries == tuple(one.log_index for one in rows[:4])


def test_a_plate_that_others_ask_about_too_or_of_a_shared_case_is_no_repeat_target() -> None:
    rows = [asked(day * 3, target="his", case=f"case-{day}") for day in range(8)]

    assert not rules(rows, Company(targets={"his": 2}))
    assert not rules(rows, Company({f"case-{day}": 1 for day in range(8)}))


def test_an_investigation_under_one_case_may_come_back_to_a_plate_for_eleven_days() -> None:
    assert not rules(asked(day, target="car", case="mine") for day in range(11))
    assert rules(asked(day, target="car", case="mine") for day in range(12)) == [Rule.REPEAT_TARGET]


def test_what_was_asked_more_than_sixty_days_ago_counts_no_more() -> None:
    rows = [asked(day, target="hers", case=f"case-{day}") for day in (0, 30, 61, 92, 123)]

    assert not rules(rows)


@pytest.mark.clause("III.B.3.o")
def test_a_case_number_for_whatever_there_is_to_ask_is_flagged_and_an_investigation_is_not() -> None:
    codes = ("ROBBERY", "THEFT", "ARSON")
    for_anything = [asked(day, case="one", offence=codes[day % 3]) for day in range(12)]
    work = [
        asked(day // 2, 9 + day % 2, case="one", target="key" if day % 2 else f"plate-{day}")
        for day in range(24)
    ]

    assert rules(for_anything) == [Rule.CASE_REUSE]
    assert Rule.CASE_REUSE not in rules(work)
    assert not rules(for_anything, Company({"one": 1}))


@pytest.mark.clause("III.B.3.o")
def test_questions_at_night_on_three_days_are_flagged_while_work_goes_on_by_day() -> None:
    days = [asked(day, hour) for day in range(40) for hour in (8, 10, 12, 14, 16)]
    nights = [asked(day, 23) for day in (33, 35, 38)]

    assert rules(sorted([*days, *nights], key=lambda one: one.hour)) == [Rule.OWN_HOURS]


def test_another_shift_is_not_taken_for_nights() -> None:
    before = [asked(day, hour) for day in range(28) for hour in range(6, 14)]
    after = [asked(day, hour) for day in range(28, 60) for hour in range(14, 22)]

    assert not rules([*before, *after])


@pytest.mark.clause("III.B.3.o")
def test_thirty_plates_in_a_day_are_a_spike_but_not_for_who_always_asks_as_many_nor_in_company() -> None:
    def day(number: int, case: str) -> list[Asked]:
        return [asked(number, 9, target=f"p-{number}-{one}", case=case) for one in range(30)]

    always = [one for number in range(0, 60, 2) for one in day(number, f"case-{number}")]

    assert rules(day(1, "mine")) == [Rule.SPIKE]
    assert not rules(day(1, "shared"), Company({"shared": 3}))
    assert rules(always).count(Rule.SPIKE) == 1  # the first day, when nothing was usual


@pytest.mark.clause("III.B.3.o", "IV.C.6")
def test_ten_purposes_of_the_last_twenty_that_say_nothing_are_flagged() -> None:
    rows = [asked(number, thin=number % 2 == 0) for number in range(20)]

    assert rules(rows) == [Rule.VAGUE_PURPOSE]
    assert not rules(asked(number, thin=number % 3 == 0) for number in range(20))


@pytest.mark.clause("III.B.3.o", "IV.A.2")
def test_three_tries_after_the_end_are_flagged_two_are_not() -> None:
    tries = [asked(0, hour, barred=True, target="", case="", words="") for hour in (9, 10, 11)]

    assert rules(tries) == [Rule.LEAVER]
    assert not rules(tries[:2])


@pytest.mark.clause("III.B.3.o")
def test_a_file_that_leaves_before_the_end_is_flagged_but_not_without_an_end_or_of_a_new_account() -> None:
    end = MONDAY + timedelta(days=35)
    rows = [*(asked(day) for day in range(30)), asked(31, target="", leaves=True)]

    assert rules(rows, end=end) == [Rule.LEAVER]
    assert not rules(rows)
    assert not rules(rows[-1:], end=end)


def test_devices_in_turns_are_flagged_once_in_thirty_days() -> None:
    conduct = Conduct(Limits(), Standing())

    found = [len(conduct.interleaved(day, MONDAY + timedelta(days=day))) for day in (0, 1, 29, 30)]

    assert found == [1, 0, 0, 1]


def test_what_was_flagged_before_a_restart_is_not_flagged_again() -> None:
    rows = [asked(day * 3, target="hers", case=f"case-{day}") for day in range(5)]
    raised = {(Rule.REPEAT_TARGET, "hers"): rows[3].hour}

    conduct = Conduct(Limits(), Standing(), rows[:4], raised)

    assert conduct.see(rows[4], ALONE) == []


def test_it_does_not_matter_where_a_restart_cuts_the_questions() -> None:
    rows = [asked(day, target="hers", case=f"case-{day}", thin=True) for day in range(25)]
    whole = findings(rows)

    for cut in range(len(rows)):
        first = Conduct(Limits(), Standing())
        found = [one for row in rows[:cut] for one in first.see(row, ALONE)]
        raised = {(one.rule, one.about): one.moment for one in found}
        second = Conduct(Limits(), Standing(), rows[:cut], raised)
        found += [one for row in rows[cut:] for one in second.see(row, ALONE)]
        assert found == whole


def entry(**fields: str) -> Asked | None:
    usual = {
        **{"kind": "query", "action": "question.reads", "question": "kind:5:reads\nplate:6:AB1234"},
        **{"case_number_kind": "CAD", "case_number": "2026-1", "purpose": "bank robbery, car seen leaving"},
        **{"offence_code": "ROBBERY"},
    }
    return asked_in(7, MONDAY + timedelta(minutes=40), {**usual, **fields}, RULES)


def test_alike_questions_within_an_hour_are_one_whatever_capitals_and_spaces() -> None:
    one, other = entry(), entry(purpose="Bank  ROBBERY, car seen leaving")

    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.hour == MONDAY


@pytest.mark.parametrize("action", ["question.alerts", "question.mcsreads", "question.stakeout"])
def test_questions_to_alerts_and_motor_carrier_safety_count_too(action: str) -> None:
    assert entry(action=action) is not None


def test_a_plate_on_a_local_list_counts_and_what_a_look_back_asks_does_not() -> None:
    watched = entry(kind="intent", action="local_list.add", question="", **{"detail.pattern": "AB1234"})
    searched = entry()

    assert watched is not None
    assert searched is not None
    assert watched.target == searched.target
    assert entry(action="look_back.run", subject="an act") is None


def test_looking_closer_further_pages_and_questions_to_the_log_are_no_questions_more() -> None:
    assert entry(action="question.image") is None
    assert entry(subject="the first page") is None
    assert entry(action="question.log") is None
    assert entry(kind="outcome") is None
    assert entry(kind="refusal", clauses="III.D.1") is None


@pytest.mark.clause("IV.C.6")
@pytest.mark.parametrize(
    ("purpose", "code", "thin"),
    [
        ("burglary investigation", "BURGLARY", False),
        ("CRIMPAT Detail", "CRIMPAT_DETAIL", False),
        ("follow up matter", "THEFT", True),
        ("theft, general matter", "THEFT", True),
        ("theft of a trailer from the yard at night", "THEFT", False),
        ("situation needs checking", "ROBBERY", True),
    ],
)
def test_a_purpose_is_thin_when_it_says_next_to_nothing(purpose: str, code: str, thin: bool) -> None:
    found = entry(purpose=purpose, offence_code=code)

    assert found is not None
    assert found.thin is thin


def test_the_rules_are_published_as_they_are() -> None:
    assert (ROOT / "docs/misuse-rules.md").read_text(encoding="utf-8") == published(Limits())


def test_a_packets_digest_is_of_everything_but_names() -> None:
    week = week_of(MONDAY + timedelta(days=6, hours=23))
    line = PacketLine("a", "Name", 1, 2, 3, 4, 5, (Rule.SPIKE,))
    said = packet_digest("D1", week, [line])

    assert week == MONDAY.date()
    assert packet_digest("D1", week, [PacketLine("a", "Other", 1, 2, 3, 4, 5, (Rule.SPIKE,))]) == said
    assert packet_digest("D2", week, [line]) != said
    assert packet_digest("D1", week, [PacketLine("a", "Name", 1, 2, 3, 4, 5)]) != said


def test_the_usual_settings_are_the_published_limits() -> None:
    bounds = load(ROOT / "services/audit/policy").settings.bounds

    assert {name: bounds[f"misuse_{name}"].usual for name in asdict(Limits())} == asdict(Limits())


@pytest.mark.clause("III.C.2.d")
def test_a_review_is_overdue_when_its_time_is_over_and_nothing_is_found() -> None:
    review, fortnight = Review("r", "IL0000001", "a", "A. Person", "D1", MONDAY), timedelta(days=14)
    later = MONDAY + fortnight + timedelta(seconds=1)

    assert not review.is_overdue(MONDAY + fortnight, fortnight)
    assert review.is_overdue(later, fortnight)
    assert replace(review, reviewer="b").is_overdue(later, fortnight)
    assert not replace(review, reviewer="b", finding=ReviewFinding.MISTAKE).is_overdue(later, fortnight)
