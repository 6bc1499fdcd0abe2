"""Whole lists of what a coordinator sees; the services decide how much of each that is."""

from __future__ import annotations

from typing import Any

from alpr.audit.v1 import account_service_pb2 as account_pb
from alpr.audit.v1 import account_service_pb2_grpc as account_rpc
from alpr.audit.v1 import governance_service_pb2 as agency_pb
from alpr.audit.v1 import governance_service_pb2_grpc as agency_rpc
from alpr.audit.v1 import sensor_service_pb2 as sensor_pb
from alpr.audit.v1 import sensor_service_pb2_grpc as sensor_rpc
from alpr.audit.v1 import unit_service_pb2 as unit_pb
from alpr.audit.v1 import unit_service_pb2_grpc as unit_rpc
from alpr.type.v1 import sensor_pb2
from services.console.door import Person


async def every(person: Person, stub: Any, name: str, request: Any, of: str) -> list[Any]:
    """All messages of a paged list, field `of` of its answers. Raises AlprError."""
    found: list[Any] = []
    while True:
        answer = await person.call(stub, name, request)
        found.extend(getattr(answer, of))
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def accounts(person: Person) -> list[account_pb.Account]:
    """Accounts, by name. Raises AlprError."""
    request = account_pb.ListAccountsRequest(page_size=200)
    return await every(person, account_rpc.AccountServiceStub, "ListAccounts", request, "accounts")


async def units(person: Person) -> list[unit_pb.Unit]:
    """Units, by code. Raises AlprError."""
    request = unit_pb.ListUnitsRequest(page_size=500)
    return await every(person, unit_rpc.UnitServiceStub, "ListUnits", request, "units")


async def agencies(person: Person) -> list[agency_pb.Agency]:
    """Agencies, by ORI. Raises AlprError."""
    request = agency_pb.ListAgenciesRequest(page_size=500)
    return await every(person, agency_rpc.GovernanceServiceStub, "ListAgencies", request, "agencies")


async def agreements(person: Person) -> list[agency_pb.Agreement]:
    """Agreements of the person's agency. Raises AlprError."""
    request = agency_pb.ListAgreementsRequest(page_size=500)
    return await every(person, agency_rpc.GovernanceServiceStub, "ListAgreements", request, "agreements")


async def sensors(person: Person) -> list[sensor_pb2.Sensor]:
    """Sensors, by id. Raises AlprError."""
    request = sensor_pb.ListSensorsRequest(page_size=500)
    return await every(person, sensor_rpc.SensorServiceStub, "ListSensors", request, "sensors")
