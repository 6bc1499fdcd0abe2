"""The rules about misuse in words, with the limits that count: what docs/misuse-rules.md is made from."""

from __future__ import annotations

from services.audit.core.misuse import QUIET, REMEMBERED, Limits

MOST_A_DAY = 500
"""So many different questions of one person in a day are looked at; a spike is flagged long before."""
_HEAD = """\
# Rules about misuse

Made by `python tools/misuse_rules.py` from `services/audit/core/misuse_rules.py`; not edited by hand.

These rules read the log as it is written, and everybody may know them (ENF-051 III.B.3.o, III.C.2.d,
IV.A.2). **A flag is never a verdict.** It opens a review, in which a person who is not its subject says
what was found, and a third person signs it; the subject sees that it was closed, and how.

What counts is a question that somebody put, to the archive, to the alerts or to Motor Carrier Safety, a
plate put on a local list, and a file that leaves. Looking closer (a read, its picture), further pages, and
what a look-back asks because of an uploaded list, are no questions more. Questions that are alike within an
hour count once. Of one person's day {most} different ones are looked at. *Alone* means: nobody else of the
agency asked under that case number in the last
{remembered} days. The same thing is not flagged again for {quiet} days.

| rule | flags | why it is no verdict |
|---|---|---|
{rows}

Times are UTC. A person has one open review at most; what is flagged meanwhile is added to it. The rules
remember {remembered} days, as digests; what is redacted in the log is forgotten with it. How often they are
right and what they miss is measured by `make bench NAME=misuse` on a simulated year.
"""


def published(limits: Limits) -> str:
    """The page, in Markdown."""
    rows = "\n".join(f"| `{name}` | {flags} | {why} |" for name, flags, why in _rows(limits))
    return _HEAD.format(rows=rows, remembered=REMEMBERED.days, quiet=QUIET.days, most=MOST_A_DAY)


def _rows(limits: Limits) -> list[tuple[str, str, str]]:
    return [
        (
            "repeat-target",
            f"the same plate, alone, on {limits.repeat_days} days or more under "
            f"{limits.repeat_cases} case numbers or "
            f"more, or on {limits.repeat_alone_days} days whatever the case numbers; not when "
            "two others asked about it",
            "an investigation by one person may go on for weeks",
        ),
        (
            "case-reuse",
            f"one case number, alone, for {limits.case_plates} plates or more on "
            f"{limits.case_days} days or more, under "
            f"{limits.case_offences} offence codes or more, or with nine tenths of the plates "
            "asked only once",
            "a large case has many plates",
        ),
        (
            "own-hours",
            "questions, alone, more than three hours outside the person's own hours on "
            f"{limits.hours_days} days within "
            "three weeks while work at the own hours goes on; own are the fewest hours in a "
            "row, 13 at most, in which nine "
            "tenths were asked in the thirty days that ended ten days ago",
            "people are called out, and shifts change",
        ),
        (
            "spike",
            f"{limits.spike_plates} plates or more in a day, alone, and {limits.spike_times} "
            "times as many as the person "
            "asks about on other days",
            "a detail of one person, or the first hour of a large case",
        ),
        (
            "vague-purpose",
            f"of the last 20 purposes within {QUIET.days} days, {limits.vague_of_twenty} or "
            "more have one word at most "
            "that says something beyond the words that anybody may say and the title of the offence code",
            "short is not untrue",
        ),
        (
            "interleaved",
            "the detector of devices says that one account is used on two of them in turns (III.B.3.k)",
            "a car's computer and a desk",
        ),
        (
            "leaver",
            f"{limits.barred_tries} tries or more with an account that has ended or is "
            "suspended; or, in the "
            f"{limits.leaver_days} days before an account's end, a file that leaves or "
            f"{limits.leaver_times} times as "
            f"many plates in a week as usual, {limits.leaver_times * limits.leaver_plates} at least",
            "who goes may have much to hand over",
        ),
    ]
