"""Which tokens are good enough."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.audit.core.claims import ClaimNames, ClaimsError, Expected, identity_of

EXPECTED = Expected(
    "https://idp.example.gov", "platewarden", "mfa", frozenset({"otp", "hwk"}), "SRV-218/2026"
)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def claims(**changes: Any) -> dict[str, Any]:
    usual = {
        "iss": "https://idp.example.gov",
        "aud": ["other", "platewarden"],
        "acr": "mfa",
        "amr": ["pwd", "otp"],
        "pwd_policy": "SRV-218/2026",
        "auth_time": SECONDS - 3600,
        "sid": "session-1",
        "sub": "officer",
        "jti": "token-1",
        "iat": SECONDS - 10,
        "exp": SECONDS + 590,
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def test_good_claims_name_the_person_and_the_end() -> None:
    identity = identity_of(claims(), EXPECTED, NOW)

    assert (identity.subject, identity.token_id) == ("officer", "token-1")
    assert identity.expires_at == NOW + timedelta(seconds=590)


@pytest.mark.clause("III.B.3.k")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://idp.example.gov/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": "platewarden2"},
        {"acr": None},
        {"acr": "pwd"},
        {"acr": ["mfa"]},
        {"amr": None},
        {"amr": "otp"},
        {"amr": []},
        {"amr": ["pwd"]},
        {"amr": [7, ["otp"]]},
        {"auth_time": None},
        {"auth_time": "now"},
        {"auth_time": SECONDS + 31},
        {"auth_time": SECONDS - 12 * 3600},
        {"sid": 7},
        {"sid": ""},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\x00b"},
        {"sub": "x" * 256},
        {"jti": None},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"exp": None},
        {"exp": float("nan")},
        {"exp": 1e300},
        {"exp": SECONDS - 31},
        {"iat": SECONDS + 31},
        {"nbf": SECONDS + 31},
        {"nbf": "soon"},
        {"iat": SECONDS - 11, "exp": SECONDS + 590},
        {"iat": SECONDS + 5, "exp": SECONDS + 5},
    ],
)
def test_claims_that_are_missing_or_wrong_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ClaimsError):
        identity_of(claims(**changes), EXPECTED, NOW)


@pytest.mark.parametrize(
    "changes", [{"exp": SECONDS - 29, "iat": SECONDS - 600}, {"iat": SECONDS + 29}, {"nbf": SECONDS}]
)
def test_clocks_may_differ_a_little(changes: dict[str, Any]) -> None:
    assert identity_of(claims(**changes), EXPECTED, NOW)


@pytest.mark.clause("III.D.6")
@pytest.mark.parametrize("named", [None, "", "SRV-218/2019", ["SRV-218/2026"]])
def test_a_sign_in_with_a_password_names_the_password_rules_in_force(named: Any) -> None:
    with pytest.raises(ClaimsError, match="pwd_policy"):
        identity_of(claims(pwd_policy=named), EXPECTED, NOW)


@pytest.mark.clause("III.D.6")
def test_a_sign_in_without_a_password_needs_no_password_rules() -> None:
    identity = identity_of(claims(amr=["hwk"], pwd_policy=None), EXPECTED, NOW)

    assert identity.methods == ("hwk",)


@pytest.mark.clause("III.D.6")
def test_a_provider_that_does_not_say_how_people_sign_in_has_to_name_the_password_rules() -> None:
    unstated = replace(EXPECTED, amr=frozenset())

    assert identity_of(claims(amr=None), unstated, NOW).methods == ()
    with pytest.raises(ClaimsError, match="pwd_policy"):
        identity_of(claims(amr=None, pwd_policy=None), unstated, NOW)


@pytest.mark.clause("III.B.3.k")
def test_a_sign_in_is_good_for_twelve_hours_however_new_its_tokens_are() -> None:
    assert identity_of(claims(auth_time=SECONDS - 12 * 3600 + 1), EXPECTED, NOW)
    with pytest.raises(ClaimsError, match="more than 12 hours ago"):
        identity_of(claims(auth_time=SECONDS - 12 * 3600), EXPECTED, NOW)


def test_a_provider_that_names_no_session_is_told_apart_by_when_people_signed_in() -> None:
    assert identity_of(claims(), EXPECTED, NOW).session == "session-1"
    assert identity_of(claims(sid=None), EXPECTED, NOW).session == str(SECONDS - 3600)


def test_claims_may_have_the_names_of_the_provider() -> None:
    names = ClaimNames("uti", "acrs", "session_state", "deviceid", "password_rules")
    said = claims(acr=None, jti=None, sid=None, pwd_policy=None)
    said |= {"uti": "t", "acrs": ["c1", "mfa"], "session_state": "s", "deviceid": "laptop"}

    identity = identity_of({**said, "password_rules": "SRV-218/2026"}, replace(EXPECTED, names=names), NOW)

    assert (identity.token_id, identity.session, identity.device) == ("t", "s", "laptop")
    with pytest.raises(ClaimsError, match="acrs"):
        identity_of({**said, "acrs": ["c1"]}, replace(EXPECTED, names=names), NOW)
