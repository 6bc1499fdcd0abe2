"""Fits and measures of probabilities: logistic regression, isotonic table, temperature, calibration error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

_STEPS = 60
_TINY = 1e-9


def logistic_fit(clues: np.ndarray, right: np.ndarray, strength: float = 1e-3) -> tuple[np.ndarray, float]:
    """Weights and bias of a logistic regression, by Newton's method with a little ridge on the weights."""
    mean, spread = clues.mean(axis=0), clues.std(axis=0) + _TINY
    x = np.column_stack([(clues - mean) / spread, np.ones(len(clues))])
    ridge = np.diag([strength * len(clues)] * clues.shape[1] + [_TINY])
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        said = sigmoid(x @ weights)
        slope = x.T @ (said - right) + ridge @ weights
        curve = (x * (said * (1 - said))[:, None]).T @ x + ridge
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < _TINY:
            break
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ mean)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """The logistic function, safe for any value."""
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))


def isotonic_table(said: np.ndarray, right: np.ndarray, knots: int = 12) -> list[tuple[float, float]]:
    """Pairs of a probability and what it becomes, rising, from 0 to 1, of about equal numbers of samples.

    Neighbours that fall are pooled (Ayer et al., 1955). Every knot counts one sample more that was right by
    half, so that none says 0 or 1.
    """
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, min(knots, max(1, len(said) // 20))) if len(part)]
    blocks = [
        [float(said[p].sum()), float(right[p].sum()) + 0.5, float(len(p)) + 1, float(len(p))] for p in parts
    ]
    merged: list[list[float]] = []
    for block in blocks:
        merged.append(block)
        while len(merged) > 1 and merged[-2][1] / merged[-2][2] >= merged[-1][1] / merged[-1][2]:
            last = merged.pop()
            merged[-1] = [a + b for a, b in zip(merged[-1], last, strict=True)]
    middle = [(total / count, wins / weight) for total, wins, weight, count in merged]
    first, last_knot = middle[0], middle[-1]
    below = (0.0, first[1] * first[0] * 0.5) if first[0] > 0 else (0.0, 0.0)
    return [below, *middle, (1.0, max(last_knot[1], 1 - (1 - last_knot[1]) * 0.5))]


def followed(said: np.ndarray, table: Sequence[tuple[float, float]]) -> np.ndarray:
    """What the table makes of probabilities."""
    return np.interp(said, [x for x, _ in table], [y for _, y in table])


def temperature_fit(shares: Sequence[np.ndarray], true: Sequence[int]) -> float:
    """The temperature under which the true choices are likeliest; `shares` holds the probabilities."""
    grid = np.exp(np.linspace(np.log(0.25), np.log(6), 60))

    def loss(temperature: float) -> float:
        total = 0.0
        for values, index in zip(shares, true, strict=True):
            powers = np.log(np.maximum(values, 1e-12)) / temperature
            powers -= powers.max()
            total -= float(powers[index] - np.log(np.exp(powers).sum()))
        return total

    return float(min(grid, key=loss)) if shares else 1.0


def calibration_error(said: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    index = np.minimum((said * bins).astype(int), bins - 1)
    gaps = [
        np.mean(index == n) * abs(said[index == n].mean() - right[index == n].mean())
        for n in np.unique(index)
    ]
    return float(sum(gaps))


def brier(said: np.ndarray, right: np.ndarray) -> float:
    """Mean squared difference."""
    return float(np.mean((said - right) ** 2))


def reliability(said: np.ndarray, right: np.ndarray, bins: int = 10) -> list[tuple[float, float, float, int]]:
    """For each bin that is not empty: its lower edge, mean probability, share that was right, number."""
    index = np.minimum((said * bins).astype(int), bins - 1)
    return [
        (n / bins, float(said[index == n].mean()), float(right[index == n].mean()), int((index == n).sum()))
        for n in np.unique(index)
    ]


def interval(
    measure: Callable[[np.ndarray, np.ndarray], float],
    said: np.ndarray,
    right: np.ndarray,
    draws: int = 1000,
    seed: int = 1,
) -> tuple[float, float]:
    """The middle 95 % of a measure over samples drawn anew with replacement (Efron's bootstrap)."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        pick = rng.integers(0, len(said), len(said))
        values.append(measure(said[pick], right[pick]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Probability of a difference at least as large, were both as good: McNemar's exact test, two-sided."""
    only_ours = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    only_theirs = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    count, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    return min(1.0, 2 * sum(math.comb(count, k) for k in range(fewer + 1)) / 2**count)


def across_folds(clues: np.ndarray, right: np.ndarray, groups: np.ndarray, folds: int = 5) -> np.ndarray:
    """What a fit on the other folds says of each sample; samples of one group are in one fold."""
    said = np.zeros(len(right))
    fold = groups % folds
    for n in range(folds):
        test, train = fold == n, fold != n
        if not test.any():
            continue
        weights, bias = logistic_fit(clues[train], right[train])
        table = isotonic_table(sigmoid(clues[train] @ weights + bias), right[train])
        said[test] = followed(sigmoid(clues[test] @ weights + bias), table)
    return said
