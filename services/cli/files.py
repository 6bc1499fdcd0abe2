"""Files that search lets out, received and written."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from alpr.search.v1 import report_service_pb2 as pb
from alpr.type.v1.notice_pb2 import Notice
from services.cli.locate import CommandError
from services.cli.output import Output
from services.cli.question import Asked, show_notice, show_record


async def receive(stream: AsyncIterator[Any], out: Path) -> tuple[pb.ExportedFile, Notice]:
    """What the file is and is good for, once all of it is in `out`; it appears only when it is whole.

    Args:
        stream: Messages with a description first and data then.
        out: The file, or a folder for one of the name that the service gives.

    Raises:
        AlprError: Refused, or broken off.
        CommandError: It is not what was announced, or cannot be written.
    """
    described, notice, data = pb.ExportedFile(), Notice(), bytearray()
    async for message in stream:
        if message.WhichOneof("part") == "file":
            described, notice = message.file, message.notice
        else:
            data += message.data
    if sha256(data).digest() != described.sha256:
        raise CommandError("the file did not arrive whole; ask again")
    _write(target_of(described, out), data)
    return described, notice


def target_of(described: pb.ExportedFile, out: Path) -> Path:
    """The file to write: `out`, or in the folder `out` the service's name for it, whatever that may be."""
    return out / Path(described.file_name).name if out.is_dir() else out


def _write(target: Path, data: bytes | bytearray) -> None:
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}") from None


def show_file(described: pb.ExportedFile, notice: Notice, asked: Asked, out: Path, output: Output) -> None:
    """Prints what left, and where that stands on record."""
    target = target_of(described, out)
    answer = _Answer(described, notice)
    asked.keep_receipts(answer)
    if output.as_json:
        output.json_line(
            {
                "file": str(target),
                "sha256": described.sha256.hex(),
                "reads": described.read_count,
                "missing": described.missing_count,
                "dissemination_id": described.dissemination_id,
                "evidence_id": described.evidence_id,
                "manifest_sha256": described.manifest_sha256.hex(),
                "question": described.question_receipt.log_index,
                "answer": described.outcome_receipt.log_index,
                "departure": described.dissemination_receipt.log_index,
                "notice": notice.text,
            }
        )
        return
    show_notice(answer, output)
    missing = f", {described.missing_count} not to be had" if described.missing_count else ""
    output.console.print(f"{target}: {described.read_count} read(s){missing}, {described.size_bytes:,} bytes")
    output.console.print(f"SHA-256 {described.sha256.hex()}")
    if described.HasField("due_to_delete"):
        output.console.print(f"To be deleted by {described.due_to_delete.ToDatetime():%Y-%m-%d}")
    output.note(
        f"Registered as {described.dissemination_id}, log entry {described.dissemination_receipt.log_index}"
    )
    show_record(answer, f"{described.read_count} read(s)", output)


class _Answer:
    """A file's description as an answer whose receipts are kept."""

    def __init__(self, described: pb.ExportedFile, notice: Notice) -> None:
        self.notice = notice
        self.question_receipt = described.question_receipt
        self.outcome_receipt = described.outcome_receipt
        self.searched_from = described.searched_from
        self.searched_to = described.searched_to
        self.left_out = described.left_out
