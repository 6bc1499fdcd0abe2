"""What the auditor's forms carry besides texts: a small file."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import UploadFile

from services.common.errors import FieldViolation, InvalidFieldError
from services.console.door import Person

_MOST_BYTES: Final = 64 * 1024


async def file_text(person: Person, name: str) -> str:
    """The text of a file of the form.

    Raises:
        InvalidFieldError: There is none, or it is too long, or no text.
    """
    sent = person.form.get(name)
    raw = await sent.read(_MOST_BYTES + 1) if isinstance(sent, UploadFile) else b""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > _MOST_BYTES:
        wrong = FieldViolation(name, "Choose a text file of at most 64 KiB.")
        raise InvalidFieldError("a file is missing", violations=[wrong])
    return text
