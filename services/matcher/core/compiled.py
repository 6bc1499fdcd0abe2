"""Functions that run as machine code, without the interpreter's lock, and where that code is kept.

It is kept in the folder that the variable NUMBA_CACHE_DIR names, else beside the source. Where that folder
exists but cannot be written to, as in a read-only image, what it holds is used; what it lacks (code for
this processor) is compiled at the start and not kept. An image that runs on several processors is made with
NUMBA_CPU_NAME set.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba.core.caching import UserProvidedCacheLocator

# Its types do not know of what it reads from the environment.
_CONFIG: Final[Any] = numba.config
_Function = TypeVar("_Function", bound=Callable[..., object])


class CarriedCache(UserProvidedCacheLocator):
    """A folder with code that is read and never written."""

    def ensure_cache_path(self) -> None:
        """Nothing is made here."""


def _is_carried() -> bool:
    folder = _CONFIG.CACHE_DIR
    return bool(folder) and Path(folder).is_dir() and not os.access(folder, os.W_OK)


CARRIED: Final = _is_carried()
if CARRIED:
    _CONFIG.CACHE_LOCATOR_CLASSES = f"{__name__}.{CarriedCache.__name__}"


def compiled(function: _Function) -> _Function:
    """`function` as machine code, compiled when it is first called."""
    made: Any
    try:
        made = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder to keep code in
        made = numba.njit(nogil=True)(function)
    if CARRIED:
        # numba looks into the folder first, and would fail when it cannot add to it.
        made._cache.save_overload = _not_saved
    return cast("_Function", made)


def _not_saved(*_: object) -> None:
    pass
