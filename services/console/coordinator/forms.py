"""Forms of the coordinator's pages: one that was refused is shown again as it was, with what to change."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.common.errors import AlprError, FieldViolation, InvalidFieldError
from services.console.coordinator.field_names import form_field
from services.console.door import Person
from services.console.moments import written
from services.console.pages import new_id, said, status_of

_CHUNK: Final = 64 * 1024
# Whether these were carried out is not known: the next try has to be the same act.
_UNKNOWN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Forms:
    """What one form of a page said when it was refused; of the other forms nothing.

    Args:
        key: Of the form: its field `form`.
        person: Who sent it, with its fields.
        status: HTTP status of the page.
        sentence: What the service said; `fields` and `clauses` as in `Person.refused`.
    """

    key: str = ""
    person: Person | None = None
    status: int = 200
    sentence: str = ""
    fields: Sequence[FieldViolation] = field(default=())
    clauses: str = ""
    unknown: bool = False

    @classmethod
    def refused(cls, person: Person, error: AlprError) -> Forms:
        """The form that was just refused."""
        told = said(error)
        return cls(
            person.field("form"),
            person,
            status_of(error),
            told["sentence"],
            told["fields"],
            told["clauses"],
            error.code in _UNKNOWN,
        )

    def value(self, key: str, name: str, usual: str = "") -> str:
        """What stood in a field of the form `key`; `usual` where that form was not sent."""
        return self.person.field(name) if self._sent(key) and self.person else usual

    def values(self, key: str, name: str) -> list[str]:
        """The same of a field with several values."""
        return self.person.fields(name) if self._sent(key) and self.person else []

    def at(self, key: str, name: str, usual: str = "") -> str:
        """The same of a moment."""
        return written(self.person, name) if self._sent(key) and self.person else usual

    def wrong(self, key: str) -> Sequence[FieldViolation]:
        """Fields of the form `key` that the service named."""
        return self.fields if self._sent(key) else ()

    def field(self, path: str) -> tuple[str, str]:
        """Name and label, in the form that was sent, of the field `path` that the service named."""
        return form_field(self.key, path)

    def request_id(self, key: str) -> str:
        """The id of the act: a new one, unless nobody knows whether the last one was carried out."""
        return self.value(key, "request_id") if self.unknown and self._sent(key) else new_id()

    def _sent(self, key: str) -> bool:
        return bool(key) and key == self.key


Shown = Callable[[Request, Person, Forms], Awaitable[Response]]
"""A page with its forms."""
Work = Callable[[Request, Person], Awaitable[str]]
"""Carries out what a form asks for, and says to which page the person goes then."""


def act(work: Work, page: Shown) -> Callable[[Request, Person], Awaitable[Response]]:
    """An endpoint that does `work`; what is refused is shown in the form on `page`."""

    async def endpoint(request: Request, person: Person) -> Response:
        try:
            place = await work(request, person)
        except AlprError as error:
            return await page(request, person, Forms.refused(person, error))
        # Else the browser keeps the place of the form in the page, which is another page by now.
        return RedirectResponse(f"{place}#main", 303)

    return endpoint


def plain(page: Shown) -> Callable[[Request, Person], Awaitable[Response]]:
    """The endpoint of `page` where no form was sent."""

    async def endpoint(request: Request, person: Person) -> Response:
        return await page(request, person, Forms())

    return endpoint


def decimal(person: Person, name: str) -> float:
    """A number of the form. Raises InvalidFieldError."""
    try:
        return float(person.field(name))
    except ValueError:
        raise _unreadable(name, "must be a number, as 41.98") from None


async def digest(person: Person, name: str) -> bytes:
    """SHA-256 of the document `name`: as the browser made it, else of the file that was sent; b"" for none.

    Raises:
        InvalidFieldError: It is no SHA-256.
    """
    file = person.form.get(name)
    if isinstance(file, UploadFile) and file.filename:
        made = hashlib.sha256()
        while chunk := await file.read(_CHUNK):
            made.update(chunk)
        return made.digest()
    try:
        return bytes.fromhex(person.field(f"{name}_sha256"))
    except ValueError:
        raise _unreadable(name, "is no SHA-256") from None


def _unreadable(name: str, text: str) -> AlprError:
    return InvalidFieldError("a field cannot be read", violations=[FieldViolation(name, text)])
