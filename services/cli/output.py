"""What a command prints: tables and sentences for people, one JSON document a line with `--json`."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from alpr.type.v1.error_reason_pb2 import ErrorReason
from services.common.errors import AlprError


class Output:
    """Where a command writes: results to standard output, everything else to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        self._stderr = Console(stderr=True, highlight=False, soft_wrap=True)

    def result(self, value: Message | Mapping[str, Any], sentence: str) -> None:
        """Prints one result: `value` as a JSON line, or `sentence` (rich markup) for people."""
        if self.as_json:
            self.json_line(value)
        else:
            self.console.print(sentence)

    def table(
        self, values: Sequence[Message], columns: Sequence[str | Column], rows: Iterable[Sequence[str]]
    ) -> None:
        """Prints many results: one JSON line for each of `values`, or `rows` under `columns` for people."""
        if self.as_json:
            for value in values:
                self.json_line(value)
            return
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def json_line(self, value: Message | Mapping[str, Any]) -> None:
        """Prints `value` as one line of JSON; protobuf messages with their own field names."""
        document = message_to_dict(value) if isinstance(value, Message) else value
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, sentence: str) -> None:
        """Prints a sentence of a story (rich markup); with `--json` as a document with its `text`."""
        if self.as_json:
            self.json_line({"text": Text.from_markup(sentence).plain.strip()})
        else:
            self.console.print(sentence)

    def note(self, sentence: str) -> None:
        """Prints a sentence about the way, never part of the result."""
        self._stderr.print(sentence, style="dim")

    def error(self, error: AlprError) -> None:
        """Prints why a call failed: the sentence, what to change, and the clauses that refuse."""
        if self.as_json:
            self.json_line({"error": describe(error)})
            return
        self._stderr.print(f"[bold red]Refused:[/] {escape(error.message)}")
        for violation in error.violations:
            self._stderr.print(f"  [bold]{escape(violation.field)}[/]: {escape(violation.description)}")
        if clauses := error.metadata.get("clauses"):
            self._stderr.print(f"  ENF-051 {escape(clauses)}", style="dim")

    def sentence_error(self, sentence: str) -> None:
        """Prints why the command itself could not be carried out."""
        if self.as_json:
            self.json_line({"error": {"reason": "COMMAND", "message": sentence}})
        else:
            self._stderr.print(f"[bold red]platewarden:[/] {escape(sentence)}")


def folded(*names: str) -> tuple[Column, ...]:
    """Columns whose cells are folded on a narrow screen and never cut off."""
    return tuple(Column(name, overflow="fold") for name in names)


def message_to_dict(message: Message) -> dict[str, Any]:
    """The message as JSON-ready values, with the contract's own field names."""
    document: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return document


def describe(error: AlprError) -> dict[str, Any]:
    """The error as JSON-ready values: code, reason, message, metadata and field violations."""
    return {
        "code": error.code.name,
        "reason": ErrorReason.Name(error.reason),
        "message": error.message,
        "metadata": dict(error.metadata),
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
    }
