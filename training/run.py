"""What the trainings share: moving averages, the rate, checkpoints to resume from, chunks as they come."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Follower:
    """The moving average of a net's weights, which is what is exported."""

    def __init__(self, net: nn.Module, decay: float = 0.999) -> None:
        self.net = copy.deepcopy(net).eval()
        self._decay, self._steps = decay, 0

    def follow(self, net: nn.Module) -> None:
        """One step nearer to `net`; the first steps go faster."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            for mine, its in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
                if mine.dtype.is_floating_point:
                    mine.lerp_(its, 1 - decay)
                else:
                    mine.copy_(its)


class Clock:
    """How far a training of so many minutes is, across restarts."""

    def __init__(self, minutes: float, spent: float) -> None:
        self._total, self._before, self._start = minutes * 60, spent, time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds of training so far."""
        return self._before + time.monotonic() - self._start

    @property
    def share(self) -> float:
        """0 at the start, 1 at the end."""
        return min(1.0, self.spent / self._total)


def rate(share: float, top: float, warm: float = 0.01) -> float:
    """Learning rate: a short rise, then a cosine down to a hundredth."""
    if share < warm:
        return top * (0.1 + 0.9 * share / warm)
    return top * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (share - warm) / (1 - warm))))


class Chunks:
    """Arrays of the chunk files of a pattern, picked up as they appear.

    Args:
        folder: Where they lie.
        pattern: A glob.
        names: The arrays that are kept.
        most: Samples kept; when there are more, the oldest chunk goes.
    """

    def __init__(self, folder: Path, pattern: str, names: Sequence[str], most: int) -> None:
        self._folder, self._pattern, self._names, self._most = folder, pattern, names, most
        self._seen: set[str] = set()
        self._chunks: list[dict[str, np.ndarray]] = []

    def __len__(self) -> int:
        return sum(len(chunk[self._names[0]]) for chunk in self._chunks)

    def refresh(self, at_once: int = 4) -> None:
        """Takes up to `at_once` new files."""
        for path in sorted(self._folder.glob(self._pattern)):
            if path.name in self._seen or path.name.endswith(".part.npz"):
                continue
            with np.load(path) as arrays:
                self._chunks.append({name: arrays[name] for name in self._names})
            self._seen.add(path.name)
            while len(self) - len(self._chunks[0][self._names[0]]) >= self._most:
                self._chunks.pop(0)
            at_once -= 1
            if not at_once:
                return

    def batch(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """`size` samples of each array, from a handful of chunks so that memory is touched together."""
        out: list[list[np.ndarray]] = [[] for _ in self._names]
        parts = min(8, size)
        weights = np.array([len(c[self._names[0]]) for c in self._chunks], float)
        for n in range(parts):
            chunk = self._chunks[rng.choice(len(self._chunks), p=weights / weights.sum())]
            rows = rng.integers(0, len(chunk[self._names[0]]), (size + n) // parts)
            for kept, name in zip(out, self._names, strict=True):
                kept.append(chunk[name][rows])
        return [np.concatenate(kept) for kept in out]


class Checkpoint:
    """The state of a training in one file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def load(self) -> dict[str, object] | None:
        """What was saved; None at the first start."""
        return torch.load(self.path, weights_only=False) if self.path.exists() else None

    def save(self, **state: object) -> None:
        """Saves `state`; a stop in the middle leaves the one before."""
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.rename(self.path)


def say(**values: object) -> None:
    """A line of progress, JSON."""
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in values.items()}), flush=True)
