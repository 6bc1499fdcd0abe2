"""Makes the models, one command a step: python -m training STEP [--data DIR] [--work DIR] [--minutes N]

Every step can be stopped and started again; what it has done lies in the folder --work. The numbers here are
the recipe of the shipped models; their model card says which data and how many minutes they had.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TEXT_CHUNKS, _ISSUER_CHUNKS, _REAL_CHUNKS = 100, 60, 3
# What nets that go on from shipped ones are given, minutes.
_DETECTOR_FURTHER, _CHARACTERS_FURTHER = 92, 72


@dataclass(frozen=True)
class Places:
    """Where the steps find things: labelled photographs, the folder of work, minutes for a training.

    `begin` is a shipped net, ONNX, that the training goes on from; None starts from nothing.
    """

    data: Path
    work: Path
    minutes: float
    begin: Path | None = None

    @property
    def fonts(self) -> Path:
        """The free fonts."""
        return self.work / "fonts"

    @property
    def models(self) -> Path:
        """The nets, ONNX."""
        return self.work / "models"


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"training.{name}", *map(str, arguments)]


def _windows(p: Places, what: str, out: str, chunks: int, seed: int, *more: object) -> list[str]:
    common = ("--fonts", p.fonts, "--data", p.data, "--chunks", chunks, "--seed", seed)
    return _module("make_windows", "--what", what, "--out", p.work / "windows" / out, *common, *more)


def _net(p: Places, net: str, pattern: str, minutes: float, *more: object) -> list[str]:
    common = ("--chunks", p.work / "windows", "--pattern", pattern, "--work", p.work / net)
    return _module("train_windows", "--net", net, *common, "--minutes", p.minutes or minutes, *more)


def _export(p: Places, net: str) -> list[str]:
    files = ("--checkpoint", p.work / net / f"{net}.pt", "--out", p.models / f"{net}.onnx")
    return _module("export", "--net", net, *files)


def _corners(p: Places) -> list[list[str]]:
    return [
        _windows(p, "text", "text_a", 20, 11),
        _net(p, "corners", "text_a_*.npz", 12),
        _export(p, "corners"),
    ]


def _characters(p: Places) -> list[list[str]]:
    # Windows cut by what the corner net finds, as the service cuts them.
    look = ("--corners", p.models / "corners.onnx")
    further = ("--begin", p.begin, "--rate", 1e-3) if p.begin else ()
    minutes = _CHARACTERS_FURTHER if p.begin else 235
    return [
        _windows(p, "text", "text_b", _TEXT_CHUNKS, 21, *look),
        _windows(p, "real", "real_b", _REAL_CHUNKS, 77, *look),
        _net(p, "characters", "text_*.npz", minutes, "--real", "real_*.npz", "--real-share", 0.12, *further),
        _export(p, "characters"),
    ]


def _issuer(p: Places) -> list[list[str]]:
    look = ("--corners", p.models / "corners.onnx")
    return [
        _windows(p, "issuer", "issuer", _ISSUER_CHUNKS, 31, *look, "--size", 4000),
        # Letters first: colours, which are learned sooner, would leave the net no reason to look at names.
        _net(p, "names", "issuer_*.npz", 15, "--batch", 48),
        _net(p, "issuer", "issuer_*.npz", 110, "--batch", 64, "--names", p.work / "names" / "names.pt"),
        _export(p, "issuer"),
    ]


def _detector(p: Places) -> list[list[str]]:
    common = ("--data", p.data, "--fonts", p.fonts, "--work", p.work / "detector")
    further = ("--begin", p.begin, "--rate", 1.5e-3, "--seed", 2) if p.begin else ()
    minutes = p.minutes or (_DETECTOR_FURTHER if p.begin else 136)
    train = _module("train_detector", *common, "--minutes", minutes, *further)
    return [train, ["cp", str(p.work / "detector" / "detector.onnx"), str(p.models)]]


def _quantize(p: Places) -> list[list[str]]:
    files = ("--models", p.models, "--windows", p.work / "windows", "--data", p.data)
    return [_module("quantize", *files, "--out", p.work / "models-8bit")]


STEPS: dict[str, Callable[[Places], list[list[str]]]] = {
    "fonts": lambda p: [_module("fonts", "--into", p.fonts)],
    "detector": _detector,
    "corners": _corners,
    "characters": _characters,
    "issuer": _issuer,
    "quantize": _quantize,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step; the exit status of what failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"))
    parser.add_argument("--work", type=Path, default=Path(".training"))
    parser.add_argument("--minutes", type=float, default=0, help="of training; 0 takes the recipe's")
    parser.add_argument("--begin", type=Path, help="characters, detector: a shipped one, ONNX, to go on from")
    options = parser.parse_args(arguments)
    places = Places(options.data, options.work, options.minutes, options.begin)
    places.models.mkdir(parents=True, exist_ok=True)
    for command in STEPS[options.step](places):
        print("training:", " ".join(command[2:]), file=sys.stderr)
        # Commands of this package only.
        status = subprocess.run(command, check=False).returncode  # noqa: S603
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
