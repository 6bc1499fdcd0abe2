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
                "alert.list",
                "mcs_alerts.subscribe",
                "mcs_alert.get",
                "mcs_alert.acknowledge",
                "mcs_alert.verify",
                "mcs_alert.dispose",
                "mcs_alert.list",
                "subscription.create",
                "subscription.change",
                "subscription.end",
                "mcs_subscription.create",
                "mcs_subscription.change",
                "mcs_subscription.end",
                "alert.escalate",
                "asset.register",
                "asset.retire",
                "asset.list",
                "asset.board",
                "asset.leave",
                "asset.report",
                "dispatch.propose",
                "dispatch.broadcast",
                "dispatch.cancel",
                "dispatch.show",
                "dispatch.receive",
                "dispatch.acknowledge",
                "escalations.watch",
                "alert.export",
                "alert.leave",
                "mcs_alert.export",
                "mcs_alert.leave",
                "alert.ask",
                "webhook.create",
                "webhook.approve",
                "webhook.end",
                "webhook.rotate",
                "webhook.list",
                "webhook.retry",
            }
        ),
        "matcher": frozenset(
            {
                "hot_list.create",
                "hot_list.upload",
                "hot_list.approve",
                "hot_list.activate",
                "hot_list.deactivate",
                "hot_list.diff",
                "hot_list.list",
                "hot_list.immigration_file",
                "hot_list.tune",
                "hot_list.export",
                "hot_list.leave",
                "local_list.add",
                "local_list.remove",
                "local_list.show",
                "local_list.suspend",
                "matcher.state",
                "scope.set",
                "scope.list",
            }
        ),
        "search": frozenset(
            {
                "dissemination.export",
                "dissemination.evidence",
                "dissemination.share",
                "dissemination.government",
                "dissemination.public",
                "dissemination.everything",
                "mcs_dissemination.everything",
                "export.seal",
                "mcs_export.seal",
                "dissemination.notify",
                "dissemination.list",
                "dissemination.delete",
                "dissemination.correct",
                "dissemination.tell",
                "evidence.list",
                "reads.purge",
                "hold.place",
                "hold.release",
                "hold.list",
                "purge.list",
                "purge.run",
                "retention.check",
                "sensor.health",
                "mcs_sensor.health",
                "mcs_hold.place",
                "mcs_hold.release",
                "mcs_hold.list",
                "mcs_dissemination.export",
                "mcs_dissemination.evidence",
                "mcs_dissemination.share",
                "mcs_dissemination.government",
                "mcs_dissemination.public",
                "mcs_dissemination.list",
                "mcs_dissemination.delete",
                "mcs_dissemination.correct",
                "mcs_dissemination.tell",
                "mcs_evidence.list",
            }
        ),
        "ocr": frozenset({"model.list", "model.activate", "model.roll_back"}),
    }
)

# Acts that the archive checks by itself, by audit's signature, so that no service makes or lifts a legal hold
# alone (IV.E.3): True for those in the Motor Carrier Safety data set, which has a key of its own.
_SIGNED = MappingProxyType(
    {"hold.place": False, "hold.release": False, "mcs_hold.place": True, "mcs_hold.release": True}
)

# Watching for a plate is a question that stays asked: it needs case number and purpose as any other (IV.C.5,
# IV.C.6).
_JUSTIFIED = frozenset(
    {
        "local_list.add",
        "hold.place",
        # What leaves is for a case, and what its recipient wants it for is a purpose like any other (IV.B).
        "dissemination.export",
        "dissemination.evidence",
        "dissemination.share",
        "dissemination.government",
        "dissemination.public",
        "dissemination.everything",
        "dissemination.correct",
        "mcs_hold.place",
        "mcs_dissemination.export",
        "mcs_dissemination.evidence",
        "mcs_dissemination.share",
        "mcs_dissemination.government",
        "mcs_dissemination.public",
        "mcs_dissemination.correct",
        # The full export, looked at and leaving.
        "mcs_dissemination.everything",
        "export.seal",
        "mcs_export.seal",
        "mcs_alert.export",
        "mcs_alert.leave",
        "alert.export",
        "alert.leave",
        "hot_list.export",
        "hot_list.leave",
    }
)


# Acts of the matcher that bring entries which the reads of the last hours were not compared with (II.D).
_BRING_ENTRIES = frozenset({"hot_list.activate", "local_list.add"})


def allows_look_back(service: str, action: str) -> bool:
    """True when an act of this action, recorded through this service, may be followed by a look-back."""
    return service == "matcher" and action in _BRING_ENTRIES


# What a person sets up to go on without a sign-in, and what the person must go on being entitled to (IV.A.4).
_STANDING = MappingProxyType({"webhook.create": "alerts.subscribe"})


def stands_for(action: str) -> str:
    """What whoever did `action` must still be entitled to while its work goes on; empty when it does not."""
    return _STANDING.get(action, "")


def is_signed(action: str) -> bool:
    """True when audit signs an act of this action for the archive."""
    return action in _SIGNED


def is_of_motor_carrier(action: str) -> bool:
    """True when an act of this action is signed for the Motor Carrier Safety data set."""
    return _SIGNED[action]


def needs_justification(action: str) -> bool:
    """True when the action is refused without case number and purpose."""
    return action in _JUSTIFIED


def may_record(service: str, action: str) -> bool:
    """True when the service may record that action."""
    return action in ACTIONS.get(service, frozenset())
