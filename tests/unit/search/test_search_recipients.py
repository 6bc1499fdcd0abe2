"""To whom something may go, and what a redacted report still says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.search.core.dissemination import (
    Decision,
    Declaration,
    Field,
    Recipient,
    RecipientKind,
    Redaction,
    due_shortcomings,
    facts_of,
    redaction_shortcomings,
    shortcomings,
)
from services.search.core.redaction import redacted
from services.search.core.report_csv import to_csv
from services.search.core.report_geojson import to_geojson
from services.search.outlines import united_states
from services.search.report_html import to_html
from services.search.report_pdf import to_pdf
from tests.support.search_report import MADE, pictured, report

HASH = bytes(32)
DECLARATION = Declaration("Sheriff B. Example", MADE, HASH, True, True)
DECISION = Decision("Deputy Director C. Example", MADE, HASH)
AGENCY = Recipient(
    RecipientKind.LAW_ENFORCEMENT,
    agency_ori="ILCPD0001",
    organisation="Cook County Sheriff",
    person="Det. A. Example",
    purpose="homicide investigation in their county",
)
ELSEWHERE = replace(AGENCY, agency_ori="WIMSN0001", declaration=DECLARATION)
GOVERNMENT = replace(AGENCY, kind=RecipientKind.GOVERNMENT, agency_ori="", decision=DECISION)
PUBLIC = Recipient(RecipientKind.PUBLIC, legal_basis="5 ILCS 140, request 26-77")
SYSTEM = Recipient(RecipientKind.EVIDENCE_SYSTEM, organisation="Evidence.com", report_number="RPT-26-1")
COMPLETE = (Recipient(RecipientKind.OWN_USE), AGENCY, ELSEWHERE, GOVERNMENT, PUBLIC, SYSTEM)
REDACTION = Redaction(Field.PLATE, "personal privacy, 7(1)(c)")


def fields(recipient: Recipient) -> set[str]:
    return {name for name, _ in shortcomings(recipient, "IL")}


@pytest.mark.parametrize("recipient", COMPLETE, ids=lambda one: one.kind.name)
def test_a_complete_recipient_lacks_nothing(recipient: Recipient) -> None:
    assert fields(recipient) == set()
    assert recipient.in_words()


@pytest.mark.clause("IV.B.2")
@pytest.mark.parametrize("name", ["agency_ori", "organisation", "person", "purpose"])
def test_another_agency_is_named_with_person_and_purpose(name: str) -> None:
    assert name in fields(replace(AGENCY, **{name: ""}))
    assert name in fields(replace(AGENCY, **{name: "  "}))


@pytest.mark.clause("IV.B.3")
@pytest.mark.parametrize("name", ["organisation", "person", "purpose", "decision"])
def test_a_government_entity_needs_purpose_and_decision(name: str) -> None:
    assert name in fields(replace(GOVERNMENT, **{name: None if name == "decision" else ""}))


@pytest.mark.clause("IV.B.3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decided_by": ""}, "decision.decided_by"),
        ({"decided_time": None}, "decision.decided_time"),
        ({"request_sha256": b"short"}, "decision.request_sha256"),
    ],
)
def test_a_decision_has_decider_moment_and_document(changes: dict[str, object], field: str) -> None:
    assert fields(replace(GOVERNMENT, decision=replace(DECISION, **changes))) == {field}


@pytest.mark.clause("IV.B.1")
def test_the_public_needs_a_legal_basis_and_a_record_of_redaction() -> None:
    assert fields(replace(PUBLIC, legal_basis="")) == {"legal_basis"}
    assert [name for name, _ in redaction_shortcomings((), PUBLIC)] == ["redactions"]
    assert not list(redaction_shortcomings((REDACTION,), PUBLIC))
    assert not list(redaction_shortcomings((Redaction(Field.NONE, "court order 26-CV-1"),), PUBLIC))
    assert not list(redaction_shortcomings((), AGENCY))


@pytest.mark.parametrize(
    "redactions",
    [
        (REDACTION, REDACTION),
        (REDACTION, Redaction(Field.NONE, "nothing else")),
        (Redaction(Field.PLATE, ""),),
        (Redaction(Field.PLATE, "line\nbreak"),),
    ],
)
def test_redactions_that_say_nothing_or_contradict_are_refused(redactions: tuple[Redaction, ...]) -> None:
    assert list(redaction_shortcomings(redactions, PUBLIC))


@pytest.mark.clause("IV.B.3")
def test_an_agency_of_another_state_declares_in_writing_first() -> None:
    assert fields(replace(ELSEWHERE, declaration=None)) == {"declaration"}


@pytest.mark.clause("IV.B.3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"signed_by": " "}, "declaration.signed_by"),
        ({"signed_time": None}, "declaration.signed_time"),
        ({"document_sha256": b""}, "declaration.document_sha256"),
        ({"not_for_reproductive_care": False}, "declaration.not_for_reproductive_care"),
        ({"not_for_immigration": False}, "declaration.not_for_immigration"),
    ],
)
def test_a_declaration_is_whole_or_nothing_goes(changes: dict[str, object], field: str) -> None:
    assert fields(replace(ELSEWHERE, declaration=replace(DECLARATION, **changes))) == {field}


@pytest.mark.parametrize("ori", ["IL", "il1234567", "IL12345678", "ILCPD000\u0661", "ILCPD 001"])
def test_an_ori_is_one(ori: str) -> None:
    assert "agency_ori" in fields(replace(AGENCY, agency_ori=ori))


@pytest.mark.parametrize("name", ["organisation", "person", "purpose", "report_number"])
def test_words_are_short_and_printable(name: str) -> None:
    assert name in fields(replace(AGENCY, **{name: "x" * 600}))
    assert name in fields(replace(AGENCY, **{name: "ten letters\x07"}))


def test_a_file_is_due_ahead_and_within_ten_years() -> None:
    assert not list(due_shortcomings(None, MADE))
    assert not list(due_shortcomings(MADE + timedelta(days=3650), MADE))
    assert list(due_shortcomings(MADE, MADE))
    assert list(due_shortcomings(MADE + timedelta(days=3700), MADE))


@pytest.mark.clause("III.B.3.m")
def test_the_log_says_everything_of_the_recipient() -> None:
    facts = facts_of(ELSEWHERE, (REDACTION,))

    assert facts["recipient_kind"] == "LAW_ENFORCEMENT"
    assert facts["recipient_ori"] == "WIMSN0001"
    assert facts["declaration_signed_by"] == "Sheriff B. Example"
    assert facts["redacted_plate"] == REDACTION.reason
    assert facts_of(GOVERNMENT, ())["decided_by"] == "Deputy Director C. Example"


FORMS = (
    to_csv,
    to_geojson,
    lambda one: to_html(one, united_states()),
    lambda one: to_pdf(one, united_states()),
)


@pytest.mark.clause("IV.B.1")
@pytest.mark.parametrize(
    ("field", "secrets"),
    [
        (Field.PLATE, ["AB1234", "00000000-0000-0000-0000-0000000000ff"]),
        (Field.PLACE, ["I-90 at mile", "i90-mile", "expressway-north", "41.9", "-87.9"]),
        (Field.CASE, ["2026-0123456", "car seen leaving", "HOMICIDE"]),
        (Field.TIME, ["21:04", "20:04"]),
        (Field.PICTURE, ["image/jpeg;base64", bytes([3] * 32).hex()]),
    ],
)
@pytest.mark.parametrize("form", FORMS[:3], ids=["csv", "geojson", "html"])
def test_what_is_redacted_stands_in_no_form(field: Field, secrets: list[str], form: object) -> None:
    reads = [pictured(3, read_id=UUID(int=0xFF)), pictured(0)]
    whole = report(*reads, made_time=MADE.replace(hour=1, minute=1), due_to_delete=None)

    text = form(redacted(whole, {field})).decode()  # type: ignore[operator]

    assert not [secret for secret in secrets if secret in text]


@pytest.mark.clause("IV.B.1")
def test_a_redacted_pdf_has_no_picture_and_can_be_made() -> None:
    whole = report(pictured(3), pictured(0))

    assert len(to_pdf(redacted(whole, set(Field)), united_states())) < len(to_pdf(whole, united_states()))


def test_a_picture_goes_with_the_plate_and_the_place_that_it_shows() -> None:
    for field in (Field.PLATE, Field.PLACE, Field.PICTURE):
        [read] = redacted(report(pictured(0)), {field}).reads
        assert (read.pictures.crop, read.pictures.overview, read.image_sha256) == (b"", b"", b"")


def test_the_caption_goes_for_it_may_hold_anything() -> None:
    whole = report(pictured(0), asked=(("Caption", "AB1234 at the mall"), ("Reads asked for", "1")))

    assert dict(redacted(whole, {Field.PLATE}).asked) == {"Reads asked for": "1", "Redacted": "plate"}


def test_nothing_redacted_changes_nothing() -> None:
    whole = report(pictured(0))

    assert redacted(whole, {Field.NONE}) == redacted(whole, set()) == whole


def test_redacted_places_have_no_geometry() -> None:
    document = json.loads(to_geojson(redacted(report(pictured(0)), {Field.PLACE})))

    assert [one["geometry"] for one in document["features"]] == [None]
