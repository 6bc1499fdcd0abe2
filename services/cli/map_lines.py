"""Lines on the map, as people give them on the command line."""

import json
from pathlib import Path
from typing import Any

from alpr.search.v1.area_pb2 import MapPoint
from services.cli.locate import CommandError


def line_points(text: str) -> list[MapPoint]:
    """The points of "LATITUDE,LONGITUDE LATITUDE,LONGITUDE ...", or of the one line in a GeoJSON file.

    Raises:
        CommandError: It is neither.
    """
    if text.endswith((".json", ".geojson")):
        return _from_file(Path(text))
    try:
        pairs = [tuple(map(float, pair.split(","))) for pair in text.split()]
        return [MapPoint(latitude=latitude, longitude=longitude) for latitude, longitude in pairs]
    except ValueError:
        raise CommandError(
            '--line takes "LATITUDE,LONGITUDE LATITUDE,LONGITUDE ..." or a GeoJSON file'
        ) from None


def _from_file(path: Path) -> list[MapPoint]:
    try:
        shape: Any = json.loads(path.read_text(encoding="utf-8"))
        if shape["type"] == "FeatureCollection":
            (shape,) = shape["features"]
        if shape["type"] == "Feature":
            shape = shape["geometry"]
        points = {"LineString": shape["coordinates"]}[shape["type"]]
        return [MapPoint(latitude=latitude, longitude=longitude) for longitude, latitude, *_ in points]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise CommandError(f"{path} holds no GeoJSON with one line") from None
