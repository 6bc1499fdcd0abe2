"""Receipts and exports of the log as files that `verifier.py` of the audit service checks offline.

The shapes are described there. It is shipped alone and imports nothing, so they are written here once more.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any, Final

from alpr.audit.v1.log_service_pb2 import ExportLogResponse
from alpr.type.v1.receipt_pb2 import AuditReceipt, OpenedField

_EXPORT_FORMAT: Final = "platewarden.log.export/v1"
_RECEIPT_FORMAT: Final = "platewarden.receipt/v1"
_KEY_ID_BYTES: Final = 4


def receipt_to_json(receipt: AuditReceipt) -> dict[str, Any]:
    """The receipt as an object for `json.dumps`; write it with any spacing."""
    return {
        "format": _RECEIPT_FORMAT,
        "entry_id": receipt.entry_id,
        "log_index": receipt.log_index,
        "leaf": b64encode(receipt.leaf).decode(),
        "fields": _fields(receipt.fields),
        "proof": receipt.proof,
    }


def export_header(checkpoint: str, first_index: int) -> str:
    """First line of an export that begins at `first_index`.

    Args:
        checkpoint: Any checkpoint of the log, for its origin and key id.
        first_index: As in the request.

    Raises:
        ValueError: `checkpoint` is no signed note.
    """
    origin = checkpoint.partition("\n")[0]
    _, _, signatures = checkpoint.rpartition("\n\n")
    own = [
        line.rpartition(" ")[2]
        for line in signatures.splitlines()
        if line.startswith(f"\N{EM DASH} {origin} ")
    ]
    if not own:
        raise ValueError("the checkpoint has no signature of its origin")
    key_id = b64decode(own[0])[:_KEY_ID_BYTES].hex()
    header = {"format": _EXPORT_FORMAT, "first_index": first_index, "key_id": key_id, "origin": origin}
    return _line({"type": "header", **header})


def export_line(message: ExportLogResponse) -> str:
    """The line of an export for one message of ExportLog, with its line feed."""
    if message.WhichOneof("item") == "checkpoint":
        return _line({"type": "checkpoint", "checkpoint": message.checkpoint})
    entry = message.entry
    parts = {"log_index": entry.log_index, "leaf": b64encode(entry.leaf).decode()}
    return _line({"type": "entry", "fields": _fields(entry.fields), **parts})


def _fields(fields: Iterable[OpenedField]) -> list[dict[str, str]]:
    return [{"name": one.name, "salt": b64encode(one.salt).decode(), "value": one.value} for one in fields]


def _line(item: dict[str, Any]) -> str:
    return json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
