"""The witness: signs continuations of the logs that it knows, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from prometheus_client import Counter, Gauge

from services.common.clock import Clock
from services.common.tlog import Cosigner, Note, NoteError, Signature, VerifierKey
from services.witness.core.add_checkpoint import Request, Verdict
from services.witness.store import CopiedEntry, CopyState, Refused, WitnessStore

log = structlog.get_logger()

ANSWERS = Counter("platewarden_witness_answers", "Checkpoints by what became of them.", ["verdict"])
ALARM = Gauge(
    "platewarden_witness_alarm",
    "1 once a log has presented what does not belong to what it signed.",
    ["origin"],
)
SIGNED_SIZE = Gauge(
    "platewarden_witness_signed_size", "Entries under the last checkpoint signed.", ["origin"]
)
SIGNED = Gauge(
    "platewarden_witness_signed_timestamp_seconds",
    "When a checkpoint of that log was last signed.",
    ["origin"],
)
FOLLOWED = Gauge(
    "platewarden_witness_followed_timestamp_seconds", "When a log was last looked at to the end of a turn."
)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a checkpoint; `size` is what was signed last of that log."""

    verdict: Verdict
    size: int = 0
    signature: Signature | None = None


class Witness:
    """Checks, stores and signs, one request after another."""

    def __init__(
        self, store: WitnessStore, cosigner: Cosigner, logs: Mapping[str, VerifierKey], clock: Clock
    ) -> None:
        self._store = store
        self._cosigner = cosigner
        self._logs = logs
        self._clock = clock
        self._turn = asyncio.Lock()

    @property
    def public_key(self) -> VerifierKey:
        """What those need who check its signatures."""
        return self._cosigner.verifier_key

    async def add(self, request: Request) -> Answer:
        """What becomes of the checkpoint; a signature is on disk before it is given."""
        answer = await self._add(request)
        ANSWERS.labels(answer.verdict.name.lower()).inc()
        return answer

    async def _add(self, request: Request) -> Answer:
        head = request.note.head
        key = self._logs.get(head.origin)
        if key is None:
            return Answer(Verdict.UNKNOWN_LOG)
        try:
            own = request.note.signature_of(key)
        except NoteError:
            return Answer(Verdict.NOT_TRUSTED)
        # Signatures of others are nothing that we looked at, so they are not kept.
        request = Request(request.old, request.proof, request.note.with_only([own]))
        now = int(self._clock.now().timestamp())
        added = await self._alone(
            lambda: self._store.add(request, lambda body: self._cosigner.cosign(body, now), now)
        )
        if added.fork:
            self._alarm(request.note, added.size)
        if added.signature:
            SIGNED_SIZE.labels(head.origin).set(head.size)
            SIGNED.labels(head.origin).set_to_current_time()
        return Answer(added.verdict, head.size if added.signature else added.size, added.signature)

    async def begin(self) -> list[str]:
        """The logs of which evidence is kept from before; their alarms go on."""
        found = [origin for origin in self._logs if await self.refused(origin)]
        for origin in self._logs:
            ALARM.labels(origin).set(origin in found)
        return found

    async def refuse(self, note: Note) -> None:
        """Keeps a checkpoint that a log signed and that is behind what it signed before."""
        known = await self.newest(note.head.origin)
        await self._alone(lambda: self._store.refuse(note, int(self._clock.now().timestamp())))
        self._alarm(note, known.head.size if known else 0)

    def _alarm(self, note: Note, known: int) -> None:
        ALARM.labels(note.head.origin).set(1)
        log.error("log_refused", origin=note.head.origin, size=note.head.size, signed_before=known)

    async def newest(self, origin: str) -> Note | None:
        """The largest checkpoint signed of that log, with both signatures; or None."""
        return await self._alone(lambda: self._store.newest(origin))

    async def witnessed(self, origin: str) -> list[str]:
        """Every checkpoint signed of that log, smallest first."""
        return await self._alone(lambda: self._store.witnessed(origin))

    async def refused(self, origin: str) -> list[Refused]:
        """What that log signed and this witness did not; each is evidence."""
        return await self._alone(lambda: self._store.refused(origin))

    async def copy_state(self, origin: str) -> CopyState:
        """What the copy of that log holds."""
        return await self._alone(lambda: self._store.copy_state(origin))

    async def copy(self, entries: Iterable[CopiedEntry], end: Note, redactions: int) -> None:
        """Takes entries into the copy of a log.

        Raises:
            CopyError: They do not belong to it.
        """
        await self._alone(lambda: self._store.copy(end.head.origin, entries, end, redactions))

    async def _alone(self, work: Callable[[], _Result]) -> _Result:
        async with self._turn:
            # Shielded: a caller who goes away must not leave the store in the middle of its work.
            return await asyncio.shield(asyncio.to_thread(work))
