"""A picture in a terminal: two pixels in each cell, one above the other."""

import io
from typing import Final

from PIL import Image, UnidentifiedImageError
from rich.text import Text

_MOST_ROWS: Final = 18
_UPPER_HALF: Final = "▀"
# Of one pixel: red, green, blue.
_BYTES: Final = 3
# Above this a picture is not one of a plate; opening it would cost memory that nobody has asked for.
_MOST_PIXELS: Final = 4_000_000


def half_blocks(jpeg: bytes, width: int) -> Text | None:
    """The picture, at most `width` cells wide; None when it cannot be read or there is none."""
    if not jpeg:
        return None
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    scale = min(width / picture.width, 2 * _MOST_ROWS / picture.height)
    columns, rows = max(1, int(picture.width * scale)), max(1, int(picture.height * scale) // 2)
    pixels = picture.resize((columns, 2 * rows)).tobytes()
    text = Text(no_wrap=True)
    for row in range(rows):
        text.append("\n" if row else "")
        for column in range(columns):
            upper = _BYTES * (2 * row * columns + column)
            lower = upper + _BYTES * columns
            text.append(_UPPER_HALF, f"{_color(pixels, upper)} on {_color(pixels, lower)}")
    return text


def _color(pixels: bytes, at: int) -> str:
    red, green, blue = pixels[at : at + _BYTES]
    return f"rgb({red},{green},{blue})"
