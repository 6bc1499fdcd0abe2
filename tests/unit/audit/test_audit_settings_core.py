"""The table of settings: bounds that hold, packs that fit it, and nothing in it that nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.settings import DECLARED, Bounds, Setting, SettingsPack, Unit, cut
from services.audit.policies import load

SERVICES = Path(__file__).parents[3] / "services"
PACK = load(SERVICES / "audit" / "policy").settings


@given(st.integers(-5, 200) | st.none(), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_what_counts_is_always_within_the_bounds(value: int | None, least: int, more: int, most: int) -> None:
    bounds = Bounds(least, least + more + most, least + more)

    found = cut(value, bounds)

    assert bounds.least <= found <= bounds.most
    if value is None:
        assert found == bounds.usual
    elif bounds.least <= value <= bounds.most:
        assert found == value


@pytest.mark.parametrize(
    "numbers", [(2, 1, 1), (1, 2, 3), (-1, 5, 2), (0, 2**31, 1), (0, 5, 6), (1, 1.5, 1), (True, 2, 1)]
)
def test_bounds_that_are_none_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="least <= usual <= most"):
        Bounds(*numbers)


def test_a_pack_that_lacks_a_setting_or_invents_one_is_refused() -> None:
    name, *rest = sorted(PACK.bounds)
    lacking = {one: PACK.bounds[one] for one in rest}

    for bounds in (lacking, {**PACK.bounds, "invented": Bounds(0, 1, 1)}):
        with pytest.raises(ValueError, match=f"{name}|invented"):
            SettingsPack("a pack", bounds)
    with pytest.raises(ValueError, match="name"):
        SettingsPack("", PACK.bounds)


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_setting_is_read_by_some_service(name: str) -> None:
    files = (path for path in SERVICES.rglob("*.py") if path.parts[-2:] != ("core", "settings.py"))

    assert any(f'"{name}"' in path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_setting_says_what_it_is(name: str) -> None:
    declared = DECLARED[name]

    assert declared.title and declared.clause
    if declared.unit in {Unit.COUNT, Unit.PERCENT}:
        assert PACK.bounds[name].most <= (100 if declared.unit is Unit.PERCENT else 2**31 - 1)
    else:
        assert name.endswith(f"_{declared.unit.value.lower()}")


def test_a_length_of_time_is_counted_in_its_unit() -> None:
    hours = Setting("account_temporary_hours", 36, Bounds(1, 72, 72))

    assert hours.period.total_seconds() == 36 * 3600
