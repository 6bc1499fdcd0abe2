"""Uploads on a disk that is really full: a tmpfs in a mount namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
# The disk has a page left, or none, when a small file has come, which waits in memory to be written.
SPOOL = """
import asyncio, gzip, hashlib, os, sys, uuid
from pathlib import Path
from services.common.errors import StorageUnavailableError
from services.matcher.core.hot_list import FileFormat, UploadHeader
from services.matcher.spool import Spool
folder = Path(sys.argv[1])
data = gzip.compress(os.urandom(3000)) if sys.argv[2] == "packed" else b"plate,state\\n" * 250
ids = uuid.uuid4(), uuid.uuid4()
header = UploadHeader(*ids, FileFormat.CSV, hashlib.sha256(data).digest(), len(data), "It is lawful.")
async def chunks():
    yield data
async def receive():
    try:
        async with Spool(folder).receive(header, chunks()) as file:
            file.seek(0)
            print("whole" if file.read() == data else "broken")
    except StorageUnavailableError as error:
        print(error.message)
async def main():
    ballast = (folder / "ballast").open("wb", buffering=0)
    try:
        while True:
            ballast.write(bytes(4096))
    except OSError:
        pass
    await receive()
    ballast.truncate(0)
    await receive()
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def namespaces() -> None:
    try:
        allowed = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("user namespaces are not allowed here")


@pytest.mark.parametrize("kind", ["plain", "packed"])
def test_an_upload_without_room_is_to_be_sent_again_and_is_not_taken_for_a_broken_file(
    kind: str, tmp_path: Path
) -> None:
    script = 'mount -t tmpfs -o size=1m none "$2" && exec "$0" -c "$1" "$2" "$3"'
    command = [*UNSHARE, script, sys.executable, SPOOL, str(tmp_path), kind]

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr
    assert done.stdout == "the upload could not be spooled\nwhole\n"
