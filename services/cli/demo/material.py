"""What the demo shows: photographs, generated scenes, and a hot list in the Illinois LEADS layout."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.cli.frames import Picture, photographs
from services.cli.locate import CommandError
from services.cli.scenes import draw_scene

# The photograph of the source package of fast-alpr 0.4.0 (MIT), by its hash, and the plate in it.
_KNOWN_PHOTOGRAPHS = {
    "c154c3e0873fa35076ecf4f611d345c092450217fe75737b2a77183018218255": "5AU5341",
}
_SCENES = 3
_LIST_SIZE = 1_000
_LISTED_SHARE = 3


@dataclass(frozen=True, slots=True)
class Material:
    """Pictures in the order in which they are sent, and the plates of them that the hot list holds."""

    pictures: tuple[Picture, ...]
    listed: tuple[str, ...]
    origin: str


def gather(photos: Path | None, assets: Path, most: int) -> Material:
    """The demo's pictures: those of `photos` or `assets`, and generated scenes when few plates are known.

    A plate is known from a `labels.csv` beside the photographs or from the picture's hash. One in three known
    plates is put on the hot list, the first always.

    Raises:
        CommandError: `photos` holds no photograph.
    """
    folder = photos or assets
    files = photographs(folder) if folder.is_dir() else []
    if not files:
        msg = f"{folder} holds no photograph (.jpg, .jpeg, .png)" + ("" if photos else "; run `make assets`")
        raise CommandError(msg)
    labels = _labels(folder)
    chosen = files[:: max(1, len(files) // most)][:most]
    pictures = [Picture(file.name, file.read_bytes(), None) for file in chosen]
    known = [p for picture in pictures if (p := _plate_of(picture, labels))]
    origin = f"{len(pictures)} photograph(s) from {folder}"
    if len(known) < _LISTED_SHARE:
        scenes = [draw_scene(seed) for seed in range(_SCENES)]
        pictures += [Picture(f"generated-scene-{i}", scene.image, None) for i, scene in enumerate(scenes)]
        known += [scene.plate for scene in scenes]
        origin += f" and {_SCENES} scenes drawn by our own generator (no photographs)"
    return Material(tuple(pictures), tuple(known[::_LISTED_SHARE]), origin)


def leads_file(listed: Sequence[str]) -> bytes:
    """A hot file in the Illinois LEADS layout: `listed` as stolen vehicles among 1,000 invented rows."""
    rows = [leads_row(plate, number) for number, plate in enumerate(listed)]
    rows += [leads_row(_invented(n), n) for n in range(len(listed), _LIST_SIZE)]
    return ("\r\n".join(rows) + "\r\n").encode("iso-8859-1")


def leads_row(plate: str, number: int) -> str:
    """One stolen-vehicle row of the Illinois LEADS hot file (columns as in its layout, 0-based)."""
    return (
        f"{plate:<8.8}ILPCSTOLEN VYR/19 VMA/FORD VMO/FOC VST/4D VCO/SIL     DOT/112026 LDS/V26A{number:04d}"
    )


def _invented(number: int) -> str:
    # Letters that Illinois does not issue in this pattern: no real plate is on the demo's list by accident.
    return f"IQ{number:05d}"


def _labels(folder: Path) -> dict[str, str]:
    path = folder / "labels.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as opened:
        return {row["image"]: row["plate_text"] for row in csv.DictReader(opened) if row.get("plate_text")}


def _plate_of(picture: Picture, labels: dict[str, str]) -> str | None:
    return labels.get(picture.name) or _KNOWN_PHOTOGRAPHS.get(hashlib.sha256(picture.image).hexdigest())
