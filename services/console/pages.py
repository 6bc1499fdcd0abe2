"""Pages out of templates, with every value escaped; and what a person reads when something was refused."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import grpc
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from services.common.errors import AlprError
from services.console import answers, words
from services.console.field_names import form_field

_FOLDER: Final = Path(__file__).parent / "templates"
_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 422,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
# Beside the page: what is written in its form can be sent afterwards.
_SIGN_IN: Final = Markup(
    '{}. <a href="/sign-in?anew=1&amp;page=/signed-in-again" target="_blank" rel="noopener">Sign in '
    "again</a> in a window of its own, and come back to this one."
)


class Pages:
    """Makes pages. A name that a template does not get is an error, and no empty place.

    `known` are values that every template has.
    """

    def __init__(self, **known: Any) -> None:
        self.known: Mapping[str, Any] = known
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "word": words.word,
            "words": words.words,
            "time": time_element,
            "person": None,
            "locks_after": 0,
            "wrong_with": wrong_with,
            "form_field": form_field,
            "tile_url": "",
            "new_id": new_id,
            "left_out": answers.left_out,
            "packed": answers.packed,
            "receipt_text": answers.text_of,
            **known,
        }

    def make(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page of `template` with `values`."""
        return HTMLResponse(self._templates.get_template(template).render(**values), status)

    def error(self, sentence: str, status: int, **values: Any) -> HTMLResponse:
        """A page with one sentence on what went wrong."""
        return self.make(
            "error.html", status, title="It was not done", sentence=sentence, fields=(), clauses="", **values
        )

    def refused(self, error: AlprError, **values: Any) -> HTMLResponse:
        """What a service refused: its sentence, the fields to change, the clauses that say so."""
        return self.make("error.html", status_of(error), title="Refused", **said(error), **values)


def said(error: AlprError) -> Mapping[str, Any]:
    """What a refusal says: `sentence`, `fields` (each with `field` and `description`) and `clauses`."""
    signed_out = error.code is grpc.StatusCode.UNAUTHENTICATED
    return {
        "sentence": _SIGN_IN.format(error.message) if signed_out else error.message,
        "fields": error.violations,
        "clauses": error.metadata.get("clauses", ""),
    }


def new_id() -> str:
    """The id of one act: drawn when its form is made, so that a double click is one act."""
    return str(uuid.uuid4())


def wrong_with(fields: Any, *names: str) -> list[str]:
    """What is said of a field by one of its `names`, or of one below it: forms may name it otherwise."""
    return [
        one.description
        for one in fields
        if any(one.field == name or one.field.startswith((f"{name}.", f"{name}[")) for name in names)
    ]


def status_of(error: AlprError) -> int:
    """The HTTP status of a refusal."""
    return _STATUS.get(error.code, 500)


def time_element(stamp: Any) -> Markup:
    """A moment as <time>, in UTC; a script of the page shows it in the reader's own time. Empty for none."""
    if not stamp.seconds:
        return Markup("")
    at = words.moment(stamp)
    utc = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", utc, utc)
