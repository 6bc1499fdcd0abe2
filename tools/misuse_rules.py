"""Writes docs/misuse-rules.md from the rules themselves."""

from __future__ import annotations

from pathlib import Path

from services.audit.core.misuse import Limits
from services.audit.core.misuse_rules import published

PAGE = Path(__file__).resolve().parent.parent / "docs" / "misuse-rules.md"

if __name__ == "__main__":
    PAGE.write_text(published(Limits()), encoding="utf-8")
