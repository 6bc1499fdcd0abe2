"""A look at one alert with its history and the picture of its plate; the service records each look."""

from datetime import UTC
from typing import Final

from rich.text import Text

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.cli.watch.lines import plain
from services.cli.watch.picture import half_blocks
from services.cli.words import DISPOSITION, VERIFICATION

_PICTURE_WIDTH: Final = 72


def look_text(answer: pb.GetAlertResponse, details: Text) -> Text:
    """The plate as the camera saw it, then `details`, then what people did, oldest first."""
    text = Text()
    picture = half_blocks(answer.crop_image, _PICTURE_WIDTH)
    text.append_text(picture or Text("There is no picture of the plate that can be shown here.", "dim"))
    text.append("\n\n").append_text(details).append("\n\nHistory", "bold")
    for step in answer.history:
        text.append(f"\n{step.step_time.ToDatetime(UTC):%H:%M:%S} UTC  ")
        text.append(_words(step))
        text.append(f"  by {plain(step.account_id)}", "dim")
    return text if answer.history else text.append("\nNobody did anything yet.", "dim")


def _words(step: pb.AlertStep) -> str:
    if step.disposition:
        return DISPOSITION.word(step.disposition)
    answer = f" ({plain(step.system)}, {plain(step.response_id)})" if step.system else ""
    return VERIFICATION.word(step.verification_state) + answer
