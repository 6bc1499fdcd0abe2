"""Trains one of the three small nets on windows of training.make_windows.

python -m training.train_windows --net characters|corners|names|issuer --chunks FOLDER --pattern 'text_*.npz'
    --work DIR [--real 'real_*.npz' --real-share 0.15] [--minutes 60]

Writes DIR/<net>.pt after each report; started again it goes on from there. The first chunk is for validation
only. With --begin the reader goes on from a version that is shipped (training/shipped.py).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.make_windows import ALPHABET
from training.nets import Characters, Corners, Issuer, Names
from training.plates import ISSUERS, KINDS
from training.run import Checkpoint, Chunks, Clock, Follower, rate, say
from training.shipped import begin_with

_BATCH = 128
Batch = list[np.ndarray]


class CharactersTask:
    """CTC on texts; the measure is the share of texts read right."""

    names = ("text", "label")

    def make(self) -> nn.Module:
        """The net, untrained."""
        return Characters()

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What is to become small."""
        windows, labels = torch.from_numpy(batch[0]), torch.from_numpy(batch[1].astype(np.int64))
        return _spelling(net(_wobbled(windows)), labels)

    def measure(self, net: nn.Module, batch: Batch) -> dict[str, float]:
        """Figures for the report."""
        (scores,) = answers(net, batch[0])
        said = [greedy(row) for row in scores.argmax(-1).numpy()]
        meant = [spelled(row) for row in batch[1]]
        right = [folded(a) == folded(b) for a, b in zip(said, meant, strict=True)]
        strict = [a == b for a, b in zip(said, meant, strict=True)]
        return {"strict": float(np.mean(strict)), "fold": float(np.mean(right))}


class CornersTask:
    """Smooth L1 on corners; the measure is the mean error in shares of the window."""

    names = ("corner", "quad", "lines", "split")

    def make(self) -> nn.Module:
        """The net, untrained."""
        return Corners()

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What is to become small."""
        windows, quads = _moved(torch.from_numpy(batch[0]), torch.from_numpy(batch[1]))
        corners, two, split = (part.float() for part in net(windows))
        stacked = torch.from_numpy(batch[2] == 2).float()
        loss = functional.smooth_l1_loss(corners, quads, beta=0.02) * 4
        loss = loss + functional.binary_cross_entropy_with_logits(two, stacked)
        off = functional.smooth_l1_loss(
            split, torch.from_numpy(batch[3]).float(), beta=0.05, reduction="none"
        )
        return loss + (off * stacked).sum() / stacked.sum().clamp(min=1)

    def measure(self, net: nn.Module, batch: Batch) -> dict[str, float]:
        """Figures for the report."""
        corners, two, split = (part.numpy() for part in answers(net, batch[0]))
        off = np.abs(corners - batch[1]).reshape(-1, 4, 2)
        stacked = batch[2] == 2
        return {
            "x": float(off[..., 0].mean()),
            "y": float(off[..., 1].mean()),
            "p95": float(np.percentile(off.max((1, 2)), 95)),
            "lines": float(np.mean((two > 0) == stacked)),
            "split": float(np.abs(split - batch[3])[stacked].mean()),
        }


class NamesTask:
    """CTC on the letters above and below the number, all that the issuer net has of them to begin with."""

    names = ("strips", "words")

    def make(self) -> nn.Module:
        """The part of the issuer net, untrained."""
        return Names()

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What is to become small."""
        known = batch[1][:, 0, 0] >= 0
        words = torch.from_numpy(batch[1][known].astype(np.int64)).flatten(0, 1)
        _, letters = net(_wobbled(torch.from_numpy(batch[0][known]), 2))
        return _spelling(letters, words)

    def measure(self, net: nn.Module, batch: Batch) -> dict[str, float]:
        """Figures for the report."""
        _, letters = answers(net, batch[0])
        return {"words": _spelled(letters, batch[1])}


class IssuerTask:
    """Cross entropy on issuer and kind, and on the issuer by the strips of names alone."""

    names = ("colour", "strips", "issuer", "kind", "words")

    def make(self) -> nn.Module:
        """The net, untrained."""
        return Issuer(len(ISSUERS), len(KINDS))

    def loss(self, net: nn.Module, batch: Batch) -> Tensor:
        """What is to become small."""
        colour, strips = _recoloured(torch.from_numpy(batch[0])), _wobbled(torch.from_numpy(batch[1]), 2)
        meant = torch.from_numpy(batch[2].astype(np.int64))
        issuer, kind, by_name, letters = (scores.float() for scores in net(colour, strips))
        loss = functional.cross_entropy(issuer, meant, label_smoothing=0.05)
        loss = loss + 0.5 * functional.cross_entropy(by_name, meant, label_smoothing=0.05)
        words = torch.from_numpy(batch[4].astype(np.int64)).flatten(0, 1)
        known = words[:, 0] >= 0
        loss = loss + _spelling(letters[known], words[known])
        return loss + 0.3 * functional.cross_entropy(kind, torch.from_numpy(batch[3].astype(np.int64)))

    def measure(self, net: nn.Module, batch: Batch) -> dict[str, float]:
        """Figures for the report."""
        *scores, letters = answers(net, batch[0], batch[1])
        issuer, kind, by_name = (part.numpy().argmax(1) for part in scores)
        american = np.array([name.startswith("US-") for name in ISSUERS])[batch[2]]
        return {
            "issuer": float(np.mean(issuer == batch[2])),
            "state": float(np.mean((issuer == batch[2])[american])),
            "by_name": float(np.mean((by_name == batch[2])[american])),
            "words": _spelled(letters, batch[4]),
            "kind": float(np.mean(kind == batch[3])),
        }


TASKS = {"characters": CharactersTask, "corners": CornersTask, "names": NamesTask, "issuer": IssuerTask}


def answers(net: nn.Module, *windows: np.ndarray) -> tuple[Tensor, ...]:
    """Everything the net says about `windows`, float32, worked out batch by batch."""
    said = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(windows[0]), _BATCH):
            answer = net(*(torch.from_numpy(one[start : start + _BATCH]) for one in windows))
            said.append(answer if isinstance(answer, tuple) else (answer,))
    return tuple(torch.cat(parts).float() for parts in zip(*said, strict=True))


def _spelling(scores: Tensor, labels: Tensor) -> Tensor:
    """CTC loss for a character of `labels` (N x length, ended by 0), from scores N x columns x classes."""
    said = scores.float().log_softmax(-1).transpose(0, 1)
    lengths = (labels > 0).sum(1)
    columns = torch.full((len(labels),), len(said))
    # A text that cannot fit (too many doubled characters for the columns) teaches nothing.
    losses = functional.ctc_loss(said, labels, columns, lengths, reduction="none", zero_infinity=True)
    return (losses / lengths.clamp(min=1)).mean()


def _spelled(letters: Tensor, words: np.ndarray) -> float:
    """Share of the words (N x 2 x length) that scores of letters (2N x columns x classes) spell rightly."""
    rows = words.reshape(-1, words.shape[-1])
    known = rows[:, 0] > 0
    said = [greedy(row) for row in letters.argmax(-1).numpy()[known]]
    meant = [spelled(row) for row in rows[known]]
    return float(np.mean([a == b for a, b in zip(said, meant, strict=True)]))


def greedy(columns: np.ndarray) -> str:
    """The text of the best class of every column: repeats and blanks left out."""
    changed = np.concatenate([[True], columns[1:] != columns[:-1]])
    return spelled(columns[changed])


def spelled(classes: np.ndarray) -> str:
    """The text of classes, 0 being none."""
    return "".join(ALPHABET[n - 1] for n in classes if n)


def folded(text: str) -> str:
    """The text with O and Q as 0 and I as 1."""
    return text.translate(str.maketrans("OQI", "001"))


def _wobbled(windows: Tensor, rows: int = 1) -> Tensor:
    """Windows moved by a few pixels and a little noisier than they were, so that none is seen twice alike.

    Args:
        windows: Whose axes `rows` and the next one are rows and columns.
        rows: See there.
    """
    down, right = int(np.random.randint(-2, 3)), int(np.random.randint(-3, 4))
    moved = torch.roll(windows, (down, right), (rows, rows + 1)).float()
    strength = torch.rand(len(moved), *[1] * (moved.ndim - 1)) * 5
    return (moved + torch.randn_like(moved) * strength).clamp(0, 255)


def _recoloured(windows: Tensor) -> Tensor:
    """Windows in colour, moved a little; every third in colours that are not its issuer's own.

    Special plates are, and an issuer's next design will be.
    """
    moved = _wobbled(windows)
    n = len(moved)
    mixed = torch.rand(n, 3, 3)
    mixed = mixed / mixed.sum(2, keepdim=True)
    other = (torch.rand(n) < 0.33)[:, None, None]
    mixing = torch.where(other, mixed, torch.eye(3))
    gain = 1 + (torch.rand(n, 1, 1, 3) - 0.5) * 0.3
    return (torch.einsum("nhwc,ndc->nhwd", moved, mixing) * gain).clamp(0, 255)


def _moved(windows: Tensor, quads: Tensor) -> tuple[Tensor, Tensor]:
    """Windows cut a little otherwise, with their corners: the box of the detector is never the same."""
    down, right = int(np.random.randint(-4, 5)), int(np.random.randint(-8, 9))
    moved = torch.roll(windows, (down, right), (1, 2))
    # What rolled in from the other side becomes a repeat of the edge.
    if right > 0:
        moved[:, :, :right] = moved[:, :, right : right + 1]
    elif right < 0:
        moved[:, :, right:] = moved[:, :, right - 1 : right]
    if down > 0:
        moved[:, :down] = moved[:, down : down + 1]
    elif down < 0:
        moved[:, down:] = moved[:, down - 1 : down]
    shift = torch.tensor([right / 128, down / 64] * 4)
    return moved, quads + shift


def train(task_name: str, options: argparse.Namespace) -> None:
    """Trains until the minutes are over."""
    task = TASKS[task_name]()
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    chunks, real, held = _data(task.names, options)
    net = task.make().to(memory_format=torch.channels_last)
    if options.begin:
        begin_with(net, options.begin, held[0][:512])
    if options.names:
        net.names.load_state_dict(torch.load(options.names, weights_only=False)["average"])
    checkpoint = Checkpoint(options.work / f"{task_name}.pt")
    optimizer = torch.optim.AdamW(net.parameters(), options.rate, weight_decay=0.01)
    follower, seen, spent = Follower(net), 0, 0.0
    if state := checkpoint.load():
        net.load_state_dict(state["net"])  # type: ignore[arg-type]
        follower.net.load_state_dict(state["average"])  # type: ignore[arg-type]
        optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        seen, spent = int(state["seen"]), float(state["spent"])  # type: ignore[call-overload,arg-type]
    say(net=task_name, parameters=sum(p.numel() for p in net.parameters()), seen=seen)
    clock, losses, reported = Clock(options.minutes, spent), [], time.monotonic()
    while clock.share < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate(clock.share, options.rate)
        batch = chunks.batch(options.batch, rng)
        if real is not None and len(real) and rng.random() < options.real_share:
            batch = real.batch(options.batch, rng)
        losses.append(_step(net, task.loss, batch, optimizer))
        follower.follow(net)
        seen += len(batch[0])
        if time.monotonic() - reported > options.report or clock.share >= 1:
            reported = time.monotonic()
            measured = task.measure(follower.net, held)
            state = {
                "net": net.state_dict(),
                "average": follower.net.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            checkpoint.save(**state, seen=seen, spent=clock.spent)
            say(
                minutes=clock.spent / 60, seen=seen, have=len(chunks), loss=float(np.mean(losses)), **measured
            )
            losses = []
            chunks.refresh()
            if real is not None:
                real.refresh()


def _data(names: tuple[str, ...], options: argparse.Namespace) -> tuple[Chunks, Chunks | None, Batch]:
    first = sorted(options.chunks.glob(options.pattern))[0]
    with np.load(first) as arrays:
        held = [arrays[name][:2500] for name in names]
    # The validation chunk is named first and never read again.
    chunks = Chunks(options.chunks, options.pattern, names, options.most)
    chunks._seen.add(first.name)
    chunks.refresh(1000)
    real = None
    if options.real:
        real = Chunks(options.chunks, options.real, names, options.most)
        real.refresh(1000)
    return chunks, real, held


def _step(
    net: nn.Module,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    batch: Batch,
    optimizer: torch.optim.Optimizer,
) -> float:
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(net, batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def main() -> None:
    """Reads the options and trains."""
    parser = argparse.ArgumentParser(description="Trains one of the small nets.")
    parser.add_argument("--net", choices=sorted(TASKS), required=True)
    parser.add_argument("--chunks", type=Path, required=True)
    parser.add_argument("--pattern", required=True)
    parser.add_argument("--real", help="pattern of windows of real plates")
    parser.add_argument("--real-share", type=float, default=0.15)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="the same net as it was shipped, ONNX, to begin with")
    parser.add_argument("--names", type=Path, help="issuer: the checkpoint of --net names to begin with")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=_BATCH)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--most", type=int, default=900_000, help="samples kept in memory")
    parser.add_argument("--report", type=float, default=60, help="seconds between reports")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train(options.net, options)


if __name__ == "__main__":
    main()
