"""The engines of the versions in use: each is loaded once, and forgotten when no sensor needs it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

import structlog

from services.ocr.engine import Engine, EngineSettings
from services.ocr.models import ModelSet

log = structlog.get_logger()

# The steady version, the one on trial, and the one before, which may still have frames under way.
_MOST: Final = 3


class Engines:
    """Engines by version.

    Args:
        versions: Those that are here.
        threads: Threads of one model run.
        settings: How plates are found.
    """

    def __init__(
        self, versions: Mapping[str, ModelSet], *, threads: int, settings: EngineSettings | None = None
    ) -> None:
        self.versions = versions
        self._threads = threads
        self._settings = settings
        self._loaded: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def of(self, version: str) -> Engine:
        """The engine of that version, loaded when it is not; blocks meanwhile. For several threads at once.

        Raises:
            KeyError: There is no such version.
            ModelsError: A file of it is not what it was when the process began.
        """
        with self._lock:
            engine = self._loaded.pop(version, None)
            if engine is None:
                engine = Engine(self.versions[version], threads=self._threads, settings=self._settings)
                log.info("models_loaded", version=version)
            # The last used one stands last.
            self._loaded[version] = engine
            while len(self._loaded) > _MOST:
                del self._loaded[next(iter(self._loaded))]
            return engine
