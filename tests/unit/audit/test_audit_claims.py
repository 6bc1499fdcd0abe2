"""Which tokens are good enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.audit.core.claims import ClaimsError, Expected, identity_of

EXPECTED = Expected("https://idp.example.gov", "platewarden", "mfa")
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def claims(**changes: Any) -> dict[str, Any]:
    usual = {
        "iss": "https://idp.example.gov",
        "aud": ["other", "platewarden"],
        "acr": "mfa",
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
