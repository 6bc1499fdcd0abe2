"""Use cases: webhooks are proposed, approved, looked at and ended, each with its intent in the log before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import grpc

from services.alerts.app_acts import AlertActs
from services.alerts.audit import DONE, FAILED, Act, AuditClient, Recorded
from services.alerts.core.signature import secret_text
from services.alerts.core.webhook import Health, Letter, State, Webhook
from services.alerts.entitlement import who_is
from services.alerts.store_webhook_ends import Retry
from services.alerts.store_webhook_messages import MessageStore
from services.alerts.store_webhooks import (
    Kept,
    Proposal,
    Rotation,
    WebhookAct,
    WebhookStore,
    is_fresh,
    overlap_end,
)
from services.alerts.store_writer import Change, Done
from services.alerts.webhook_secrets import WebhookSecrets
from services.alerts.wire_webhooks import About, LetterPage, Wish
from services.common.clock import Clock
from services.common.errors import (
    AlprError,
    NotFoundError,
    NotPermittedError,
    StorageUnavailableError,
    WrongStateError,
)
from services.common.groupcommit import GroupCommit
from services.common.identity import AccessToken

# The same request of the same person proposes the same webhook, however often it is sent.
_NAMES = UUID("5b1f6f0a-7f6b-4b36-9a7e-3f0d6c5d1e42")
_ACTIONS = {State.ACTIVE: "webhook.approve", State.ENDED: "webhook.end"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A webhook and how it does; `secret` is empty where it may not be shown."""

    kept: Kept
    health: Health
    secret: str = ""


class Webhooks:
    """Every change has its intent in the log before, and its outcome in its own transaction."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts, put together in one place
        self,
        acts: AlertActs,
        webhooks: WebhookStore,
        messages: MessageStore,
        writes: GroupCommit[Change, Done],
        audit: AuditClient,
        secrets: WebhookSecrets,
        clock: Clock,
    ) -> None:
        self._acts = acts
        self._webhooks = webhooks
        self._messages = messages
        self._writes = writes
        self._audit = audit
        self._secrets = secrets
        self._clock = clock

    async def create(self, wish: Wish, token: AccessToken) -> Shown:
        """The webhook, which waits for its approval, with its secret.

        Raises:
            WrongStateError: The agency has as many as there may be.
            RequestIdReusedError: The request id came before with other content.
            AlprError: What audit refuses with, or that it does not answer. Nothing was changed.
        """
        actor = await who_is(self._audit, token, "webhook.create")
        webhook_id = uuid5(_NAMES, f"{actor.account_id}/{wish.request_id}")
        act = Act(wish.request_id, "webhook.create", webhook_id, actor.agency_ori, _details(wish))
        intent = await self._audit.record_intent(act, token)
        hook = Webhook(
            webhook_id=webhook_id,
            intent_id=intent.subject_id,
            agency_ori=intent.actor.agency_ori,
            owner_id=intent.actor.account_id,
            name=wish.name,
            url=wish.url,
            format=wish.format,
            chosen=wish.chosen,
            create_time=self._clock.now(),
        )
        sealed = self._secrets.new(webhook_id)
        await self._write(intent, act, Proposal(hook, wish.chosen_text, wish.request_id, sealed))
        shown = await self._shown(webhook_id)
        if shown.kept.state is not State.PROPOSED:
            return shown
        return replace(shown, secret=(await self._secret_of(webhook_id, wish.request_id))[0])

    async def approve(self, about: About, token: AccessToken) -> Shown:
        """The webhook, which posts from now on. Raises as `create`, or that there is none such."""
        return await self._take(about, State.ACTIVE, token)

    async def end(self, about: About, token: AccessToken) -> Shown:
        """The webhook, which posts no more. Raises as `create`, or that there is none such."""
        return await self._take(about, State.ENDED, token)

    async def rotate(self, about: About, token: AccessToken) -> tuple[str, datetime]:
        """The new secret, and until when messages are signed with the one before, too.

        Raises:
            WrongStateError: The webhook has ended, or the request is more than an hour old.
            AlprError: As `create`, or there is no such webhook.
        """
        kept, act, intent = await self._intend(about, "webhook.rotate", token)
        if kept.state is State.ENDED:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise WrongStateError("the webhook has ended", metadata={"state": kept.state.name})
        if kept.webhook.owner_id != intent.actor.account_id:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise NotPermittedError("a secret is shown to the owner of the webhook alone")
        sealed = self._secrets.new(about.webhook_id)
        await self._write(intent, act, Rotation(kept.webhook, about.request_id, intent.subject_id, sealed))
        secret, from_time = await self._secret_of(about.webhook_id, about.request_id)
        if not is_fresh(from_time, self._clock.now()):
            state = {"state": "SHOWN"}
            raise WrongStateError(
                "that secret was shown more than an hour ago; make a new one", metadata=state
            )
        return secret, overlap_end(from_time)

    async def list(self, request_id: UUID, token: AccessToken) -> tuple[Shown, ...]:
        """The agency's webhooks; the look is in the log before. Raises what audit refuses with."""
        actor = await who_is(self._audit, token, "webhook.list")
        act = Act(request_id, "webhook.list", request_id, actor.agency_ori)
        intent = await self._audit.record_intent(act, token)
        kept = await self._webhooks.of_agency(intent.actor.agency_ori)
        health = await self._messages.health([one.webhook.webhook_id for one in kept])
        await self._audit.record_outcome(intent.subject_id, DONE)
        return tuple(Shown(one, health.get(one.webhook.webhook_id, Health())) for one in kept)

    async def dead_letters(self, page: LetterPage, token: AccessToken) -> tuple[tuple[Letter, ...], bool]:
        """Dead letters and whether there are older ones. Raises that there is no such webhook."""
        _, _, intent = await self._intend(page.about, "webhook.list", token)
        letters = await self._messages.letters(page.about.webhook_id, page.before, page.size + 1)
        await self._audit.record_outcome(intent.subject_id, DONE)
        return letters[: page.size], len(letters) > page.size

    async def retry(self, about: About, sequences: tuple[int, ...], token: AccessToken) -> tuple[int, int]:
        """How many dead letters are posted once more, and how many of those named are not.

        Raises:
            WrongStateError: The webhook does not post.
            AlprError: As `create`, or there is no such webhook.
        """
        kept, act, intent = await self._intend(about, "webhook.retry", token)
        if kept.state is not State.ACTIVE:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise WrongStateError("the webhook does not post", metadata={"state": kept.state.name})
        await self._write(intent, act, Retry(kept.webhook, sequences, about.request_id, intent.subject_id))
        return await self._messages.retried(about.request_id, about.webhook_id, sequences)

    async def _take(self, about: About, state: State, token: AccessToken) -> Shown:
        kept, act, intent = await self._intend(about, _ACTIONS[state], token)
        if state is State.ACTIVE and kept.webhook.owner_id == intent.actor.account_id:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise NotPermittedError(
                "somebody else than its owner approves a webhook", metadata={"clauses": "III.B.3.g"}
            )
        change = WebhookAct(kept.webhook, state, about.request_id, intent.subject_id, intent.actor)
        await self._write(intent, act, change)
        return await self._shown(about.webhook_id)

    async def _intend(self, about: About, action: str, token: AccessToken) -> tuple[Kept, Act, Recorded]:
        """The webhook with the intent. To another agency there is none, and the log has the attempt."""
        actor = await who_is(self._audit, token, action)
        kept = await self._webhooks.get(about.webhook_id)
        owner = kept.webhook.agency_ori
        act = Act(about.request_id, action, about.webhook_id, owner)
        try:
            intent = await self._audit.record_intent(act, token)
        except AlprError as error:
            if owner == actor.agency_ori or error.code is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            raise NotFoundError("no such webhook", resource=str(about.webhook_id)) from None
        if owner != intent.actor.agency_ori:
            await self._audit.record_outcome(intent.subject_id, FAILED)
            raise NotFoundError("no such webhook", resource=str(about.webhook_id))
        return kept, act, intent

    async def _write(self, intent: Recorded, act: Act, change: Change) -> None:
        try:
            await self._writes.submit(change)
        except StorageUnavailableError:
            # Nobody knows whether it is on disk; the same request id finds out.
            raise
        except Exception:
            await self._acts.report_failure(intent, act.action, act.alert_id)
            raise

    async def _shown(self, webhook_id: UUID) -> Shown:
        kept = await self._webhooks.get(webhook_id)
        health = await self._messages.health([webhook_id])
        return Shown(kept, health.get(webhook_id, Health()))

    async def _secret_of(self, webhook_id: UUID, request_id: UUID) -> tuple[str, datetime]:
        made = await self._webhooks.secret_made_by(request_id)
        if made is None:
            raise StorageUnavailableError("the secret of the webhook cannot be read; try again")
        sealed, from_time = made
        return secret_text(self._secrets.open(webhook_id, sealed)), from_time


def _details(wish: Wish) -> Mapping[str, str]:
    # The address may carry a key of the receiver's: the log has its host, and what the rest is known by.
    return {
        "host": urlsplit(wish.url).netloc,
        "url_sha256": hashlib.sha256(wish.url.encode()).hexdigest(),
        "format": wish.format.name,
        "filter_sha256": hashlib.sha256(wish.chosen_text.encode()).hexdigest(),
    }
