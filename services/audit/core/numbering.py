"""Which entries of a batch are new, and which index each one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.audit.core.entry import REQUEST_DIGEST, Entry


@dataclass(frozen=True, slots=True)
class Known:
    """An entry that the log holds already, found by its request key."""

    log_index: int
    digest: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where an entry stands. Not `fresh`: it was there before; not `same`: with other content."""

    log_index: int
    fresh: bool
    same: bool


@dataclass(frozen=True, slots=True)
class Numbering:
    """One position for each entry of the batch, and the entries to insert, from index `size` on."""

    positions: tuple[Position, ...]
    fresh: tuple[Entry, ...]


def number(batch: Sequence[Entry], known: Mapping[str, Known], size: int) -> Numbering:
    """Numbers the new entries of `batch` from `size` on, without gaps; repeats get the index of the first."""
    seen = dict(known)
    positions: list[Position] = []
    fresh: list[Entry] = []
    for entry in batch:
        digest = entry.value(REQUEST_DIGEST)
        before = seen.get(entry.request_key)
        if before is None:
            before = seen[entry.request_key] = Known(size + len(fresh), digest)
            fresh.append(entry)
            positions.append(Position(before.log_index, fresh=True, same=True))
        else:
            positions.append(Position(before.log_index, fresh=False, same=before.digest == digest))
    return Numbering(tuple(positions), tuple(fresh))
