"""Starts the alerts service: `python -m services.alerts`."""

from datetime import timedelta
from uuid import uuid4

import grpc

from alpr.alerts.v1 import alert_service_pb2_grpc as rpc
from alpr.alerts.v1 import export_service_pb2_grpc as export_rpc
from alpr.alerts.v1 import webhook_service_pb2_grpc as webhook_rpc
from services.alerts.app import Alerts
from services.alerts.app_export import AlertExports
from services.alerts.audit import AuditClient
from services.alerts.background import Background
from services.alerts.check_parts import add_checks
from services.alerts.config import AlertsSettings
from services.alerts.dispatch_parts import Ground, dispatch_parts
from services.alerts.entitlement import EntitlementTerms
from services.alerts.feed import Feed
from services.alerts.live_settings import LiveSettings
from services.alerts.measures import AlertMeasures
from services.alerts.outbox import OutboxDrainer
from services.alerts.people_parts import people_parts
from services.alerts.pictures import Pictures
from services.alerts.server import AlertServicer
from services.alerts.server_export import AlertExportServicer
from services.alerts.store import AlertStore
from services.alerts.store_dispositions import DispositionStore
from services.alerts.store_export import ExportStore
from services.alerts.store_export_parts import PartStore
from services.alerts.store_outbox import OutboxStore
from services.alerts.store_subscriptions import SubscriptionStore
from services.alerts.store_writer import AlertWriter, Change, Done
from services.alerts.subscription import Pace, Subscriptions
from services.alerts.subscription_book import SubscriptionBook
from services.alerts.tokens import TokenSealer
from services.alerts.webhook_room import WebhookRoom
from services.common.client import service_channel
from services.common.clock import Clock, SystemClock
from services.common.clock_check import clock_check
from services.common.groupcommit import GroupCommit
from services.common.keyfile import read_key
from services.common.logs import configure
from services.common.paged_export import PagedExport
from services.common.pg import open_pool
from services.common.server import ServerBuilder, run, serve
from services.common.tracing import Remembered

SERVICE = "alpr.alerts.v1.AlertService"
EXPORT_SERVICE = "alpr.alerts.v1.AlertExportService"
WEBHOOK_SERVICE = "alpr.alerts.v1.WebhookService"


async def build(settings: AlertsSettings, clock: Clock) -> ServerBuilder:
    """The server with everything behind it at work, not yet listening.

    Raises:
        ConfigError: A key file holds no key.
        StorageUnavailableError: The database cannot be reached.
    """
    database_url = settings.database_url.get_secret_value()
    objects = settings.image_store()
    await objects.check()
    pictures = Pictures(objects, read_key(settings.image_kek_file, "PW_IMAGE_KEK_FILE"))
    token_key = read_key(settings.token_key_file, "PW_TOKEN_KEY_FILE")
    sealer = TokenSealer(token_key)
    pool = await open_pool(database_url, application_name="alerts")
    channel = service_channel(settings.audit_target, settings.client_tls, server_name="audit")
    audit = AuditClient(channel, timeout_seconds=settings.audit_timeout_seconds)
    live, store = LiveSettings(settings, channel), AlertStore(pool)
    traces, window = Remembered(), timedelta(seconds=settings.passage_window_seconds)
    writer = AlertWriter(
        pool, clock, passage_window=window, new_id=uuid4, periods=live.periods, traces=traces
    )
    writes = GroupCommit[Change, Done](writer.flush, name="alerts")
    alerts = Alerts(store, writes, audit, pictures, clock)
    book = SubscriptionBook(SubscriptionStore(pool))
    feed = Feed(store, book, ring_size=settings.feed_ring_size)
    subscriptions = Subscriptions(feed, store, book, sealer, clock=clock, pace=_pace(settings))
    terms = EntitlementTerms(audit, clock, live.telecom_grace, report=alerts.report_continuation)
    servicer = AlertServicer(alerts, DispositionStore(pool), subscriptions, terms)
    stores = (ExportStore(pool), PartStore(pool))
    exports = AlertExportServicer(AlertExports(_records(settings, channel), stores, pictures))
    dispatch = dispatch_parts(Ground(pool, writes, audit, terms, clock, _pace(settings)))
    drainer = OutboxDrainer(OutboxStore(pool), audit, traces)
    background = Background(database_url, feed, drainer, dispatch.timers, dispatch.bells)
    webhooks = WebhookRoom(settings, pool, writes, terms, feed, clock)
    live.start()
    await background.start()
    await webhooks.start()
    builder = ServerBuilder(settings, name="alerts").measure("alerts", AlertMeasures(pool).take)
    builder.add(SERVICE, rpc.add_AlertServiceServicer_to_server, servicer).health_check(store.check)
    builder.health_check(clock_check(pool))
    people_parts(pool, writes, audit, token_key, clock).add_to(builder)
    builder.add(EXPORT_SERVICE, export_rpc.add_AlertExportServiceServicer_to_server, exports)
    dispatch.add_to(builder)
    add_checks(builder, settings, pool, writes, audit, clock)
    builder.add(WEBHOOK_SERVICE, webhook_rpc.add_WebhookServiceServicer_to_server, webhooks.servicer)
    # The last one goes first: posts end, then writes, then what follows them, then what all stand on.
    builder.on_stop(pool.close).on_stop(channel.close).on_stop(live.stop).on_stop(background.stop).on_stop(
        writes.close
    )
    return builder.on_stop(webhooks.stop)


def _records(settings: AlertsSettings, channel: grpc.aio.Channel) -> dict[bool, PagedExport]:
    """Where pages of the export are recorded; Motor Carrier Safety as True, by actions of its own."""
    return {
        apart: PagedExport(
            channel,
            look=f"{house}alert.export",
            leave=f"{house}alert.leave",
            timeout_seconds=settings.audit_timeout_seconds,
        )
        for apart, house in ((False, ""), (True, "mcs_"))
    }


def _pace(settings: AlertsSettings) -> Pace:
    return Pace(
        heartbeat_seconds=settings.heartbeat_seconds,
        backlog=settings.subscriber_backlog,
        stall_seconds=settings.subscriber_stall_seconds,
    )


async def _main() -> None:
    settings = AlertsSettings.from_environment()
    configure("alerts", level=settings.log_level, log_format=settings.log_format)
    await serve(await build(settings, SystemClock()))


if __name__ == "__main__":
    run(_main())
