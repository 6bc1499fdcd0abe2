"""What a sensor said of itself, as the matcher passes it on: taken, or refused by the field."""

import pytest

from alpr.search.v1 import archive_service_pb2 as pb
from services.common.errors import InvalidFieldError
from services.search.wire_sensor_health import parse_status


def request(sensor_id: str) -> pb.RecordSensorStatusRequest:
    """A status of that sensor, whole else."""
    made = pb.RecordSensorStatusRequest()
    made.status.sensor_id = sensor_id
    made.status.sensor_time.GetCurrentTime()
    made.receive_time.CopyFrom(made.status.sensor_time)
    return made


def test_a_status_is_of_the_sensor_that_it_names() -> None:
    assert parse_status(request("i90-mile-79")).sensor_id == "i90-mile-79"


@pytest.mark.parametrize("sensor_id", ["", "\0", "a\0b", "UTC\0", "two\nlines", "x" * 1000])
def test_an_id_that_no_sensor_can_have_is_refused_and_never_reaches_the_database(sensor_id: str) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        parse_status(request(sensor_id))

    assert [one.field for one in refusal.value.violations] == ["status.sensor_id"]
