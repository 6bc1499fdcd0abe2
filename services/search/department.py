"""Wiring of ExportService: what holds have kept, and the seal of a full export (ENF-051 IV.A.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alpr.search.v1 import export_service_pb2
from alpr.search.v1.export_service_pb2_grpc import add_ExportServiceServicer_to_server
from services.common.server import ServerBuilder
from services.search.acts import Acts
from services.search.app_department import DepartmentExports, House
from services.search.app_holds import Holds
from services.search.core.dissemination import Recipient, RecipientKind
from services.search.core.houses import HouseNames
from services.search.departures import Departures
from services.search.server_department import ExportServer
from services.search.wire_evidence import for_whom
from services.search.wire_export import write_page

_SERVICE: Final = export_service_pb2.DESCRIPTOR.services_by_name["ExportService"].full_name


def department_house(names: HouseNames, holds: Holds, departures: Departures) -> House:
    """A data set as its export knows it."""
    return House(holds.reads, departures, "dissemination.everything", names.action("export.seal"))


def add_export(builder: ServerBuilder, acts: Acts, houses: Mapping[bool, House]) -> ServerBuilder:
    """`builder` with ExportService."""
    exports = DepartmentExports(acts, houses, write_page, for_whom(Recipient(RecipientKind.OWN_USE)))
    return builder.add(_SERVICE, add_ExportServiceServicer_to_server, ExportServer(exports))
