"""Whether case number and purpose are good enough to ask with (ENF-051 IV.C.5, IV.C.6; 625 ILCS 5/2-130)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CASE_NUMBER_LENGTH = (3, 64)
PURPOSE_LENGTH = (10, 500)
AGENCY_LENGTH = (3, 200)
OUTSIDE_AGENCY = "OUTSIDE_AGENCY"

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_VOWEL = re.compile(r"[aeiouyáéíóúñü]", re.IGNORECASE)
_REPEATED = re.compile(r"(.)\1\1")
# Rows of the keyboard, forwards and backwards. A word that begins with four letters of one in a row is noise;
# elsewhere four are not enough to tell: "property", "liberty".
_ROWS = tuple(row[::way] for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for way in (1, -1))
_RUN = 4
_SHORTEST_WORD = 3


@dataclass(frozen=True, slots=True)
class Justification:
    """Why somebody asks, as it came."""

    kind: str
    case_number: str
    outside_agency: str
    purpose: str
    offence_code: str


@dataclass(frozen=True, slots=True)
class CaseNumberFormat:
    """How the numbers of one kind are written."""

    name: str
    pattern: re.Pattern[str]
    example: str


@dataclass(frozen=True, slots=True)
class PurposeCode:
    """One offence or activity; `title_suffices` when its title alone states the criminal nexus."""

    code: str
    title: str
    title_suffices: bool


@dataclass(frozen=True, slots=True)
class Prohibition:
    """A use that the law forbids, and how words give it away."""

    about: str
    patterns: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What justifications are held against."""

    formats: Mapping[str, CaseNumberFormat]
    codes: Mapping[str, PurposeCode]
    vague: frozenset[str]
    prohibited: tuple[Prohibition, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that must change, in words that an officer can act on."""

    field: str
    description: str


def case_number_problems(given: Justification, rules: Rules) -> tuple[Problem, ...]:
    """What is wrong with the case number; empty when nothing is (ENF-051 IV.C.5)."""
    form = rules.formats.get(given.kind)
    if form is None:
        names = ", ".join(one.name for one in rules.formats.values())
        return (Problem("case_number_kind", f"Choose the kind of case number: {names}."),)
    problems = []
    number = given.case_number.strip().upper()
    if not number:
        problems.append(Problem("case_number", f"Enter the {form.name}, for instance {form.example}."))
    elif not _fits(number, form):
        text = f"This is not a {form.name}. Write it as in {form.example}."
        problems.append(Problem("case_number", text))
    agency = given.outside_agency.strip()
    if given.kind == OUTSIDE_AGENCY and not AGENCY_LENGTH[0] <= len(agency) <= AGENCY_LENGTH[1]:
        problems.append(
            Problem("outside_agency", "Name the agency whose case it is, in 3 to 200 characters.")
        )
    return tuple(problems)


def purpose_problems(given: Justification, rules: Rules) -> tuple[Problem, ...]:
    """What is wrong with code and purpose; empty when nothing is (ENF-051 IV.C.6)."""
    problems = []
    code = rules.codes.get(given.offence_code)
    if code is None:
        text = "Choose the offence or activity code that the search serves; the purpose catalogue lists them."
        problems.append(Problem("offence_code", text))
    text = _purpose_problem(given.purpose.strip(), code, rules.vague)
    if text:
        problems.append(Problem("purpose", text))
    return tuple(problems)


def prohibition(given: Justification, rules: Rules) -> str:
    """What the purpose is about that 625 ILCS 5/2-130 forbids, or "" when nothing gives it away."""
    words = f"{given.purpose} {given.outside_agency}"
    for one in rules.prohibited:
        if any(pattern.search(words) for pattern in one.patterns):
            return one.about
    return ""


def _fits(number: str, form: CaseNumberFormat) -> bool:
    digits = {character for character in number if character.isdigit()}
    in_length = CASE_NUMBER_LENGTH[0] <= len(number) <= CASE_NUMBER_LENGTH[1]
    # One digit over and over, "000000", is what people type who have no number.
    return in_length and form.pattern.fullmatch(number) is not None and len(digits) > 1


def _purpose_problem(purpose: str, code: PurposeCode | None, vague: frozenset[str]) -> str:
    """What the purpose lacks, or ""."""
    example = 'for instance "homicide investigation, victim\'s car seen leaving"'
    if not purpose:
        return f"State the criminal nexus in words, {example}."
    if len(purpose) > PURPOSE_LENGTH[1]:
        return f"Say it in at most {PURPOSE_LENGTH[1]} characters."
    if not any(_says_something(word, vague) for word in _WORD.findall(purpose)):
        return f"This does not say which crime or danger the search serves. Name it, {example}."
    if len(purpose) < PURPOSE_LENGTH[0]:
        return f"Say more: at least {PURPOSE_LENGTH[0]} characters, {example}."
    if code and not code.title_suffices and _words(purpose) <= _words(code.title):
        return "The title of the code alone is too general. Say what happened and what the search is to find."
    return ""


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _says_something(word: str, vague: frozenset[str]) -> bool:
    """True for a word that is neither filler, nor a number, nor noise from the keyboard."""
    lower = word.lower()
    if lower in vague or len(lower) < _SHORTEST_WORD or any(character.isdigit() for character in lower):
        return False
    if not _VOWEL.search(lower) or _REPEATED.search(lower):
        return False
    return not any(lower[:_RUN] in row for row in _ROWS)
