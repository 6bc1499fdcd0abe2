"""Holds the contracts to their notices (ENF-051 III.B.3.r).

    python -m services.cli.conformance.notices

Every answer that shows a plate, a place or a picture of a read or hit says, in a field, that it is a lead
only and how far its verification has come; every answer of search says besides how it is recorded. This
program looks at the descriptors of all contracts, so an RPC that is added later is judged without anybody's
thinking of it. It ends with 1 and one line for each answer that lacks something.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

NOTICE: Final = "alpr.type.v1.Notice"
RECEIPT: Final = "alpr.type.v1.AuditReceipt"
MOMENT: Final = "google.protobuf.Timestamp"
# What an answer of search that shows something has besides its notice, by name and type.
PROOF: Final = MappingProxyType(
    {
        "question_receipt": RECEIPT,
        "outcome_receipt": RECEIPT,
        "searched_from": MOMENT,
        "searched_to": MOMENT,
    }
)
# Answers that go to a service of ours and to nobody else; what people are shown of it has its notice there.
BETWEEN_SERVICES: Final = MappingProxyType(
    {
        "alpr.search.v1.ArchiveService.FindForLookBack": "to the matcher, which raises hits of it",
        "alpr.search.v1.ArchiveService.GetLookBackPictures": "to the matcher, for these hits",
    }
)
# Where a camera or a patrol car stands is no read and no hit, nor is the part of the map that one has chosen.
_OTHER_PLACES: Final = frozenset(
    {"alpr.type.v1.Sensor", "alpr.alerts.v1.MapArea", "alpr.alerts.v1.PatrolAsset"}
)
_PLATES: Final = frozenset({"plate", "plates", "plate_text"})


def shows(field: FieldDescriptor) -> bool:
    """Whether the field itself is a plate, a place, a picture, or a piece of a file with any of them."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return field.name in _PLATES
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return field.name == "latitude"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return field.name.endswith("image") or field.name in {"data", "chunk"}
    return False


def bare(message: Descriptor, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths from `message` to what it shows on which no message has a notice."""
    if has_field(message, "notice", NOTICE) or message.full_name in {*seen, *_OTHER_PLACES}:
        return
    for field in message.fields:
        if shows(field):
            yield field.name
        elif field.message_type is not None:
            for rest in bare(field.message_type, (*seen, message.full_name)):
                yield f"{field.name}.{rest}"


def showing(message: Descriptor, seen: tuple[str, ...] = ()) -> bool:
    """Whether the message shows anything, with or without notice."""
    if message.full_name in {*seen, *_OTHER_PLACES}:
        return False
    return any(
        shows(field)
        or (field.message_type is not None and showing(field.message_type, (*seen, message.full_name)))
        for field in message.fields
    )


def has_field(message: Descriptor, name: str, type_name: str) -> bool:
    """Whether the message has a single field of that name and type."""
    field = message.fields_by_name.get(name)
    return (
        field is not None
        and field.message_type is not None
        and field.message_type.full_name == type_name
        and not field.is_repeated
    )


def shortcomings(files: Iterable[FileDescriptor]) -> list[str]:
    """A line for each answer that lacks notice or proof, in the order of the contracts."""
    found = []
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                if method.full_name not in BETWEEN_SERVICES:
                    found += _of_method(file, method)
    return found


def _of_method(file: FileDescriptor, method: MethodDescriptor) -> list[str]:
    answer = method.output_type
    lacking = [f"{method.full_name} shows {path} without a notice" for path in bare(answer)]
    # In a stream the first message carries what is said once of the whole.
    holders = [answer, *(field.message_type for field in answer.fields if field.message_type is not None)]

    def has(name: str, type_name: str) -> bool:
        return any(has_field(holder, name, type_name) for holder in holders)

    if has("question_receipt", RECEIPT) and not has("notice", NOTICE):
        lacking.append(f"{method.full_name} answers a question without a notice")
    if has("question_receipt", RECEIPT) or (file.package == "alpr.search.v1" and showing(answer)):
        wanted = PROOF.items()
        lacking += [f"{method.full_name} lacks {name}" for name, kind in wanted if not has(name, kind)]
    return lacking


def contracts() -> list[FileDescriptor]:
    """The files of all contracts, by name.

    Raises:
        LookupError: There are none: the stubs are not made.
    """
    # Stubs are a namespace package, which pkgutil does not walk.
    roots = [Path(folder) for folder in importlib.import_module("alpr").__path__]
    names = sorted(
        ".".join(("alpr", *file.relative_to(root).with_suffix("").parts))
        for root in roots
        for file in root.rglob("*_pb2.py")
    )
    if not names:
        raise LookupError("there are no contracts to look at: run make setup")
    return [importlib.import_module(name).DESCRIPTOR for name in names]


def main() -> int:
    """0 when nothing is lacking."""
    lacking = shortcomings(contracts())
    for line in lacking:
        print(line, file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
