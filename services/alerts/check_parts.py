"""Questions to LEADS and NCIC, put together."""

from alpr.alerts.v1 import verification_service_pb2_grpc as rpc
from services.alerts.app_acts import AlertActs
from services.alerts.app_checks import RecordChecks
from services.alerts.audit import AuditClient
from services.alerts.config import AlertsSettings
from services.alerts.connector import Connector
from services.alerts.server_checks import VerificationServicer
from services.alerts.store import AlertStore
from services.alerts.store_checks import CheckStore
from services.alerts.store_writer import Change, Done
from services.common.clock import Clock
from services.common.groupcommit import GroupCommit
from services.common.pg import Pool
from services.common.server import ServerBuilder

SERVICE = "alpr.alerts.v1.VerificationService"


def add_checks(  # noqa: PLR0913, PLR0917 - the parts, put together in one place
    builder: ServerBuilder,
    settings: AlertsSettings,
    pool: Pool,
    writes: GroupCommit[Change, Done],
    audit: AuditClient,
    clock: Clock,
) -> None:
    """Serves them with `builder`, which also ends the channel to the connector."""
    connector = Connector(settings)
    acts = AlertActs(AlertStore(pool), writes, audit, clock)
    servicer = VerificationServicer(RecordChecks(acts, CheckStore(pool), connector, clock))
    builder.add(SERVICE, rpc.add_VerificationServiceServicer_to_server, servicer).on_stop(connector.close)
