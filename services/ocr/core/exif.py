"""How the camera was held, from EXIF. Nothing else of it is read."""

from __future__ import annotations

import struct
from typing import Final

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_ENTRY_BYTES: Final = 12
_UPRIGHT: Final = 1
_ORIENTATIONS: Final = range(1, 9)
_BYTE_ORDERS: Final = {b"II*\x00": "<", b"MM\x00*": ">"}


def orientation_of(tiff: bytes) -> int:
    """The orientation, 1 to 8 (EXIF 2.32, 4.6.4); 1, upright, where `tiff` does not say it.

    Args:
        tiff: The TIFF structure that EXIF is: from byte order to end.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return _UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for n in range(entries):
            at = directory + 2 + n * _ENTRY_BYTES
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, at)
            if tag == _ORIENTATION:
                said = kind == _SHORT and count == 1 and value in _ORIENTATIONS
                return value if said else _UPRIGHT
    except struct.error:
        # Broken EXIF says nothing; the picture itself may be whole.
        return _UPRIGHT
    return _UPRIGHT
