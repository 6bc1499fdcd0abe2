"""Filters of open streams, as the process knows them."""

from uuid import UUID, uuid4

import pytest

from services.alerts.core.model import Category, Partition
from services.alerts.core.subscription import Filter
from services.alerts.store_subscriptions import Version
from services.alerts.subscription_book import Followed

OFFICER = "officer"
WANTED = '{"categories": ["HOT_LIST_CATEGORY_WANTED"]}'


def version(revision: int, chosen: str | None, subscription_id: UUID | None = None) -> Version:
    """A change that counts from ten times its number on."""
    return Version(
        subscription_id or uuid4(), OFFICER, Partition.GENERAL, chosen, revision, from_position=10 * revision
    )


def test_every_position_has_the_filters_of_the_changes_before_it() -> None:
    first, second = uuid4(), uuid4()
    followed = Followed(OFFICER, Partition.GENERAL)

    followed.take([version(1, WANTED, first), version(3, None, first), version(2, "{}", second)])

    wanted = Filter(categories=frozenset({Category.WANTED}))
    assert followed.at(9) == ()
    assert followed.at(10) == (wanted,)
    assert followed.at(20) == (wanted, Filter())
    assert followed.at(30) == (Filter(),)


@pytest.mark.clause("IV.D.1")
@pytest.mark.parametrize(
    "chosen",
    [
        '{"a_field_of_a_later_release": ["x"]}',
        '{"categories": ["HOT_LIST_CATEGORY_OF_A_LATER_RELEASE"]}',
        '{"hours": [{"begin": "08:00", "end": "16:00", "time_zone": "Nowhere/At_All"}]}',
    ],
)
def test_a_choice_that_this_process_does_not_understand_keeps_no_alert_from_anybody(chosen: str) -> None:
    followed = Followed(OFFICER, Partition.GENERAL)

    followed.take([version(1, WANTED), version(2, chosen)])

    assert Filter() in followed.at(20)
