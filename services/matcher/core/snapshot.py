"""A list's entries as one file, and back: ten million load in a few seconds.

A file holds one version of one list, which never changes: it is stale when the list has another version, and
then nobody asks for it. It begins with a line that says what it is and how the arrays follow; SHA-256 of all
else is in it, so that a file that was cut off or changed is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from services.matcher.core.columns import Columns

# To be raised with every change of what the columns mean.
_FORMAT: Final = "platewarden list 1"
_LONGEST_HEADER: Final = 1 << 16
# Every array begins at a multiple of this: compiled code takes no others.
_ALIGNED: Final = 64


class SnapshotError(ValueError):
    """The file is not a whole snapshot of that version."""


def write_snapshot(hot_list_id: uuid.UUID, version: int, columns: Columns) -> Iterator[bytes | memoryview]:
    """The parts of the file."""
    arrays = [np.ascontiguousarray(getattr(columns, name)) for name in Columns.names()]
    digest = hashlib.sha256()
    for part in _parts(arrays):
        digest.update(part)
    header = {
        "format": _FORMAT,
        "hot_list_id": str(hot_list_id),
        "version": version,
        "sha256": digest.hexdigest(),
        "arrays": [[array.dtype.str, list(array.shape)] for array in arrays],
    }
    head = json.dumps(header).encode()
    yield head.ljust(len(head) + _padding(len(head) + 1)) + b"\n"
    yield from _parts(arrays)


def _parts(arrays: Iterable[npt.NDArray[np.generic]]) -> Iterator[bytes | memoryview]:
    for array in arrays:
        if array.size:
            yield array.data.cast("B")
            yield bytes(_padding(array.nbytes))


def _padding(size: int) -> int:
    return -size % _ALIGNED


def read_snapshot(data: bytearray | memoryview, hot_list_id: uuid.UUID, version: int) -> Columns:
    """The columns in a file; they are views of `data`, which must be writable. Raises SnapshotError."""
    view = memoryview(data)
    head = bytes(view[:_LONGEST_HEADER]).partition(b"\n")[0]
    try:
        header = json.loads(head)
        shapes = [(np.dtype(kind), tuple(shape)) for kind, shape in header["arrays"]]
        said = (header["format"], header["hot_list_id"], header["version"], len(shapes))
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError("the snapshot has no header") from error
    if said != (_FORMAT, str(hot_list_id), version, len(Columns.names())):
        raise SnapshotError("the snapshot is of something else")
    body = view[len(head) + 1 :]
    sizes = [kind.itemsize * int(np.prod(shape)) for kind, shape in shapes]
    if (
        len(body) != sum(size + _padding(size) for size in sizes)
        or hashlib.sha256(body).hexdigest() != header["sha256"]
    ):
        raise SnapshotError("the snapshot is not whole")
    arrays = []
    for (kind, shape), size in zip(shapes, sizes, strict=True):
        arrays.append(np.frombuffer(body[:size], kind).reshape(shape))
        body = body[size + _padding(size) :]
    return Columns(*arrays)
