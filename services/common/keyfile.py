"""Secret keys in files: 32 bytes as 64 hexadecimal digits."""

from pathlib import Path

from services.common.config import ConfigError

KEY_BYTES = 32


def read_key(path: Path, variable: str) -> bytes:
    """The 32 bytes that `path` holds.

    Args:
        path: A file of 64 hexadecimal digits, white space around them ignored.
        variable: Setting that named the file, for the error.

    Raises:
        ConfigError: There is no such file, or no such key in it.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        msg = f"{variable}: {path} does not hold a key of {KEY_BYTES} bytes as hexadecimal digits"
        raise ConfigError(msg)
    return key
