"""Fits how far the models are to be believed, on plates that none of them was trained on.

python -m training.calibrate fit --model FOLDER --data DIR --fonts DIR --work DIR [--count N] [--readable P]
python -m training.calibrate states --model FOLDER --data DIR --fonts DIR --work DIR [--home US-IL]

`fit` runs the real engine over pictures with known plates (`training/validation.py`: drawn plates in
photographs, and the validation part of the labelled photographs), keeps what it said in the work folder, and
goes on there when it is run again. From that it fits the probability that a text is right, the temperature of
the other candidates, how often the right text is among them, and the temperature of issuers; writes all of it
under [calibration] of the version's model.toml; and prints calibration error, Brier score and a table, each
sample judged by a fit that had not seen it (five folds by plate), with bootstrap intervals. What was read
where there is no plate counts as wrong. A text counts as right when hot lists would find it: O as 0, I as 1.

`states` says what the probabilities of issuers are worth in matching. Method: a camera stands in state
`home`, where a share `at-home` of the plates is issued; the others are spread over the other states evenly.
Drawn plates of the 51 states are weighted so. For each there are two entries on a made-up hot list: the plate
itself with its true state (found: recall), and the same text issued by another state, drawn by the same
shares (found: a false alarm, for texts are not unique across states). An entry is found when P(text) x
P(state) reaches the matcher's minimum, the best text counting as certain, as in
services/matcher/core/match.py. Three beliefs about the state are compared: the camera's shares alone, what
the net says, and the net's answer weighted by the camera's shares (Bayes; the net learnt from states drawn
about evenly). Log loss is that of the true state.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

# Before numpy and ONNX Runtime are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from services.ocr.core.calibration import NAMES, Calibration, logistic, straightened, tempered
from services.ocr.core.plates import Plate
from services.ocr.core.quad import Box
from services.ocr.engine import Engine
from services.ocr.models import ModelSet, known_versions
from training import fitting
from training.validation import Example, drawn, photographed

_FOLD = str.maketrans("OI", "01")
_LEAST_OVERLAP = 0.3
_UNSEEN = 5e-4
_MINIMUM = 0.05


@dataclass(frozen=True)
class Said:
    """What the engine said of one plate; `clues` is empty where it found none.

    Attributes:
        text: The right text; empty where there is no plate.
        read: What was read.
        clues: See Clues.values.
        candidates: The other texts with their shares.
        issuer: The right issuer; empty where the label does not say.
        issuers: Probabilities as the net gave them.
        real: A photograph of a real plate.
        width: Of the plate, pixels.
    """

    name: str
    text: str
    read: str
    clues: list[float]
    candidates: list[tuple[str, float]]
    issuer: str
    issuers: list[tuple[str, float]]
    real: bool
    width: float

    @property
    def right(self) -> bool:
        """Whether hot lists would take it for the right text."""
        return folded(self.read) == folded(self.text)


def folded(text: str) -> str:
    """`text` as hot lists compare it."""
    return text.translate(_FOLD)


def collect(model: ModelSet, options: argparse.Namespace) -> list[Said]:
    """What the engine says of every plate, from the work folder as far as it is there."""
    # Nothing fitted before may bend what is fitted now.
    bare = Calibration(
        weights=(0.0,) * len(NAMES),
        covered=1.0,
        readable=0.0,
        threshold=model.calibration.threshold,
        arrangement=model.calibration.arrangement,
    )
    engine = Engine(replace(model, calibration=bare), threads=1)
    mark = "-".join(one.sha256.hex()[:6] for one in model.files)
    path = options.work / f"said-{model.version}-{mark}.jsonl"
    options.work.mkdir(parents=True, exist_ok=True)
    known = [_from_line(line) for line in path.read_text().splitlines()] if path.exists() else []
    names = {one.name for one in known}
    with path.open("a") as out:
        for one in _all_said(engine, options, names):
            known.append(one)
            out.write(json.dumps(asdict(one)) + "\n")
            out.flush()
    return known


def _all_said(engine: Engine, options: argparse.Namespace, names: set[str]) -> Iterator[Said]:
    begun, done = time.monotonic(), 0
    numbers = [int(name.partition("-")[2]) for name in names if name.startswith("drawn-")]
    sources = (
        photographed(options.data),
        drawn(options.data, options.fonts, options.count, max(numbers, default=-1) + 1),
    )
    for source in sources:
        for example in source:
            if example.name in names:
                continue
            yield from said_of(engine, example)
            done += 1
            if done % 100 == 0:
                print(json.dumps({"pictures": done, "seconds": round(time.monotonic() - begun)}), flush=True)


def said_of(engine: Engine, example: Example) -> Iterator[Said]:
    """What the engine says of the plates of a picture, and of what is none."""
    sight = engine.look(example.image)
    boxes = [Box(*truth.box) for truth in example.plates]
    for truth, box in zip(example.plates, boxes, strict=True):
        best = max(sight.plates, key=lambda one: one.box.overlap(box), default=None)
        seen = best if best is not None and best.box.overlap(box) >= _LEAST_OVERLAP else None
        yield _said(example, seen, truth.text, truth.issuer, box.width)
    if example.real:
        # Photographs hold plates without a label.
        return
    for plate in sight.plates:
        if all(plate.box.shared(box) == 0 for box in boxes):
            yield _said(example, plate, "", "", plate.box.width)


def _said(example: Example, plate: Plate | None, text: str, issuer: str, width: float) -> Said:
    common = {"name": example.name, "text": text, "issuer": issuer, "real": example.real, "width": width}
    if plate is None:
        return Said(**common, read="", clues=[], candidates=[], issuers=[])
    others = [(one.text, one.probability) for one in plate.reading.candidates[1:]]
    clues, issuers = list(plate.clues.values()), list(plate.issuers)
    return Said(**common, read=plate.text, clues=clues, candidates=others, issuers=issuers)


def _from_line(line: str) -> Said:
    values = json.loads(line)
    for name in ("candidates", "issuers"):
        values[name] = [(text, float(value)) for text, value in values[name]]
    return Said(**values)


def fit(said: Sequence[Said], before: Calibration, readable: float) -> Calibration:
    """The calibration that fits best."""
    found = [one for one in said if one.clues]
    clues, right = np.array([one.clues for one in found]), np.array([one.right for one in found], float)
    weights, bias = fitting.logistic_fit(clues, right)
    table = fitting.isotonic_table(fitting.sigmoid(clues @ weights + bias), right)
    wrong = [one for one in found if one.text and not one.right and one.candidates]
    listed = [(one, _index(one)) for one in wrong]
    among = [(one, n) for one, n in listed if n is not None]
    known = [(one, n) for one in found if one.issuer and (n := _issuer_index(one)) is not None]
    return replace(
        before,
        weights=tuple(round(float(w), 5) for w in weights),
        bias=round(bias, 5),
        table=tuple((round(x, 5), round(y, 5)) for x, y in table),
        temperature=round(
            fitting.temperature_fit([_shares(one.candidates) for one, _ in among], [n for _, n in among]), 3
        ),
        covered=round(len(among) / max(1, len(wrong)), 3),
        issuer_temperature=round(
            fitting.temperature_fit([_shares(one.issuers) for one, _ in known], [n for _, n in known]), 3
        ),
        readable=readable,
    )


def _index(one: Said) -> int | None:
    """Where the right text stands among the other candidates."""
    return next((n for n, (text, _) in enumerate(one.candidates) if folded(text) == folded(one.text)), None)


def _issuer_index(one: Said) -> int | None:
    return next((n for n, (issuer, _) in enumerate(one.issuers) if issuer == one.issuer), None)


def _shares(pairs: Sequence[tuple[str, float]]) -> np.ndarray:
    return np.array([value for _, value in pairs])


def report(said: Sequence[Said]) -> dict[str, Any]:
    """Measures, each plate judged by a fit that had not seen it."""
    found = [one for one in said if one.clues]
    clues, right = np.array([one.clues for one in found]), np.array([one.right for one in found], float)
    groups = np.array([hash_of(one.text) for one in found])
    judged = fitting.across_folds(clues, right, groups)
    plates = np.array([bool(one.text) for one in found])
    parts = {
        "plates": plates,
        "real": plates & np.array([one.real for one in found]),
        "reads": np.ones(len(found), bool),
    }
    wanted = sum(bool(one.text) for one in said)
    lines: dict[str, Any] = {"wanted": wanted, "found": int(plates.sum()), "no_plates": int((~plates).sum())}
    for name, mask in parts.items():
        if mask.sum():
            lines[name] = _measures(judged[mask], right[mask])
    thresholds = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
    lines["kept_right_wrong_at"] = {
        f"{t}": [int((judged >= t).sum()), int(right[judged >= t].sum()), int((1 - right)[judged >= t].sum())]
        for t in thresholds
    }
    return lines


def _measures(judged: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    low, high = fitting.interval(fitting.calibration_error, judged, right)
    return {
        "n": len(right),
        "right": round(float(right.mean()), 4),
        "ece": round(fitting.calibration_error(judged, right), 4),
        "ece_95": [round(low, 4), round(high, 4)],
        "brier": round(fitting.brier(judged, right), 4),
        "reliability": [
            [lower, round(s, 3), round(r, 3), n] for lower, s, r, n in fitting.reliability(judged, right)
        ],
    }


def hash_of(text: str) -> int:
    """A number for a text, the same in every run."""
    return int.from_bytes(text.encode(), "big") % 1_000_003


def write(calibration: Calibration, path: Path) -> None:
    """Puts the numbers into model.toml, in place of those that were there."""
    text = re.split(r"\n*\[calibration\]\n", path.read_text(encoding="utf-8"))[0].rstrip()
    values = asdict(calibration)
    weights = values.pop("weights")
    table = values.pop("table")
    lines = [f"{name} = {value}" for name, value in values.items()]
    lines.append("table = [" + ", ".join(f"[{x}, {y}]" for x, y in table) + "]")
    lines += [
        "",
        "[calibration.weights]",
        *(f"{name} = {value}" for name, value in zip(NAMES, weights, strict=True)),
    ]
    path.write_text(f"{text}\n\n[calibration]\n" + "\n".join(lines) + "\n", encoding="utf-8")


def states(said: Sequence[Said], calibration: Calibration, home: str, at_home: float) -> dict[str, Any]:
    """What the issuers' probabilities are worth in matching; see above."""
    plates = [one for one in said if one.clues and one.issuer.startswith("US-")]
    names = sorted({one.issuer for one in plates})
    prior = {name: at_home if name == home else (1 - at_home) / (len(names) - 1) for name in names}
    number = {name: sum(one.issuer == name for one in plates) for name in names}
    weights = np.array([prior[one.issuer] / number[one.issuer] for one in plates])
    weights /= weights.sum()
    beliefs = {
        "camera": [prior for _ in plates],
        "net": [_net(one, names, calibration.issuer_temperature) for one in plates],
    }
    beliefs["both"] = [_both(net, prior) for net in beliefs["net"]]
    return {
        "plates": len(plates),
        "states": len(names),
        "top1": round(
            float(
                np.mean(
                    [
                        max(b, key=b.__getitem__) == p.issuer
                        for b, p in zip(beliefs["net"], plates, strict=True)
                    ]
                )
            ),
            4,
        ),
        **{name: _worth(plates, belief, prior, weights, calibration) for name, belief in beliefs.items()},
    }


def _net(one: Said, names: Sequence[str], temperature: float) -> dict[str, float]:
    given = dict(one.issuers)
    powers = {name: max(given.get(name, 0.0), _UNSEEN) ** (1 / temperature) for name in names}
    total = sum(powers.values())
    return {name: value / total for name, value in powers.items()}


def _both(net: dict[str, float], prior: dict[str, float]) -> dict[str, float]:
    joint = {name: value * prior[name] for name, value in net.items()}
    total = sum(joint.values())
    return {name: value / total for name, value in joint.items()}


def _worth(
    plates: Sequence[Said],
    beliefs: Sequence[dict[str, float]],
    prior: dict[str, float],
    weights: np.ndarray,
    calibration: Calibration,
) -> dict[str, float]:
    loss, recall, alarms = (np.zeros(len(plates)) for _ in range(3))
    for n, (one, belief) in enumerate(zip(plates, beliefs, strict=True)):
        text = 1.0 if one.right else _text_probability(one, calibration)
        loss[n] = -math.log(max(belief[one.issuer], 1e-9))
        recall[n] = text * belief[one.issuer] >= _MINIMUM
        others = {name: share for name, share in prior.items() if name != one.issuer}
        alarms[n] = sum(v for name, v in others.items() if text * belief[name] >= _MINIMUM) / sum(
            others.values()
        )
    return {
        "log_loss": round(float(loss @ weights), 4),
        "recall": round(float(recall @ weights), 4),
        "false_alarms_per_same_text_entry": round(float(alarms @ weights), 4),
    }


def _text_probability(one: Said, calibration: Calibration) -> float:
    """Probability that the lattice gives to the right text, which is not its first."""
    first = straightened(logistic(calibration.weights, calibration.bias, one.clues), calibration.table)
    texts = [folded(text) for text, _ in one.candidates]
    shares = tempered([value for _, value in one.candidates], calibration.temperature)
    return (
        (1 - first) * calibration.covered * dict(zip(texts, shares, strict=True)).get(folded(one.text), 0.0)
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Fits how far the models are to be believed.")
    parser.add_argument("what", choices=["fit", "states"])
    parser.add_argument("--model", type=Path, required=True, help="folder of one version of the models")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled photographs")
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000, help="drawn plates")
    parser.add_argument(
        "--readable", type=float, default=0.1, help="least probability of a text that is read"
    )
    parser.add_argument("--home", default="US-IL")
    parser.add_argument("--at-home", type=float, default=0.85)
    options = parser.parse_args()
    model = known_versions(options.model.parent)[options.model.name]
    said = collect(model, options)
    if options.what == "states":
        print(json.dumps(states(said, model.calibration, options.home, options.at_home), indent=1))
        return
    fitted = fit(said, model.calibration, options.readable)
    write(fitted, options.model / "model.toml")
    print(json.dumps({"version": model.version, **report(said), "written": asdict(fitted)}, indent=1))


if __name__ == "__main__":
    main()
