"""Secret keys in files: 32 bytes as 64 hexadecimal digits, a line each."""

from pathlib import Path

from services.common.config import ConfigError
from services.common.keyring import Key

KEY_BYTES = 32


MOST_KEYS = 4


def read_key(path: Path, variable: str) -> Key:
    """The key in the first line of `path`; those of further lines stand behind it.

    Args:
        path: A file of lines of 64 hexadecimal digits: one, and more while keys change.
        variable: Setting that named the file, for the error.

    Raises:
        ConfigError: There is no such file, or no such key in it.
    """
    try:
        keys = [bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError):
        keys = []
    fit = keys and len(set(keys)) == len(keys) <= MOST_KEYS and {len(one) for one in keys} == {KEY_BYTES}
    if not fit:
        msg = f"{variable}: {path} does not hold a key of {KEY_BYTES} bytes as hexadecimal digits"
        raise ConfigError(msg)
    return Key(keys[0], keys[1:])
