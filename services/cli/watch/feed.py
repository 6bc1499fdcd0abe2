"""Where the alerts of a watch come from: the client package's stream, with this command's sign-in."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alpr.type.v1.error_reason_pb2 import ErrorReason
from alpr.type.v1.hit_pb2 import HotListCategory
from platewarden_client import AlertStream, LinkState, Pace, RefusedError, ResumeFileError
from services.cli.locate import CommandError
from services.cli.session import Session
from services.common.errors import AlprError, FieldViolation

# The service sends a heartbeat every four seconds. A person who looks at the screen is there to be told soon.
PACE = Pace(quiet_seconds=11.0, first_pause_seconds=0.25, longest_pause_seconds=4.0)
# The service goes back 24 hours; some minutes less, for its clock is not this one.
_LONGEST_BACK = timedelta(hours=24) - timedelta(minutes=5)


def alert_stream(
    session: Session,
    *,
    categories: Iterable[HotListCategory.ValueType] = (),
    motor_carrier: bool = False,
    hours: float = 0,
    resume_file: Path | None = None,
    on_link: Callable[[LinkState], None] | None = None,
) -> AlertStream:
    """The person's alerts; see AlertStream for what it promises. Iterate inside `refusals`.

    Args:
        session: Who asks.
        categories: Wanted besides the floor; none means all.
        motor_carrier: Those of the Motor Carrier Safety data set, and no others.
        hours: Begin with the alerts of so many hours ago, at most 24; 0 begins with the next one.
        resume_file: Where to go on after this program ended; None begins anew each time.
        on_link: Told how the link stands.
    """
    loop = asyncio.get_running_loop()

    def access_token() -> str:
        return asyncio.run_coroutine_threadsafe(session.token(), loop).result()

    return AlertStream(
        session.connection.target("alerts"),
        access_token=access_token,
        resume_file=resume_file,
        ca_file=session.connection.ca_file,
        categories=categories,
        motor_carrier=motor_carrier,
        since=datetime.now(UTC) - min(timedelta(hours=hours), _LONGEST_BACK) if hours else None,
        pace=PACE,
        on_link=on_link,
    )


@contextmanager
def refusals() -> Iterator[None]:
    """Turns the client package's errors into those that every command ends with.

    Raises:
        AlprError: The service refused, and trying again does not mend it.
        CommandError: The resume file cannot be used, or the token cannot be sent.
    """
    try:
        yield
    except RefusedError as error:
        raise typed(error) from None
    except (ResumeFileError, ValueError) as error:
        raise CommandError(str(error)) from None


def typed(error: RefusedError) -> AlprError:
    """The same refusal as the services' own error."""
    fields = [FieldViolation(field, "is not accepted") for field in error.fields]
    made = AlprError(str(error), metadata=error.metadata, violations=fields)
    made.code = error.code
    if error.reason in ErrorReason.keys():  # noqa: SIM118 - an enum's wrapper, not a mapping
        made.reason = ErrorReason.Value(error.reason)
    return made
