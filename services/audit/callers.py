"""Who may call at all; whether they may do what they ask for, the gate says."""

from __future__ import annotations

from services.audit.app_act import Call
from services.audit.app_gate import Gate
from services.audit.refused_tokens import CALLER, address_of
from services.common.identity import Context, PeerKind, caller_of, require_token

# Who may have questions decided and acts recorded.
SERVICES = ("alerts", "matcher", "ocr", "search")


def call_of(context: Context, request_id: str = "") -> Call:
    """The person's call.

    Raises:
        UnauthenticatedError: It came without a token.
    """
    CALLER.set(address_of(context.peer()))
    token = require_token(context).access_token
    return Call(token.reveal() if token else "", request_id)


async def require_somebody(context: Context, gate: Gate) -> None:
    """Returns for any service, sensor, agency or signed-in person.

    For answers that show no field of any entry: who it is does not matter.

    Raises:
        UnauthenticatedError: The call came with neither a certificate nor a token that is accepted.
    """
    if caller_of(context).peer.kind is PeerKind.NONE:
        await gate.check_token(call_of(context).token)
