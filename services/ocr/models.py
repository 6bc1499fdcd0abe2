"""Versions of the models: which are here, and that every file is the one that its version names."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from services.ocr.core.calibration import NAMES, Calibration

PACKAGED: Final = Path(__file__).with_name("models")
"""The versions that come with this package."""

NETWORKS: Final = ("detector", "corners", "characters", "issuer")
KINDS: Final = frozenset(
    {"standard", "specialty", "temporary", "motorcycle", "commercial", "government", "dealer"}
)
"""What kinds of plates the contract knows."""
_LIST: Final = "model.toml"
_VERSION: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class ModelsError(Exception):
    """The models are not what they should be; one sentence for whoever runs the service."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A network of a version; `sha256` is of its file, 32 bytes."""

    name: str
    path: Path
    sha256: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelSet:
    """One version: four networks, what their answers mean, and how far they are to be believed.

    Attributes:
        version: Names it in every read, for instance "plates-1".
        made_on: The day of its training.
        licence: SPDX identifier.
        files: Its networks.
        issuers: What the classes of the net of issuers stand for.
        kinds: And of its kinds of plates.
        calibration: Fitted for these networks.
    """

    version: str
    made_on: date
    licence: str
    files: tuple[ModelFile, ...]
    issuers: tuple[str, ...]
    kinds: tuple[str, ...]
    calibration: Calibration

    def networks(self) -> Mapping[str, bytes]:
        """The content of each network's file, by its name.

        Raises:
            ModelsError: A file is missing, or is another than the version names.
        """
        return {one.name: _content(one) for one in self.files}


def known_versions(folder: Path) -> Mapping[str, ModelSet]:
    """Every version in `folder`, oldest first, each file of it checked.

    Raises:
        ModelsError: There is none, or one of them is not what its model.toml says.
    """
    lists = sorted(folder.glob(f"*/{_LIST}")) if folder.is_dir() else []
    found = sorted(map(_model_set, lists), key=lambda one: (one.made_on, one.version))
    if not found:
        raise ModelsError(f"PW_MODEL_DIR: {folder} holds no version of the models ({_LIST} in a folder)")
    for one in found:
        one.networks()
    return {one.version: one for one in found}


def _model_set(path: Path) -> ModelSet:
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
        made = _parsed(listed, path.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelsError(f"PW_MODEL_DIR: {path} is no list of models: {error!r}") from None
    if made.version != path.parent.name or not _VERSION.fullmatch(made.version):
        raise ModelsError(f"PW_MODEL_DIR: the folder of {path} must have the name of its version")
    if not set(made.kinds) <= KINDS:
        raise ModelsError(f"PW_MODEL_DIR: {path} may name these kinds only: {', '.join(sorted(KINDS))}")
    if sorted(one.name for one in made.files) != sorted(NETWORKS):
        raise ModelsError(f"PW_MODEL_DIR: {path} must name these networks: {', '.join(NETWORKS)}")
    return made


def _parsed(listed: Mapping[str, Any], folder: Path) -> ModelSet:
    return ModelSet(
        version=str(listed["version"]),
        made_on=_day(listed["date"]),
        licence=str(listed["licence"]),
        files=tuple(_file(name, entry, folder) for name, entry in listed["files"].items()),
        issuers=tuple(map(str, listed["issuers"])),
        kinds=tuple(map(str, listed["kinds"])),
        calibration=calibration_of(listed.get("calibration", {})),
    )


def _day(listed: object) -> date:
    return listed if isinstance(listed, date) else date.fromisoformat(str(listed))


def _file(name: str, entry: Mapping[str, Any], folder: Path) -> ModelFile:
    # A name only: a list of models must not reach out of its folder.
    path = folder / Path(str(entry["file"])).name
    return ModelFile(name, path, bytes.fromhex(entry["sha256"]), path.stat().st_size if path.is_file() else 0)


def calibration_of(listed: Mapping[str, Any]) -> Calibration:
    """The numbers under [calibration]; those that are missing are as before any fitting.

    Raises:
        TypeError: There are others than a calibration has.
        ValueError: The weights are not those of the clues.
    """
    values = dict(listed)
    if "weights" in values:
        if list(values["weights"]) != list(NAMES):
            raise ValueError("the weights must be " + ", ".join(NAMES))
        values["weights"] = tuple(float(one) for one in values["weights"].values())
    if "table" in values:
        values["table"] = tuple((float(said), float(is_right)) for said, is_right in values["table"])
    return Calibration(**values)


def _content(one: ModelFile) -> bytes:
    try:
        content = one.path.read_bytes()
    except OSError:
        raise ModelsError(f"PW_MODEL_DIR: the model file {one.path} cannot be read") from None
    if hashlib.sha256(content).digest() != one.sha256:
        raise ModelsError(f"PW_MODEL_DIR: {one.path} is another file than its version names")
    return content
