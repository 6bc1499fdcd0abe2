"""The actions that may be recorded, and through which service."""

from __future__ import annotations

from types import MappingProxyType

# A service records only acts of its own, so that none can put another's words into the log.
ACTIONS = MappingProxyType(
    {
        "alerts": frozenset(
            {
                "alerts.subscribe",
                "alert.get",
                "alert.acknowledge",
                "alert.verify",
                "alert.dispose",
                "alert.escalate",
            }
        ),
        "matcher": frozenset(
            {
                "hot_list.create",
                "hot_list.upload",
                "hot_list.activate",
                "hot_list.list",
                "matcher.state",
                "look_back.run",
            }
        ),
        "search": frozenset({"reads.purge"}),
        "ocr": frozenset({"model.list", "model.activate", "model.roll_back", "images.purge"}),
    }
)


def may_record(service: str, action: str) -> bool:
    """True when the service may record that action."""
    return action in ACTIONS.get(service, frozenset())
