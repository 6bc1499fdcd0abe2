"""`platewarden doctor retention`: is anything older than it may be?"""

import sys

from alpr.search.v1 import retention_service_pb2 as pb
from alpr.search.v1 import retention_service_pb2_grpc as rpc
from services.cli.options import (
    DATA_DIR,
    EXIT_REFUSED,
    As,
    DataDir,
    Json,
    new_request_id,
    run_signed_in,
)
from services.cli.output import Output
from services.cli.session import Session

_MEANING = {
    pb.OLDER_REASON_PURGE_DUE: "goes with the next daily purge",
    pb.OLDER_REASON_OVERDUE: "[bold red]should be gone[/]: run `platewarden retention purge`, and look again",
    pb.OLDER_REASON_HOLD: "kept by a legal hold (`platewarden hold list`)",
    pb.OLDER_REASON_EVIDENCE: "kept as evidence (`platewarden evidence list`)",
    pb.OLDER_REASON_UNKNOWN: "[bold red]not known to any purge[/]: find out what it is",
    pb.OLDER_REASON_COPY: "[bold red]seems to be a copy of reads[/] outside of the services: remove it",
}
_WRONG = frozenset({pb.OLDER_REASON_OVERDUE, pb.OLDER_REASON_UNKNOWN, pb.OLDER_REASON_COPY})


def retention(subject: As = "", data_dir: DataDir = DATA_DIR, as_json: Json = False) -> None:
    """Looks for anything older than the retention period, everywhere. Exit code 1 when it should be gone."""
    found: list[pb.OlderData] = []

    async def work(session: Session, output: Output) -> None:
        stub = rpc.RetentionServiceStub(session.channel("search"))
        request = pb.CheckRetentionRequest(request_id=new_request_id())
        answer: pb.CheckRetentionResponse = await session.call(stub.CheckRetention, request)
        found.extend(answer.found)
        if output.as_json:
            output.json_line(answer)
            return
        output.say(
            f"Reads are kept {answer.retention_days} days: from {answer.first_kept_day} (UTC) on. Looked at "
            "every table and every object of the image store."
        )
        for one in answer.found:
            count = f"{one.count:,}" if one.HasField("count") else "?"
            oldest = f", oldest {one.oldest_day}" if one.oldest_day else ""
            output.say(f"  [bold]{one.place}[/] ({count}{oldest}): {_MEANING[one.reason]}")
        if not answer.found:
            output.say("[green]ok[/] Nothing is older.")

    run_signed_in(work, data_dir=data_dir, subject=subject, as_json=as_json)
    if any(one.reason in _WRONG for one in found):
        sys.exit(EXIT_REFUSED)
