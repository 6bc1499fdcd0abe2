#!/usr/bin/env python3
"""Checks a notice about a file that a recipient got, offline, with the log's public key.

    python verify_notice.py --public-key FILE notice.json receipt.json

It needs verifier.py in the same folder, and nothing but Python. It exits with 0 when the notice stands in the
agency's tamper-evident log just as it is, and with 1 and one sentence when it does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__:
    from services.audit import verifier
else:  # alone, with verifier.py in the same folder
    import verifier  # type: ignore[no-redef, import-not-found]

FORMAT = "platewarden.notice/v1"


def verify(notice: bytes, receipt: str, key: verifier.PublicKey) -> dict[str, Any]:
    """The notice, if the log has it."""
    try:
        document = json.loads(notice)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise verifier.VerificationError(f"the notice is not in the format {FORMAT}")
    logged = verifier.verify_receipt(receipt, key)
    if logged.get("action") != "dissemination.notify":
        raise verifier.VerificationError("the receipt is of something else than a notice")
    if logged.get("detail.sha256") != hashlib.sha256(notice).hexdigest():
        raise verifier.VerificationError("the notice is not the one that is in the log")
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the notice is genuine; else 1, with one sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--public-key", required=True, type=Path, help="the log's public key")
    parser.add_argument("notice", type=Path, help="notice.json")
    parser.add_argument("receipt", type=Path, help="receipt.json")
    given = parser.parse_args(arguments)
    try:
        key = verifier.read_public_key(given.public_key.read_text(encoding="utf-8"))
        notice = verify(given.notice.read_bytes(), given.receipt.read_text(encoding="utf-8"), key)
    except (OSError, UnicodeDecodeError) as error:
        print(f"bad: a file cannot be read: {error}", file=sys.stderr)
        return 1
    except verifier.VerificationError as error:
        print(f"bad: {error}", file=sys.stderr)
        return 1
    file = notice.get("file", {})
    print(f"good: notice {notice.get('notice_id')} of {notice.get('agency_ori')}: {notice.get('statement')}")
    print(f"      about the file with the SHA-256 {file.get('sha256')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
