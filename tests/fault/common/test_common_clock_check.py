"""A replica whose clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.common.clock_check import ClockOffError, clock_check
from services.common.pg import open_pool
from tests.support.clock import ManualClock


@pytest.mark.parametrize("seconds", [-86_400, -11, 11, 100 * 86_400])
async def test_a_clock_that_is_off_by_more_than_ten_seconds_ends_the_service(
    postgres_admin_url: str, seconds: int
) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(seconds=seconds))

    async with await open_pool(postgres_admin_url, application_name="test") as pool:
        with pytest.raises(ClockOffError):
            await clock_check(pool, clock)()


@pytest.mark.parametrize("seconds", [-5, 5])
async def test_a_clock_that_is_a_little_off_serves(postgres_admin_url: str, seconds: int) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(seconds=seconds))

    async with await open_pool(postgres_admin_url, application_name="test") as pool:
        await clock_check(pool, clock)()
        await clock_check(pool)()
