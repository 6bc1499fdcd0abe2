"""A hot list that comes as gzip or zip, unpacked as it is read; a bomb ends before it does harm."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST_FILE: Final = 2 << 30
"""Bytes of a file after it is unpacked."""
# Lists of fixed columns shrink to a twentieth; a bomb is a thousand times its packed size.
_MOST_TIMES: Final = 100
_ALWAYS_ALLOWED: Final = 1 << 20
# What no layout of a hot list begins with.
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"

_END_RECORD: Final = b"PK\x05\x06"
_END_RECORD_BYTES: Final = 22
_LARGEST_COMMENT: Final = 0xFFFF
_LARGEST_DIRECTORY: Final = 4096
_ENCRYPTED: Final = 1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class PackedFileError(Exception):
    """The file cannot be unpacked; the text says why, in words for the uploader."""


@contextlib.contextmanager
def unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """`file` from its begin, unpacked where it is gzip or a zip of one file; what is neither comes as it is.

    Raises:
        PackedFileError: The zip has not just one plain file in it; or, on reading: it is broken, or unpacks
            to more than 2 GiB or to more than a hundred times its size.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    begin = file.read(len(_ZIP))
    file.seek(0)
    most = min(LARGEST_FILE, _ALWAYS_ALLOWED + _MOST_TIMES * size)
    with contextlib.ExitStack() as stack:
        if begin.startswith(_GZIP):
            plain = stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
            yield _buffered(plain, most)
        elif begin == _ZIP:
            yield _buffered(_only_member(file, size, stack), most)
        else:
            yield file


def _only_member(file: BinaryIO, size: int, stack: contextlib.ExitStack) -> IO[bytes]:
    """The one file of a zip.

    The end of the zip is looked at first: zipfile takes the whole directory into memory, however long the
    directory says it is.
    """
    _check_end(file, size)
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
        (member,) = archive.infolist()
        if member.is_dir() or member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise PackedFileError("the zip must hold one file, neither encrypted nor in a rare compression")
        return stack.enter_context(archive.open(member))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise PackedFileError("the zip is broken") from None


def _check_end(file: BinaryIO, size: int) -> None:
    file.seek(max(0, size - _END_RECORD_BYTES - _LARGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(_END_RECORD)
    record = tail[at : at + _END_RECORD_BYTES]
    if at < 0 or len(record) < _END_RECORD_BYTES:
        raise PackedFileError("the zip is broken: its end is missing")
    entries, directory = int.from_bytes(record[10:12], "little"), int.from_bytes(record[12:16], "little")
    if entries != 1 or directory > _LARGEST_DIRECTORY or b"PK\x06\x07" in tail:
        raise PackedFileError("the zip must hold just one file, in the plain format of files below 4 GiB")
    file.seek(0)


def _buffered(plain: gzip.GzipFile | IO[bytes], most: int) -> BinaryIO:
    return io.BufferedReader(_Bounded(plain, most), buffer_size=1 << 16)


class _Bounded(io.RawIOBase):
    """Reads on until more than `most` bytes have come."""

    def __init__(self, plain: gzip.GzipFile | IO[bytes], most: int) -> None:
        self._plain = plain
        self._left = most

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """The bytes put into `buffer`. Raises PackedFileError."""
        view = memoryview(buffer)
        try:
            data = self._plain.read(len(view))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
            raise PackedFileError("the packed file is broken or cut off") from None
        self._left -= len(data)
        if self._left < 0:
            raise PackedFileError("the file unpacks to more than 2 GiB, or to more than 100 times its size")
        view[: len(data)] = data
        return len(data)
