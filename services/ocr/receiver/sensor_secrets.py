"""The secrets of the sensors that push to this receiver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import structlog

from services.ocr.core.pushed.credentials import SHORTEST_SECRET

log = structlog.get_logger()

_SENSOR: Final = re.compile(r"[a-z0-9-]{3,63}")
_MOST_BYTES: Final = 4096


class SensorSecrets:
    """A file for each sensor in one folder, as a secret store mounts them; its name is the sensor's id.

    A file holds a secret a line, at least 32 characters each: two while a secret is being changed. It is read
    at each request, so that a secret counts, and stops to count, at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, sensor_id: str) -> tuple[bytes, ...]:
        """The secrets of a sensor; none when it is no sensor of this receiver."""
        if not _SENSOR.fullmatch(sensor_id):
            return ()
        try:
            with (self._folder / sensor_id).open("rb") as file:
                lines = file.read(_MOST_BYTES).split()
        except FileNotFoundError:
            return ()
        except OSError as error:
            log.warning("sensor_secret_unreadable", sensor_id=sensor_id, error=type(error).__name__)
            return ()
        good = tuple(line for line in lines if len(line) >= SHORTEST_SECRET)
        if len(good) < len(lines) or not lines:
            log.warning("sensor_secret_too_short", sensor_id=sensor_id)
        return good
