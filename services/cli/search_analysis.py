"""`platewarden search convoy`, `pattern`, `summary` and `corridor`: what no single read answers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from alpr.search.v1 import analysis_service_pb2 as pb
from alpr.search.v1 import analysis_service_pb2_grpc as rpc
from services.cli.map_lines import line_points
from services.cli.options import new_request_id
from services.cli.output import Output
from services.cli.question import Asked, Where, Window, show_notice, show_record, with_options
from services.cli.search import OwnOnly
from services.cli.session import Session
from services.cli.words import CORRIDOR_DIRECTION, SUMMARY_DIMENSION

TimeZone = Annotated[
    str,
    typer.Option("--time-zone", help='Days and hours are those of it, for instance "America/Chicago".'),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="Most rows of the answer.")]
Plate = Annotated[str, typer.Argument(help="The plate, without wildcards; blanks and dashes are dropped.")]
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@with_options
def convoy(
    plate: Plate,
    asked: Asked,
    window: Window,
    within: Annotated[int, typer.Option("--within", min=1, max=600, help="Seconds before or after.")] = 60,
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=50, help="At so many cameras or more.")] = 3,
    limit: Limit = 100,
    time_zone: TimeZone = "",
    own_only: OwnOnly = False,
) -> None:
    """Which plates travel with this one? The least probable by chance come first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.FindConvoyRequest(
            **fields_of(asked, own_only),
            page_size=limit,
            plate=plate,
            within_seconds=within,
            min_cameras=cameras,
            time_zone=time_zone,
        )
        window.set_in(request)
        answer = await ask(session, "FindConvoy", request, asked)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(
            list(answer.companions),
            ("plate", "cameras", "journeys", "by habit", "so by chance", "last met (UTC)", "remark"),
            map(_companion, answer.companions),
        )
        found = (
            f"{len(answer.companions)} plate(s) of {answer.plates_met} that were met on "
            f"{answer.journey_count} journey(s), {answer.sighting_count} passage(s),"
        )
        show_record(answer, found, output)
        if answer.sightings_left_out:
            output.note("Only the newest thousand reads of the plate count; ask for a shorter window.")
        show_more(answer, output)

    asked.run(work)


def _companion(one: Any) -> tuple[str, ...]:
    last = one.meetings[-1]
    return (
        one.plate,
        str(one.camera_count),
        str(one.journey_count),
        f"{one.expected_journeys:.2f}",
        f"{one.expected_by_chance:.3g} of all met",
        f"{last.time.ToDatetime():%Y-%m-%d %H:%M:%S} {last.sensor_id}",
        "perhaps the same vehicle, misread" if one.may_be_misread else "",
    )


@with_options
def pattern(
    plate: Plate,
    asked: Asked,
    window: Window,
    limit: Limit = 200,
    time_zone: TimeZone = "",
    geojson: Annotated[Path | None, typer.Option("--geojson", help="Write the map data there.")] = None,
    own_only: OwnOnly = False,
) -> None:
    """Where and when is this plate usually seen? Places, a week of hours, and map data."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetPatternRequest(
            **fields_of(asked, own_only), page_size=limit, plate=plate, time_zone=time_zone
        )
        window.set_in(request)
        answer = await ask(session, "GetPattern", request, asked)
        if geojson is not None:
            geojson.write_text(answer.geojson, encoding="utf-8")
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        columns = ("sensor", "place", "reads", "days", "first (UTC)", "last (UTC)")
        output.table(list(answer.places), columns, map(_place, answer.places))
        output.table(
            list(answer.weekdays),
            (answer.time_zone, *(f"{hour:02d}" for hour in range(24))),
            map(_week, answer.weekdays),
        )
        show_record(answer, f"{answer.read_count} read(s) on {answer.day_count} day(s)", output)
        show_more(answer, output)

    asked.run(work)


def _place(one: Any) -> tuple[str, ...]:
    times = (f"{time.ToDatetime():%Y-%m-%d %H:%M}" for time in (one.first_time, one.last_time))
    return one.sensor_id, one.place, str(one.read_count), str(one.day_count), *times


def _week(row: Any) -> tuple[str, ...]:
    return _WEEKDAYS[row.weekday - 1], *(str(count) if count else "·" for count in row.hour_counts)


@with_options
def summary(
    asked: Asked,
    window: Window,
    where: Where,
    by: Annotated[
        str,
        typer.Option("--by", help=f"Up to three of {', '.join(SUMMARY_DIMENSION.words)}; joined by commas."),
    ] = "",
    plates: Annotated[bool, typer.Option("--plates", help="Count different plates, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=5000, help="Most rows of the answer.")] = 1000,
    time_zone: TimeZone = "",
    own_only: OwnOnly = False,
) -> None:
    """How many reads were there, by time, place or origin? Shows no plate."""

    async def work(session: Session, output: Output) -> None:
        names = [name.strip() for name in by.split(",") if name.strip()]
        request = pb.SummarizeRequest(
            **fields_of(asked, own_only),
            page_size=limit,
            area=where.area(),
            dimensions=[SUMMARY_DIMENSION.number(name) for name in names],
            time_zone=time_zone,
            count_plates=plates,
        )
        window.set_in(request)
        answer = await ask(session, "Summarize", request, asked)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(
            list(answer.rows),
            (*names, "reads", *(["plates"] if plates else [])),
            (
                (*row.values, str(row.read_count), *([str(row.plate_count)] if plates else []))
                for row in answer.rows
            ),
        )
        show_record(answer, f"{answer.read_count} read(s)", output)
        show_more(answer, output)

    asked.run(work)


@with_options
def corridor(
    asked: Asked,
    window: Window,
    line: Annotated[
        str,
        typer.Option(
            "--line", help='"LATITUDE,LONGITUDE LATITUDE,LONGITUDE ...", or a GeoJSON file with a line.'
        ),
    ],
    within: Annotated[int, typer.Option("--within", min=1, max=5000, help="Metres off the line.")] = 100,
    direction: Annotated[str, typer.Option("--direction", help="either, forward or backward.")] = "either",
    cameras: Annotated[int, typer.Option("--cameras", min=2, max=50, help="At so many cameras or more.")] = 2,
    max_gap: Annotated[
        int, typer.Option("--max-gap", min=1, max=1440, help="Most minutes from one camera to the next.")
    ] = 60,
    limit: Limit = 100,
    own_only: OwnOnly = False,
) -> None:
    """Who travelled along this line, which way, and how fast? Needs --from and --to, at most 7 days apart."""

    async def work(session: Session, output: Output) -> None:
        request = pb.FindCorridorRequest(
            **fields_of(asked, own_only),
            page_size=limit,
            line=line_points(line),
            within_meters=within,
            direction=CORRIDOR_DIRECTION.number(direction),
            min_cameras=cameras,
            max_gap_minutes=max_gap,
        )
        window.set_in(request)
        answer = await ask(session, "FindCorridor", request, asked)
        if output.as_json:
            output.json_line(answer)
            return
        show_notice(answer, output)
        output.table(
            list(answer.journeys),
            ("plate", "first camera (UTC)", "last camera (UTC)", "cameras", "way", "km", "km/h"),
            map(_journey, answer.journeys),
        )
        found = f"{len(answer.journeys)} journey(s) along {answer.line_meters / 1000:.1f} km"
        show_record(answer, found, output)
        show_more(answer, output)

    asked.run(work)


def _journey(one: Any) -> tuple[str, ...]:
    ends = (
        f"{passage.time.ToDatetime():%Y-%m-%d %H:%M:%S} {passage.sensor_id}"
        for passage in (one.passages[0], one.passages[-1])
    )
    cameras = len({passage.sensor_id for passage in one.passages})
    return (
        one.plate,
        *ends,
        str(cameras),
        CORRIDOR_DIRECTION.word(one.direction),
        f"{one.distance_meters / 1000:.1f}",
        f"{one.mean_kilometers_per_hour:.0f}",
    )


def fields_of(asked: Asked, own_only: bool) -> dict[str, Any]:
    """What every request has: its id, why it is asked, and of whose reads."""
    return {
        "request_id": new_request_id(),
        "justification": asked.justification(),
        "own_agency_only": own_only,
    }


async def ask(session: Session, name: str, request: Any, asked: Asked) -> Any:
    """The answer of that method of AnalysisService, once its receipts are where the person wants them."""
    method = getattr(rpc.AnalysisServiceStub(session.channel("search")), name)
    answer = await session.call(method, request)
    asked.keep_receipts(answer)
    return answer


def show_more(answer: Any, output: Output) -> None:
    """Says that rows were left out, where it is so."""
    if answer.has_more:
        output.note("There is more than --limit; ask for a shorter window, a smaller place, or stricter.")
