"""`platewarden subscription`: what you hear of (ENF-051 IV.D.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from alpr.alerts.v1 import alert_filter_pb2 as filter_pb
from alpr.alerts.v1 import alert_service_pb2 as alert_pb
from alpr.alerts.v1 import subscription_service_pb2 as pb
from alpr.alerts.v1 import subscription_service_pb2_grpc as rpc
from alpr.type.v1 import sensor_pb2
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.question import circle_of, polygon_in, with_options
from services.cli.session import Session
from services.cli.words import CATEGORY, SEVERITY

app = typer.Typer(
    no_args_is_help=True,
    help="What you hear of: create, change, list, end. Felony, stolen, AMBER and SILVER always come.",
)

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(?:([a-z,-]+) )?(\d\d:\d\d)-(\d\d:\d\d)", re.ASCII)
Id = Annotated[str, typer.Argument(help="Id of the subscription; `list` shows it.")]
Name = Annotated[str, typer.Argument(help="What you call it, for instance 'night shift'.")]
MotorCarrier = Annotated[bool, typer.Option("--mcs", help="Of the Motor Carrier Safety data set.")]
Names = list[str] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Options that say what is wanted besides the floor; what is not given asks for nothing."""

    category: Annotated[Names, typer.Option("--category", help="What it is about; may be repeated.")] = None
    hot_list: Annotated[Names, typer.Option("--list", help="Id of a hot list; may be repeated.")] = None
    agency: Annotated[Names, typer.Option("--agency", help="ORI of the sensor's or list's agency.")] = None
    group: Annotated[Names, typer.Option("--group", help="Sensor group; may be repeated.")] = None
    unit: Annotated[Names, typer.Option("--unit", help="Unit of your agency that the sensor belongs to.")] = (
        None
    )
    sensor: Annotated[Names, typer.Option("--sensor", help="Id of a sensor; may be repeated.")] = None
    near: Annotated[Names, typer.Option("--near", help="LATITUDE,LONGITUDE,METRES; may be repeated.")] = None
    within: Annotated[
        list[Path] | None, typer.Option("--within", help="GeoJSON file with one polygon; may be repeated.")
    ] = None
    severity: Annotated[str, typer.Option("--severity", help="At least: notice, high or urgent.")] = ""
    match: Annotated[int, typer.Option("--match", help="Match at least so probable, in percent.")] = 0
    hours: Annotated[
        Names, typer.Option("--hours", help="Only then, for instance 'mon-fri 08:00-16:00'.")
    ] = None
    quiet: Annotated[
        Names, typer.Option("--quiet", help="Then without sound, for instance '22:00-06:00'.")
    ] = None
    zone: Annotated[str, typer.Option("--zone", help="Time zone of the hours.")] = "America/Chicago"

    def filter(self) -> filter_pb.AlertFilter:
        """The filter as the contract has it. Raises CommandError."""
        circles = [circle_of(text) for text in self.near or ()]
        polygons = [polygon_in(path) for path in self.within or ()]
        return filter_pb.AlertFilter(
            categories=[CATEGORY.number(word) for word in self.category or ()],
            hot_list_ids=self.hot_list or (),
            agency_oris=self.agency or (),
            sensor_groups=self.group or (),
            sensor_ids=self.sensor or (),
            areas=[
                *(_circle(one.center.latitude, one.center.longitude, one.radius_meters) for one in circles),
                *(_polygon([(one.latitude, one.longitude) for one in shape.corners]) for shape in polygons),
            ],
            min_severity=SEVERITY.number(self.severity) if self.severity else alert_pb.SEVERITY_UNSPECIFIED,
            min_match_percent=self.match,
            hours=[weekly_hours(text, self.zone) for text in self.hours or ()],
            quiet_hours=[weekly_hours(text, self.zone) for text in self.quiet or ()],
            units=self.unit or (),
        )


@app.command("create")
@with_options
def create(
    name: Name,
    wanted: Wanted,
    motor_carrier: MotorCarrier = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Begins a subscription. Without any you hear of everything; several add up."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CreateSubscriptionRequest(
            request_id=new_request_id(),
            name=name,
            filter=wanted.filter(),
            partition=partition(motor_carrier),
        )
        answer: pb.CreateSubscriptionResponse = await session.call(_stub(session).CreateSubscription, request)
        _show(answer.subscription, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("change")
@with_options
def change(
    subscription_id: Id,
    name: Name,
    wanted: Wanted,
    motor_carrier: MotorCarrier = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Puts another name and another choice in place of the ones it has; open streams follow at once."""

    async def work(session: Session, output: Output) -> None:
        request = pb.UpdateSubscriptionRequest(
            request_id=new_request_id(),
            subscription_id=subscription_id,
            name=name,
            filter=wanted.filter(),
            partition=partition(motor_carrier),
        )
        answer: pb.UpdateSubscriptionResponse = await session.call(_stub(session).UpdateSubscription, request)
        _show(answer.subscription, output)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("end")
def end(
    subscription_id: Id,
    motor_carrier: MotorCarrier = False,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Ends a subscription. Who ends the last one hears of everything again."""

    async def work(session: Session, output: Output) -> None:
        request = pb.EndSubscriptionRequest(
            request_id=new_request_id(),
            subscription_id=subscription_id,
            partition=partition(motor_carrier),
        )
        await session.call(_stub(session).EndSubscription, request)
        output.result({"ended": subscription_id}, f"Subscription {escape(subscription_id)} has ended")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


@app.command("list")
def list_all(
    motor_carrier: MotorCarrier = False, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """Your subscriptions, oldest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListSubscriptionsRequest(partition=partition(motor_carrier))
        answer: pb.ListSubscriptionsResponse = await session.call(_stub(session).ListSubscriptions, request)
        for one in answer.subscriptions:
            _show(one, output)
        if not answer.subscriptions:
            output.note("None: you hear of everything that your agency gets")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def partition(motor_carrier: bool) -> sensor_pb2.Partition.ValueType:
    """The data set that `--mcs` names."""
    return sensor_pb2.PARTITION_MOTOR_CARRIER if motor_carrier else sensor_pb2.PARTITION_GENERAL


def weekly_hours(text: str, zone: str) -> filter_pb.WeeklyHours:
    """The hours that "mon-fri 08:00-16:00", "sat,sun 10:00-02:00" or "22:00-06:00" mean.

    Raises:
        CommandError: It means none.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise CommandError("hours are like 'mon-fri 08:00-16:00' or '22:00-06:00'")
    days, begin, end_time = found.groups()
    return filter_pb.WeeklyHours(days=_days(days or ""), begin=begin, end=end_time, time_zone=zone)


def choice(chosen: filter_pb.AlertFilter) -> str:
    """What is chosen, in words."""
    said = [
        ", ".join(CATEGORY.word(one) for one in chosen.categories),
        _named("list", chosen.hot_list_ids),
        _named("agency", chosen.agency_oris),
        _named("group", chosen.sensor_groups),
        _named("unit", chosen.units),
        _named("sensor", chosen.sensor_ids),
        " or ".join(map(_place, chosen.areas)),
        f"at least {SEVERITY.word(chosen.min_severity)}" if chosen.min_severity else "",
        f"match at least {chosen.min_match_percent} %" if chosen.min_match_percent else "",
        " and ".join(map(_spoken, chosen.hours)),
        "quiet " + " and ".join(map(_spoken, chosen.quiet_hours)) if chosen.quiet_hours else "",
    ]
    return "; ".join(one for one in said if one) or "everything"


def _show(subscription: pb.Subscription, output: Output) -> None:
    floor = ", ".join(CATEGORY.word(one) for one in subscription.floor)
    lines = [
        f"[bold]{escape(subscription.name)}[/]  [dim]{subscription.subscription_id}[/]",
        f"  {escape(choice(subscription.filter))}",
        f"  [yellow]widened: {floor} come whatever it says of {', '.join(subscription.widened)}[/]"
        if subscription.widened
        else f"  and always: {floor}",
    ]
    output.result(subscription, "\n".join(lines))


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what} {' or '.join(names)}" if names else ""


def _place(area: filter_pb.MapArea) -> str:
    match area.WhichOneof("shape"):
        case "circle":
            center = area.circle.center
            return f"within {area.circle.radius_meters:g} m of {center.latitude:g},{center.longitude:g}"
        case "polygon":
            return f"inside a polygon of {len(area.polygon.corners)} corners"
        case _:
            return "nowhere"


def _spoken(hours: filter_pb.WeeklyHours) -> str:
    days = ",".join(_DAYS[day - 1] for day in sorted(hours.days))
    return f"{days} {hours.begin}-{hours.end} {hours.time_zone}".strip()


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise CommandError(f"days are {', '.join(_DAYS)}, for instance 'mon-fri' or 'sat,sun'")
        begin, length = _DAYS.index(first), (_DAYS.index(last or first) - _DAYS.index(first)) % len(_DAYS)
        days += [(begin + step) % len(_DAYS) + 1 for step in range(length + 1)]
    return sorted(set(days))


def _circle(latitude: float, longitude: float, meters: float) -> filter_pb.MapArea:
    center = filter_pb.MapPoint(latitude=latitude, longitude=longitude)
    return filter_pb.MapArea(circle=filter_pb.MapCircle(center=center, radius_meters=meters))


def _polygon(corners: Sequence[tuple[float, float]]) -> filter_pb.MapArea:
    points = [filter_pb.MapPoint(latitude=north, longitude=east) for north, east in corners]
    return filter_pb.MapArea(polygon=filter_pb.MapPolygon(corners=points))


def _stub(session: Session) -> rpc.SubscriptionServiceStub:
    return rpc.SubscriptionServiceStub(session.channel("alerts"))
