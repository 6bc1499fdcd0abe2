"""What the verifier of a full export says of a folder that somebody else made."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit import verifier
from services.audit.verify_department import _newest_entry


@pytest.mark.clause("IV.A.3")
@pytest.mark.parametrize(
    "content", ['{"question": 7}', '{"question": {}}', '{"question": {"log_index": "x"}}', "[]"]
)
def test_receipts_that_are_none_are_named_and_not_tripped_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "stray.receipts.json").write_text(content, encoding="utf-8")

    with pytest.raises(verifier.VerificationError, match=r"stray\.receipts\.json"):
        _newest_entry(tmp_path)


def test_the_newest_entry_is_that_of_the_receipts(tmp_path: Path) -> None:
    (tmp_path / "a.receipts.json").write_text('{"one": {"log_index": "4"}, "two": {"log_index": 9}}')

    assert _newest_entry(tmp_path) == 9
    assert _newest_entry(tmp_path / "motor_carrier") == -1
