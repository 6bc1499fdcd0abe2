"""The gate for agencies of other states stands before everything that gives them data (625 ILCS 5/2-130)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.audit.core.declaration import Affirmation, OutOfStateLaw, Standing
from services.audit.core.person import Account, AccountState, Certification, CertificationKind, Profile, Role
from services.audit.core.policy import Thing
from services.audit.policies import load

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICIES = load(Path(__file__).parents[3] / "services" / "audit" / "policy").policies
# What tells people about themselves or about the rules, and what only they could tell others.
OPEN = {"question.log"}
GIVING = sorted(
    action
    for action in POLICIES.actions
    if action not in OPEN
    and (
        action.startswith("question.")
        or action.endswith(("alerts.subscribe", "alert.get", "alert.list", "alert.export", "alert.leave"))
        or (
            "dissemination." in action
            and not action.endswith((".list", ".delete", ".correct", ".tell", ".notify"))
        )
    )
)


def somebody(standing: Standing | None) -> Account:
    kinds = tuple(Certification(one, NOW - DAY, NOW + DAY, "x") for one in CertificationKind)
    profile = Profile("sub", "iss", "Name", "B1", "a@b.gov", "WI0000001", "D1")
    roles = frozenset(set(Role) - {Role.VENDOR_SUPPORT})
    return Account("account-1", profile, AccountState.ENABLED, roles, kinds, standing=standing)


def clauses(account: Account, action: str) -> tuple[str, ...]:
    decision = POLICIES.decide_person(account, action, Thing(agency="WI0000001", unit="D1"), NOW)
    return () if decision.allowed else decision.clauses


@pytest.mark.clause("IV.B.3")
@pytest.mark.parametrize("action", GIVING)
def test_nothing_is_given_to_an_agency_of_another_state_that_has_not_declared(action: str) -> None:
    declared = Standing((Affirmation(NOW - DAY, NOW + DAY, frozenset()),))
    lapsed = Standing((Affirmation(NOW - 2 * DAY, NOW, frozenset()),))

    assert "IV.B.3/out-of-state" in clauses(somebody(Standing(())), action)
    assert "IV.B.3/out-of-state" in clauses(somebody(lapsed), action)
    assert "IV.B.3/out-of-state" not in clauses(somebody(declared), action)
    assert "IV.B.3/out-of-state" not in clauses(somebody(None), action)


def test_the_lease_of_a_stream_ends_with_the_declaration() -> None:
    soon = NOW + timedelta(minutes=5)
    account = somebody(Standing((Affirmation(NOW - DAY, soon, frozenset()),)))

    assert account.next_change(NOW) == soon
    assert replace(account, standing=None).next_change(NOW) == NOW + DAY


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"home_state": "Illinois"}, {"uses": {}}, {"longest_days": 0}]
)
def test_a_pack_that_says_too_little_is_refused(changes: dict[str, object]) -> None:
    usual = {"name": "a law", "home_state": "IL", "longest_days": 366, "uses": {"X": "to do x"}}

    with pytest.raises(ValueError, match=r"out_of_state\.toml"):
        OutOfStateLaw(**{**usual, **changes})  # type: ignore[arg-type]
