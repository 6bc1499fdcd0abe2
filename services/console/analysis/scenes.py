"""Who was at several places, and what a file and the reads have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.datastructures import UploadFile

from alpr.search.v1 import analysis_service_pb2 as pb
from services.common.errors import FieldViolation
from services.console import words
from services.console.analysis.page import Analysis, asked_by, fields_of
from services.console.door import Person
from services.console.question import area, number, set_window

_MOST_SCENES: Final = 20
_SHOWN_SCENES: Final = 3
_SCENE_FIELDS: Final = ("label", "from", "to", "around", "area", "sensor_group", "sensors")
_CHUNK_BYTES: Final = 128 * 1024
# One more than search takes, so that it is search which refuses a file that is too long.
_MOST_BYTES: Final = 1024 * 1024 + 1


def _scenes(person: Person) -> int:
    """How many scenes the form has; those left empty at its end do not count."""
    written = [
        number
        for number in range(_MOST_SCENES)
        if any(person.field(f"scene-{number}-{name}") for name in _SCENE_FIELDS)
    ]
    return written[-1] + 1 if written else 0


def _parse_stakeout(person: Person, wrong: list[FieldViolation]) -> pb.FindStakeoutRequest:
    request = pb.FindStakeoutRequest(
        **fields_of(person),
        min_scenes=number(person, "min_scenes", wrong),
        page_size=number(person, "page_size", wrong),
    )
    set_window(request, person, wrong)
    for n in range(_scenes(person)):
        prefix, path = f"scene-{n}-", f"scenes[{n}]."
        scene = pb.Scene(label=person.field(f"{prefix}label"))
        place = area(person, wrong, prefix=prefix, path=f"{path}area")
        if place is not None:
            scene.area.CopyFrom(place)
        set_window(scene, person, wrong, prefix=prefix, path=path)
        request.scenes.append(scene)
    return request


def _more_scenes(person: Person, _answer: Any) -> dict[str, Any]:
    shown = max(_SHOWN_SCENES, _scenes(person), number(person, "shown_scenes", []))
    wanted = shown + 1 if person.field("more_scenes") else shown
    return {"scene_numbers": range(min(wanted, _MOST_SCENES)), "most_scenes": _MOST_SCENES}


def _parse_compare(person: Person, wrong: list[FieldViolation]) -> tuple[pb.CompareDataSetHeader, bytes]:
    header = pb.CompareDataSetHeader(
        **fields_of(person),
        kind=pb.DataSetKind.ValueType(number(person, "kind", wrong)),
        within_meters=number(person, "within_meters", wrong),
        within_minutes=number(person, "within_minutes", wrong),
        min_incidents=number(person, "min_incidents", wrong),
        page_size=number(person, "page_size", wrong),
    )
    set_window(header, person, wrong)
    file = person.form.get("file")
    return header, file.file.read(_MOST_BYTES) if isinstance(file, UploadFile) else b""


async def _ask_compare(person: Person, request: tuple[pb.CompareDataSetHeader, bytes]) -> Any:
    header, content = request

    async def parts() -> AsyncIterator[pb.CompareDataSetRequest]:
        yield pb.CompareDataSetRequest(header=header)
        for start in range(0, len(content), _CHUNK_BYTES):
            yield pb.CompareDataSetRequest(chunk=content[start : start + _CHUNK_BYTES])

    return await asked_by("CompareDataSet")(person, parts())


def _more_compare(_person: Person, _answer: Any) -> dict[str, Any]:
    return {"data_sets": words.choices(pb.DataSetKind)}


STAKEOUT: Final = Analysis(
    "/search/stakeout",
    "Stakeout",
    "analysis/stakeout.html",
    _parse_stakeout,
    asked_by("FindStakeout"),
    _more_scenes,
)
COMPARE: Final = Analysis(
    "/search/compare", "Comparison", "analysis/compare.html", _parse_compare, _ask_compare, _more_compare
)
