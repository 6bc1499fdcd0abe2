"""Everything about webhooks, put together: where they are set up, and who posts."""

import asyncio

from services.alerts.app_acts import AlertActs
from services.alerts.app_webhooks import Webhooks
from services.alerts.config import AlertsSettings
from services.alerts.core.target import parse_networks
from services.alerts.entitlement import EntitlementTerms
from services.alerts.feed import Feed
from services.alerts.server_webhooks import WebhookServicer
from services.alerts.store import AlertStore
from services.alerts.store_webhook_messages import MessageStore
from services.alerts.store_webhooks import WebhookStore
from services.alerts.store_writer import Change, Done
from services.alerts.webhook_delivery import DeliveryParts, Pace
from services.alerts.webhook_runner import WebhookRunner
from services.alerts.webhook_secrets import WebhookSecrets
from services.alerts.webhook_sender import WebhookSender, tls_of
from services.common.clock import Clock
from services.common.groupcommit import GroupCommit
from services.common.keyfile import read_key
from services.common.pg import Listener, Pool


class WebhookRoom:
    """The servicer, and the runner with what wakes it, from `start` to `stop`."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts, put together in one place
        self,
        settings: AlertsSettings,
        pool: Pool,
        writes: GroupCommit[Change, Done],
        terms: EntitlementTerms,
        feed: Feed,
        clock: Clock,
    ) -> None:
        """Nothing happens yet.

        Raises:
            ConfigError: A file holds no key or no certificates.
        """
        alerts, webhooks, messages = AlertStore(pool), WebhookStore(pool), MessageStore(pool)
        secrets = WebhookSecrets(read_key(settings.image_kek_file, "PW_IMAGE_KEK_FILE"))
        acts = AlertActs(alerts, writes, terms.audit, clock)
        self.servicer = WebhookServicer(
            Webhooks(acts, webhooks, messages, writes, terms.audit, secrets, clock)
        )
        sender = WebhookSender(
            parse_networks(settings.webhook_networks),
            tls_of(settings.webhook_ca_file),
            settings.webhook_timeout_seconds,
        )
        self._runner = WebhookRunner(
            DeliveryParts(
                feed=feed,
                alerts=alerts,
                webhooks=webhooks,
                messages=messages,
                writes=writes,
                secrets=secrets,
                sender=sender,
                terms=terms,
                clock=clock,
                source=settings.webhook_source,
                pace=_pace(settings),
            )
        )
        database_url = settings.database_url.get_secret_value()
        self._listener = Listener(database_url, "alerts_webhooks", lambda _: self._runner.wake())
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to post. The feed is known already."""
        await self._listener.__aenter__()
        self._task = asyncio.create_task(self._runner.run())

    async def stop(self) -> None:
        """Returns when nothing is posted any more, and other replicas may take over."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._runner.close()
        await self._listener.__aexit__(None, None, None)


def _pace(settings: AlertsSettings) -> Pace:
    # A hold lasts longer than the longest try begun under it, so that two replicas never post at once.
    return Pace(
        post_seconds=settings.webhook_timeout_seconds,
        hold_seconds=settings.webhook_timeout_seconds + settings.webhook_takeover_seconds,
        halted_seconds=settings.webhook_halted_seconds,
    )
