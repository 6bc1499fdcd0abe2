"""Entries, numbering, questions and foundings."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.checkpoint import is_origin
from services.audit.core.entry import REQUEST_DIGEST, Entry, digest_of, make_entry
from services.audit.core.founding import Appointee, Founding, FoundingError, account_of, check
from services.audit.core.numbering import Known, number
from services.audit.core.person import AccountState, CertificationKind, Profile, Role, missing
from services.audit.core.question import (
    AskedAlerts,
    AskedArchive,
    Window,
    asked_text,
    window_of,
    within,
)
from services.audit.core.registry import Agency
from services.audit.verifier import check_leaf
from services.common.canonical import canonical_text

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAYS_90 = timedelta(days=90)
texts = st.text(
    alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30
)
names = st.from_regex(r"[a-z_]{1,10}(\.[a-z0-9_.-]{1,10})?", fullmatch=True)


@given(st.dictionaries(names, texts, max_size=8))
def test_a_leaf_commits_to_every_field_as_the_verifier_reads_it(values: dict[str, str]) -> None:
    values = {**values, "entry_id": "1", "kind": "event", "record_time": "t"}
    entry = make_entry("key", values, lambda size: b"s" * size)
    fields = [
        {"name": one.name, "salt": "c3Nzc3Nzc3Nzc3Nzc3Nzcw==", "value": one.value} for one in entry.fields
    ]

    opened, withheld = check_leaf(entry.leaf, fields, "the entry")

    assert opened == values
    assert not withheld


def test_empty_fields_are_left_out() -> None:
    entry = make_entry("key", {"entry_id": "1", "purpose": ""}, bytes)

    assert [one.name for one in entry.fields] == ["entry_id"]
    assert entry.value("purpose") == ""


@given(st.dictionaries(texts, texts, max_size=4), st.dictionaries(texts, texts, max_size=4))
def test_only_the_same_content_has_the_same_digest(one: dict[str, str], other: dict[str, str]) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)


def entry_of(key: str, content: str = "a") -> Entry:
    return make_entry(key, {"entry_id": key, REQUEST_DIGEST: content}, bytes)


def test_a_batch_is_numbered_without_gaps_and_repeats_get_the_first_index() -> None:
    batch = [
        entry_of("a"),
        entry_of("old"),
        entry_of("b"),
        entry_of("a"),
        entry_of("c"),
        entry_of("b", "other"),
    ]

    numbering = number(batch, {"old": Known(3, "a")}, 10)

    assert [one.log_index for one in numbering.positions] == [10, 3, 11, 10, 12, 11]
    assert [one.fresh for one in numbering.positions] == [True, False, True, False, True, False]
    assert [one.same for one in numbering.positions] == [True, True, True, True, True, False]
    assert [one.request_key for one in numbering.fresh] == ["a", "b", "c"]


def plate(start: datetime | None = None, end: datetime | None = None) -> AskedArchive:
    return AskedArchive("reads", start, end, 100, (("plate", "AB1234"),))


@pytest.mark.clause("IV.E.1")
@given(st.timedeltas(timedelta(days=-3000), timedelta(days=1)))
def test_no_window_reaches_past_the_retention_period(offset: timedelta) -> None:
    window = window_of(plate(NOW + offset, NOW + timedelta(days=2)), NOW, DAYS_90)

    assert window.start >= NOW - DAYS_90


def test_unset_bounds_mean_the_retention_period_up_to_now() -> None:
    assert window_of(plate(), NOW, DAYS_90) == Window(NOW - DAYS_90, NOW)
    assert window_of(AskedAlerts(None, None, None, 10), NOW, DAYS_90) == Window(NOW - DAYS_90, NOW)


def test_alerts_are_not_clamped_for_they_are_kept_for_ever() -> None:
    start = NOW - timedelta(days=900)

    assert window_of(AskedAlerts(None, start, NOW, 10), NOW, DAYS_90).start == start


def test_a_question_within_its_window_is_the_canonical_one() -> None:
    text = canonical_text(within(plate(), Window(NOW - DAYS_90, NOW)))

    assert text.startswith("kind:5:reads\nfrom_us:16:")
    assert text.endswith("\npage_size:3:100\nplate:6:AB1234")
    assert canonical_text(within(AskedAlerts(None, None, None, 10), Window(NOW, NOW))).startswith(
        "kind:6:alerts"
    )


def test_the_same_question_reads_the_same_at_any_time() -> None:
    assert asked_text(plate()) == asked_text(plate())
    assert asked_text(plate()) != asked_text(plate(end=NOW))
    assert asked_text(plate()) != asked_text(replace(plate(), own_agency_only=True))


def founding() -> Founding:
    def appointee(office: str) -> Appointee:
        profile = Profile(
            office, "iss", office.title(), f"B-{office}", f"{office}@isp.gov", "IL0000001", "HQ"
        )
        return Appointee(office, f"id-{office}", profile, NOW + timedelta(days=9))

    agency = Agency("IL0000001", "Illinois State Police", ("isp.gov",))
    document = hashlib.sha256(b"x").hexdigest()
    return Founding(
        agency, "Deputy Director", document, (appointee("coordinator"), appointee("administrator"))
    )


@pytest.mark.clause("III.A")
def test_a_founding_makes_a_coordinator_who_is_ready_to_work() -> None:
    check(founding())
    account = account_of(founding().appointees[0], NOW)

    assert account.state is AccountState.ENABLED
    assert account.roles == {Role.STATEWIDE_COORDINATOR}
    assert account.in_force(NOW) == set(CertificationKind)
    assert missing(account, NOW) == ()
    assert missing(account, NOW + timedelta(days=9)) == (
        "alpr_training",
        "background_check",
        "leads",
        "security_awareness",
    )


def with_profile(**changes: str) -> Founding:
    one, other = founding().appointees
    return replace(founding(), appointees=(one, replace(other, profile=replace(other.profile, **changes))))


@pytest.mark.clause("III.A", "III.B.3.g")
@pytest.mark.parametrize(
    "wrong",
    [
        replace(founding(), official=" "),
        replace(founding(), document_sha256="abc"),
        replace(founding(), agency=Agency("IL1", "x", ("isp.gov",))),
        replace(founding(), agency=Agency("IL0000001", "", ("isp.gov",))),
        replace(founding(), agency=Agency("IL0000001", "x", ())),
        replace(founding(), agency=Agency("IL0000001", "x", ("gov",))),
        replace(founding(), appointees=()),
        replace(founding(), appointees=founding().appointees[1:]),
        replace(founding(), appointees=(founding().appointees[0], founding().appointees[0])),
        with_profile(subject="Coordinator"),
        with_profile(email="coordinator@isp.gov"),
        with_profile(badge_number="b-COORDINATOR"),
        with_profile(email="a@gmail.com"),
        with_profile(full_name=""),
    ],
)
def test_a_founding_that_is_not_complete_is_refused(wrong: Founding) -> None:
    with pytest.raises(FoundingError):
        check(wrong)


@pytest.mark.parametrize(
    ("text", "good"),
    [("audit.example.gov/log", True), ("", False), ("a b", False), ("a+b", False), ("ä", False)],
)
def test_an_origin_is_plain_text(text: str, good: bool) -> None:
    assert is_origin(text) == good
