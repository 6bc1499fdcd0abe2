"""Whole systems stand in queues, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.turns import QUEUES, queue_of

ROOT = Path(__file__).parents[3]
STARTS_A_SYSTEM = re.compile(r"\bSupervisor\(|tests\.support\.access_stack import .*running_world|\bDrill\(")


def test_every_file_that_starts_a_whole_system_stands_in_a_queue() -> None:
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    starting = [file for file in files if STARTS_A_SYSTEM.search(file.read_text(encoding="utf-8"))]

    names = [str(file.relative_to(ROOT)) for file in starting]

    assert len(names) >= 10
    assert [name for name in names if queue_of(f"{name}::test") == len(QUEUES)] == []


@pytest.mark.parametrize("name", [name for queue in QUEUES for name in queue])
def test_what_the_queues_name_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_a_file_stands_in_the_first_queue_that_names_it_and_ordinary_ones_in_none() -> None:
    assert queue_of("tests/attack/test_attack_fuzz.py::test_x[y]") == 0
    assert queue_of("tests/attack/test_attack_access.py::test_x") == 1
    assert queue_of("tests/unit/tools/test_turns.py::test_x") == len(QUEUES)
