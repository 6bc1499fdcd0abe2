"""What a form says, as the services take it."""

import pytest
from starlette.datastructures import FormData

from services.common.errors import InvalidFieldError
from services.console.door import Person
from services.console.sessions import Session


def person(text: str) -> Person:
    """Somebody who has sent a form with `text` in its field `count`."""
    session = Session.begin("access", "refresh", 600)
    return Person(session, None, None, FormData({"count": text}), 60.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "number"), [("", 0), (" 7 ", 7), ("0", 0), ("999999999", 999_999_999)])
def test_a_whole_number_is_taken_and_nothing_is_none(text: str, number: int) -> None:
    assert person(text).number("count") == number


@pytest.mark.parametrize("text", ["-1", "1.5", "seven", "٣", "9999999999", "1e3", "0x10"])
def test_what_no_field_of_a_contract_holds_is_refused_by_the_fields_name(text: str) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        person(text).number("count")

    assert [one.field for one in refusal.value.violations] == ["count"]
