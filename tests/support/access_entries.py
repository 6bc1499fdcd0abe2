"""Which RPCs may be carried out for a person without leaving an entry in the log."""

from __future__ import annotations

from typing import Final

from google.protobuf.descriptor import MethodDescriptor

from services.cli.conformance.notices import NOTICE, has_field, showing

# The one way in which alerts reach somebody without an entry for each: the own live feed, and messages to the
# own car. That somebody may hear is a lease that is renewed every few seconds, and what was raised or sent is
# an entry itself.
FEEDS: Final = frozenset(
    {
        "alerts.AlertService.SubscribeAlerts",
        "alerts.DispatchService.WatchDeliveries",
        "alerts.DispatchService.WatchEscalations",
    }
)
# Carried out act by act, each an entry of its own; none where there is nothing to do.
ACT_BY_ACT: Final = frozenset({"audit.RosterService.EndLeavers"})
# What the call is about may not be there: a car in use, somebody in it, a connector to LEADS. Then nothing
# is done, and nobody is told more than that.
NOTHING_THERE: Final = frozenset(
    {
        "alerts.AssetService.BoardAsset",
        "alerts.AssetService.ReportAssetPosition",
        "alerts.VerificationService.AskRecord",
    }
)
_LOOKS: Final = ("Get", "List", "Explain")


def is_look(method: MethodDescriptor) -> bool:
    """Whether it changes nothing and shows no read, no alert and no entry of the log.

    Who may have such a look is decided anew with every call, and a refusal of it is an entry all the same.
    """
    answer = method.output_type
    return method.name.startswith(_LOOKS) and not (has_field(answer, "notice", NOTICE) or showing(answer))
