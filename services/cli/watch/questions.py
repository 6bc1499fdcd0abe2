"""What the board asks before it records a step, and the acts that an answer makes."""

from types import MappingProxyType
from typing import Final

from rich.text import Text

from alpr.alerts.v1 import alert_service_pb2 as pb
from alpr.type.v1 import hit_pb2, notice_pb2
from services.cli.watch.acts import Act, disposing, verifying
from services.cli.watch.board import is_confirmed, standing
from services.cli.watch.forms import Answer, Choice, ChoiceForm
from services.cli.watch.lines import doubts, plain
from services.cli.watch.sound import FLOOR, Bell
from services.cli.words import CATEGORY

_ANSWER: Final = ("Who answered: LEADS, NCIC or the record's owner", "Id of that answer")
_VERIFICATIONS: Final = (
    Choice(notice_pb2.VERIFICATION_STATE_VERIFYING, "somebody asks LEADS or NCIC now"),
    Choice(notice_pb2.VERIFICATION_STATE_CONFIRMED, "confirmed", _ANSWER),
    Choice(notice_pb2.VERIFICATION_STATE_NOT_CONFIRMED, "not confirmed: no such record now", _ANSWER),
    Choice(notice_pb2.VERIFICATION_STATE_MISREAD, "misread: the plate has other characters"),
    Choice(notice_pb2.VERIFICATION_STATE_WRONG_STATE, "wrong state: the plate is of another one", _ANSWER),
    Choice(notice_pb2.VERIFICATION_STATE_STALE, "stale: the entry was no longer current", _ANSWER),
)
_ENFORCEMENT: Final = MappingProxyType(
    {
        pb.DISPOSITION_STOPPED: "the vehicle was stopped",
        pb.DISPOSITION_ARREST: "somebody was arrested",
        pb.DISPOSITION_RECOVERED: "vehicle or plate recovered",
    }
)
_OTHERS: Final = MappingProxyType(
    {
        pb.DISPOSITION_NOT_LOCATED: "the vehicle was not found",
        pb.DISPOSITION_FALSE_ALARM: "false alarm",
        pb.DISPOSITION_NO_ACTION: "nothing was to be done",
    }
)
_REPORT: Final = (
    "Report number, where there is one",
    "Unit or officer that reported it by radio, if not you",
)


def verify_form(alert: pb.Alert) -> ChoiceForm:
    """Asks for a step of the verification (III.D.4)."""
    return ChoiceForm("Verify this alert", _about(alert), _VERIFICATIONS)


def verify_acts(alert: pb.Alert, answer: Answer | None) -> list[Act]:
    """What the answer of `verify_form` records; nothing for none."""
    if answer is None:
        return []
    state = notice_pb2.VerificationState.ValueType(answer.value)
    return verifying(alert, state, *answer.fields)


def dispose_form(alert: pb.Alert) -> ChoiceForm:
    """Asks what was done. It says which answers the service will refuse before a confirmation."""
    needs = "" if is_confirmed(alert) else "  (refused before LEADS or NCIC confirmed it)"
    enforcement = [
        Choice(value, words + needs, _REPORT, optional=True) for value, words in _ENFORCEMENT.items()
    ]
    others = [Choice(value, words, _REPORT, optional=True) for value, words in _OTHERS.items()]
    return ChoiceForm("What was done about this alert?", _about(alert), [*enforcement, *others])


def dispose_acts(alert_id: str, answer: Answer | None) -> list[Act]:
    """What the answer of `dispose_form` records; nothing for none."""
    if answer is None:
        return []
    return [disposing(alert_id, pb.Disposition.ValueType(answer.value), *answer.fields)]


def sound_form(bell: Bell) -> ChoiceForm:
    """Asks which category to switch. The floor of IV.D.2 is not among them."""
    switchable = [number for number in hit_pb2.HotListCategory.values() if number and number not in FLOOR]
    choices = [
        Choice(number, f"{CATEGORY.word(number)}: {'without sound' if number in bell.silent else 'sounds'}")
        for number in switchable
    ]
    floor = Text("Felony, stolen, AMBER and SILVER sound as long as there is any sound.")
    return ChoiceForm("Switch the sound of a category", floor, choices)


def _about(alert: pb.Alert) -> Text:
    text = Text(", ".join(doubts(alert)) + ("\n" if alert.warnings else ""), "bold yellow")
    text.append(f"{plain(alert.plate)} {plain(alert.state)}  {standing(alert)}", "bold")
    listed = ", ".join(f"{plain(entry.plate)} {plain(entry.state)}" for entry in alert.entries)
    return text.append(f"\nlisted {listed}", "not bold")
