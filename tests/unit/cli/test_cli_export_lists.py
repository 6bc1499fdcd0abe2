"""The full export has every list of the contracts, or says why not: a list that is added later is noticed."""

from __future__ import annotations

import pytest

from services.audit.department_pages import DEPARTMENT, MOTOR_CARRIER_HOUSE
from services.cli.conformance.notices import contracts
from services.cli.export_lists import LISTS

# By what else the export has what such a list shows.
ELSEWHERE = {
    "ListAcknowledgements": "log.jsonl: each is an act of its person",
    "ListAlerts": "alerts/",
    "ListAssets": "alerts/assets/",
    "ListComparedLists": "hot_lists/lists/ and sensor_groups",
    "ListDeadLetters": "alerts/webhook_messages/",
    "ListDeliveries": "alerts/deliveries/",
    "ListDispositions": "alerts/, between services",
    "ListEntries": "log.jsonl",
    "ListHeldReads": "held/",
    "ListHotListVersions": "hot_lists/lists/",
    "ListHotLists": "hot_lists/lists/",
    "ListLocalEntries": "hot_lists/local/",
    "ListOwnEntries": "log.jsonl",
    "ListOwnReviews": "reviews",
    "ListQuarantinedUploads": "hot_lists/quarantined/",
    "ListSignIns": "log.jsonl: each sign-in is an entry, and its end an act",
    "ListSubscriptions": "alerts/subscriptions/",
    "ListUnfinished": "log.jsonl",
    "ListWebhooks": "alerts/webhooks/",
}


@pytest.mark.clause("IV.A.3")
def test_every_list_of_the_contracts_is_in_the_export_or_elsewhere_in_it() -> None:
    listed = {
        method.name
        for file in contracts()
        for service in file.services_by_name.values()
        for method in service.methods
        if method.name.startswith("List")
    }

    exported = {one.method for one in LISTS.values() if one.method.startswith("List")}

    assert listed - exported == set(ELSEWHERE) - exported
    assert not exported & set(ELSEWHERE)


@pytest.mark.clause("IV.A.3")
def test_the_verifier_wants_just_the_lists_that_the_command_writes() -> None:
    assert set(DEPARTMENT.lists) == set(LISTS)
    assert set(MOTOR_CARRIER_HOUSE.lists) < set(LISTS)


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_list_is_one_that_the_contract_has(name: str) -> None:
    wanted = LISTS[name]

    assert wanted.request.DESCRIPTOR.name == f"{wanted.method}Request"
    answer = next(
        method.output_type
        for file in contracts()
        for service in file.services_by_name.values()
        for method in service.methods
        if method.name == wanted.method
    )
    assert wanted.items in answer.fields_by_name
