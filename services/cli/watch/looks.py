"""A look at one alert with its history and the picture of its plate; the service records each look."""

from typing import Final

from rich.text import Text

from alpr.alerts.v1 import alert_service_pb2 as pb
from services.cli.watch.lines import step_line
from services.cli.watch.picture import half_blocks

_PICTURE_WIDTH: Final = 72


def look_text(answer: pb.GetAlertResponse, details: Text) -> Text:
    """The plate as the camera saw it, then `details`, then what people did, oldest first."""
    text = Text()
    picture = half_blocks(answer.crop_image, _PICTURE_WIDTH)
    text.append_text(picture or Text("There is no picture of the plate that can be shown here.", "dim"))
    text.append("\n\n").append_text(details).append("\n\nHistory", "bold")
    for step in answer.history:
        text.append(f"\n{step_line(step)}")
    return text if answer.history else text.append("\nNobody did anything yet.", "dim")
