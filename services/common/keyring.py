"""A key that takes another one's place: new things are sealed with it, older ones open with either. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self, TypeVar

_Opened = TypeVar("_Opened")


class Key(bytes):
    """A secret key, and behind it those that only open what was sealed with them before.

    Whoever seals uses it as the bytes that it is; whoever opens tries `every` one.
    """

    others: tuple[bytes, ...]

    def __new__(cls, first: bytes, others: Iterable[bytes] = ()) -> Self:
        """The key `first`, with `others` behind it."""
        made = super().__new__(cls, first)
        made.others = tuple(others)
        return made

    def __repr__(self) -> str:
        """No secret: a key may end in a traceback."""
        return f"<a key and {len(self.others)} before it>"

    __str__ = __repr__


def every(key: bytes) -> tuple[bytes, ...]:
    """The key and all that stand behind it."""
    return (bytes(key), *key.others) if isinstance(key, Key) else (key,)


def opened(
    key: bytes, with_one: Callable[[bytes], _Opened], wrong: type[Exception] | tuple[type[Exception], ...]
) -> _Opened:
    """What `with_one` gives for the first key with which it does not raise one of `wrong`.

    Raises:
        Exception: As `with_one` for the last key, if none fits.
    """
    *earlier, last = every(key)
    for one in earlier:
        try:
            return with_one(one)
        except wrong:
            continue
    return with_one(last)
