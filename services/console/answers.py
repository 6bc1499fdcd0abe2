"""What every answer to a question says besides what was found: what it is good for, where its record is."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from starlette.responses import Response

from alpr.type.v1 import left_out_pb2
from alpr.type.v1.left_out_pb2 import LeftOut
from alpr.type.v1.receipt_pb2 import AuditReceipt
from services.common.errors import AlprError, WrongStateError
from services.common.receipts import receipt_to_json

_LEFT_OUT: Final[dict[int, str]] = {
    left_out_pb2.LEFT_OUT_REASON_NO_NON_AGENCY_ACCESS: "not your agency's own, for which you have no grant",
    left_out_pb2.LEFT_OUT_REASON_PURPOSE_LIMIT: "searched for other offences only",
}


def left_out(answer: Any) -> list[str]:
    """What was not looked at, and why, one sentence each."""
    return [_sentence(one) for one in answer.left_out]


def once_more(error: AlprError) -> AlprError:
    """The refusal, in words for a page that a browser asks for once more, which a minute later is no use."""
    if error.metadata.get("state") != "ENDED":
        return error
    return WrongStateError("You were shown this a while ago, and answers are not kept. Ask again.")


def packed(receipt: AuditReceipt) -> str:
    """The receipt as a form carries it."""
    return base64.b64encode(receipt.SerializeToString()).decode()


def text_of(receipt: AuditReceipt) -> str:
    """The receipt as the offline verifier takes it, and the page's own script."""
    return json.dumps(receipt_to_json(receipt), indent=2) + "\n"


def attachment(content: bytes, name: str, media_type: str) -> Response:
    """A file that the browser keeps and never opens by itself; `name` is ours, of plain ASCII."""
    return Response(
        content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _sentence(one: LeftOut) -> str:
    whose = f"group {one.sensor_group} of {one.agency_ori}" if one.sensor_group else one.agency_ori
    return f"{whose}: {_LEFT_OUT.get(one.reason, 'for another reason')}"
