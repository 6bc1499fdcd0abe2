"""The made world in the matcher's own forms: lists as columns, reads as batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks._match_world import LEAST, PLACES, STATES, Floats, Plates, Reads
from services.matcher.core.batch import Batch
from services.matcher.core.columns import NEVER, NO_DATE, Columns, RawColumns, sorted_columns
from services.matcher.core.packed import ALPHABET, LONGEST, same_state, short_code
from services.matcher.core.plate_type import CLASSES

_CODES: Final = np.array([same_state(short_code(state)) for state in STATES], dtype=np.uint16)
# Countries besides the states among which a reader spreads what it gives to none.
_OTHER_STATES: Final = 60
_LEAST_REST: Final = 1e-6
_STOLEN: Final = 1
# What a listed vehicle carries besides its plate: record number, year, make, model, style, colour.
_VEHICLE: Final = b"\x1f2019\x1fFORD\x1fFOC\x1f4D\x1fSIL"
_DIGITS: Final = 9


def columns_of(plates: Plates, more: Sequence[tuple[str, str]] = ()) -> Columns:
    """A list of stolen vehicles with these plates, each with a record number and a vehicle of its own.

    `more` are further plates with their states, empty where that is not known; their rows come last.
    """
    count = len(plates) + len(more)
    letters = np.frombuffer((" " + ALPHABET).encode(), dtype="S1")
    text = np.zeros((count, LONGEST), dtype="S1")
    text[: len(plates), :PLACES] = letters[plates.classes]
    text[text == b" "] = b""
    plate = text.view(f"S{LONGEST}").ravel()
    state = np.zeros(count, np.uint16)
    state[: len(plates)] = _CODES[plates.states]
    for row, (one, issuer) in enumerate(more, start=len(plates)):
        plate[row], state[row] = one.encode(), same_state(short_code(issuer))
    tail = np.frombuffer(b"V%0*d" % (_DIGITS, 0) + _VEHICLE, np.uint8)
    rows = np.tile(tail, (count, 1))
    number = np.arange(count)
    for place in range(_DIGITS, 0, -1):
        number, digit = np.divmod(number, 10)
        rows[:, place] = digit + ord("0")
    return sorted_columns(
        RawColumns(
            plate=plate,
            state=state,
            category=np.full(count, _STOLEN, np.uint8),
            plate_type=np.zeros(count, np.uint16),
            entry_date=np.full(count, NO_DATE, np.int32),
            expires_at=np.full(count, NEVER, np.int64),
            entry_id=_ids(count),
            text_size=np.full(count, rows.shape[1], np.uint8),
            text=rows.ravel(),
        )
    )


def _ids(count: int) -> npt.NDArray[np.uint8]:
    """Ids that begin with the number of the row, and end with chance."""
    ids = np.random.default_rng(0).integers(0, 256, (count, 16), dtype=np.uint8)
    ids[:, :8] = np.arange(count, dtype=np.int64).view(np.uint8).reshape(count, 8)
    return ids


def batch_of(reads: Reads, states: Floats) -> Batch:
    """The reads as the compiled search takes them, as if they had come over the wire.

    A position is what the reader thinks is a character; what it gives to a blank is lost, as in the contract.
    """
    count = len(states)
    spelt = reads.characters.argmax(axis=2) > 0
    logs = reads.characters[spelt][:, 1:]
    order = np.argsort(-logs, axis=1, kind="stable")
    ranked = np.take_along_axis(logs, order, axis=1)
    named = np.isfinite(ranked)
    batch = Batch(
        position_start=_starts(spelt.sum(axis=1)),
        choice_start=_starts(named.sum(axis=1)),
        choice_code=(order[named] + 1).astype(np.uint8),
        choice_log=ranked[named].astype(np.float32),
        text_start=np.zeros(count + 1, np.int32),
        text_key=np.zeros(0, np.uint64),
        text_mask=np.zeros(0, np.uint16),
        text_pattern=np.zeros(0, np.int32),
        text_log=np.zeros(0, np.float32),
        state_start=np.zeros(count + 1, np.int32),
        state_code=np.zeros(0, np.uint16),
        state_share=np.zeros(0, np.float32),
        state_rest=np.zeros(count, np.float32),
        type_share=np.ones((count, CLASSES * 2), np.float32),
        scope=np.zeros(count, np.int32),
    )
    return with_states(batch, states)


def with_states(batch: Batch, states: Floats) -> Batch:
    """The same reads by a camera that sees their states so."""
    codes, shares, start = _states(states)
    rest = _rest(shares, start)
    return batch._replace(state_start=start, state_code=codes, state_share=shares, state_rest=rest)


def _states(states: Floats) -> tuple[npt.NDArray[np.uint16], Floats, npt.NDArray[np.int32]]:
    """Codes and probabilities of the named states, most probable first, and where each read's begin."""
    order = np.argsort(-states, axis=1, kind="stable")
    shares = np.exp(np.take_along_axis(states, order, axis=1))
    named = shares >= LEAST
    named[:, 0] = True
    return _CODES[order[named]], shares[named].astype(np.float32), _starts(named.sum(axis=1))


def _rest(shares: Floats, start: npt.NDArray[np.int32]) -> Floats:
    named = np.add.reduceat(shares, start[:-1])
    # 0 would mean that nothing is known of the read's state.
    return np.maximum((1.0 - named) / _OTHER_STATES, _LEAST_REST).astype(np.float32)


def _starts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    starts = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return starts
