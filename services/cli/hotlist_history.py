"""`platewarden hotlist`: approve, roll back and take out of use; versions, differences, refused uploads."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from alpr.matcher.v1 import hot_list_service_pb2 as pb
from alpr.matcher.v1 import hot_list_service_pb2_grpc as rpc
from services.cli.hotlist import activate_version
from services.cli.locate import CommandError
from services.cli.options import DATA_DIR, As, DataDir, Json, new_request_id, run_signed_in
from services.cli.output import Output
from services.cli.session import Session
from services.cli.words import CATEGORY, FORMAT, UPLOAD_KIND

HotListId = Annotated[str, typer.Argument(help="Id of the hot list.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in 10 to 500 characters; it is recorded.")]


def approve(
    hot_list: HotListId,
    version: Annotated[int, typer.Argument(min=1, help="The version.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Approves a version of somebody else's that removes much of its list (ENF-051 III.B.3.h)."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ApproveHotListVersionRequest(
            request_id=new_request_id(), hot_list_id=hot_list, version=version
        )
        answer = await session.call(_stub(session).ApproveHotListVersion, request, deadline=600.0)
        output.result(
            answer,
            f"Version {version} may take the place of version {answer.compared_version}; "
            f"{answer.removed_count:,} of its entries go. Somebody else activates it",
        )

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def roll_back(
    hot_list: HotListId,
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Activates the version that was active before the present one."""

    async def work(session: Session, output: Output) -> None:
        versions = [one async for one in _versions(session, hot_list)]
        before = version_before(versions)
        answer = await activate_version(session, hot_list, before)
        output.result(answer, f"Version {before} is active from match revision {answer.match_revision}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def deactivate(
    hot_list: HotListId,
    reason: Reason = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Takes a list out of use: no read is compared with it until a version is activated."""

    async def work(session: Session, output: Output) -> None:
        request = pb.DeactivateHotListRequest(
            request_id=new_request_id(), hot_list_id=hot_list, reason=reason
        )
        answer = await session.call(_stub(session).DeactivateHotList, request, deadline=120.0)
        output.result(answer, f"No read is compared with it from match revision {answer.match_revision}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def immigration_file(
    hot_list: HotListId,
    allowed: Annotated[bool, typer.Option("--allow/--forbid", help="Whether new versions take it.")],
    reason: Reason = "",
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """Allows NCIC's file N (immigration) in a list, or forbids it; for system administrators."""

    async def work(session: Session, output: Output) -> None:
        request = pb.SetImmigrationFileRequest(
            request_id=new_request_id(), hot_list_id=hot_list, allowed=allowed, reason=reason
        )
        answer = await session.call(_stub(session).SetImmigrationFile, request, deadline=120.0)
        word = "taken into" if allowed else "left out of"
        idle = "" if answer.hot_list.active_version else "; no version of the list is active"
        output.result(answer, f"File N is {word} new versions of [bold]{answer.hot_list.name}[/]{idle}")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def versions(
    hot_list: HotListId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """The versions of a list, newest first."""

    async def work(session: Session, output: Output) -> None:
        found = [one async for one in _versions(session, hot_list)]
        columns = (
            "version",
            "state",
            "kind",
            "uploaded",
            "by",
            "entries",
            "new",
            "gone",
            "expires",
        )
        rows = (
            (
                str(x.version),
                state_of(x),
                UPLOAD_KIND.word(x.kind),
                _moment(x, "upload_time"),
                x.account_id,
                f"{x.entry_count:,}",
                f"{x.added_count:,}",
                f"{x.removed_count:,}",
                _moment(x, "expire_time"),
            )
            for x in found
        )
        output.table(found, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def diff(
    hot_list: HotListId,
    before: Annotated[int, typer.Argument(min=1, help="The one version.")],
    after: Annotated[int, typer.Argument(min=1, help="The other.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What two versions of a list differ by, entry by entry. It is recorded."""

    async def work(session: Session, output: Output) -> None:
        request = pb.DiffHotListVersionsRequest(
            hot_list_id=hot_list, from_version=before, to_version=after, page_size=200
        )
        changes: list[pb.EntryChange] = []
        method = _stub(session).DiffHotListVersions
        async for page in _pages(session, method, request):
            changes += page.changes
            notice, counts = page.notice, (page.added_count, page.removed_count, page.changed_count)
        output.note(notice.text)
        columns = ("", "plate", "state", "category", "record", "entered")
        output.table(changes, columns, map(_change_row, changes))
        output.note("{:,} added, {:,} removed, {:,} changed".format(*counts))

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def refused(
    hot_list: HotListId, subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False
) -> None:
    """The uploads of a list that were refused, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListQuarantinedUploadsRequest(hot_list_id=hot_list)
        found: list[pb.QuarantinedUpload] = []
        async for page in _pages(session, _stub(session).ListQuarantinedUploads, request):
            found += page.uploads
        columns = ("upload", "when", "by", "format", "right rows", "wrong rows")
        rows = (
            (
                x.upload_id,
                _moment(x, "upload_time"),
                x.account_id,
                FORMAT.word(x.format),
                f"{x.row_count:,}",
                f"{x.error_count:,}" + (" or more" if x.stopped else ""),
            )
            for x in found
        )
        output.table(found, columns, rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def report(
    upload: Annotated[str, typer.Argument(help="Id of the refused upload.")],
    subject: As = "",
    data_dir: DataDir = DATA_DIR,
    as_json: Json = False,
) -> None:
    """What was wrong with a refused upload, by row and column."""

    async def work(session: Session, output: Output) -> None:
        request = pb.GetQuarantinedUploadRequest(upload_id=upload)
        found: list[pb.RowFinding] = []
        async for page in _pages(session, _stub(session).GetQuarantinedUpload, request):
            found += page.errors
        rows = ((str(x.row or "-"), x.column, x.problem) for x in found)
        output.table(found, ("row", "column", "what is wrong"), rows)

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)


def version_before(versions: list[pb.HotListVersion]) -> int:
    """The version that was active before the one that is, or before the list went out of use.

    Raises:
        CommandError: There is none.
    """
    used = sorted((x for x in versions if x.HasField("activated_at")), key=_activated, reverse=True)
    idle = [x for x in used if not x.active]
    # Out of use, the newest activation is the one that was rolled away from.
    wanted = idle if any(x.active for x in used) else idle[1:]
    if not wanted:
        msg = "no other version of the list was ever active"
        raise CommandError(msg)
    return wanted[0].version


def state_of(version: pb.HotListVersion) -> str:
    """Where a version stands, in a word or two."""
    if version.active:
        return "active"
    if version.approval_needed and not version.approvals:
        return "needs approval"
    return "was active" if version.HasField("activated_at") else "ready"


def _activated(version: pb.HotListVersion) -> tuple[int, int]:
    return version.activated_at.seconds, version.activated_at.nanos


def _change_row(change: pb.EntryChange) -> tuple[str, ...]:
    sign = "+" if not change.HasField("before") else "-" if not change.HasField("after") else "*"
    entry = change.after if change.HasField("after") else change.before
    values = (entry.plate, entry.state, CATEGORY.word(entry.category), entry.record_number, entry.entry_date)
    return sign, *(value or "-" for value in values)


def _moment(message: Any, field: str) -> str:
    stamp: Timestamp = getattr(message, field)
    return stamp.ToJsonString() if message.HasField(field) else "-"


def _stub(session: Session) -> rpc.HotListServiceStub:
    return rpc.HotListServiceStub(session.channel("matcher"))


async def _versions(session: Session, hot_list: str) -> AsyncIterator[pb.HotListVersion]:
    request = pb.ListHotListVersionsRequest(hot_list_id=hot_list)
    async for page in _pages(session, _stub(session).ListHotListVersions, request):
        for one in page.versions:
            yield one


async def _pages(session: Session, method: Any, request: Any) -> AsyncIterator[Any]:
    """All pages of an answer, the first with what `request` asks for."""
    while True:
        page = await session.call(method, request, deadline=600.0)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
