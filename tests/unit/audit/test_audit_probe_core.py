"""What should be seen follows from acts in the log: agreements, their ends, and decisions about people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.core.probe import Act, DifferenceKind, Shown, differences, expected

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OWN, OTHER, THIRD, ME = "IL0000001", "IL0000002", "IL0000003", "account-1"


def accept(name: str = "a", provider: str = OTHER, recipient: str = OWN, **facts: str) -> Act:
    usual = {
        "provider": provider,
        "recipient": recipient,
        "data_classes": "HOT_LIST_HITS,READS",
        "start_time": (NOW - timedelta(days=1)).isoformat(),
        "end_time": (NOW + timedelta(days=1)).isoformat(),
    }
    return Act("agreement.accept", name, {**usual, **facts})


def vet(account: str = ME, days: int = 1) -> Act:
    return Act("account.vet", account, {"valid_until": (NOW + timedelta(days=days)).isoformat()})


END = Act("agreement.end", "a", {"reason": "x"})
UNVET = Act("account.unvet", ME, {"reason": "x"})


@pytest.mark.clause("III.B.1", "III.B.3.f")
@pytest.mark.parametrize(
    ("acts", "others"),
    [
        ([], ()),
        ([accept()], ()),
        ([vet()], ()),
        ([accept(), vet()], (OTHER,)),
        ([vet(), accept()], (OTHER,)),
        ([accept(), vet("account-2")], ()),
        ([accept(), vet(days=0)], ()),
        ([accept(), vet(), UNVET], ()),
        ([accept(), vet(), UNVET, vet()], (OTHER,)),
        ([accept(), vet(), END], ()),
        ([accept(), vet(), END, accept("b")], (OTHER,)),
        ([accept(), accept("b", THIRD), vet()], (OTHER, THIRD)),
        ([accept(recipient=THIRD), vet()], ()),
        ([accept(provider=OWN, recipient=OTHER), vet()], ()),
        ([accept(data_classes="HOT_LIST_HITS"), vet()], ()),
        ([accept(start_time=(NOW + timedelta(1)).isoformat()), vet()], ()),
        ([accept(end_time=NOW.isoformat()), vet()], ()),
    ],
)
def test_what_should_be_seen_follows_from_the_acts(acts: list[Act], others: tuple[str, ...]) -> None:
    assert expected(OWN, ME, acts, NOW) == (OWN, *others)


@pytest.mark.parametrize(
    ("seen", "with_reads", "limited", "found"),
    [
        ({OWN, OTHER}, {OWN, OTHER}, set(), []),
        ({OWN}, {OWN}, set(), []),
        ({OWN}, {OWN, OTHER}, set(), [(OTHER, DifferenceKind.MISSING)]),
        ({OWN}, {OWN, OTHER}, {OTHER}, []),
        ({OWN, OTHER, THIRD}, {OWN, OTHER}, {THIRD}, [(THIRD, DifferenceKind.UNEXPECTED)]),
        (set(), {OWN, THIRD}, set(), [(OWN, DifferenceKind.MISSING)]),
    ],
)
def test_more_than_agreed_on_differs_as_much_as_less(
    seen: set[str], with_reads: set[str], limited: set[str], found: list[tuple[str, DifferenceKind]]
) -> None:
    shown = Shown(frozenset(seen), frozenset(with_reads), frozenset(limited))

    assert differences((OWN, OTHER), shown) == found
