"""An uploaded file on its way into a list: all of it, or into quarantine (ENF-051 III.B.3.d, III.B.3.h)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import BinaryIO, Final

from services.common.clock import Clock
from services.common.errors import FieldViolation, NotFoundError, WrongStateError
from services.common.identity import AccessToken
from services.common.wire import raise_violations
from services.matcher.app_acts import Acts, Intent, Plan, act_of
from services.matcher.core.entry import ParseOptions, Source
from services.matcher.core.hot_list import (
    NCIC_FORMATS,
    Act,
    Checked,
    FileFormat,
    Finding,
    HotList,
    Removal,
    UploadHeader,
    UploadKind,
    VersionSummary,
)
from services.matcher.core.scope import may_hold, takes_layout
from services.matcher.errors import AbsentEntriesError, BadHotListError
from services.matcher.spool import Spool
from services.matcher.store_history import HistoryStore
from services.matcher.store_lists import HotListStore
from services.matcher.store_versions import VersionStore
from services.matcher.upload_file import FileReport, UploadedFile

# Of wrong rows; the report has more.
_MOST_VIOLATIONS: Final = 100
# How far the clock of whoever writes or sends a file may be ahead.
_CLOCK_SKEW: Final = timedelta(minutes=5)
_LONGEST_LIFE: Final = timedelta(days=400)


class Uploads:
    """Takes files into lists; audit says for every file whether the person may send it."""

    def __init__(  # noqa: PLR0913 - an upload goes through all of them
        self,
        *,
        acts: Acts,
        lists: HotListStore,
        versions: VersionStore,
        history: HistoryStore,
        spool: Spool,
        clock: Clock,
        removed_share: float,
    ) -> None:
        self._acts = acts
        self._lists = lists
        self._versions = versions
        self._history = history
        self._spool = spool
        self._clock = clock
        self._removed_share = removed_share

    def needs_approval(self, removal: Removal) -> bool:
        """True when a second person must agree before the version can be activated."""
        return removal.needs_approval(self._removed_share)

    async def upload(
        self, header: UploadHeader, chunks: AsyncIterator[bytes], token: AccessToken
    ) -> VersionSummary:
        """The stored version in numbers; it is not active yet.

        The intent is recorded on the header alone: nothing of the file is taken from who may not send it.
        An upload that breaks off leaves an intent without outcome, which the same request id completes.

        Raises:
            HotListNotFoundError: No such list.
            InvalidFieldError: Size or SHA-256 is not what the header says, or a moment in it cannot be.
            BadHotListError: Wrong rows; the upload is in quarantine, for good.
            WrongStateError: An increment of a version that is not the newest.
        """
        self._check_moments(header)
        hot_list = await self._lists.get(header.hot_list_id)
        resource = str(hot_list.hot_list_id)
        details = _file_details(header)
        plan = Plan(header.request_id, "hot_list.upload", resource, hot_list.agency_ori, details)
        intent = await self._acts.begin(plan, token)
        summary = await self._versions.find(intent.intent_id)
        if summary is None:
            await self._refuse_again(header, intent)
            async with self._spool.receive(header, chunks) as file:
                act = act_of(plan, intent, hot_list.hot_list_id, self._clock.now())
                summary = await self._store(act, header, hot_list, intent, file)
        await self._acts.changed(intent.intent_id)
        return summary

    def _check_moments(self, header: UploadHeader) -> None:
        now, wrong = self._clock.now(), []
        if header.source_time and header.source_time > now + _CLOCK_SKEW:
            wrong.append(FieldViolation("header.source_time", "must not lie in the future"))
        if header.expire_time and not now < header.expire_time <= now + _LONGEST_LIFE:
            wrong.append(FieldViolation("header.expire_time", "must lie within the next 400 days"))
        raise_violations(wrong)

    async def _refuse_again(self, header: UploadHeader, intent: Intent) -> None:
        """Returns unless this upload was refused before; then it ends as it did, without the file."""
        try:
            _, findings = await self._history.report(header.request_id, 0, _MOST_VIOLATIONS)
        except NotFoundError:
            return
        await self._acts.refused(intent)
        raise _bad_hot_list(header, findings)

    async def _store(
        self, act: Act, header: UploadHeader, hot_list: HotList, intent: Intent, file: BinaryIO
    ) -> VersionSummary:
        """Checks every row before the first is stored."""
        taken = hot_list.immigration_file and header.format in NCIC_FORMATS
        rows = UploadedFile(file, header.format, ParseOptions(act.act_time.date(), immigration_file=taken))
        report = await asyncio.to_thread(rows.check)
        findings = [*_wrong_rows(report), *_foreign(report, hot_list.source, header.format)]
        if not findings:
            try:
                checked = Checked(_notes(report), report.left_out_count + report.doubtful_count, taken)
                return await self._versions.add(act, header, rows.rows(), checked)
            except WrongStateError:
                await self._acts.refused(intent)
                raise
            except AbsentEntriesError as error:
                problem = f"{error.count} of its entries are not in version {header.base_version}"
                findings = [Finding(0, "file", problem)]
        row_count, stopped = report.row_count, report.stopped
        await self._history.quarantine(act, header, findings, row_count, stopped=stopped)
        await self._acts.refused(intent)
        raise _bad_hot_list(header, findings)


def _wrong_rows(report: FileReport) -> list[Finding]:
    return [Finding(one.row, one.column, one.problem) for one in report.errors]


def _foreign(report: FileReport, source: Source, layout: FileFormat) -> list[Finding]:
    """What cannot be in a list of that source (ENF-051 II.H)."""
    if not takes_layout(source, layout):
        return [Finding(0, "file", f"a list of {source.name} takes no file in the layout {layout.name}")]
    return [
        Finding(0, "category", f"a list of {source.name} has no entries of the category {category.name}")
        for category in sorted(report.categories)
        if not may_hold(source, category)
    ]


def _notes(report: FileReport) -> tuple[Finding, ...]:
    return tuple(Finding(one.row, one.column, one.note) for one in report.notes)


def _bad_hot_list(header: UploadHeader, findings: list[Finding] | tuple[Finding, ...]) -> BadHotListError:
    return BadHotListError(
        "the file has wrong rows; nothing of it is in the list",
        resource=str(header.hot_list_id),
        metadata={"upload_id": str(header.request_id)},
        violations=[
            FieldViolation(f"row {one.row}, column {one.column}" if one.row else one.column, one.problem)
            for one in findings[:_MOST_VIOLATIONS]
        ],
    )


def _file_details(header: UploadHeader) -> dict[str, str]:
    details = {
        "attestation": header.attestation,
        "format": header.format.name,
        "kind": header.kind.name,
        "sha256": header.sha256.hex(),
        "size_bytes": str(header.size_bytes),
    }
    if header.kind is not UploadKind.FULL:
        details["base_version"] = str(header.base_version)
    for name, moment in (("source_time", header.source_time), ("expire_time", header.expire_time)):
        if moment:
            details[name] = moment.isoformat()
    return details
