"""How long a lease is trusted, also by a clock that is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from services.alerts.core.lease import trusted_for

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.clause("IV.A.4")
@pytest.mark.parametrize(
    ("ahead", "seconds"),
    [(60, 60), (12.5, 12.5), (0, 0), (-4, 0), (3600, 60), (-3600, 20)],
    ids=["as audit gives it", "shorter", "over", "over by a hair", "clock set back", "clock far ahead"],
)
def test_a_lease_is_trusted_for_a_minute_at_most_whatever_the_clock_says(
    ahead: float, seconds: float
) -> None:
    assert trusted_for(NOON + timedelta(seconds=ahead), NOON) == timedelta(seconds=seconds)
