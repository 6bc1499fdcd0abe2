"""What the page of an alert makes of what the services say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.alerts.v1 import verification_service_pb2 as check_pb
from alpr.audit.v1.account_service_pb2 import Account
from alpr.audit.v1.authorization_service_pb2 import ROLE_TELECOM_CENTER
from alpr.connector.v1 import record_check_service_pb2 as connector_pb
from alpr.type.v1 import hit_pb2, notice_pb2, receipt_pb2
from services.console.alert import view
from services.console.alert.plates import compared
from services.console.pages import Pages

_PLATES = st.text(alphabet="ABCDEFGH0123456789", max_size=12)
_VERIFYING = notice_pb2.VERIFICATION_STATE_VERIFYING
_CONFIRMED = notice_pb2.VERIFICATION_STATE_CONFIRMED


@given(_PLATES, _PLATES)
def test_both_plates_stand_whole_and_what_is_not_marked_is_the_same_in_both(read: str, listed: str) -> None:
    found = compared(read, listed)

    assert "".join(one.text for one in found.read) == read
    assert "".join(one.text for one in found.listed) == listed
    same = [[one.text for one in plate if not one.differs] for plate in (found.read, found.listed)]
    assert same[0] == same[1]
    assert bool(found.differences) == (read != listed)


def test_plates_of_one_length_are_compared_place_by_place() -> None:
    assert compared("5SOW350", "5SOW750").differences == ("character 5: read 3, listed 7",)


def test_a_plate_with_a_character_more_is_marked_at_that_character_alone() -> None:
    found = compared("AB1234", "AB11234")

    assert sum(one.differs for one in found.listed) == 1
    assert not any(one.differs for one in found.read)


@pytest.mark.clause("II.A")
@pytest.mark.parametrize("state", [0, 1, 2, 99])
def test_whatever_is_not_known_to_be_decided_is_unverified(state: Any) -> None:
    found = view.standing(_alert(state))

    assert found.text.startswith("UNVERIFIED")
    assert found.kind == "unverified"


@pytest.mark.clause("III.D.4")
def test_a_confirmed_alert_that_is_listed_no_longer_does_not_look_confirmed() -> None:
    alert = _alert(_CONFIRMED)
    alert.withdraw_time.GetCurrentTime()

    assert view.standing(alert) == view.Standing("WITHDRAWN, CONFIRMED", "not to be acted on", "off")


def test_a_step_that_leaves_the_verification_as_it_was_is_an_acknowledgement() -> None:
    steps = [
        pb.AlertStep(verification_state=notice_pb2.VERIFICATION_STATE_NEW),
        pb.AlertStep(verification_state=_VERIFYING),
        pb.AlertStep(verification_state=_VERIFYING),
        pb.AlertStep(verification_state=_CONFIRMED, system="LEADS"),
        pb.AlertStep(verification_state=_CONFIRMED, disposition=pb.DISPOSITION_NOT_LOCATED),
    ]

    said = [one.what for one in view.history(steps)]

    assert said == ["acknowledged", "verifying", "acknowledged", "confirmed", "not located"]


@pytest.mark.clause("IV.D.3")
def test_the_history_says_who_reported_and_who_recorded_what_was_done() -> None:
    state = notice_pb2.VERIFICATION_STATE_CONFIRMED
    by_centre = pb.AlertStep(
        account_id="a-1",
        verification_state=state,
        disposition=pb.DISPOSITION_STOPPED,
        report_number="26-7",
        reported_by="Unit <12>",
        by_telecom_center=True,
    )
    answered = pb.AlertStep(account_id="a-2", verification_state=state, system="LEADS", response_id="R-1")

    page = _page(_alert(state), history=view.history([answered, by_centre]))

    first, second = (
        " ".join(re.sub("<[^>]+>", "", one).split()) for one in re.findall(r"<li>.*?</li>", page, re.DOTALL)
    )
    assert first.endswith("confirmed by LEADS, response R-1, recorded by account a-2")
    assert second.endswith(
        "stopped, report 26-7, reported by Unit &lt;12&gt;, "
        "recorded at the telecommunication centre by account a-1"
    )


@pytest.mark.clause("III.D.4", "IV.D.4")
def test_what_a_connector_answered_is_recorded_by_a_person_with_the_one_state_it_bears_out() -> None:
    check = check_pb.RecordCheck(
        check_id="7d4f7b0e-9f7c-4f4b-8f6f-0f3b2f9f6b11",
        answer=connector_pb.RECORD_ANSWER_CLEARED,
        system='LEADS"><script>',
        response_id="R-1",
        bears_out=notice_pb2.VERIFICATION_STATE_STALE,
    )

    page = _page(_alert(_VERIFYING), check=check)

    (form,) = re.findall(r'<form[^>]*data-form="checked">.*?</form>', page, re.DOTALL)
    assert f'name="check_id" value="{check.check_id}"' in form
    assert 'name="state" value="7"' in form
    assert "<button>Record: stale</button>" in form
    assert "first_id" not in form, "somebody has begun to ask"
    assert "<script>" not in form


def test_an_answer_before_anybody_has_begun_to_ask_takes_the_step_of_asking_along() -> None:
    page = _page(_alert(notice_pb2.VERIFICATION_STATE_NEW))

    assert len(re.findall(r'name="first_id" value="[0-9a-f-]{36}"', page)) == 1


def _alert(state: Any) -> pb.Alert:
    text = "WITHDRAWN, CONFIRMED: not to be acted on" if state == _CONFIRMED else "UNVERIFIED: confirm"
    return pb.Alert(
        alert_id="0b6f3f43-5f5d-4a41-9b92-1f6f8a3c5f10",
        plate="AB1234",
        notice=notice_pb2.Notice(lead_only=True, verification_state=state, text=text),
        entries=[
            hit_pb2.MatchedEntry(entry_id="e", plate="AB1234", category=hit_pb2.HOT_LIST_CATEGORY_FELONY)
        ],
    )


def _page(alert: pb.Alert, **found: Any) -> str:
    values = {
        **{"title": "Alert", "section": "/board", "part": True, "level": 2, "why": None, "alert": alert},
        **{"crop": "", "overview": "", "receipt": receipt_pb2.AuditReceipt(), "now": view.now()},
        **{"standing": view.standing(alert), "doubts": [], "listings": view.listings(alert)},
        **{"entry_choices": view.entry_choices(alert), "places": view.places(alert), "history": []},
        **{"can_dispatch": ROLE_TELECOM_CENTER, "states": view.DECISIONS, "dispositions": []},
        **{"form": "", "sent": {}, "kept_id": "", "sentence": "", "fields": (), "clauses": ""},
        **{"cars": None, "deliveries": None, "check": None, "done": ""},
        **{"person": Account(roles=[ROLE_TELECOM_CENTER]), "csrf": "c", "links": []},
        **found,
    }
    return bytes(Pages().make("alert/alert.html", **values).body).decode()
