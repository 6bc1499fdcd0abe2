"""`platewarden search stakeout` and `compare`: who was at several places, and what a file has in common."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1.area_pb2 import Area
from services.cli.locate import CommandError
from services.cli.output import Output
from services.cli.question import Asked, Where, Window, show_notice, show_record, with_options
from services.cli.search import OwnOnly
from services.cli.search_analysis import Limit, TimeZone, ask, fields_of, show_more
from services.cli.session import Session
from services.cli.words import DATA_SET

_CHUNK_BYTES = 128 * 1024
_SCENE = "PLACE;FROM;TO;LABEL"


@with_options
def stakeout(
    asked: Asked,
    window: Window,
    scene: Annotated[
        list[str],
        typer.Option(
            "--scene",
            help=f"{_SCENE}, times in UTC; once for each scene. For instance "
            '"41.97,-87.9,500;2026-11-20T14:00;2026-11-20T14:40;bank". The place may also be a GeoJSON file '
            "with a polygon or a sensor group; the label is not recorded.",
        ),
    ],
    at_least: Annotated[
        int, typer.Option("--at-least", min=2, max=20, help="At so many scenes or more.")
    ] = 2,
    limit: Limit = 100,
    time_zone: TimeZone = "",
    own_only: OwnOnly = False,
) -> None:
    """Which plates were at several of these scenes? The least probable by chance come first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.FindStakeoutRequest(
            **fields_of(asked, own_only),
            page_size=limit,
            scenes=map(parse_scene, scene),
            min_scenes=at_least,
            time_zone=time_zone,
        )
        window.set_in(request)
        answer = await ask(session, "FindStakeout", request, asked)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(
            list(answer.plates),
            ("plate", "scenes", "there by habit on days", "so by chance"),
            map(_visitor, answer.plates),
        )
        found = f"{len(answer.plates)} plate(s) of {answer.plates_considered} at the scenes"
        show_record(answer, found, output)
        show_more(answer, output)

    asked.run(work)


def _visitor(one: Any) -> tuple[str, ...]:
    return (
        one.plate,
        ", ".join(visit.label or str(visit.scene_index + 1) for visit in one.visits),
        ", ".join(f"{visit.usual_days} of {visit.days}" for visit in one.visits),
        f"{one.expected_by_chance:.3g} of all",
    )


def parse_scene(text: str) -> pb.Scene:
    """The scene that PLACE;FROM;TO;LABEL names; the label may be missing.

    Raises:
        CommandError: It cannot be read.
    """
    parts = [part.strip() for part in text.split(";")]
    try:
        place, since, until, *label = parts
        scene = pb.Scene(label="; ".join(label), area=_place(place), to=_moment(until))
        getattr(scene, "from").CopyFrom(_moment(since))
    except ValueError:
        raise CommandError(f"--scene takes {_SCENE}, times as 2026-11-20T14:00 in UTC") from None
    return scene


def _place(text: str) -> Area | None:
    if text.endswith((".json", ".geojson")):
        return Where(within=Path(text)).area()
    return Where(near=text).area() if "," in text else Where(group=text).area()


def _moment(text: str) -> Timestamp:
    time = datetime.fromisoformat(text)
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(UTC) if time.tzinfo else time)
    return stamp


@with_options
def compare(
    file: Annotated[Path, typer.Argument(help="CSV with plates, or with times, latitudes and longitudes.")],
    asked: Asked,
    window: Window,
    rows: Annotated[
        str,
        typer.Option(
            "--rows",
            help='plates: a column "plate"; incidents: columns "time", "latitude" and "longitude". '
            'Both may have a column "label", which is not recorded.',
        ),
    ] = "plates",
    within: Annotated[
        int, typer.Option("--within", min=1, max=10_000, help="Metres from an incident.")
    ] = 500,
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=1440, help="Minutes before or after an incident.")
    ] = 30,
    at_least: Annotated[int, typer.Option("--at-least", min=1, help="At so many incidents or more.")] = 2,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most plates of the answer.")] = 100,
    time_zone: TimeZone = "",
    own_only: OwnOnly = False,
) -> None:
    """What do these rows and the reads have in common? The file is kept nowhere; every row is recorded."""

    async def work(session: Session, output: Output) -> None:
        header = pb.CompareDataSetHeader(
            **fields_of(asked, own_only),
            page_size=limit,
            kind=DATA_SET.number(rows),
            within_meters=within,
            within_minutes=minutes,
            min_incidents=at_least,
            time_zone=time_zone,
        )
        window.set_in(header)
        content = _content(file)
        answer = await ask(session, "CompareDataSet", lambda: _parts(header, content), asked)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(
            list(answer.plates),
            ("plate", "label or incidents", "reads", "first (UTC)", "last (UTC)", "so by chance"),
            map(_compared, answer.plates),
        )
        show_record(answer, f"{len(answer.plates)} plate(s), {answer.compared_rows} row(s) compared,", output)
        show_more(answer, output)

    asked.run(work)


def _compared(one: Any) -> tuple[str, ...]:
    where = ", ".join(visit.label or f"line {visit.line}" for visit in one.visits)
    times = (f"{time.ToDatetime():%Y-%m-%d %H:%M:%S}" for time in (one.first_time, one.last_time))
    chance = f"{one.expected_by_chance:.3g} of all" if one.visits else ""
    return one.plate, one.label or where, str(one.read_count), *times, chance


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None


def _parts(header: pb.CompareDataSetHeader, content: bytes) -> Iterator[pb.CompareDataSetRequest]:
    yield pb.CompareDataSetRequest(header=header)
    for start in range(0, len(content), _CHUNK_BYTES):
        yield pb.CompareDataSetRequest(chunk=content[start : start + _CHUNK_BYTES])
