"""The restore drill in its shortest form: all is lost, restored, and held against what was known.

`make restore-drill` is the long form, in which all is on disk, too, before the drill goes on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ports import free_base_port
from tools.restore_drill.drill import Drill, Plan


@pytest.mark.clause("IV.A.3", "IV.D.3", "IV.E.1", "IV.E.2")
@pytest.mark.timeout(1200)
async def test_a_system_that_lost_both_databases_and_its_pictures_is_whole_after_the_restore(
    tmp_path: Path,
) -> None:
    report = await Drill(Plan(tmp_path / "drill", free_base_port(), rounds=1, sync=False)).run()

    assert report.wrong == []
    assert report.facts["hits_not_in_backup"] > 0
    assert report.facts["reads_ended_again"] > 0
    # What people did after the moment, and nobody does for them.
    assert {"account.create", "alert.verify"} <= set(report.facts["to_do_again"])
    assert report.facts["log_verified"] >= report.facts["log_entries"][0]
