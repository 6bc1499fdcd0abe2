"""The model files: which ones belong to this version, and that they are those."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.common.config import ConfigError

_LIST: Final = Path(__file__).with_name("models.toml")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as models.toml names it; `sha256` is of the file that was loaded, 32 bytes."""

    name: str
    version: str
    sha256: bytes
    licence: str


@dataclass(frozen=True, slots=True)
class Models:
    """The loaded files and what they are; `version` names them in every read."""

    version: str
    detector: bytes
    recognizer: bytes
    files: tuple[ModelFile, ...]


def load_models(folder: Path) -> Models:
    """The models of models.toml, read from `folder`.

    Raises:
        ConfigError: A file is missing, or is not the one that models.toml names.
    """
    listed = tomllib.loads(_LIST.read_text(encoding="utf-8"))
    detector, detector_file = _load(folder, listed["detector"])
    recognizer, recognizer_file = _load(folder, listed["recognizer"])
    return Models(listed["version"], detector, recognizer, (detector_file, recognizer_file))


def _load(folder: Path, listed: dict[str, Any]) -> tuple[bytes, ModelFile]:
    path = folder / listed["file"]
    try:
        content = path.read_bytes()
    except OSError:
        raise ConfigError(
            f"PW_MODEL_DIR: the model file {path} cannot be read; `make assets` fetches it."
        ) from None
    digest = hashlib.sha256(content)
    if digest.hexdigest() != listed["sha256"]:
        raise ConfigError(
            f"PW_MODEL_DIR: {path} is another file than this version's; `make assets` fetches it again."
        )
    return content, ModelFile(listed["name"], listed["version"], digest.digest(), listed["licence"])
