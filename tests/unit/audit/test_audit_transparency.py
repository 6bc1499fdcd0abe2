"""What a transparency report counts and withholds, and the pages that are made of it."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import defaultdict
from typing import Any

import pytest

from services.common.transparency import (
    COUNTED,
    FIXED_ROWS,
    LEAST_SHOWN,
    Tally,
    Terms,
    counted_names,
    is_small,
    shown,
)
from services.common.transparency_pages import Head, csv_of, html_of, json_of, report_of, terms_in

ORI, OTHER_ORI = "IL0000001", "IL0000002"
START, END = "2026-05-01T00:00:00.000000Z", "2026-06-01T00:00:00.000000Z"
WITHIN, BEFORE, AFTER = (f"2026-{day}T10:00:00.000000Z" for day in ("05-17", "04-30", "06-01"))
OFFENCES = ("ARSON", "HOMICIDE")
TERMS = Terms(
    ORI,
    START,
    END,
    {
        "offence": OFFENCES,
        "question": ("question.reads",),
        "case_number_kind": ("CAD",),
        "agency": (OTHER_ORI,),
        "reason": ("NOT_PERMITTED",),
        "state": ("CONFIRMED", "MISREAD"),
    },
)


def question(**changes: str) -> dict[str, str]:
    usual = {
        **{"kind": "query", "action": "question.reads", "record_time": WITHIN, "actor_agency": ORI},
        **{"agency": ORI, "offence_code": "HOMICIDE", "case_number_kind": "CAD", "entry_id": "q"},
    }
    return {**usual, **changes}


def act(entry_id: str, **changes: str) -> dict[str, str]:
    usual = {
        **{"kind": "intent", "action": "alert.verify", "record_time": WITHIN, "actor_agency": ORI},
        **{"agency": ORI, "entry_id": entry_id, "detail.state": "CONFIRMED"},
    }
    return {**usual, **changes}


def ended(subject: str, **changes: str) -> dict[str, str]:
    return {"kind": "outcome", "subject": subject, "result": "DONE", "record_time": WITHIN, **changes}


def counted(*entries: dict[str, str], times: int = LEAST_SHOWN) -> dict[str, Any]:
    """Measures by name, of entries that come that often."""
    tally = Tally(TERMS)
    for turn, entry in itertools.product(range(times), entries):
        one = dict(entry)
        for name in ("entry_id", "subject"):
            if one.get(name):
                one[name] = f"{one[name]}-{turn}"
        tally.take(one)
    return {one["name"]: one for one in tally.measures()}


def rows(measure: dict[str, Any], by: str) -> dict[str, int | None]:
    found = next(one for one in measure["breakdowns"] if one["by"] == by)
    return {row["name"]: row["count"] for row in found["rows"]}


# --- What is counted ---


def test_questions_count_by_offence_kind_and_case_within_the_period() -> None:
    found = counted(question(), question(record_time=BEFORE), question(record_time=AFTER))["questions"]

    assert found["total"] == 5
    assert rows(found, "offence") == {"ARSON": 0, "HOMICIDE": 5, "OTHER": 0}
    assert rows(found, "question") == {"question.reads": 5, "OTHER": 0}
    assert rows(found, "case_number_kind") == {"CAD": 5, "OTHER": 0}


def test_a_question_of_several_pages_counts_once() -> None:
    assert counted(question(), question(subject="q"))["questions"]["total"] == 5


def test_what_another_agency_asks_counts_where_it_reached_our_reads() -> None:
    theirs = question(actor_agency=OTHER_ORI, agency=f"{OTHER_ORI},{ORI}")
    elsewhere = question(actor_agency=OTHER_ORI, agency=OTHER_ORI)

    found = counted(theirs, elsewhere)

    assert found["questions"]["total"] == 0
    assert found["questions_of_other_agencies"]["total"] == 5
    assert rows(found["questions_of_other_agencies"], "agency") == {OTHER_ORI: 5, "OTHER": 0}


def test_peoples_own_words_never_become_a_row() -> None:
    typed = question(kind="refusal", offence_code="AB1234", result="NOT_PERMITTED")

    found = counted(typed)

    assert rows(found["refusals"], "offence") == {"ARSON": 0, "HOMICIDE": 0, "OTHER": 5}
    assert "AB1234" not in json.dumps(found)


def test_an_act_counts_once_it_is_done_even_after_the_period() -> None:
    done = [act("a"), ended("a", record_time=AFTER)]
    failed = [act("b"), ended("b", result="FAILED")]
    waiting = [act("c")]
    too_early = [act("d", record_time=BEFORE), ended("d")]

    found = counted(*done, *failed, *waiting, *too_early)["verifications"]

    assert (found["total"], rows(found, "state")["CONFIRMED"]) == (5, 5)


def test_acts_of_motor_carrier_safety_count_with_the_others() -> None:
    found = counted(act("a", action="mcs_alert.verify", **{"detail.state": "MISREAD"}), ended("a"))

    assert rows(found["verifications"], "state")["MISREAD"] == 5


def test_purges_count_by_their_certificates() -> None:
    tally = Tally(TERMS)
    tally.take({"kind": "intent", "action": "reads.purge", "record_time": WITHIN, "entry_id": "p"})
    numbers = {"detail.certificate": "platewarden.purge/v1", "detail.reads": "12", "detail.images": "7"}
    tally.take(ended("p", **numbers))

    assert tally.purges == {"certificates": 1, "reads": 12, "pictures": 7}


def test_what_is_shown_for_counting_names_no_person_plate_or_case() -> None:
    typed = question(
        kind="refusal", offence_code="AB1234", actor="somebody", case_number="2026-1", question="x"
    )

    opened = counted_names(typed, frozenset(OFFENCES))

    assert not opened & {"actor", "case_number", "question", "purpose", "resource", "offence_code"}
    assert "offence_code" in counted_names(question(), frozenset(OFFENCES))
    assert opened <= COUNTED


# --- What is withheld ---


@pytest.mark.parametrize(("least", "cells"), [(3, 4), (4, 3), (5, 3)])
def test_for_every_withheld_cell_two_values_or_more_fit_all_that_is_shown(least: int, cells: int) -> None:
    """All tables of some size, by what is published of them: who knows the rule learns no small number."""
    published: defaultdict[Any, list[tuple[int, ...]]] = defaultdict(list)
    for table in itertools.product(range(2 * least + 3), repeat=cells):
        total = None if is_small(sum(table), least) else sum(table)
        published[tuple(shown(table, least)), total].append(table)

    for (cells_shown, _), tables in published.items():
        for place, count in enumerate(cells_shown):
            assert count is None or not is_small(count, least)
            assert count is not None or len({table[place] for table in tables}) > 1


def test_a_small_cell_takes_the_smallest_large_one_with_it() -> None:
    assert shown([40, 3, 12, 0, 12]) == [40, None, None, 0, None]


def test_a_small_total_is_withheld_with_all_its_cells() -> None:
    found = counted(question(), times=LEAST_SHOWN - 1)["questions"]

    assert found["total"] is None
    assert set(rows(found, "offence").values()) == {None}


def test_nothing_is_withheld_where_nothing_is_small() -> None:
    assert shown([40, 0, 5]) == [40, 0, 5]
    assert shown([0, 0]) == [0, 0]


# --- Pages ---


def report(name: str = "Illinois State Police") -> dict[str, Any]:
    tally = Tally(Terms(ORI, START, END, {**TERMS.rows, **FIXED_ROWS}))
    for number in range(9):
        tally.take(question(entry_id=str(number), offence_code=OFFENCES[number > 6]))
    return report_of(tally, Head(ORI, name, START, END, "log.example\n17\nroot\n\nsignature\n"))


def test_a_report_has_one_spelling_and_says_what_it_counts() -> None:
    made = report()

    terms = terms_in(json.loads(json_of(made)))

    assert json_of(json.loads(json_of(made))) == json_of(made)
    assert (terms.agency_ori, terms.start, terms.rows["offence"]) == (ORI, START, OFFENCES)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"least_shown": 1}, "format"),
        ({"notice": ""}, "format"),
        ({"measures": []}, "does not count"),
    ],
)
def test_a_report_by_other_rules_is_none(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        terms_in({**report(), **change})


def test_a_report_without_a_row_for_all_else_is_none() -> None:
    made = report()
    made["measures"][0]["breakdowns"][0]["rows"].pop()

    with pytest.raises(ValueError, match="rows by offence"):
        terms_in(made)


def test_the_table_has_a_line_for_every_row_and_says_what_is_withheld() -> None:
    lines = list(csv.DictReader(io.StringIO(csv_of(report()).decode())))

    found = {(one["measure"], one["row"]): one["count"] for one in lines if one["by"] == "offence"}
    assert found["questions", "ARSON"] == "withheld"
    assert found["questions", "HOMICIDE"] == "withheld"
    assert ("questions", "TOTAL", "9") in {(one["measure"], one["row"], one["count"]) for one in lines}


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    page = html_of(report("<script>alert(1)</script>")).decode()

    assert "<script" not in page
    assert "http" not in page
    assert "withheld" in page
