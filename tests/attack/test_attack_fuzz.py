"""A short form of `make fuzz`: hostile messages to every RPC, as everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.fuzz import Plan, fuzzed
from tests.support.access_stack import methods

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
MESSAGES_EACH = 6
TOGETHER = 30
MOST_GROWTH_MB = 250


@pytest.mark.clause("III.B.3.l", "IV.E.2")
async def test_hostile_messages_end_in_a_typed_error_or_an_answer_and_change_nothing_when_refused(
    tmp_path: Path,
) -> None:
    found = await fuzzed(tmp_path, Plan(1, 20261126, MESSAGES_EACH, TOGETHER))

    assert found["wrong"] == []
    assert found["messages"] >= MESSAGES_EACH * len(methods())
    assert found["methods_let_in"] == len(methods())
    assert found["refused_with_state_compared"] > len(methods())
    for name, memory in found["memory_mb"].items():
        assert memory["end"] - memory["begin"] < MOST_GROWTH_MB, name
