"""Page tokens that somebody made up."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from alpr.matcher.v1 import hot_list_service_pb2 as lists_pb
from alpr.matcher.v1 import scope_service_pb2 as scope_pb
from services.common.errors import InvalidFieldError
from services.matcher import wire_lists, wire_scope

PARSERS: tuple[tuple[Callable[[Any], Any], Any], ...] = (
    (wire_lists.parse_list, lists_pb.ListHotListsRequest),
    (wire_scope.parse_list, scope_pb.ListSensorGroupsRequest),
)


@pytest.mark.parametrize("token", ["?", "AAAA", base64.urlsafe_b64encode(b"a\0b").decode(), "_w=="])
@pytest.mark.parametrize(("parse", "request_type"), PARSERS, ids=["lists", "groups"])
def test_a_page_token_that_was_made_up_is_a_wrong_field(
    parse: Callable[[Any], Any], request_type: Any, token: str
) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        parse(request_type(page_token=token))

    assert [one.field for one in caught.value.violations] == ["page_token"]
