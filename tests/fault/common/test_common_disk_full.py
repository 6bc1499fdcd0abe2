"""On disks that are really full or really read-only: a tmpfs in a mount namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
POSTGRES = """
import sys
from pathlib import Path
from services.dev.postgres import EmbeddedPostgres, PostgresError
try:
    EmbeddedPostgres(Path(sys.argv[1]) / "pg").start()
except PostgresError as error:
    print(error)
"""
OBJECTS = """
import asyncio, os, sys
from pathlib import Path
from services.common.errors import StorageUnavailableError
from services.common.objects import FileObjectStore
async def main():
    store = FileObjectStore(Path(sys.argv[1]) / "images")
    await store.put("days/2026-05-01/small", b"one")
    try:
        await store.put("days/2026-05-01/large", os.urandom(64 << 20))
    except StorageUnavailableError as error:
        print(error.message)
    await store.put("days/2026-05-01/other", b"two")
    print(await store.children("days/2026-05-01"), await store.get("days/2026-05-01/small"))
asyncio.run(main())
"""


def in_namespace(mount: str, code: str, folder: Path) -> str:
    script = f'mount -t tmpfs -o {mount} none "$2" && exec "$0" -c "$1" "$2"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(  # noqa: S603
        [*command, sys.executable, code, str(folder)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def namespaces() -> None:
    probe = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    try:
        allowed = subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("user namespaces are not allowed here")


def test_postgresql_says_that_the_disk_is_full(tmp_path: Path) -> None:
    said = in_namespace("size=12m", POSTGRES, tmp_path)

    assert said == f"there is no space left on the disk of {tmp_path}/pg\n"


def test_postgresql_says_that_the_disk_is_read_only(tmp_path: Path) -> None:
    said = in_namespace("ro", POSTGRES, tmp_path)

    assert said == f"{tmp_path}/pg is on a disk that is mounted read-only\n"


def test_a_full_image_store_refuses_the_large_image_and_takes_the_next_small_one(tmp_path: Path) -> None:
    said = in_namespace("size=4m", OBJECTS, tmp_path)

    assert said == "the image store is full; try again later\n['other', 'small'] b'one'\n"
