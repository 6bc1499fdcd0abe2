"""Trains the plate detector: real photographs in new views, with drawn plates of known corners.

python -m training.train_detector --data FOLDER --fonts FOLDER --work FOLDER --minutes N

FOLDER of --data holds ro/, mixed/ and br-mixed/, each with images/ and labels.csv. The run resumes from
`--work`/detector.pt; `--minutes` is the whole run's length, resumed parts included. Every `--check` minutes
the averaged net is measured on photographs that were held back and on held-back drawn plates, and written as
detector.onnx. Memory: about 4 GB. One thread. Input size and threshold: see training.detector_evaluation.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training import detector_evaluation as evaluation
from training import photographs, plates, scenes
from training.detector_net import DetectorNet, write_onnx
from training.distractors import Writer, strokes
from training.evaluate_detector import examples
from training.fonts import Faces, lettering
from training.photographs import Photograph
from training.run import Checkpoint, Clock, Follower, rate, say
from training.targets import STRIDE, encode

_SHARES = {"ro": 0.35, "mixed": 0.5, "br-mixed": 0.15}
_SIZE = (384, 384)
_BATCH = 16
_RATE, _DECAY = 2e-3, 0.02
_STEEPEST = 10.0  # longest gradient that is followed
_AVERAGE = 0.998
_SCORE_FLOOR = 1e-4
_TELL_EVERY = 50


@dataclass(frozen=True)
class Batch:
    """Pictures and what the net should say; see `targets.Maps`."""

    image: Tensor
    heat: Tensor
    counted: Tensor
    box: Tensor
    corners: Tensor
    box_counts: Tensor
    corners_count: Tensor


def make_batch(rng: random.Random, stock: scenes.Stock, size: tuple[int, int], count: int) -> Batch:
    """`count` new scenes with their maps."""
    drawn = [scenes.draw(rng, stock, *size) for _ in range(count)]
    maps = [encode(scene.plates, scene.ignored, *size) for scene in drawn]

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(one, name) for one in maps]))

    return Batch(
        torch.from_numpy(np.stack([scene.image for scene in drawn])),
        *(stacked(name) for name in ("heat", "counted", "box", "corners", "box_counts", "corners_count")),
    )


def losses(logits: Tensor, geometry: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of the score (focal, bumps forgiven), of the box (L1 and overlap) and of the corners (L1)."""
    logits, geometry = logits[:, 0].float(), geometry.float()
    probability = logits.sigmoid().clamp(_SCORE_FLOOR, 1 - _SCORE_FLOOR)
    centre = (batch.heat == 1).float()
    missed = centre * (1 - probability) ** 2 * probability.log()
    invented = (1 - centre) * (1 - batch.heat) ** 4 * probability**2 * (1 - probability).log()
    score = -((missed + invented) * batch.counted).sum() / centre.sum().clamp(min=1)
    box = ((geometry[:, :4] - batch.box).abs().sum(1) * batch.box_counts).sum()
    overlap = ((1 - _generous_overlap(geometry[:, :4], batch.box)) * batch.box_counts).sum()
    cells = batch.box_counts.sum().clamp(min=1)
    corners = ((geometry[:, 4:] - batch.corners).abs().sum(1) * batch.corners_count).sum()
    return score, (box + 2 * overlap) / cells, corners / batch.corners_count.sum().clamp(min=1)


def _generous_overlap(said: Tensor, true: Tensor) -> Tensor:
    """Generalised intersection over union of boxes [N, 4, h, w] given as in `targets`."""

    def edges(box: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        half_wide = box[:, 2].clamp(-4, 4).exp() * 16 / STRIDE
        half_high = box[:, 3].clamp(-4, 4).exp() * 8 / STRIDE
        return box[:, 0] - half_wide, box[:, 1] - half_high, box[:, 0] + half_wide, box[:, 1] + half_high

    left, top, right, bottom = edges(said)
    to_left, to_top, to_right, to_bottom = edges(true)
    wide = (torch.minimum(right, to_right) - torch.maximum(left, to_left)).clamp(min=0)
    high = (torch.minimum(bottom, to_bottom) - torch.maximum(top, to_top)).clamp(min=0)
    both = wide * high
    either = (right - left) * (bottom - top) + (to_right - to_left) * (to_bottom - to_top) - both
    hull = (torch.maximum(right, to_right) - torch.minimum(left, to_left)) * (
        torch.maximum(bottom, to_bottom) - torch.minimum(top, to_top)
    )
    return both / either.clamp(min=1e-6) - (hull - either) / hull.clamp(min=1e-6)


class Run:
    """Nets, optimiser, and how far they have come. Goes on from the checkpoint, if there is one."""

    def __init__(
        self, work: Path, minutes: float, begun: Callable[[], DetectorNet], top: float = _RATE
    ) -> None:
        self.rate = top
        self.checkpoint = Checkpoint(work / "detector.pt")
        torch.manual_seed(1)
        state = self.checkpoint.load() or {"seen": 0, "spent": 0.0}
        self.net = (DetectorNet() if "net" in state else begun()).to(memory_format=torch.channels_last)
        self.follower = Follower(self.net, _AVERAGE)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), _RATE, weight_decay=_DECAY)
        if "net" in state:
            self.net.load_state_dict(state["net"])
            self.follower.net.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimizer"])
        self.seen = state["seen"]
        self.clock = Clock(minutes, state["spent"])

    def save(self) -> None:
        """Writes the checkpoint."""
        self.checkpoint.save(
            net=self.net.state_dict(),
            average=self.follower.net.state_dict(),
            optimizer=self.optimiser.state_dict(),
            seen=self.seen,
            spent=self.clock.spent,
        )

    def learn(self, batch: Batch) -> np.ndarray:
        """One step; the losses of score, box and corners."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.clock.share, self.rate)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits, geometry = self.net(batch.image)
        score, box, corners = losses(logits, geometry, batch)
        self.optimiser.zero_grad(set_to_none=True)
        (score + box + 3 * corners).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), _STEEPEST)
        self.optimiser.step()
        self.seen += len(batch.image)
        self.follower.follow(self.net)
        return np.array([score.item(), box.item(), corners.item()])


def read_data(folder: Path, places: Path | None) -> tuple[list[Photograph], list[Photograph]]:
    """Photographs for training, and those held back."""
    training: list[Photograph] = []
    held_back: list[Photograph] = []
    for name, share in _SHARES.items():
        learnt, kept = photographs.split(photographs.load(folder / name, places))
        training += [replace(photograph, weight=share / len(learnt)) for photograph in learnt]
        held_back += kept
    return training, held_back


def artists(fonts: Path) -> tuple[Callable[[random.Random], np.ndarray], Writer]:
    """What draws plates, and what writes, with the fonts of a folder."""
    faces = Faces(fonts)

    def draw_plate(rng: random.Random) -> np.ndarray:
        return plates.draw(rng, faces).image

    def write(rng: random.Random, text: str) -> np.ndarray:
        mask = lettering(faces.label(rng.choice(["sans", "sans", "serif", "script"]), rng), 40, text)
        return strokes(rng, text) if mask is None else mask

    return draw_plate, write


def drawn_examples(stock: scenes.Stock, count: int) -> list[evaluation.Example]:
    """Scenes from held-back photographs and plates."""
    rng = random.Random(77)
    drawn = [scenes.draw(rng, stock, 384, 640) for _ in range(count)]
    return [evaluation.Example(scene.image, scene.plates, scene.ignored) for scene in drawn]


def as_detector(net: DetectorNet) -> evaluation.Detector:
    """The net as a function from a picture to maps with peaks only."""

    @torch.no_grad()
    def detect(image: np.ndarray) -> evaluation.Maps:
        logits, geometry = net(torch.from_numpy(image[None]))
        score = logits.sigmoid()
        score = score * (score == functional.max_pool2d(score, 3, 1, 1))
        return score[0, 0].numpy(), geometry[0, :4].numpy(), geometry[0, 4:].numpy()

    net.eval()
    return detect


def check(run: Run, sets: dict[str, list[evaluation.Example]]) -> None:
    """Saves, measures and exports."""
    run.save()
    detect = as_detector(run.follower.net)
    for name, pictures in sets.items():
        report = evaluation.evaluate(detect, pictures, evaluation.LONGEST if name == "real" else None)
        print(f"[{name}] {report.frames} frames, {report.plates} plates")
        print("\n".join(report.lines(evaluation.THRESHOLD)), flush=True)
    write_onnx(run.follower.net, run.checkpoint.path.with_suffix(".onnx"))


def train(run: Run, stock: scenes.Stock, sets: dict[str, list[evaluation.Example]], every: float) -> None:
    """Trains until the run's minutes are over; measures every so many minutes."""
    rng = random.Random(run.seen + 1)
    recent: list[np.ndarray] = []
    next_check = run.clock.spent + every * 60
    while run.clock.share < 1:
        recent.append(run.learn(make_batch(rng, stock, _SIZE, _BATCH)))
        if len(recent) == _TELL_EVERY:
            score, box, corners = np.mean(recent, axis=0).tolist()
            say(minutes=run.clock.spent / 60, seen=run.seen, score=score, box=box, corners=corners)
            recent = []
        if run.clock.spent >= next_check:
            check(run, sets)
            next_check = run.clock.spent + every * 60
    check(run, sets)


def main() -> None:
    """Reads the arguments, makes the stock, trains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--check", type=float, default=20, help="minutes between two measurements")
    parser.add_argument(
        "--places",
        type=Path,
        default=photographs.PLACES,
        help="what the labels leave out: see training.overlooked",
    )
    parser.add_argument("--rate", type=float, default=_RATE, help="of learning, at its highest")
    parser.add_argument("--begin", type=Path, help="a shipped detector, ONNX, to go on from")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    learnt, held_back = read_data(given.data, given.places)
    draw_plate, write = artists(given.fonts)
    stock = scenes.make_stock(learnt, draw_plate, write, given.seed)
    kept = scenes.make_stock(held_back, draw_plate, write, 99, (300, 200))
    sets = {"real": examples(held_back), "drawn": drawn_examples(kept, 200)}
    print(f"{len(learnt)} photographs, {len(held_back)} held back, {len(stock.plates)} plates", flush=True)

    def begun() -> DetectorNet:
        if given.begin is None:
            return DetectorNet()
        shown = make_batch(random.Random(given.seed), stock, _SIZE, 200)
        return DetectorNet.begun(given.begin, shown.image.numpy())

    train(Run(given.work, given.minutes, begun, given.rate), stock, sets, given.check)


if __name__ == "__main__":
    main()
